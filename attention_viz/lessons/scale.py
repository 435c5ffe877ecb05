"""Lines over a logarithmic d_k or temperature, with a mark at the value that is chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from attention_viz.colors import MUTED
from attention_viz.lines import COLOURS, lines_spec

THEORY = "rgba(128,132,142,1)"
FEW = 8  # values of x that all get a label


def marked_spec(
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    at: float,
    x_title: str,
    y_title: str,
    y_range: tuple[float, float],
    level: float | None = None,
    height: int = 260,
) -> dict[str, Any]:
    """`lines_spec` over a logarithmic x with a vertical line at `at` and a dot on each line there.

    `y_range` holds the axis still; `level` draws a thin horizontal line, the most that there can be.

    >>> spec = marked_spec([1, 10], {"a": [0.0, 2.0]}, at=10, x_title="d_k", y_title="entropy", y_range=(0, 3))
    >>> spec["data"][1]["x"], spec["data"][1]["y"]
    ([10], [2.0])
    """
    spec = lines_spec(x, series, x_title=x_title, y_title=y_title, log_x=True, height=height)
    place = list(x).index(at)
    for number, values in enumerate(series.values()):
        colour = COLOURS[number % len(COLOURS)]
        spec["data"].append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [at],
                "y": [values[place]],
                "marker": {"color": colour, "size": 9},
                "showlegend": False,
                "hoverinfo": "skip",
            }
        )
    layout = spec["layout"]
    layout["yaxis"] |= {"range": list(y_range), "fixedrange": True}
    layout["xaxis"] |= _whole_axis(x)
    layout["shapes"] = [_upright(at)]
    if level is not None:
        layout["shapes"].append(
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": level,
                "y1": level,
                "line": {"color": MUTED, "width": 1, "dash": "dot"},
            }
        )
    return spec


def cloud_spec(
    x: Sequence[float],
    clouds: Mapping[str, Sequence[Sequence[float]]],
    theory: Mapping[str, Sequence[float]],
    *,
    at: float,
    x_title: str,
    y_title: str,
    height: int = 300,
) -> dict[str, Any]:
    """Many draws as dots, a column of them at each x; over them, dashed, what the theory says. Both axes logarithmic.

    `clouds` hold a row of draws for each x.

    >>> spec = cloud_spec([1, 4], {"drawn": [[0.9, 1.2], [3.8, 4.4]]}, {"d_k": [1, 4]}, at=4, x_title="", y_title="")
    >>> spec["data"][0]["x"], spec["data"][0]["y"]
    ([1, 1, 4, 4], [0.9, 1.2, 3.8, 4.4])
    """
    draws = len(next(iter(clouds.values()))[0])
    spread = [value for value in x for _ in range(draws)]
    dots = {name: [float(draw) for row in rows for draw in row] for name, rows in clouds.items()}
    spec = lines_spec(
        spread, dots, x_title=x_title, y_title=y_title, log_x=True, log_y=True, dotted=tuple(dots), height=height
    )
    for cloud in spec["data"]:
        cloud["marker"] |= {"size": 4, "opacity": 0.45}
    lines = lines_spec(x, theory, x_title=x_title, y_title=y_title, dashed=tuple(theory))["data"]
    for line in lines:
        line["line"] |= {"color": THEORY, "width": 1.6}
        line["showlegend"] = line is lines[0]
    spec["data"] += lines
    spec["layout"]["xaxis"] |= _whole_axis(x)
    spec["layout"]["shapes"] = [_upright(at)]
    return spec


def _whole_axis(x: Sequence[float]) -> dict[str, Any]:
    low, high = math.log10(min(x)), math.log10(max(x))
    edge = 0.03 * (high - low)
    axis = {"range": [low - edge, high + edge], "fixedrange": True}
    few = {"tickmode": "array", "tickvals": list(x), "ticktext": [f"{value:g}" for value in x]}
    return axis | few if len(x) <= FEW else axis


def _upright(at: float) -> dict[str, Any]:
    line = {"color": MUTED, "width": 1}
    return {"type": "line", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1, "line": line, "layer": "below"}
