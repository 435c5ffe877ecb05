"""What the browser sends back. It is input like any other and may be anything: checked here, or None."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

Grid = tuple[tuple[bool, ...], ...]

MOST_PANELS = 200  # of one page
MOST_STROKES = 16  # that one message brings beside the last


@dataclass(frozen=True)
class Cell:
    """A cell that was clicked: the field it belongs to, its head, row and column."""

    field: str
    head: int
    row: int
    col: int


def cell_of(sent: object, meta: dict[str, Any]) -> Cell | None:
    """The cell that was clicked; None where what was sent is no cell of the picture that `meta` describes."""
    if not meta or not isinstance(sent, list | tuple) or len(sent) != 4:
        return None
    field, head, row, col = sent
    if head is None:
        head = 0  # a field without heads
    if field != meta["field"] or not all(type(part) is int for part in (head, row, col)):
        return None
    known = head in {block["head"] or 0 for block in meta["blocks"]}
    inside = 0 <= row < meta["rows"] and 0 <= col < meta["cols"]
    return Cell(field, head, row, col) if known and inside else None


def far_of(sent: object) -> frozenset[str]:
    """The panels that the browser says are out of sight, by their keys; none where it is no list of keys."""
    if not isinstance(sent, list) or len(sent) > MOST_PANELS:
        return frozenset()
    return frozenset(key for key in sent if isinstance(key, str))


def serial_of(sent: object) -> int:
    """How often the browser has sent the mask that it paints; 0 where it has not."""
    serial = sent.get("serial") if isinstance(sent, dict) else None
    return serial if type(serial) is int and 0 <= serial < 2**31 else 0


def grid_of(sent: object, meta: dict[str, Any]) -> Grid | None:
    """The painted cells, True = may attend; None where what was sent is no grid of this picture's size."""
    if not meta or not isinstance(sent, dict) or (sent.get("rows"), sent.get("cols")) != (meta["rows"], meta["cols"]):
        return None
    bits = sent.get("bits")
    rows, cols = meta["rows"], meta["cols"]
    if not isinstance(bits, str) or len(bits) > rows * cols + 4:
        return None
    try:
        packed = base64.b64decode(bits, validate=True)
    except ValueError:
        return None
    if len(packed) != -(-rows * cols // 8):
        return None
    flat = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=rows * cols).astype(bool)
    return tuple(tuple(row) for row in flat.reshape(rows, cols).tolist())


def strokes_of(sent: object, meta: dict[str, Any]) -> tuple[tuple[int, Grid], ...]:
    """What was painted, by the number of its stroke, the oldest first, the present mask last; nothing where it is none.

    Strokes that end before Python answers come in one message.
    """
    present = grid_of(sent, meta)
    if present is None or not isinstance(sent, dict):
        return ()
    earlier = sent.get("earlier")
    known = earlier if isinstance(earlier, list) and len(earlier) <= MOST_STROKES else []
    size = {"rows": meta["rows"], "cols": meta["cols"]}
    before = [(serial_of(one), grid_of({**one, **size}, meta)) for one in known if isinstance(one, dict)]
    last = serial_of(sent)
    return (*((serial, grid) for serial, grid in before if grid is not None and serial < last), (last, present))
