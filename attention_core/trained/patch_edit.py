"""Painting on the weights of a head: what a stroke, a number, or a rule for one row makes of a patch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from attention_core.trained.patch import PARTS, Patch

__all__ = ["ROWS", "painted", "parts_of", "repaint", "set_cell", "set_row", "without_rows"]

ROWS = ("uniform", "previous", "same", "key")  # what one row can be set to


def parts_of(weights: Sequence[float]) -> tuple[int, ...]:
    """Weights as parts of 10000 that keep their ratio, as near as whole numbers can (largest remainders).

    Raises ValueError where there is none above 0.

    >>> parts_of([1, 1, 1]), parts_of([0.0, 0.125])
    ((3334, 3333, 3333), (0, 10000))
    """
    total = sum(weights)
    if not total > 0:
        raise ValueError("weights: allowed are numbers from 0, one of them above 0")
    exact = [weight / total * PARTS for weight in weights]
    parts = [int(number) for number in exact]
    by_remainder = sorted(range(len(parts)), key=lambda place: parts[place] - exact[place])
    for place in by_remainder[: PARTS - sum(parts)]:
        parts[place] += 1
    return tuple(parts)


def painted(patch: Patch, queries: int, keys: int) -> tuple[tuple[bool, ...], ...]:
    """The cells that were painted: those of the rows by hand that are above 0, (query, key).

    >>> painted(Patch("self1", 0, rows=((1, (0, 10_000)),)), 2, 3)
    ((False, False, False), (False, True, False))
    """
    grid = [[False] * keys for _ in range(queries)]
    for query, parts in patch.rows:
        if query < queries:
            for key, part in enumerate(parts[:keys]):
                grid[query][key] = part > 0
    return tuple(map(tuple, grid))


def repaint(patch: Patch, grid: Sequence[Sequence[bool]], allowed: Sequence[Sequence[bool]]) -> Patch:
    """The patch after a stroke: `grid` are the cells that are painted now, `allowed` those that may be.

    A row that is painted for the first time shares its weight alike among the painted keys. Later, a key that is
    added gets the mean of the others, one that is wiped off gets 0, and the row is shared out again. A row with
    nothing painted is no longer by hand.

    >>> once = repaint(Patch("self1", 0), [[True, False, True]], [[True, True, True]])
    >>> once.rows, repaint(once, [[False, False, False]], [[True, True, True]]).empty
    (((0, (5000, 0, 5000)),), True)
    """
    before = painted(patch, len(grid), len(grid[0]) if grid else 0)
    rows = {query: parts for query, parts in patch.rows if query >= len(grid)}
    for query, line in enumerate(grid):
        wanted = [bool(cell) and allowed[query][key] for key, cell in enumerate(line)]
        parts = patch.row(query)
        if parts is not None and tuple(wanted) == before[query]:
            rows[query] = parts
        elif any(wanted):
            old = [*(parts or ()), *[0] * len(wanted)]
            kept = [old[key] for key, cell in enumerate(wanted) if cell and before[query][key]]
            mean = sum(kept) / len(kept) if kept else 1.0
            cells = [0.0 if not cell else old[key] or mean for key, cell in enumerate(wanted)]
            rows[query] = parts_of(cells)
    return replace(patch, rows=tuple(rows.items()))


def set_row(patch: Patch, query: int, how: str, allowed: Sequence[bool], key: int = 0) -> Patch:
    """The patch with one row as `how` says: "uniform", "previous", "same", or "key", the one that is given.

    Raises ValueError for another word, and where the row may not look there.

    >>> set_row(Patch("self1", 0), 2, "uniform", [True, True, False]).rows
    ((2, (5000, 5000, 0)),)
    """
    if how not in ROWS:
        raise ValueError(f"row={how!r}: allowed are {', '.join(ROWS)}")
    at = {"previous": max(query - 1, 0), "same": query, "key": key}.get(how)
    cells = [float(may and at in (None, place)) for place, may in enumerate(allowed)]
    if not any(cells):
        raise ValueError(f"row {query}: it may not look at key {at}")
    return _with(patch, query, parts_of(cells))


def set_cell(
    patch: Patch, query: int, key: int, weight: float, now: Sequence[float], allowed: Sequence[bool]
) -> Patch:
    """The patch with one weight of a row set to a number from 0 to 1; the others share the rest as they do `now`.

    Where the others have nothing they share it alike. Raises ValueError for another number, for a key that the row
    may not look at, and where no other key is left to take the rest.

    >>> set_cell(Patch("self1", 0), 0, 1, 0.5, [0.6, 0.1, 0.3], [True] * 3).rows
    ((0, (3333, 5000, 1667)),)
    """
    if not 0.0 <= weight <= 1.0:
        raise ValueError(f"weight={weight!r}: allowed are numbers from 0 to 1")
    if not 0 <= key < len(allowed) or not allowed[key]:
        raise ValueError(f"key={key}: allowed are the keys that the row may look at")
    own = round(weight * PARTS)
    others = [float(value) if may and place != key else 0.0
              for place, (value, may) in enumerate(zip(now, allowed, strict=True))]  # fmt: skip
    if not any(others):
        others = [float(may and place != key) for place, may in enumerate(allowed)]
    if own < PARTS and not any(others):
        raise ValueError(f"weight={weight!r}: allowed is 1, for the row may look nowhere else")
    parts = [0] * len(others)
    if own < PARTS:
        exact = [value / sum(others) * (PARTS - own) for value in others]
        parts = [int(number) for number in exact]
        by_remainder = sorted(range(len(parts)), key=lambda place: parts[place] - exact[place])
        for place in by_remainder[: PARTS - own - sum(parts)]:
            parts[place] += 1
    parts[key] = own
    return _with(patch, query, tuple(parts))


def without_rows(patches: Sequence[Patch]) -> tuple[Patch, ...]:
    """The rules alone: what can be said of any text.

    >>> without_rows([Patch("self1", 0, rows=((0, (1,)),)), Patch("self2", 0, "first")])
    (Patch(layer='self2', head=0, pattern='first', rows=()),)
    """
    return tuple(replace(patch, rows=()) for patch in patches if patch.pattern)


def _with(patch: Patch, query: int, parts: tuple[int, ...]) -> Patch:
    rows = tuple(row for row in patch.rows if row[0] != query)
    return replace(patch, rows=(*rows, (query, parts)))
