"""One row of weights as bars: where one query looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from attention_viz.colors import FRAME, INK, MUTED, PAPER, colorscales, hatch, shade, theme_name
from attention_viz.figure import number
from attention_viz.frame import ALL_LABELS, FONT, LINE, TICK_SIZE
from attention_viz.labels import escape, isolate, places, shorten, text_width, tick
from attention_viz.panel import Say, max_magnitude, panel

if TYPE_CHECKING:
    from attention_core.trace import AttentionTrace

BAR = 20  # pixels a key takes
LEAST = 6  # ... and where there are many keys
HIGHEST = 640
WIDEST = 9.0  # of a label, in font sizes


def bars_spec(
    trace: AttentionTrace,
    head: int,
    query: int,
    *,
    field: str = "weights",
    marked: int | None = None,
    dark: bool = False,
    width: float = 640,
    highest: float = HIGHEST,
    batch: int = 0,
    say: Say = str,
) -> dict[str, Any]:
    """The weights of one query as a Plotly figure in a dict: a horizontal bar a key, the first key on top.

    Keys are integer positions with labels, so that equal tokens keep a bar each. A forbidden key lies over
    hatching and says so. `marked` points out one key. `layout["height"]` fits the number of keys, and
    all bars together are `highest` pixels high where that leaves each its least height;
    `meta["schemes"]` holds the colours for light and dark paper.

    Raises ValueError where the head, the query or the key does not exist, or the field is not one of weights.

    >>> import torch
    >>> from attention_core.modules import MultiHeadAttention
    >>> spec = bars_spec(MultiHeadAttention(8, 2).trace(torch.ones(1, 3, 8)), head=0, query=1)
    >>> spec["data"][0]["orientation"], len(spec["data"][0]["x"])
    ('h', 3)
    """
    if field not in ("weights", "dropped_weights"):
        raise ValueError(f"field={field!r}: allowed are 'weights' and 'dropped_weights'")
    shown = panel(trace, field, batch=batch, head=head, say=say)
    _, queries, keys = shown.values.shape
    for name, value, count in (("query", query, queries), ("marked", marked or 0, keys)):
        if not 0 <= value < count:
            raise ValueError(f"{name}={value}: allowed are whole numbers from 0 to {count - 1}")
    weights = shown.values[0, query]
    forbidden = [] if shown.forbidden is None else shown.forbidden[0, query].nonzero()[0].tolist()
    bar = max(LEAST, min(BAR, highest / keys))
    labelled = places(keys, bar, LINE, most=keys)
    if marked is not None and marked not in labelled:  # its neighbours make room for it
        labelled = sorted([*(key for key in labelled if abs(key - marked) * bar >= LINE), marked])
    left = round(TICK_SIZE * max(text_width(shorten(text, WIDEST)) for text in shown.col_labels) + 16)
    end = max(1.0, max_magnitude([weights]))
    finite = np.nan_to_num(weights).tolist()
    hidden = set(forbidden)
    words = [
        f"{weight:.3f}" if key not in hidden and (bar >= LINE or key == marked) else ""
        for key, weight in enumerate(weights.tolist())
    ]
    hover = [
        f"{isolate(escape(label))}<br>{escape(say('forbidden')) if key in hidden else number(weight)}"
        for key, (label, weight) in enumerate(zip(shown.col_labels, weights.tolist(), strict=True))
    ]
    schemes = {
        theme: {"marker": {"color": [shade(scale, w / end) for w in finite], "line": _OUTLINE}}
        for theme, scale in colorscales("weight").items()
    }
    data = {
        "type": "bar",
        "orientation": "h",
        "x": weights,
        "y": list(range(keys)),
        "text": words,
        "textposition": "outside",
        "textfont": {"size": TICK_SIZE, "color": MUTED},
        "textangle": 0,
        "cliponaxis": False,
        "constraintext": "none",
        "hovertext": hover,
        "hovertemplate": "%{hovertext}<extra></extra>",
        **schemes[theme_name(dark)],
    }
    layout = {
        "height": round(keys * bar + 54),
        "margin": {"l": left, "r": 72, "t": 8, "b": 46, "pad": 4, "autoexpand": False},
        "bargap": 0.25,
        "showlegend": False,
        "xaxis": {
            "range": [0, end],
            "ticklabeloverflow": ALL_LABELS,
            "tickvals": [0, end / 2, end],
            "ticktext": [f"{tick_value:.3g}" for tick_value in (0, end / 2, end)],
            "showgrid": True,
            "gridcolor": "rgba(128,132,142,0.25)",
            "zeroline": False,
            "tickfont": {"size": 10, "color": MUTED},
            "title": {"text": escape(say("weight")), "standoff": 10, "font": {"size": 11, "color": MUTED}},
            "fixedrange": True,
        },
        "yaxis": {
            "range": [keys - 0.5, -0.5],
            "tickmode": "array",
            "ticklabeloverflow": ALL_LABELS,
            "tickvals": labelled,
            "ticktext": [_label(shown.col_labels[key], key == marked) for key in labelled],
            "tickfont": {"size": TICK_SIZE},
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
        "font": {"family": FONT, "size": TICK_SIZE, "color": INK[theme_name(dark)]},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "images": [_hatched(first, count, end) for first, count in _runs(forbidden)],
        "annotations": [_beside(key, escape(say("forbidden"))) for key in forbidden if bar >= LINE],
    }
    meta = {
        "field": field,
        "head": shown.heads[0],
        "name": shown.names[0],
        "query": query,
        "row_label": shown.row_labels[query],
        "col_labels": shown.col_labels,
        "forbidden": forbidden,
        "marked": marked,
        "schemes": schemes,
        "inks": dict(INK),
        "width": width,
        "height": layout["height"],
    }
    return {"data": [data], "layout": layout, "meta": meta}


def row_bars(
    trace: AttentionTrace,
    head: int,
    query: int,
    *,
    field: str = "weights",
    marked: int | None = None,
    dark: bool = False,
    width: float = 640,
    batch: int = 0,
    say: Say = str,
) -> go.Figure:
    """`bars_spec` as a Plotly figure for a notebook."""
    spec = bars_spec(
        trace, head, query, field=field, marked=marked, dark=dark, width=width, batch=batch, say=say
    )
    figure = go.Figure(data=spec["data"], layout=spec["layout"])
    return figure.update_layout(width=width, paper_bgcolor=PAPER[theme_name(dark)])


_OUTLINE = {"width": 1, "color": FRAME}


def _label(text: str, marked: bool) -> str:
    label = tick(text, WIDEST)
    return f"<b>{label}</b>" if marked else label


def _runs(places_: list[int]) -> list[tuple[int, int]]:
    """Neighbouring places as (first, count)."""
    runs: list[tuple[int, int]] = []
    for place in places_:
        if runs and sum(runs[-1]) == place:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((place, 1))
    return runs


def _beside(key: int, word: str) -> dict[str, Any]:
    """A word to the right of a row, clear of the hatching."""
    style = {"showarrow": False, "font": {"size": TICK_SIZE, "color": MUTED}}
    return {
        "text": word,
        "x": 1,
        "xref": "paper",
        "xanchor": "left",
        "xshift": 4,
        "y": key,
        "yref": "y",
        **style,
    }


def _hatched(first: int, count: int, end: float) -> dict[str, Any]:
    return {
        "source": hatch(),
        "xref": "x",
        "yref": "y",
        "x": 0,
        "y": first - 0.5,
        "sizex": end,
        "sizey": count,
        "xanchor": "left",
        "yanchor": "top",
        "sizing": "stretch",
        "layer": "below",
    }
