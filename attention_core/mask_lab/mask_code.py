"""A mask as source code: the function that every snippet shares, with painted grids drawn as text."""

from __future__ import annotations

from attention_core.masks import Explicit
from attention_core.masks.base import Combination, Mask, Not

__all__ = ["mask_function"]


def mask_function(name: str, mask: Mask) -> str:
    """Source of `def name(b, h, q, k)`, the rule of a mask on integer tensors, True = may attend.

    The body is `mask.expression()`. A painted mask comes before it as rows of "x" (open) and "." (shut).

    >>> from attention_core.masks import Causal, Window
    >>> print(mask_function("may_attend", Causal() & Window(3)))
    def may_attend(b, h, q, k):
        \"""Causal and window 3: True where query q may attend to key k (both counted from 0).\"""
        return (k <= q) & (abs(q - k) < 3)
    >>> print(mask_function("may_attend", Explicit(("x.", "xx"))))
    painted = torch.tensor([[cell == "x" for cell in row] for row in (
        "x.",
        "xx",
    )])  # bool (queries, keys)
    <BLANKLINE>
    <BLANKLINE>
    def may_attend(b, h, q, k):
        \"""Painted 2 by 2: True where query q may attend to key k (both counted from 0).\"""
        return painted[q, k]
    """
    grids = list(dict.fromkeys(_painted(mask)))
    expression, tables = mask.expression(), []
    for number, grid in enumerate(grids, 1):
        table = "painted" if len(grids) == 1 else f"painted_{number}"
        expression = expression.replace(grid.expression(), f"{table}[q, k]")
        tables.append(_table(table, grid))
    phrase = str(mask)
    words = f"{phrase[0].upper()}{phrase[1:]}: True where query q may attend to key k (both counted from 0)."
    function = f'def {name}(b, h, q, k):\n    """{words}"""\n    return {expression}'
    return "\n\n\n".join([*tables, function])


def _painted(mask: Mask) -> list[Explicit]:
    """The painted masks in it."""
    if isinstance(mask, Explicit):
        return [mask]
    if isinstance(mask, Not):
        return _painted(mask.mask)
    if isinstance(mask, Combination):
        return [grid for part in mask.masks for grid in _painted(part)]
    return []


def _table(name: str, mask: Explicit) -> str:
    rows = "".join(f'    "{line}",\n' for line in mask.lines)
    return f'{name} = torch.tensor([[cell == "x" for cell in row] for row in (\n{rows})])  # bool (queries, keys)'
