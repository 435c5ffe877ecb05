"""All heads of a model at a glance: one line of small maps a layer, or a few where there are many heads."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

from numpy.typing import ArrayLike

from attention_viz.frame import TICK_SIZE
from attention_viz.labels import shorten, text_width, visible
from attention_viz.matrix import matrix_spec
from attention_viz.panel import Say

LEAST, MOST = 20.0, 110.0  # pixels of a map's longer side
LABELS = 60.0  # pixels from which its tokens are named beside it; smaller ones would name the first alone
GAP = 14.0  # pixels between two maps
MARGINS = 46  # pixels left and right of all maps
TALL = 1e5  # pixels: as high as the maps need


def columns_of(heads: int, width: float) -> int:
    """How many maps stand in a line of this many pixels, if the lines of a layer are to be few and alike.

    >>> columns_of(12, 860), columns_of(12, 350), columns_of(32, 860), columns_of(32, 350)
    (12, 6, 16, 8)
    """
    lines = range(1, heads + 1)
    counts = (ceil(heads / count) for count in lines)
    return next((count for count in counts if _side(count, width) >= LEAST), 1)


def _side(columns: int, width: float) -> float:
    return (width - MARGINS - (columns - 1) * GAP) / columns


def small_maps_spec(
    maps: ArrayLike,
    forbidden: ArrayLike,
    *,
    heads: int,
    tokens: Sequence[str],
    source_tokens: Sequence[str],
    shape: tuple[int, int],
    width: float,
    say: Say = str,
) -> dict[str, Any]:
    """A heatmap spec of maps (layer * head, row, column), `heads` a layer, each named "layer.head".

    `forbidden` has the same shape; such cells are hatched. Every layer begins a new line of `width` pixels; the height
    is what the maps need. `shape` is (rows, columns) of a map. Where a cell stands for several tokens it is named after
    the first of them.

    >>> import numpy as np
    >>> maps = np.zeros((4, 1, 2))
    >>> spec = small_maps_spec(
    ...     maps, maps > 0, heads=2, tokens="ab", source_tokens="abcd", shape=(1, 2), width=300
    ... )
    >>> [block["name"] for block in spec["meta"]["blocks"]], spec["meta"]["col_labels"]
    (['1.1', '1.2', '2.1', '2.2'], ['a …', 'c …'])
    """
    count = len(maps)  # type: ignore[arg-type]
    rows, columns = shape
    line = columns_of(heads, width)
    side = min(MOST, _side(line, width))
    ticks = side >= LABELS
    labels = _labels(tokens, rows)
    beside = TICK_SIZE * max(text_width(shorten(label)) for label in labels) if ticks else 0.0
    across = line * side * columns / max(shape) + (line - 1) * GAP + MARGINS + beside
    return matrix_spec(
        maps,
        row_labels=labels,
        col_labels=_labels(source_tokens, columns),
        kind="weight",
        rows_are="query",
        cols_are="key",
        names=[f"{place // heads + 1}.{place % heads + 1}" for place in range(count)],
        dims=("query", "key"),
        field="weights",
        forbidden=forbidden,
        box=(min(width, across), TALL),
        line=line,
        group=heads,
        ticks=ticks,
        say=say,
    )


def _labels(tokens: Sequence[str], count: int) -> list[str]:
    step = ceil(len(tokens) / count)
    return [visible(tokens[place * step]) + (" …" if step > 1 else "") for place in range(count)]
