"""The weights as a panel is sent them, decoded from the message's description (see `panel.js`), and held against what
was asked for. Numpy and nothing slower: whoever measures a server should cost little beside it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

Allowed = NDArray[np.bool_]

# The kinds of mask that the visitors choose, by the label in the sidebar, with the numbers that come with them.
MASKS: dict[str, Callable[[NDArray[np.int64], NDArray[np.int64]], Allowed]] = {
    "Everything visible": lambda q, k: q >= -1,
    "Sliding window": lambda q, k: abs(q - k) < 3,
    "Blocks": lambda q, k: q // 3 == k // 3,
}


@dataclass(frozen=True)
class Asked:
    """An experiment in the visitor's words: words, heads, the label of the mask."""

    words: tuple[str, ...]
    heads: int
    mask: str = "Everything visible"

    @property
    def text(self) -> str:
        """What is typed."""
        return " ".join(self.words)

    @property
    def allowed(self) -> Allowed:
        """(query, key), True where it is allowed to look."""
        q, k = np.indices((len(self.words), len(self.words)))
        return np.broadcast_to(MASKS[self.mask](q, k), q.shape)


@dataclass(frozen=True)
class Picture:
    """What the panel `hero` was sent: (head, query, key), and the tokens; `waiting`: it has no numbers yet.

    Of a long text a cell of the picture is the largest of `by` x `by` cells, and a label names the first and the last
    token of its group.
    """

    panel: str
    weights: NDArray[np.float32]
    rows: tuple[str, ...]
    cols: tuple[str, ...]
    waiting: bool = False
    by: int = 1

    def wrong(self, asked: Asked) -> str | None:
        """What is not as it was asked for, in words; None if all is."""
        if self.waiting:
            return "the picture has no numbers"
        groups = [asked.words[first : first + self.by] for first in range(0, len(asked.words), self.by)]
        labels = tuple(group[0] if len(group) == 1 else f"{group[0]} … {group[-1]}" for group in groups)
        if self.rows != labels or self.cols != labels:
            return f"tokens {' '.join(self.rows)[:200]!r} instead of {' '.join(labels)[:200]!r}"
        wanted = (asked.heads, len(labels), len(labels))
        if self.weights.shape != wanted:
            return f"shape {self.weights.shape} instead of {wanted}"
        starts = range(0, len(asked.words), self.by)
        allowed = np.logical_or.reduceat(np.logical_or.reduceat(asked.allowed, starts, axis=0), starts, axis=1)
        forbidden = np.broadcast_to(~allowed, wanted)
        if not np.array_equal(np.isnan(self.weights), forbidden):
            return f"the mask is not {asked.mask!r}"
        if self.by > 1:  # the largest of each group: they sum to no more than a number we could know
            inside = np.nanmin(self.weights) >= 0 and np.nanmax(self.weights) <= 1
            return None if inside else "a weight is not between 0 and 1"
        sums = np.nansum(self.weights, axis=-1, dtype=np.float64)
        if np.nanmin(self.weights) < 0 or np.abs(sums - 1).max() > 1e-5:
            return f"a row sums to {sums.flat[np.abs(sums - 1).argmax()]:.6f}"
        return None


def read(panel: str, message: bytes) -> Picture:
    """Decode a message: length of the header, the header as JSON, zeros up to a multiple of 4, float32 numbers."""
    (length,) = struct.unpack_from("<I", message)
    header: dict[str, Any] = orjson.loads(message[4 : 4 + length])
    if header["figure"] is None:
        return Picture(panel, np.empty((0, 0, 0), np.float32), (), (), waiting=True)
    meta = header["meta"]
    offset, rows, columns = header["figure"]["data"][0]["z"]["$f32"]
    start = 4 * math.ceil((4 + length) / 4) + 4 * offset
    z = np.frombuffer(message, "<f4", rows * columns, start).reshape(rows, columns)
    blocks = [z[b["y0"] : b["y0"] + meta["rows"], b["x0"] : b["x0"] + meta["cols"]] for b in meta["blocks"]]
    by = meta.get("pool", (1, 1))[0]
    return Picture(panel, np.stack(blocks), tuple(meta["row_labels"]), tuple(meta["col_labels"]), by=by)
