"""Numbers, vectors and sums as LaTeX: symbols and numbers only, so nothing a stranger typed can get in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

SHOWN = 4  # of a long sum or vector, so many entries are written out


def plain(x: float) -> str:
    """A number with four significant digits, as plain text.

    >>> [plain(x) for x in (0.0, 2.0, -0.123456, 123456.0, 0.000012345, float("-inf"))]
    ['0', '2', '-0.1235', '123456', '1.234e-05', '-∞']
    """
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "∞" if x > 0 else "-∞"
    text = f"{x:.4g}" if x else "0"  # -0.0 is 0
    whole = abs(x) < 1e6 and (x == int(x) or "e+" in text)
    return f"{x:.0f}" if x and whole else text


def number(x: float) -> str:
    r"""A number with four significant digits, as LaTeX.

    >>> [number(x) for x in (-0.5, 0.000012345, float("-inf"))]
    ['-0.5', '1.234 \\cdot 10^{-5}', '-\\infty']
    """
    text = plain(x)
    if text == "NaN":
        return r"\mathrm{NaN}"
    if text.endswith("∞"):
        return text.replace("∞", r"\infty")
    mantissa, e, exponent = text.partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else text


def factor(x: float) -> str:
    r"""A number inside a product, in brackets where it has a sign or a product of its own.

    >>> factor(2.0), factor(-2.0)
    ('2', '(-2)')
    """
    text = number(x)
    return f"({text})" if text.startswith("-") or "cdot" in text else text


def equals(x: float) -> str:
    r"""`= x`, or `\approx x` where the four digits are not the whole number.

    >>> equals(0.25), equals(1 / 3)
    ('= 0.25', '\\approx 0.3333')
    """
    text = plain(x)
    exact = text in ("NaN", "∞", "-∞") or float(text) == x
    return ("= " if exact else r"\approx ") + number(x)


def vector(values: Sequence[float]) -> str:
    r"""A vector, the first few numbers of a long one.

    >>> vector((1.0, -2.0)), vector(range(9))
    ('(1,\\; -2)', '(0,\\; 1,\\; 2,\\; 3,\\; \\dots)')
    """
    parts = [number(x) for x in _first(values)]
    return "(" + r",\; ".join([*parts, r"\dots"] if len(values) > len(parts) else parts) + ")"


def products(pairs: Sequence[tuple[float, float]]) -> str:
    r"""A sum of products, the first few of a long one.

    >>> products([(1.0, 2.0), (-3.0, 4.0)])
    '1 \\cdot 2 + (-3) \\cdot 4'
    """
    return _sum([rf"{factor(a)} \cdot {factor(b)}" for a, b in _first(pairs)], len(pairs))


def addends(values: Sequence[float]) -> str:
    r"""A plain sum, the first few addends of a long one.

    >>> addends((1.0, -2.0, 3.0))
    '1 + (-2) + 3'
    """
    first, *rest = [number(x) for x in _first(values)] or ["0"]
    return _sum([first, *(f"({text})" if text.startswith("-") else text for text in rest)], len(values))


def exponentials(pairs: Sequence[tuple[float, float]]) -> str:
    r"""A sum of e^(a - b), the first few of a long one.

    >>> exponentials([(1.0, 2.0), (2.0, 2.0)])
    'e^{1 - 2} + e^{2 - 2}'
    """
    return _sum([exponential(a, b) for a, b in _first(pairs)], len(pairs))


def exponential(a: float, b: float) -> str:
    r"""e^(a - b).

    >>> exponential(float("-inf"), -1.0)
    'e^{-\\infty - (-1)}'
    """
    return f"e^{{{number(a)} - {factor(b)}}}"


def headings(left: str, right: str) -> tuple[str, str, str]:
    r"""The letters of two factors and of their product, as plain text.

    >>> headings("q_{ic}", "W^{Q}_{cd}"), headings(r"\hat{x}_{jc}", "W")[0]
    (('q', 'W', 'q · W'), 'x̂')
    """
    a, b = (symbol.split("_")[0].split("^")[0].replace(r"\hat{x}", "x̂") for symbol in (left, right))
    return a, b, f"{a} · {b}"


def _first(values: Sequence[T]) -> Sequence[T]:
    return values if len(values) <= SHOWN + 1 else values[:SHOWN]


def _sum(parts: list[str], length: int) -> str:
    if length > len(parts):
        parts = [*parts, r"\cdots"]
    return " + ".join(parts) if parts else "0"
