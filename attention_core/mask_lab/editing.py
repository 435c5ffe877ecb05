"""Painting a mask: every stroke gives a new one, and a history goes back and forth between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from attention_core.checks import whole
from attention_core.masks import Explicit
from attention_core.masks.base import Mask
from attention_core.masks.fields import shown, whole_number
from attention_core.masks.tables import LARGEST_GRID, OPEN, SHUT
from attention_core.masks.text import format_mask, parse_mask

__all__ = [
    "STEPS",
    "History",
    "clear",
    "fill",
    "flip_column",
    "flip_row",
    "invert",
    "paint",
    "painted",
]

STEPS = 100  # that can be undone

_FLIPPED = str.maketrans(OPEN + SHUT, SHUT + OPEN)


def painted(
    mask: Mask, queries: int, keys: int, *, batch: int = 1, heads: int = 1, row: int = 0, head: int = 0
) -> Explicit:
    """The cells of any mask at a size, to be painted on: those of one batch row and head.

    Up to 512 queries and keys. Raises ValueError for larger ones, for a mask that does not fit the size, and
    for a row or head that is not there.

    >>> from attention_core.masks import Causal
    >>> painted(Causal(), 2, 3) == Explicit(("x..", "xx."))
    True
    """
    for name, size in (("queries", queries), ("keys", keys)):
        if whole(name, size, 1) > LARGEST_GRID:
            raise ValueError(f"{name}={size}: allowed to paint on are 1 to {LARGEST_GRID}")
    whole_number("row", row, 0, whole("batch", batch, 1) - 1)
    whole_number("head", head, 0, whole("heads", heads, 1) - 1)
    if isinstance(mask, Explicit) and mask.shape == (queries, keys):
        return mask
    return Explicit.from_tensor(mask.materialize(batch, heads, queries, keys)[row, head])


def paint(mask: Explicit, cells: Iterable[tuple[int, int]], value: bool) -> Explicit:
    """The mask with the cells (row, column) open (True) or shut (False); itself where nothing changes.

    ValueError for a cell outside, and for a value that is not a bool.

    >>> paint(Explicit(("..", "..")), [(0, 0), (1, 1)], True) == Explicit(("x.", ".x"))
    True
    """
    if not isinstance(value, bool):
        raise ValueError(f"value={shown(value)}: allowed are True and False")
    queries, keys = mask.shape
    rows: dict[int, list[str]] = {}
    for at in cells:
        row, column = _cell(at, queries, keys)
        rows.setdefault(row, list(mask.lines[row]))[column] = OPEN if value else SHUT
    lines = tuple("".join(rows[at]) if at in rows else line for at, line in enumerate(mask.lines))
    return mask if lines == mask.lines else Explicit(lines)


def flip_row(mask: Explicit, row: int) -> Explicit:
    """The mask with a whole row flipped: shut when all of it is open, else open.

    So a second flip of a row that was partly open shuts it. ValueError for a row outside.

    >>> flip_row(Explicit(("x.", "..")), 0) == Explicit(("xx", ".."))
    True
    """
    queries, keys = mask.shape
    whole_number("row", row, 0, queries - 1)
    return paint(mask, [(row, column) for column in range(keys)], SHUT in mask.lines[row])


def flip_column(mask: Explicit, column: int) -> Explicit:
    """The mask with a whole column flipped: shut when all of it is open, else open.

    ValueError for a column outside.

    >>> flip_column(Explicit(("x.", "x.")), 0) == Explicit(("..", ".."))
    True
    """
    queries, keys = mask.shape
    whole_number("column", column, 0, keys - 1)
    every = all(line[column] == OPEN for line in mask.lines)
    return paint(mask, [(row, column) for row in range(queries)], not every)


def invert(mask: Explicit) -> Explicit:
    """The mask with every cell flipped.

    >>> invert(Explicit(("x.",))) == Explicit((".x",))
    True
    """
    return Explicit(tuple(line.translate(_FLIPPED) for line in mask.lines))


def clear(mask: Explicit) -> Explicit:
    """A mask of the same size that forbids everything.

    >>> clear(Explicit(("x.",))) == Explicit(("..",))
    True
    """
    return _even(mask, False)


def fill(mask: Explicit) -> Explicit:
    """A mask of the same size that allows everything.

    >>> fill(Explicit(("x.",))) == Explicit(("xx",))
    True
    """
    return _even(mask, True)


@dataclass(frozen=True)
class History:
    """The mask now, those that `undo` goes back to and those that `redo` goes forward to, the nearest last.

    The past and the future are kept as the short text of `format_mask`: at most 100 of each, so that a
    history of painted masks stays small. Any kind of mask will do, painted or preset.

    >>> from attention_core.masks import Causal, Full
    >>> history = History(Full()).do(Causal())
    >>> history.undo().present, history.undo().redo().present
    (Full(), Causal(offset=0))
    """

    present: Mask
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Forget what is too long ago."""
        object.__setattr__(self, "past", tuple(self.past)[-STEPS:])
        object.__setattr__(self, "future", tuple(self.future)[-STEPS:])

    def do(self, mask: Mask) -> History:
        """The history after a change; what had been undone is forgotten. Itself where nothing changes.

        ValueError for a mask that has no text: of a kind of its own, or too large for a link.
        """
        if mask == self.present:
            return self
        format_mask(mask)
        return History(mask, (*self.past, format_mask(self.present)))

    def undo(self) -> History:
        """One step back; itself where there is none."""
        if not self.past:
            return self
        *earlier, last = self.past
        return History(parse_mask(last), tuple(earlier), (*self.future, format_mask(self.present)))

    def redo(self) -> History:
        """One step forward; itself where there is none."""
        if not self.future:
            return self
        *later, following = self.future
        return History(parse_mask(following), (*self.past, format_mask(self.present)), tuple(later))

    @property
    def can_undo(self) -> bool:
        """Whether there is a step back."""
        return bool(self.past)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step forward."""
        return bool(self.future)


def _cell(cell: object, queries: int, keys: int) -> tuple[int, int]:
    """A (row, column) inside the grid; what comes from a page is checked here."""
    if not isinstance(cell, tuple | list) or len(cell) != 2:
        raise ValueError(f"cell={shown(cell)}: allowed are pairs (row, column)")
    return (
        whole_number("row", cell[0], 0, queries - 1),
        whole_number("column", cell[1], 0, keys - 1),
    )


def _even(mask: Explicit, value: bool) -> Explicit:
    queries, keys = mask.shape
    return Explicit(((OPEN if value else SHUT) * keys,) * queries)
