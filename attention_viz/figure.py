"""Heatmaps for notebooks and pages: the same figure, with what it shows on hover and a size of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from attention_viz.colors import MUTED, PAPER, theme_name
from attention_viz.frame import Frame
from attention_viz.heatmap import draw
from attention_viz.labels import dim_title, escape, field_title, isolate
from attention_viz.mosaic import Mosaic
from attention_viz.panel import GAP, Panel, Say, panel

if TYPE_CHECKING:
    from attention_core.trace import AttentionTrace

MAX_DESCRIBED = (
    25_000  # cells; above this, hovering tells the value alone, and the figure stays small enough to open
)


def heatmap(
    trace: AttentionTrace,
    field: str,
    *,
    head: int | None = None,
    dark: bool = False,
    max_columns: int | None = None,
    box: tuple[float, float] = (900, 520),
    batch: int = 0,
    difference_to: AttentionTrace | None = None,
    scale: float | None = None,
    title: str | None = None,
    say: Say = str,
) -> go.Figure:
    """A field as a Plotly figure that shows itself in a notebook; the options are those of `heatmap_spec`.

    Hovering tells the head, both tokens in full and the value to six digits; values are printed in the cells
    while they can be read. `title` is the field's name unless given.

    >>> import torch
    >>> from attention_core.modules import MultiHeadAttention
    >>> heatmap(MultiHeadAttention(8, 2).trace(torch.ones(1, 3, 8)), "weights").data[0].type
    'heatmap'
    """
    spec = hover_spec(
        trace,
        field,
        head=head,
        dark=dark,
        max_columns=max_columns,
        box=box,
        batch=batch,
        difference_to=difference_to,
        scale=scale,
        title=title,
        say=say,
    )
    return go.Figure(data=spec["data"], layout=spec["layout"])


def hover_spec(
    trace: AttentionTrace,
    field: str,
    *,
    head: int | None = None,
    dark: bool = False,
    max_columns: int | None = None,
    box: tuple[float, float] = (900, 520),
    batch: int = 0,
    difference_to: AttentionTrace | None = None,
    scale: float | None = None,
    title: str | None = None,
    say: Say = str,
) -> dict[str, Any]:
    """The figure of `heatmap` as a dict, with the meta of `heatmap_spec`."""
    shown = panel(trace, field, batch=batch, head=head, difference_to=difference_to, say=say)
    if title is None:
        pattern = say("{field}: difference B \u2212 A") if difference_to else "{field}"
        title = pattern.format(field=say(field_title(field)))
    spec, frame = draw(
        trace,
        shown,
        dark=dark,
        max_columns=max_columns,
        box=box,
        batch=batch,
        difference_to=difference_to,
        scale=scale,
        legend=True,
        title=title,
        say=say,
    )
    data, layout, meta = spec["data"][0], spec["layout"], spec["meta"]
    del data["hoverinfo"]
    if shown.values.size <= MAX_DESCRIBED:
        data |= {
            "hoverongaps": True,
            "customdata": _described(shown, frame.mosaic, say),
            "hovertemplate": "%{customdata}<extra></extra>",
        }
    else:
        data["hovertemplate"] = "%{z:.6g}<extra></extra>"
    spec["data"] += _forbidden_signs(shown, frame)
    layout |= {
        "width": meta["width"],
        "height": meta["height"],
        "showlegend": False,
        "paper_bgcolor": PAPER[theme_name(dark)],
        "hoverlabel": {"align": "left"},
    }
    return spec


def _described(shown: Panel, mosaic: Mosaic, say: Say) -> Any:
    """What hovering says of each cell, laid out like z; nothing in the gaps, where then no label appears."""
    heads = np.array(
        [f"<b>{isolate(escape(name))}</b><br>" if name else "" for name in shown.names], dtype=object
    )
    rows = _axis(shown.rows_are, shown.row_labels, shown.dims[-2] if len(shown.dims) > 1 else "", say)
    cols = _axis(shown.cols_are, shown.col_labels, shown.dims[-1], say)
    values = np.array([number(value) for value in shown.values.ravel().tolist()], dtype=object)
    values = values.reshape(shown.values.shape)
    if shown.forbidden is not None:
        implied = {"0": say("forbidden: the weight is 0"), "-inf": say("forbidden: \u2212\u221e")}
        values[shown.forbidden] = implied.get(GAP.get(shown.field, ""), say("forbidden"))
    if shown.kind == "mask" and shown.forbidden is not None:
        values[~shown.forbidden] = say("allowed")
    elif shown.kind == "mask":
        values[:] = say("allowed")
    return mosaic.assemble(heads[:, None, None] + rows[None, :, None] + cols[None, None, :] + values, "")


def _axis(are: str, labels: list[str], dim: str, say: Say) -> Any:
    name = escape(say(dim_title(dim)))
    return np.array(
        [
            f"{name} {place}: {isolate(escape(label))}<br>" if are != "feature" else f"{name} {label}<br>"
            for place, label in enumerate(labels)
        ],
        dtype=object,
    )


def number(value: float) -> str:
    """A value to six significant digits, with a real minus sign.

    >>> number(0.25), number(-1 / 3), number(float("-inf"))
    ('0.25', '−0.333333', '−∞')
    """
    return f"{value:.6g}".replace("-", "\u2212").replace("inf", "\u221e").replace("nan", "NaN")


def _forbidden_signs(shown: Panel, frame: Frame) -> list[dict[str, Any]]:
    """The sign in each forbidden cell, where values are printed: −∞ for a score, × for a weight."""
    if shown.forbidden is None or shown.kind == "mask" or not frame.prints:
        return []
    at = np.argwhere(shown.forbidden)
    origins = np.array([frame.mosaic.origin(place) for place in range(frame.mosaic.heads)])
    return [
        {
            "type": "scatter",
            "mode": "text",
            "x": origins[at[:, 0], 0] + at[:, 2],
            "y": origins[at[:, 0], 1] + at[:, 1],
            "text": "\u2212\u221e" if GAP[shown.field] == "-inf" else "\u00d7",
            "textfont": {"color": MUTED, "size": 11},
            "hoverinfo": "skip",
        }
    ]
