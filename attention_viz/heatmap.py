"""A field of a trace as one Plotly heatmap: queries down, keys across, all heads in one mosaic."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from attention_viz.colors import INK, colorscales, theme_name
from attention_viz.frame import Frame, arrange
from attention_viz.labels import field_title
from attention_viz.layout import colorbar, hairline, layout, signs
from attention_viz.panel import GAP, Panel, Say, max_magnitude, panel
from attention_viz.pool import Pool, needed, pooled

if TYPE_CHECKING:
    from attention_core.trace import AttentionTrace

MAX_REPORTED = 1000  # numbers that are none and are listed one by one in meta


def heatmap_spec(
    trace: AttentionTrace,
    field: str,
    *,
    head: int | None = None,
    dark: bool = False,
    max_columns: int | None = None,
    box: tuple[float, float] = (900, 480),
    batch: int = 0,
    difference_to: AttentionTrace | None = None,
    scale: float | None = None,
    legend: bool = True,
    titled: bool = True,
    pool: bool = False,
    say: Say = str,
) -> dict[str, Any]:
    """A Plotly figure as a dict, {"data": [one heatmap], "layout": ..., "meta": ...}, z a float32 array.

    Cells are as large as `box` (width, height in pixels) lets them be; `meta["width"]` and `meta["height"]` are what
    the figure needs of it. `head` draws one head alone. `difference_to` draws trace - difference_to, under a title
    unless `titled` is off. `scale` is the end of the colour scale in place of the largest magnitude over all heads (1
    for weights); see `signed_scale`. `pool` draws cells that are too small to be told apart as one, see
    `attention_viz.pool`; `meta["pool"]` says how many rows and columns. `say` translates the words. A forbidden cell is
    NaN in z over hatching, its value is `meta["gap"]`; any other number that is not finite is NaN in z too, written in
    its cell, and listed in `meta["nonfinite"]`.

    Raises ValueError that names what is out of range, KeyError for a field that the trace has not.

    >>> import torch
    >>> from attention_core.modules import MultiHeadAttention
    >>> trace = MultiHeadAttention(8, 4).trace(torch.ones(1, 3, 8), tokens=("the", "the", "cat"))
    >>> spec = heatmap_spec(trace, "weights")
    >>> spec["data"][0]["z"].shape, [block["x0"] for block in spec["meta"]["blocks"]]
    ((3, 15), [0, 4, 8, 12])
    """
    shown = panel(trace, field, batch=batch, head=head, difference_to=difference_to, say=say)
    by: Pool = (1, 1)
    if pool:
        by = needed(shown, arrange(shown, box, max_columns=max_columns, legend=legend))
    spec, _ = draw(
        trace,
        pooled(shown, by),
        dark=dark,
        max_columns=max_columns,
        box=box,
        batch=batch,
        difference_to=difference_to,
        scale=scale,
        legend=legend,
        title=say("{field}: difference B \u2212 A").format(field=field_title(field))
        if difference_to is not None and titled
        else "",
        say=say,
    )
    spec["meta"]["pool"] = list(by)
    return spec


def needed_height(
    trace: AttentionTrace, field: str, *, head: int | None = None, box: tuple[float, float] = (900, 480)
) -> int:
    """How many pixels of the box's height the figure of `heatmap_spec` takes: fewer where it is wide."""
    return arrange(panel(trace, field, head=head), box).height


def draw(
    trace: AttentionTrace | None,
    shown: Panel,
    *,
    dark: bool,
    max_columns: int | None,
    box: tuple[float, float],
    batch: int,
    difference_to: AttentionTrace | None,
    scale: float | None,
    legend: bool,
    title: str,
    say: Say,
) -> tuple[dict[str, Any], Frame]:
    """The figure of a panel, and the frame that it stands in; see `heatmap_spec`.

    `trace` is asked for the colour scale of all heads; a panel without one has to give its `scale`.
    """
    zmin, zmax = _limits(trace, shown, difference_to, batch, scale)
    legend = legend and shown.kind != "mask"
    frame = arrange(shown, box, max_columns=max_columns, legend=legend, title=bool(title))
    scales = colorscales(shown.kind)
    z, unusual, unusual_count = _z(shown, frame)
    data = {
        "type": "heatmap",
        "z": z,
        "zmin": zmin,
        "zmax": zmax,
        "colorscale": scales[theme_name(dark)],
        "showscale": legend,
        "hoverongaps": False,
        "hoverinfo": "none",
        "xgap": hairline(frame),
        "ygap": hairline(frame),
    }
    if legend:
        data["colorbar"] = colorbar(shown.kind, zmin, zmax, frame)
    if frame.prints and shown.kind != "mask":
        data["texttemplate"] = "%{z:" + number_format(zmax) + "}"
        data["textfont"] = {"size": 11 if frame.mosaic.cell[0] < 44 else 12}
    figure_layout = layout(shown, frame, dark=dark, title=title, say=say)
    figure_layout["annotations"] += signs(unusual, shown, frame)
    meta = _meta(shown, frame)
    meta |= {"zmin": zmin, "zmax": zmax, "colorscales": scales, "inks": dict(INK)}
    meta |= {"nonfinite": unusual, "nonfinite_count": unusual_count}
    return {"data": [data], "layout": figure_layout, "meta": meta}, frame


def _meta(shown: Panel, frame: Frame) -> dict[str, Any]:
    mosaic = frame.mosaic
    origins = [mosaic.origin(place) for place in range(mosaic.heads)]
    return {
        "field": shown.field,
        "dims": list(shown.dims),
        "kind": shown.kind,
        "rows_are": shown.rows_are,
        "cols_are": shown.cols_are,
        "row_labels": list(shown.row_spans or shown.row_labels),
        "col_labels": list(shown.col_spans or shown.col_labels),
        "rows": mosaic.rows,
        "cols": mosaic.cols,
        "blocks": [
            {"head": head, "name": name, "x0": x0, "y0": y0}
            for head, name, (x0, y0) in zip(shown.heads, shown.names, origins, strict=True)
        ],
        "gap": GAP.get(shown.field),
        "cell": [round(size, 2) for size in mosaic.cell],
        "width": frame.width,
        "height": frame.height,
    }


def _limits(
    trace: AttentionTrace | None, shown: Panel, other: AttentionTrace | None, batch: int, scale: float | None
) -> tuple[float, float]:
    """The ends of the colour scale, over all heads whichever are drawn: 0..1 for weights, else symmetric."""
    if scale is not None and not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale={scale}: allowed are numbers above 0")
    if shown.kind == "mask":
        return 0.0, 1.0
    if scale is None:
        if trace is None:
            raise ValueError("scale: a panel without a trace has to give it")
        whole = shown if len(shown.heads) > 1 else panel(trace, shown.field, batch=batch, difference_to=other)
        scale = max_magnitude([whole.values])
        if shown.kind == "weight":
            scale = max(1.0, scale)  # dropout scales what it keeps above 1
        if other is not None:
            # Rounding noise between two runs must not fill the whole scale.
            both = [panel(one, shown.field, batch=batch).values for one in (trace, other)]
            scale = max(scale if np.any(whole.values) else 0.0, 0.01 * max_magnitude(both))
    return (0.0 if shown.kind == "weight" else -scale), scale


def _z(shown: Panel, frame: Frame) -> tuple[NDArray[np.float32], list[dict[str, Any]], int]:
    """The matrix to draw, and the values in it that are no finite numbers and not implied by forbidding."""
    values = shown.values
    if shown.forbidden is not None and shown.kind != "mask":
        values = np.where(shown.forbidden, np.float32(np.nan), values)
    odd = ~np.isfinite(values)
    if shown.forbidden is not None:
        odd &= ~shown.forbidden
    found = np.argwhere(odd)
    if len(found):
        values = np.where(odd, np.float32(np.nan), values)
    unusual = [
        {"head": shown.heads[h], "row": row, "col": col, "value": _written(float(shown.values[h, row, col]))}
        for h, row, col in found[:MAX_REPORTED].tolist()
    ]
    return frame.mosaic.assemble(values), unusual, len(found)


def _written(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def number_format(zmax: float) -> str:
    """The d3 format that prints about three figures of numbers up to zmax.

    >>> number_format(1.0), number_format(12.0), number_format(0.05)
    ('.2f', '.1f', '.4f')
    """
    decimals = 2 - math.floor(math.log10(zmax))
    return f".{decimals}f" if 0 <= decimals <= 4 else ".1e"
