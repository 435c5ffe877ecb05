"""Many heads in one picture: blocks of one size on a grid, blank rows and columns between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Mosaic:
    """Where each of `heads` blocks of `rows` x `cols` cells lies; `cell` is (width, height) in pixels.

    Every `group` of blocks begins a new line; 0 is all of them.
    """

    heads: int
    rows: int
    cols: int
    columns: int
    gap_rows: int
    gap_cols: int
    cell: tuple[float, float]
    group: int = 0

    @property
    def _lines(self) -> int:
        """Rows of blocks that a group takes."""
        return ceil((self.group or self.heads) / self.columns)

    @property
    def bands(self) -> int:
        """Rows of blocks."""
        return ceil(self.heads / (self.group or self.heads)) * self._lines

    @property
    def shape(self) -> tuple[int, int]:
        """Cells down and across, gaps included."""
        down = self.bands * (self.rows + self.gap_rows) - self.gap_rows
        across = self.columns * (self.cols + self.gap_cols) - self.gap_cols
        return down, across

    @property
    def pixels(self) -> tuple[float, float]:
        """Width and height of the whole mosaic."""
        down, across = self.shape
        return across * self.cell[0], down * self.cell[1]

    def origin(self, place: int) -> tuple[int, int]:
        """(x0, y0): the mosaic column and row of the first cell of block number `place`."""
        group, within = divmod(place, self.group or self.heads)
        line, column = divmod(within, self.columns)
        band = group * self._lines + line
        return column * (self.cols + self.gap_cols), band * (self.rows + self.gap_rows)

    def assemble(self, blocks: NDArray[Any], blank: object = np.nan) -> NDArray[Any]:
        """One matrix from (head, row, col); `blank` in the gaps and where a block is missing."""
        picture = np.full(self.shape, blank, dtype=blocks.dtype)
        for place in range(self.heads):
            x0, y0 = self.origin(place)
            picture[y0 : y0 + self.rows, x0 : x0 + self.cols] = blocks[place]
        return picture

    def column_ticks(self, labels: Sequence[str], places: Sequence[int]) -> tuple[list[int], list[str]]:
        """Positions and labels along the bottom, `places` repeated under each block of the last row."""
        last = (self.heads - 1) % (self.group or self.heads) % self.columns + 1  # blocks in the last line
        return _ticks([self.origin(column)[0] for column in range(last)], labels, places)

    def row_ticks(self, labels: Sequence[str], places: Sequence[int]) -> tuple[list[int], list[str]]:
        """Positions and labels down the left side, the labelled `places` repeated for each row of blocks."""
        return _ticks([self.origin(band * self.columns)[1] for band in range(self.bands)], labels, places)


def _ticks(
    origins: Sequence[int], labels: Sequence[str], places: Sequence[int]
) -> tuple[list[int], list[str]]:
    return [start + place for start in origins for place in places], [labels[p] for p in places] * len(
        origins
    )


@lru_cache(maxsize=2048)
def plan(
    heads: int,
    rows: int,
    cols: int,
    area: tuple[float, float],
    *,
    square: bool = True,
    max_columns: int | None = None,
    least_columns: int = 1,
    gap: tuple[float, float] = (14.0, 26.0),
    group: int = 0,
) -> Mosaic:
    """The grid with the largest cells in an area of (width, height) pixels, `gap` pixels between blocks.

    Every `group` of blocks begins a new line; 0 is all of them.

    >>> mosaic = plan(12, 16, 16, (900, 480))
    >>> mosaic.columns, mosaic.bands
    (4, 3)
    """
    if max_columns is not None and max_columns < 1:
        raise ValueError(f"max_columns={max_columns}: allowed are whole numbers from 1")
    width, height = max(area[0], 1.0), max(area[1], 1.0)
    best: tuple[tuple[float, int], Mosaic] | None = None
    for columns in range(min(heads, least_columns), min(heads, max_columns or heads) + 1):
        bands = Mosaic(heads, rows, cols, columns, 0, 0, (0, 0), group).bands
        if ceil(heads / bands) < columns and columns > least_columns:
            continue  # the same number of bands fits fewer columns
        across = max((width - (columns - 1) * gap[0]) / (columns * cols), 0.05)
        down = max((height - (bands - 1) * gap[1]) / (bands * rows), 0.05)
        if square:
            across = down = min(across, down)
        # A gap is a whole number of cells; where that is more than its pixels the cells give way.
        gap_cols, gap_rows = max(1, ceil(gap[0] / across)), max(1, ceil(gap[1] / down))
        across = width / (columns * (cols + gap_cols) - gap_cols)
        down = height / (bands * (rows + gap_rows) - gap_rows)
        if square:
            across = down = min(across, down)
        mosaic = Mosaic(heads, rows, cols, columns, gap_rows, gap_cols, (across, down), group)
        # A grid with holes reads less well than one a little smaller.
        fill = heads / (columns * bands)
        merit = (round(min(across, down) * (0.7 + 0.3 * fill), 3), columns)
        if best is None or merit > best[0]:
            best = (merit, mosaic)
    if best is None:
        raise ValueError(f"heads={heads}: allowed are whole numbers from 1")
    return best[1]
