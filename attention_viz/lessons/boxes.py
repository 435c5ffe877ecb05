"""Boxes and arrows: how tensors flow, drawn in the look of the other figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from attention_viz.colors import FRAME, MUTED
from attention_viz.frame import FONT

# Blue of middle lightness, see-through: it reads on white and on near-black paper.
ACCENT = "rgb(74,134,200)"
ACCENT_FILL = "rgba(74,134,200,0.16)"
FILL = "rgba(128,132,142,0.07)"


@dataclass(frozen=True)
class Box:
    """A box with its centre and size in fractions of the picture; y grows upwards. `lines` is markup: escape tokens."""

    name: str
    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]
    strong: bool = False


@dataclass(frozen=True)
class Arrow:
    """From the edge of one box to that of another, by name; `label` is markup beside its middle."""

    start: str
    end: str
    label: str = ""
    strong: bool = False


def boxes_spec(boxes: Sequence[Box], arrows: Sequence[Arrow], *, height: int, size: int = 13) -> dict[str, Any]:
    """A Plotly figure as a dict, {"data", "layout", "meta"}: `meta["boxes"]` holds the text of each box by its name.

    Raises ValueError for an arrow between boxes that there are not.

    >>> spec = boxes_spec([Box("x", 0.2, 0.5, 0.2, 0.4, ("x",)), Box("q", 0.8, 0.5, 0.2, 0.4, ("Q",))],
    ...                   [Arrow("x", "q", "W_Q")], height=120)
    >>> spec["meta"]["boxes"], spec["meta"]["arrows"]
    ({'x': 'x', 'q': 'Q'}, [['x', 'q']])
    """
    by_name = {box.name: box for box in boxes}
    for arrow in arrows:
        for name in (arrow.start, arrow.end):
            if name not in by_name:
                raise ValueError(f"box={name!r}: allowed are {', '.join(by_name)}")
    annotations = [_text(box.x, box.y, "<br>".join(box.lines), size) for box in boxes]
    for arrow in arrows:
        annotations += _arrow(by_name[arrow.start], by_name[arrow.end], arrow, size)
    axis = {"range": [0, 1], "visible": False, "fixedrange": True}
    layout = {
        "height": height,
        "margin": {"l": 2, "r": 2, "t": 2, "b": 2, "autoexpand": False},
        "xaxis": axis,
        "yaxis": axis,
        "shapes": [_rectangle(box) for box in boxes],
        "annotations": annotations,
        "font": {"family": FONT, "size": size},
        "showlegend": False,
        "hovermode": False,
        "dragmode": False,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }
    # Without a trace Plotly draws axes of its own; one point that is nowhere is a trace.
    nothing = {"type": "scatter", "x": [None], "y": [None], "hoverinfo": "skip"}
    meta = {
        "height": height,
        "boxes": {box.name: "<br>".join(box.lines) for box in boxes},
        "strong": [box.name for box in boxes if box.strong],
        "arrows": [[arrow.start, arrow.end] for arrow in arrows],
    }
    return {"data": [nothing], "layout": layout, "meta": meta}


def _rectangle(box: Box) -> dict[str, Any]:
    return {
        "type": "rect",
        "x0": box.x - box.width / 2,
        "x1": box.x + box.width / 2,
        "y0": box.y - box.height / 2,
        "y1": box.y + box.height / 2,
        "line": {"color": ACCENT if box.strong else FRAME, "width": 2 if box.strong else 1},
        "fillcolor": ACCENT_FILL if box.strong else FILL,
        "layer": "below",
    }


def _text(x: float, y: float, text: str, size: int, **more: Any) -> dict[str, Any]:
    return {"x": x, "y": y, "text": text, "showarrow": False, "font": {"size": size}, **more}


def _arrow(start: Box, end: Box, arrow: Arrow, size: int) -> list[dict[str, Any]]:
    (x0, y0), (x1, y1) = _edge(start, end), _edge(end, start)
    drawn = [
        {
            "x": x1,
            "y": y1,
            "ax": x0,
            "ay": y0,
            "xref": "x",
            "yref": "y",
            "axref": "x",
            "ayref": "y",
            "text": "",
            "showarrow": True,
            "arrowhead": 2,
            "arrowsize": 1.1,
            "arrowwidth": 2 if arrow.strong else 1.3,
            "arrowcolor": ACCENT if arrow.strong else MUTED,
        }
    ]
    if arrow.label:
        level = abs(y1 - y0) < abs(x1 - x0)
        beside = {"yshift": 9} if level else {"xshift": 6, "xanchor": "left"}
        drawn.append(_text((x0 + x1) / 2, (y0 + y1) / 2, arrow.label, size - 1, **beside))
    return drawn


def _edge(box: Box, towards: Box) -> tuple[float, float]:
    """Where the arrow leaves the box: the middle of the side that faces the other box."""
    away_x = abs(towards.x - box.x) - (towards.width + box.width) / 2
    away_y = abs(towards.y - box.y) - (towards.height + box.height) / 2
    if away_x >= away_y:
        return box.x + (box.width / 2 if towards.x > box.x else -box.width / 2), box.y
    return box.x, box.y + (box.height / 2 if towards.y > box.y else -box.height / 2)
