"""What a painted mask is: the preset that allows the same cells, where there is one, and its sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Bool
from torch import Tensor

from attention_core.mask_lab.words import say
from attention_core.masks import (
    Blocks,
    Causal,
    Dilated,
    Documents,
    Explicit,
    Full,
    Global,
    Padding,
    Prefix,
    Window,
)
from attention_core.masks.base import Combination, Mask, Not, as_written

__all__ = ["describe", "recognise"]

Grid = Bool[Tensor, "query key"]


def recognise(mask: Mask, queries: int, keys: int) -> Mask | None:
    """The simplest preset that allows the same cells at this size; None where there is none.

    Looked for, in this order: everything, nothing, the token itself, causal (also with the last query aligned
    to the last key, or any other offset), windows, blocks,
    prefixes, dilated windows (each alone, and the causal part of it), prefix LM, global tokens with and
    without a window, documents; the opposite of each; and each with padding at the end. The mask is taken in
    batch row 0. ValueError where it does not fit the size.

    >>> from attention_core.masks import Explicit
    >>> recognise(Explicit(("x..", "xx.", ".xx")), 3, 3)
    And(masks=(Causal(offset=0), Window(width=2)))
    """
    grid = mask.materialize(1, 1, queries, keys)[0, 0]  # (query, key)
    found = _preset(grid)
    if found is not None:
        return found
    opposite = _preset(~grid)
    if opposite is not None:
        return ~opposite
    ends = grid.any(dim=0).nonzero().flatten()  # (open column,)
    length = int(ends[-1]) + 1
    if length < keys:
        found = _preset(grid, Padding((length,)))
        if found is not None:
            return found & Padding((length,))
    return None


def describe(mask: Mask, queries: int, keys: int, translate: Callable[[str], str] = as_written) -> str:
    """One sentence that says who sees whom; a painted mask is recognised where it equals a preset.

    `translate` maps each English message, as gettext does. ValueError where the mask does not fit the size.

    >>> from attention_core.masks import Explicit
    >>> describe(Explicit(("x..", "xx.", "xxx")), 3, 3)
    'Each token sees itself and every token before it.'
    >>> describe(Explicit(("x.x", "...", "xxx")), 3, 3)
    '5 of 9 cells are open; 1 of 3 queries see nothing.'
    """
    found = None
    if _has_painting(mask) and mask.depends_on <= {"q", "k"}:
        found = recognise(mask, queries, keys)
    if found is not None or not isinstance(mask, Explicit):
        return (found or mask).sentence(translate)
    grid = mask.materialize(1, 1, queries, keys)[0, 0]  # (query, key)
    blind = int((~grid.any(dim=-1)).sum())
    return say(
        "open_cells_blind" if blind else "open_cells",
        open=str(int(grid.sum())),
        cells=str(grid.numel()),
        blind=str(blind),
        queries=str(queries),
    ).text(translate)


def _has_painting(mask: Mask) -> bool:
    if isinstance(mask, Not):
        return _has_painting(mask.mask)
    if isinstance(mask, Combination):
        return any(map(_has_painting, mask.masks))
    return isinstance(mask, Explicit)


def _preset(grid: Grid, within: Mask | None = None) -> Mask | None:
    """The first candidate that allows the cells of the grid, of those that `within` leaves open."""
    queries, keys = grid.shape
    for candidate in _candidates(grid):
        whole = candidate if within is None else candidate & within
        if torch.equal(whole.materialize(1, 1, queries, keys)[0, 0], grid):
            return candidate
    return None


def _candidates(grid: Grid) -> Iterator[Mask]:
    """Presets, each with the one parameter that could fit, read off the grid."""
    queries, keys = grid.shape
    yield Full()
    if not bool(grid.any()):
        yield ~Full()
        return
    rows, columns = grid.nonzero(as_tuple=True)  # (open cell,)
    distance = columns - rows  # (open cell,)
    yield Window(1)
    yield Causal()
    yield Causal(-1)
    yield Causal(keys - queries)
    width = int(distance.abs().max()) + 1
    yield Causal() & Window(width)
    yield Window(width)
    if width > 1:
        size = width
        yield Blocks(size)
        yield Causal() & Blocks(size)
    yield Causal(int(distance.max()))
    for prefix in _prefixes(grid):
        yield Prefix(prefix)
        yield Causal() | Prefix(prefix)
    yield from _dilated(distance)
    yield from _global(grid)
    if queries == keys:
        yield from _documents(grid)


def _prefixes(grid: Grid) -> Iterator[int]:
    """How many columns from the left are open to every query; the first row tells it for a prefix LM too."""
    shut = (~grid[0]).nonzero().flatten()
    length = int(shut[0]) if len(shut) else grid.shape[1]
    if 0 < length < grid.shape[1]:
        yield length


def _dilated(distance: Tensor) -> Iterator[Mask]:
    """The step is the smallest distance that occurs, beside 0."""
    away = distance.abs()
    others = away[away > 0]
    if len(others) and int(others.min()) > 1:
        step = int(others.min())
        width = int(others.max()) // step + 1
        yield Dilated(width, step)
        yield Causal() & Dilated(width, step)


def _global(grid: Grid) -> Iterator[Mask]:
    """Tokens whose row and column are open throughout, and the window of the others."""
    size = min(grid.shape)
    everywhere = grid[:size].all(dim=1) & grid[:, :size].all(dim=0)  # (token,)
    positions = everywhere.nonzero().flatten().tolist()
    if not positions or len(positions) == max(grid.shape):
        return
    yield Global(tuple(positions))
    rest = grid.clone()
    rest[positions] = False
    rest[:, positions] = False
    rows, columns = rest.nonzero(as_tuple=True)
    if len(rows):
        yield Window(int((columns - rows).abs().max()) + 1) | Global(tuple(positions))


def _documents(grid: Grid) -> Iterator[Mask]:
    """Blocks of any length on the diagonal, alone or causal: one begins where a token sees none before it."""
    before = torch.ones_like(grid).tril(-1)
    starts = ~(grid & before).any(dim=-1)  # (query,)
    ids = tuple((starts.cumsum(0) - 1).tolist())
    if len(ids) <= 4096:
        yield Documents(ids)
        yield Causal() & Documents(ids)
