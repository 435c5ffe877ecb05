"""Lines over a shared x axis, in the look of the other figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from attention_viz.colors import FRAME, MUTED
from attention_viz.frame import FONT
from attention_viz.labels import escape

# Wong (2011), "Points of view: Color blindness", Nature Methods 8: told apart with any common form of colour blindness,
# darkened or lightened where they would not be read on white and on near-black paper alike.
COLOURS = ("#2f7fc1", "#d9822b", "#2e9e77", "#c2699f", "#8a8f98", "#b5a12a", "#7b6fd0", "#cc5a43")
GRID = "rgba(128,132,142,0.22)"


def lines_spec(
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    x_title: str,
    y_title: str,
    log_x: bool = False,
    log_y: bool = False,
    dashed: Collection[str] = (),
    dotted: Collection[str] = (),
    markers: bool = False,
    height: int = 260,
) -> dict[str, Any]:
    """A Plotly figure as a dict: a line for each of `series` over `x`, in order, each in a colour of its own.

    Lines named in `dashed` (a theory, a threshold) are dashed, those in `dotted` are dots without a line (single
    draws). Names are plain text.

    Raises ValueError where a series is not as long as `x`.

    >>> spec = lines_spec([1, 2], {"measured": [0.1, 0.4]}, x_title="d_k", y_title="variance")
    >>> [line["name"] for line in spec["data"]], spec["layout"]["showlegend"]
    (['measured'], False)
    """
    data = []
    for place, (name, values) in enumerate(series.items()):
        if len(values) != len(x):
            raise ValueError(f"{name}: has {len(values)} values, allowed are {len(x)}, as many as x")
        colour = COLOURS[place % len(COLOURS)]
        mode = "markers" if name in dotted else "lines+markers" if markers else "lines"
        data.append(
            {
                "type": "scatter",
                "name": escape(name),
                "x": list(x),
                "y": list(values),
                "mode": mode,
                "line": {"color": colour, "width": 2, "dash": "dash" if name in dashed else "solid"},
                "marker": {"color": colour, "size": 6, "opacity": 0.75},
                "hovertemplate": f"%{{x}}: %{{y:.4g}}<extra>{escape(name)}</extra>",
            }
        )
    axis = {
        "gridcolor": GRID,
        "zerolinecolor": FRAME,
        "linecolor": FRAME,
        "tickfont": {"size": 11, "color": MUTED},
        "automargin": True,
    }

    def titled(title: str, logarithmic: bool) -> dict[str, Any]:
        kind = {"type": "log", "dtick": 1} if logarithmic else {}
        return {**axis, **kind, "title": {"text": escape(title), "font": {"size": 12, "color": MUTED}, "standoff": 8}}

    layout = {
        "height": height,
        "margin": {"l": 56, "r": 12, "t": 30 if len(data) > 1 else 10, "b": 44},
        "xaxis": titled(x_title, log_x),
        "yaxis": titled(y_title, log_y),
        "font": {"family": FONT, "size": 12},
        "showlegend": len(data) > 1,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 11}},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }
    return {"data": data, "layout": layout, "meta": {"height": height}}
