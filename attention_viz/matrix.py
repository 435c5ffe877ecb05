"""Any matrix, or several of one size, in the look of the heatmaps of a trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from attention_viz.colors import Kind
from attention_viz.heatmap import draw
from attention_viz.labels import names as numbered
from attention_viz.panel import Panel, Say, max_magnitude


def matrix_spec(
    values: ArrayLike,
    *,
    row_labels: Sequence[str] | None = None,
    col_labels: Sequence[str] | None = None,
    kind: Kind = "signed",
    rows_are: str = "feature",
    cols_are: str = "feature",
    names: Sequence[str] = (),
    dims: tuple[str, str] = ("row", "column"),
    field: str = "matrix",
    forbidden: ArrayLike | None = None,
    scale: float | None = None,
    box: tuple[float, float] = (900, 480),
    max_columns: int | None = None,
    line: int | None = None,
    group: int = 0,
    ticks: bool = True,
    legend: bool = True,
    say: Say = str,
) -> dict[str, Any]:
    """A Plotly figure as a dict, as `heatmap_spec` makes it, of `values` (row, column) or (block, row, column).

    Rows and columns without labels are numbered from 1. `names` are the blocks' titles, `dims` the axes' titles.
    `rows_are` and `cols_are` are "query" or "key" where the labels are tokens, "feature" where they are numbers.
    `forbidden` marks cells that are hatched. `scale` is the end of the colour scale in place of the largest magnitude
    (1 for weights). `line` says how many blocks stand in a line, and every `group` of blocks begins a new one. Without
    `ticks` the labels are named to who points at a cell alone.

    Raises ValueError where labels or names do not fit the values.

    >>> spec = matrix_spec([[1.0, -2.0, 0.5]], row_labels=["the"], rows_are="query")
    >>> spec["meta"]["zmin"], spec["meta"]["zmax"], spec["meta"]["row_labels"]
    (-2.0, 2.0, ['the'])
    """
    array = np.asarray(values, dtype=np.float32)
    blocks = array[None] if array.ndim == 2 else array
    if blocks.ndim != 3 or not blocks.size:
        raise ValueError(f"values: allowed is (row, column) or (block, row, column), not the shape {array.shape}")
    count, rows, cols = blocks.shape
    row_texts = list(row_labels) if row_labels is not None else numbered((), rows)
    col_texts = list(col_labels) if col_labels is not None else numbered((), cols)
    for name, have, want in (("row_labels", len(row_texts), rows), ("col_labels", len(col_texts), cols)):
        if have != want:
            raise ValueError(f"{name}: there are {have}, allowed are {want}")
    if names and len(names) != count:
        raise ValueError(f"names: there are {len(names)}, allowed are {count}")
    hidden = None if forbidden is None else np.broadcast_to(np.asarray(forbidden, dtype=bool), blocks.shape)
    shown = Panel(
        field=field,
        dims=dims,
        values=blocks,
        forbidden=hidden if hidden is not None and hidden.any() else None,
        heads=tuple(range(count)) if names or count > 1 else (None,),
        names=tuple(names) if names else tuple("" for _ in range(count)),
        row_labels=row_texts,
        col_labels=col_texts,
        rows_are=rows_are,
        cols_are=cols_are,
        kind=kind,
        line=line,
        group=group,
        ticks=ticks,
    )
    if scale is None:
        scale = max_magnitude([blocks])
        if kind == "weight":
            scale = max(1.0, scale)
    spec, _ = draw(
        None,
        shown,
        dark=False,
        max_columns=max_columns,
        box=box,
        batch=0,
        difference_to=None,
        scale=scale,
        legend=legend,
        title="",
        say=say,
    )
    return spec
