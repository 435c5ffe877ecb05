"""Bars that show what a whole is made of: a bar for each group, its parts one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attention_viz.colors import FRAME, MUTED
from attention_viz.frame import FONT
from attention_viz.labels import escape, shorten, text_width, tick, visible
from attention_viz.lines import COLOURS, GRID

WIDEST = 14.0  # of a group's label, in font sizes
SIZE = 12
TOP = {1: 8, 2: 30, 3: 30, 4: 40}  # pixels for a legend of so many names


def parts_spec(
    groups: Sequence[str],
    parts: Mapping[str, Sequence[float]],
    *,
    x_title: str,
    height: int = 220,
    number: str = ",.3~s",
    most: float | None = None,
) -> dict[str, Any]:
    """A Plotly figure as a dict: a horizontal bar for each of `groups`, first on top, stacked from `parts`.

    Groups are integer positions with labels, so that equal names keep a bar each; names are plain text. `number` is
    the d3 format of the values. `most` is where the axis ends, to keep it still while the numbers move.

    Raises ValueError where a part has not one value for each group.

    >>> spec = parts_spec(["1", "2"], {"W_Q": [3, 4], "W_O": [5, 6]}, x_title="parameters")
    >>> [bar["x"] for bar in spec["data"]], spec["layout"]["yaxis"]["ticktext"]
    ([[3, 4], [5, 6]], ['1', '2'])
    """
    data = []
    for place, (name, values) in enumerate(parts.items()):
        if len(values) != len(groups):
            raise ValueError(f"{name}: has {len(values)} values, allowed are {len(groups)}, one for each group")
        hover = f"%{{customdata}}: %{{x:{number}}}<extra>{escape(name)}</extra>"
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": escape(name),
                "x": list(values),
                "y": list(range(len(groups))),
                "customdata": [escape(visible(group)) for group in groups],
                "marker": {"color": COLOURS[place % len(COLOURS)], "line": {"width": 0}},
                "hovertemplate": hover,
            }
        )
    left = round(SIZE * max(text_width(shorten(visible(group), WIDEST)) for group in groups) + 18)
    axis = {"tickfont": {"size": 11, "color": MUTED}, "zerolinecolor": FRAME, "fixedrange": True}
    title = {"text": escape(x_title), "font": {"size": 12, "color": MUTED}, "standoff": 8}
    ends = {} if most is None else {"range": [min(0.0, *_ends(parts, min)), most]}
    layout = {
        "height": height,
        "barmode": "relative",
        "bargap": 0.3,
        "margin": {"l": left, "r": 16, "t": TOP.get(len(data), 58), "b": 44, "autoexpand": False},
        "xaxis": {**axis, **ends, "gridcolor": GRID, "title": title, "tickformat": number, "nticks": 7},
        "yaxis": {
            **axis,
            "range": [len(groups) - 0.5, -0.5],
            "tickmode": "array",
            "tickvals": list(range(len(groups))),
            "ticktext": [tick(group, WIDEST) for group in groups],
            "tickfont": {"size": SIZE},
            "showgrid": False,
            "zeroline": False,
        },
        "font": {"family": FONT, "size": SIZE},
        "showlegend": len(data) > 1,
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "traceorder": "normal",
            "font": {"size": 11},
        },
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }
    return {"data": data, "layout": layout, "meta": {"height": height}}


def _ends(parts: Mapping[str, Sequence[float]], which: Any) -> list[float]:
    return [float(which(values)) for values in parts.values()]
