"""Formulas without a library that sets them: LaTeX as HTML of plain letters, with indices below and powers above."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

_PARTS = re.compile(r"\\[A-Za-z]+|\\.|[^\\]", re.DOTALL)
_SIGNS = {
    r"\sum": "∑",
    r"\infty": "∞",
    r"\cdot": " · ",
    r"\approx": "≈",
    r"\lVert": "‖",
    r"\rVert": "‖",
    r"\top": "⊤",
    r"\dots": "…",
    r"\qquad": "\u2003\u2003",
    r"\quad": "\u2003",
    r"\,": "\u2009",
    r"\;": " ",
    r"\\": "; ",
    "&": " \u2003",
    "-": "−",
    "'": "′",
}
_OVER = {r"\hat": "\u0302", r"\tilde": "\u0303", r"\bar": "\u0304"}


def formula_html(latex: str) -> str:
    r"""A formula as escaped HTML. Only what formulas here use is known; of any other command the name is left.

    >>> formula_html(r"s_{ij} = r_{ij} / \sqrt{d_k}")
    '<i>s</i><sub><i>i</i><i>j</i></sub> = <i>r</i><sub><i>i</i><i>j</i></sub> / √(<i>d</i><sub><i>k</i></sub>)'
    """
    return "".join(_written(_parts(latex)))


def prose_html(text: str) -> str:
    r"""A paragraph as escaped HTML, what stands between two `$` as a formula.

    >>> prose_html(r"Divided by $\sqrt{n}$, for a < b.")
    'Divided by √(<i>n</i>), for a &lt; b.'
    """
    pieces = text.split("$")
    return "".join(formula_html(piece) if place % 2 else escape(piece) for place, piece in enumerate(pieces))


def _parts(latex: str) -> Iterator[str]:
    return iter(_PARTS.findall(latex))


def _written(parts: Iterator[str]) -> Iterator[str]:
    """The HTML of what is left, up to the brace that closes it."""
    for part in parts:
        if part == "}":
            return
        yield _one(part, parts)


def _one(part: str, parts: Iterator[str]) -> str:
    """The HTML of one part, with what it takes of those that follow."""
    if part == "{":
        return "".join(_written(parts))
    if part in ("_", "^"):
        tag = "sub" if part == "_" else "sup"
        return f"<{tag}>{_next(parts)}</{tag}>"
    if part == r"\sqrt":
        return f"√({_next(parts)})"
    if part == r"\frac":
        return f"{_next(parts)} / ({_next(parts)})"
    if part in _OVER:
        return _next(parts).replace("</i>", _OVER[part] + "</i>", 1)
    if part in (r"\begin", r"\end"):  # cases, the one environment
        _next(parts)
        return "{ " if part == r"\begin" else ""
    if part in _SIGNS:
        return _SIGNS[part]
    if part.startswith("\\"):
        return escape(part[1:])
    return f"<i>{part}</i>" if part.isalpha() else escape(part)


def _next(parts: Iterator[str]) -> str:
    for part in parts:
        if not part.isspace():
            return _one(part, parts)
    return ""
