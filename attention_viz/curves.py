"""The curves of a training run: their frame is that of the whole run, so that nothing but the lines moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attention_viz.colors import MUTED
from attention_viz.lines import lines_spec

__all__ = ["curves_spec"]


def curves_spec(
    steps: Sequence[int],
    series: Mapping[str, Sequence[float]],
    *,
    last: int,
    at: int | None = None,
    top: float | None = None,
    x_title: str,
    y_title: str,
    height: int,
) -> dict[str, Any]:
    """Lines over the steps of a run from 0 to `last`, or to the newest step where that is later.

    `top` is the upper end of the y axis; without it the axis ends above the largest value. `at` is the step that is
    looked at: a thin upright line. Raises ValueError where a series is not as long as `steps`.

    >>> spec = curves_spec([0, 10], {"accuracy": [0.0, 0.5]}, last=100, at=10, top=1, x_title="", y_title="", height=9)
    >>> spec["layout"]["xaxis"]["range"], spec["layout"]["shapes"][0]["x0"]
    ([0, 100], 10)
    """
    spec = lines_spec(list(steps), series, x_title=x_title, y_title=y_title, height=height)
    layout = spec["layout"]
    layout["xaxis"] |= {"range": [0, max([last, *steps])], "fixedrange": True, "zeroline": False}
    largest = max((value for values in series.values() for value in values if value == value), default=1.0)
    layout["yaxis"] |= {"range": [0, 1.04 * (largest if top is None else top)], "fixedrange": True}
    layout["margin"] |= {"t": 24 if len(series) > 1 else 8, "b": 36, "l": 48}
    layout["hovermode"] = "x"
    if at is not None:
        line = {"color": MUTED, "width": 1, "dash": "dot"}
        layout["shapes"] = [
            {"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1, "line": line, "layer": "below"}
        ]
    spec["meta"]["at"] = at
    return spec
