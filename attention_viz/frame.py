"""What stands round a heatmap and how much room it takes: margins, labels, the size of a cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from attention_core.remembered import remembered
from attention_viz.labels import places, shorten, text_width
from attention_viz.mosaic import Mosaic, plan
from attention_viz.panel import Panel

FONT = '"Source Sans", "Source Sans 3", "Source Sans Pro", "Noto Sans", "Helvetica Neue", Arial, sans-serif'
TICK_SIZE, TITLE_SIZE, AXIS_SIZE, LEGEND_SIZE = 11, 12, 11, 10
# There is room for every label that is given. By default Plotly looks for those that lie beyond the figure, and for
# each of them measures all: a quarter of the time in which a picture is drawn.
ALL_LABELS = "allow"
LINE = 13.0  # pixels from one tick label to the next
GRID_FROM = 9.0  # cells at least this large are set apart by a hairline
TEXT_FROM = (30.0, 15.0)  # cells at least this wide and high have their value printed in them (heatmap.js: READABLE)
MAX_CELL = 64.0  # a figure that chooses its own size makes no cell larger
SQUARE_FROM = 14.0  # vectors are drawn in squares too where those are at least this large
WIDEST = 2.4  # times its height, for a cell that is made wider than a square so that its value can be printed
NARROW = 420  # pixels: below this, labels are cut shorter
RIGHT = 14


@dataclass(frozen=True)
class Frame:
    """The mosaic, its margins in pixels, and which places along a block are labelled."""

    mosaic: Mosaic
    ratio: float | None  # of a cell's height to its width, which the picture keeps: 1 for squares; None: none is kept
    left: int
    top: int
    bottom: int
    angle: int  # of the labels along the bottom, in degrees
    columns: list[int]
    rows: list[int]
    widest: float  # of a tick label, in font sizes
    titles: bool
    legend: int  # pixels from the top to the colour scale; 0 for none

    @property
    def width(self) -> int:
        """Of the whole figure, no more than it needs."""
        return math.ceil(self.left + self._capped(0) * self.mosaic.shape[1] + RIGHT)

    @property
    def height(self) -> int:
        """Of the whole figure, no more than it needs."""
        return math.ceil(self.top + self._capped(1) * self.mosaic.shape[0] + self.bottom)

    @property
    def prints(self) -> bool:
        """Whether a value can be read in a cell."""
        return _prints(self.mosaic)

    def _capped(self, side: int) -> float:
        return min(self.mosaic.cell[side], MAX_CELL)


def arrange(
    shown: Panel,
    box: tuple[float, float],
    *,
    max_columns: int | None = None,
    legend: bool = True,
    title: bool = False,
) -> Frame:
    """The frame in which cells are as large as a box of (width, height) pixels lets them be."""
    if min(box) <= 0:
        raise ValueError(f"box={box}: allowed are a width and a height above 0")
    titled = shown.heads[0] is not None
    widest = 6.5 if box[0] >= NARROW else 4.0
    above = 30 if title else 6
    top = above + (22 if titled else 4) + (26 if legend else 0)
    frames = [
        _at_angle(shown, box, angle, max_columns, widest, top, titled, above if legend else 0)
        for angle in (0, -45, -90)
    ]
    if shown.cols_are == "feature":
        return frames[0]
    # Upright text is read most easily; it may cost a quarter of the labels, not more.
    most = len(frames[-1].columns)
    return next(frame for frame in frames if len(frame.columns) >= 0.75 * most)


def _at_angle(
    shown: Panel,
    box: tuple[float, float],
    angle: int,
    max_columns: int | None,
    widest: float,
    top: int,
    titled: bool,
    legend: int,
) -> Frame:
    heads, rows, cols = shown.values.shape
    named = 1.0 if shown.ticks else 0.0
    across = TICK_SIZE * _width(shown.col_labels, widest) * named
    left = round(TICK_SIZE * _width(shown.row_labels, widest) * named + 30)
    if angle == -45:
        left = max(left, round(0.71 * across))
    hanging = {0: LINE, -45: 0.71 * (across + LINE), -90: across}[angle]
    bottom = round(hanging + 28)
    area = (box[0] - left - RIGHT, box[1] - top - bottom)
    gap = (14.0, 26.0 if titled else 10.0)
    most, least = shown.line or max_columns, shown.line or 1
    grid = partial(plan, heads, rows, cols, area, max_columns=most, least_columns=least, gap=gap, group=shown.group)
    mosaic = grid()
    ratio: float | None = 1.0
    if not shown.square and not _prints(mosaic):
        free = grid(square=False)
        wide, high = free.cell
        if _prints(free):
            mosaic = replace(free, cell=(min(wide, WIDEST * high), high))
            ratio = mosaic.cell[1] / mosaic.cell[0]
        elif mosaic.cell[0] < SQUARE_FROM:
            mosaic, ratio = free, None
    needed = {0: across + 5, -45: 1.3 * LINE, -90: LINE}[angle]
    columns = places(cols, mosaic.cell[0], needed, first=_first(shown.cols_are, shown.col_labels))
    if mosaic.columns > 1:  # the last label of a block keeps clear of the first of the next
        end = cols + mosaic.gap_cols
        columns = [at for at in columns if at == 0 or (end - at) * mosaic.cell[0] >= needed]
    return Frame(
        mosaic=mosaic,
        ratio=ratio,
        left=left,
        top=top,
        bottom=bottom,
        angle=angle,
        columns=columns if shown.ticks else [],
        rows=places(rows, mosaic.cell[1], LINE, first=_first(shown.rows_are, shown.row_labels)) if shown.ticks else [],
        widest=widest,
        titles=titled,
        legend=legend,
    )


def _first(are: str, labels: Sequence[str]) -> int | None:
    """Where numbers begin along an axis; None where it has names."""
    return int(labels[0]) if are == "feature" and labels[0].isdecimal() else None


def _prints(mosaic: Mosaic) -> bool:
    """Whether a value can be read in a cell."""
    wide, high = mosaic.cell
    return wide >= TEXT_FROM[0] and high >= TEXT_FROM[1]


def _width(texts: Sequence[str], widest: float) -> float:
    return _longest(tuple(texts), widest)


@remembered(2**20)  # one page draws the same labels a dozen times
def _longest(texts: tuple[str, ...], widest: float) -> float:
    return max((text_width(shorten(text, widest)) for text in texts), default=1.0)
