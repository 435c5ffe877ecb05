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


def describe(
    mask: Mask,
    queries: int,
    keys: int,
    translate: Callable[[str], str] = as_written,
    *,
    cross: bool = False,
    painted_on: Mask | None = None,
) -> str:
    """One sentence that says who sees whom; a painted mask is recognised where it equals a preset, or nearly.

    `translate` maps each English message, as gettext does. In `cross` attention the keys are those of
    another text. `painted_on` is the mask that the painting began with, where that is known. ValueError
    where the mask does not fit the size.

    >>> from attention_core.masks import Explicit
    >>> describe(Explicit(("x..", "xx.", "xxx")), 3, 3)
    'Each token sees itself and every token before it.'
    >>> describe(Explicit(("x.x", "...", "xxx")), 3, 3)
    '5 of 9 cells are open; queries that see nothing: 1 of 3.'
    >>> describe(Explicit(("x..x.", "xx...", "xxx..", "xxxx.", "xxxxx")), 5, 5)
    'Each token sees itself and every token before it; changed by hand: 1 opened.'
    """
    found, changes = mask, ""
    if isinstance(mask, Explicit | Combination | Not) and mask.depends_on <= {"q", "k"}:
        grid = mask.materialize(1, 1, queries, keys)[0, 0]  # (query, key)
        exact = recognise(mask, queries, keys)
        if exact is not None:
            # Of two that are true here, a painting's own is no rule, and of rules the shorter is easier to see.
            shorter = len(exact.sentence(cross=cross)) < len(mask.sentence(cross=cross))
            found = exact if shorter or _has_painting(mask) else mask
        elif isinstance(mask, Explicit):
            near = nearest(grid, painted_on)
            if near is None:
                return _counted(grid, translate)
            found, changes = near, _changes(near.materialize(1, 1, queries, keys)[0, 0], grid, translate)
    words = found.sentence(translate, cross=cross)
    return f"{words[:-1]}; {changes}." if changes else words


def nearest(grid: Grid, painted_on: Mask | None = None) -> Mask | None:
    """The mask that a few cells of the grid differ from: `painted_on`, else a preset; None where none is near.

    Near is what differs in a twelfth of the cells at most.
    """
    near = grid.numel() // 12

    def different(candidate: Mask) -> int:
        return int((candidate.materialize(1, 1, *grid.shape)[0, 0] ^ grid).sum())

    if painted_on is not None and not _has_painting(painted_on) and different(painted_on) <= near:
        return painted_on
    plain: tuple[Mask, ...] = (Full(), ~Full(), Causal(), ~Causal(), Window(1))
    others = [*_candidates(_smoothed(grid, 1)), *_candidates(_smoothed(grid, 3))]
    # A plain mask and two cells by hand is easier to see than a special one without them.
    found = [(different(mask) + (0 if mask in plain else 2), number) for number, mask in enumerate([*plain, *others])]
    least, number = min(found)
    return [*plain, *others][number] if least <= near else None


def _smoothed(grid: Grid, shortest: int) -> Grid:
    """The grid with every cell as most cells of its diagonal are: single cells disappear, bands remain.

    A diagonal of fewer cells than `shortest` is forbidden: one cell would be most of it.
    """
    queries, keys = grid.shape
    diagonal = torch.arange(keys) - torch.arange(queries)[:, None] + queries - 1  # (query, key), from 0
    size = queries + keys - 1
    opened = torch.zeros(size).scatter_add_(0, diagonal.flatten(), grid.float().flatten())  # (diagonal,)
    length = torch.zeros(size).scatter_add_(0, diagonal.flatten(), torch.ones(grid.numel()))  # (diagonal,)
    return ((2 * opened > length) & (length >= shortest))[diagonal]


def _changes(before: Grid, after: Grid, translate: Callable[[str], str]) -> str:
    """What was opened and forbidden by hand, in words."""
    opened, closed = int((after & ~before).sum()), int((before & ~after).sum())
    which = "by_hand_opened" if not closed else "by_hand_opened_closed" if opened else "by_hand_closed"
    return say(which, opened=str(opened), closed=str(closed)).text(translate)


def _counted(grid: Grid, translate: Callable[[str], str]) -> str:
    blind = int((~grid.any(dim=-1)).sum())
    return say(
        "open_cells_blind" if blind else "open_cells",
        open=str(int(grid.sum())),
        cells=str(grid.numel()),
        blind=str(blind),
        queries=str(grid.shape[0]),
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
    least, most = int(distance.min()), int(distance.max())
    yield Causal() & Window(width)
    yield Window(width)
    if width > 1:
        size = width
        yield Blocks(size)
        yield Causal() & Blocks(size)
    yield Causal(most)
    if 0 < least <= most < keys - 1 or 1 - queries < least <= most < 0:  # a band beside the diagonal
        yield Causal(most) & ~Causal(least - 1)
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
