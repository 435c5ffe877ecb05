"""Which cell of which trace is derived: its numbers, and the names of its tokens, columns and heads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from attention_core.derivation.formulas import score_kind
from attention_core.functional import Mod
from attention_core.scores import Score, Tempered
from attention_core.trace import AttentionTrace

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def token_name(tokens: Sequence[str], place: int, show: Callable[[str], str] = str) -> str:
    """A token as text; one that occurs more than once carries its place, from 0 as the chips do.

    >>> [token_name(("the", "cat", "the"), i) for i in range(3)]
    ['the₀', 'cat', 'the₂']
    """
    token = tokens[place]
    number = str(place).translate(_SUBSCRIPTS) if tokens.count(token) > 1 else ""
    return f"{show(token)}{number}"


@dataclass(frozen=True, eq=False)
class Cell:
    """One cell of a trace and what is known about how the trace was made; `derive` makes it."""

    trace: AttentionTrace
    field: str
    batch: int
    head: int
    row: int
    col: int
    score: Score | None = None
    mods: tuple[Mod, ...] = ()
    show: Callable[[str], str] = str

    def numbers(self, tensor: Tensor) -> list[float]:
        """A vector as Python numbers, all digits kept."""
        return [float(x) for x in tensor.detach().tolist()]

    @property
    def kv_head(self) -> int:
        """The key/value head that the query head reads: heads may share one (Ainslie et al. 2023)."""
        return self.head // (self.trace.heads.q.shape[1] // self.trace.heads.k.shape[1])

    @cached_property
    def value(self) -> float:
        """The number in the cell."""
        return float(self.trace.field(self.field)[self.index(self.trace.dims(self.field))].item())

    def index(self, dims: Sequence[str]) -> tuple[int, ...]:
        """Where the cell lies in a tensor of these dimensions."""
        at = {"batch": self.batch, "head": self.head, "kv_head": self.head}
        plane = [dim for dim in dims if dim not in at]
        at |= zip(plane, (self.row, self.col)[-len(plane) :], strict=True)
        return tuple(at[dim] for dim in dims)

    def at(self, field: str) -> float:
        """The number of a score-shaped field at this head, query and key."""
        return float(self.trace.field(field)[self.batch, self.head, self.row, self.col].item())

    def row_of(self, field: str) -> list[float]:
        """The row of a score-shaped field at this head and query: one number a key."""
        return self.numbers(self.trace.field(field)[self.batch, self.head, self.row])

    def query_name(self, place: int) -> str:
        """The token at this place of the queries."""
        return token_name(self.trace.tokens, place, self.show)

    def key_name(self, place: int) -> str:
        """The token at this place of the keys and values."""
        return token_name(self.trace.source_tokens, place, self.show)

    def head_name(self, head: int) -> str:
        """The number of a head, from 1, and its name where it has one."""
        names = self.trace.head_names
        return f"{head + 1} · {names[head]}" if head < len(names) and names[head] else str(head + 1)

    @cached_property
    def base_score(self) -> Score | None:
        """The score function without its temperature, where it was given."""
        score = self.score
        while isinstance(score, Tempered):
            score = score.score
        return score

    @property
    def score_kind(self) -> str:
        """The name of the score function without its temperature."""
        return score_kind(self.trace)

    @property
    def rotates(self) -> bool:
        """Whether something turned queries and keys before they met."""
        return self.trace.heads.rotated_q is not self.trace.heads.q

    @property
    def prime(self) -> str:
        """The mark of queries and keys that were turned."""
        return "'" if self.rotates else ""

    @property
    def by_hand(self) -> bool:
        """Whether the weights of this row were set from outside."""
        rows = self.trace.by_hand
        return rows is not None and bool(rows[self.batch, self.head, self.row])

    @property
    def drops(self) -> bool:
        """Whether other weights count than those of the softmax: dropout was at work, or somebody set them."""
        if self.trace.by_hand is not None:
            return self.by_hand
        return self.trace.heads.dropped_weights is not self.trace.heads.weights
