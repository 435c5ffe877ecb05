"""What a derivation is made of: terms, steps, and sentences that can be translated."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Term(NamedTuple):
    """One line of a term-by-term table: two numbers and what they make together.

    In a sum of products `result` is a * b; the step says if it is something else (`Step.columns`).
    `label` is plain text and may hold a token: it is not to be read as markup.
    """

    label: str
    a: float
    b: float
    result: float


def product(label: str, a: float, b: float) -> Term:
    """The term a * b.

    >>> product("1", 2.0, 3.0)
    Term(label='1', a=2.0, b=3.0, result=6.0)
    """
    return Term(label, a, b, a * b)


@dataclass(frozen=True)
class Phrase:
    """A sentence as a template and its arguments, so that the whole sentence can be translated.

    `key` names the template; `values` may hold tokens: the text is plain and not to be read as markup.

    >>> Phrase("greeting", "Good {time}, {name}.", {"time": "morning", "name": "Ada"}).text()
    'Good morning, Ada.'
    """

    key: str
    template: str
    values: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    def text(self, say: Callable[[str], str] = str) -> str:
        """The sentence; `say` translates the template."""
        return say(self.template).format(**self.values)

    def __str__(self) -> str:
        return self.text()


@dataclass(frozen=True)
class Step:
    """One step of the arithmetic.

    `key` is stable; `name` is its English title. `formula` is LaTeX in symbols, `substituted` the same with
    the numbers of this cell. A step makes a number (`value`) or a list of them (`vector`). Where there are
    `terms`, a value is the sum of their results, and a vector is the list of them. `columns` heads the table
    of terms: a, b and result, as plain text. `head` is set where the step belongs to one head among several.
    """

    key: str
    name: str
    formula: str
    substituted: str
    value: float | None = None
    vector: tuple[float, ...] = ()
    terms: tuple[Term, ...] = ()
    columns: tuple[str, str, str] | None = None
    note: Phrase | None = None
    head: int | None = None

    def recomputed(self) -> float | tuple[float, ...] | None:
        """The value or the vector from the terms alone; None where there are no terms."""
        if not self.terms:
            return None
        results = tuple(term.result for term in self.terms)
        return results if self.value is None else _total(results)


@dataclass(frozen=True)
class Derivation:
    """The arithmetic behind one cell of a trace.

    `head` is the index on the head axis of the field, None where the field has none; `row` and `col` are
    those of its last two dimensions, and `dims` names all of them. `value` is the number of the trace (1 or 0
    for True or False), and `sentence` says it in words.
    """

    field: str
    batch: int
    head: int | None
    row: int
    col: int
    dims: tuple[str, ...]
    value: float
    steps: tuple[Step, ...]
    sentence: Phrase

    def step(self, key: str) -> Step:
        """The first step of that key. KeyError names the steps there are."""
        for step in self.steps:
            if step.key == key:
                return step
        names = ", ".join(step.key for step in self.steps)
        raise KeyError(f"{key!r} is no step of this derivation; it has {names}")


def _total(results: tuple[float, ...]) -> float:
    """The exact sum, rounded once; plain addition where infinity takes part."""
    return math.fsum(results) if all(math.isfinite(x) for x in results) else sum(results)
