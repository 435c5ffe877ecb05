"""Pictures of encoder blocks: one token's vector by stage, lines over the blocks, draws of dropout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attention_viz.colors import MUTED
from attention_viz.lessons.picture import Picture
from attention_viz.lines import lines_spec
from attention_viz.matrix import matrix_spec
from attention_viz.panel import Say

if TYPE_CHECKING:
    from torch import Tensor

    from attention_core.lessons.encoder import Draws, Pass

ROUNDING = 2.0**-52  # of float64: below this a distance is rounding alone
LOWEST = 1e-17
SHOWN = 4  # draws of dropout


def stage_words(norm: str, say: Say = str) -> dict[str, tuple[str, str]]:
    """For each stage of a pass its sign beside the picture, and what happens there.

    >>> stage_words("pre")["attention_sum"][0], stage_words("post")["attention_sum"][0]
    ('a', 'x + Attn')
    """
    pre = norm == "pre"
    return {
        "input": ("x", say("what enters the block")),
        "attention": ("Attn", say("what attention brings from the tokens")),
        "attention_sum": ("a" if pre else "x + Attn", say("x and Attn added")),
        "attention_norm": ("LN(x)" if pre else "a", say("… shifted and scaled to mean 0, variance 1")),
        "feed_forward": ("FF", say("what the feed-forward network makes of it")),
        "feed_forward_sum": ("output" if pre else "a + FF", say("a and FF added")),
        "feed_forward_norm": ("LN(a)" if pre else "output", say("… shifted and scaled to mean 0, variance 1")),
    }


def token_pictures(one: Pass, norm: str, token: int, tokens: Sequence[str], *, narrow: bool, say: Say) -> list[Picture]:
    """One token on its way through a block: its vector by stage, where it looks, the feed-forward network inside."""
    rows = np.stack([np.asarray(stage[token]) for stage in one.stages.values()])
    words = stage_words(norm, say)
    wide = 350 if narrow else 860
    stages = matrix_spec(
        rows,
        row_labels=[words[name][0] for name in one.stages],
        dims=("", "d_model"),
        field="encoder_stages",
        box=(wide, 230),
        say=say,
    )
    looks = matrix_spec(
        np.asarray(one.weights[:, token]),
        row_labels=[str(head + 1) for head in range(len(one.weights))],
        col_labels=tokens,
        kind="weight",
        cols_are="key",
        dims=("head", "key"),
        field="encoder_looks",
        box=(wide, 230),
        say=say,
    )
    pictures = [
        Picture("stages", say("The token's vector after each step"), stages, 230, rows.size, wide=True),
        Picture("looks", say("Where the token looks"), looks, 230, one.weights[:, token].numel(), wide=True),
    ]
    if one.hidden is not None and one.activated is not None:
        folded = np.stack([np.asarray(part[token]).reshape(4, -1) for part in (one.hidden, one.activated)])
        inside = matrix_spec(
            folded,
            names=(say("before ReLU"), say("after ReLU")),
            dims=("", ""),
            field="encoder_inside",
            box=(wide, 260),
            max_columns=1,
            say=say,
        )
        pictures.append(Picture("inside", say("Inside the feed-forward network"), inside, 260, folded.size, wide=True))
    return pictures


def alike_picture(cosines: Tensor, tokens: Sequence[str], name: str, title: str, *, narrow: bool, say: Say) -> Picture:
    """The cosine of every two tokens."""
    spec = matrix_spec(
        np.asarray(cosines),
        row_labels=tokens,
        col_labels=tokens,
        rows_are="query",
        cols_are="key",
        dims=("token", "token"),
        field="encoder_alike",
        scale=1.0,
        box=(350 if narrow else 420, 350),
        say=say,
    )
    return Picture(name, title, spec, 350, cosines.numel())


def dropout_pictures(
    draws: Draws, count: int, p: float, tokens: Sequence[str], *, narrow: bool, say: Say
) -> tuple[Picture, Picture]:
    """A few draws of training in one picture; the weights of evaluation beside the mean of `count` draws in another."""
    scale = max(1.0, float(draws.kept.max()) / (1.0 - p))

    def picture(name: str, title: str, values: Any, names: Sequence[str], height: int) -> Picture:
        spec = matrix_spec(
            values,
            row_labels=tokens,
            col_labels=tokens,
            kind="weight",
            rows_are="query",
            cols_are="key",
            names=names,
            dims=("query", "key"),
            field=f"encoder_{name}",
            scale=scale,
            box=(350 if narrow else 860, height),
            say=say,
        )
        return Picture(name, title, spec, height, values.size, wide=True)

    drawn = np.asarray(draws.dropped[:SHOWN])
    both = np.stack([np.asarray(draws.kept), np.asarray(draws.mean(count))])
    several = [say("draw {number}").format(number=number + 1) for number in range(len(drawn))]
    mean = say("training, mean of {count} draws").format(count=count)
    return (
        picture("draws", say("Training: every draw is another"), drawn, several, 420 if narrow else 300),
        picture("mean", say("Evaluation, and what training is on average"), both, (say("evaluation"), mean), 400),
    )


def depth_spec(
    series: Mapping[str, Sequence[float]],
    *,
    at: int,
    first: int,
    x_title: str,
    y_title: str,
    log: bool = False,
    most: float = 1.05,
    height: int = 270,
) -> dict[str, Any]:
    """A Plotly figure as a dict: a line for each of `series`, its values at `first`, first + 1, ... blocks.

    A vertical line marks block `at`. With `log` the y axis is logarithmic from 1e-17 to 1, what is below it is left
    out, and a dotted line stands where rounding begins; else it ends at `most`.

    >>> spec = depth_spec({"a": [1.0, 0.5]}, at=1, first=0, x_title="blocks", y_title="distance", log=True)
    >>> spec["data"][0]["x"], spec["layout"]["xaxis"]["range"]
    ([0, 1], [-0.2, 1.2])
    """
    x = list(range(first, first + len(next(iter(series.values())))))
    spec = lines_spec(x, series, x_title=x_title, y_title=y_title, log_y=log, markers=True, height=height)
    layout = spec["layout"]
    layout["xaxis"] |= {"range": [x[0] - 0.2, x[-1] + 0.2], "dtick": 1, "fixedrange": True}
    upright = {"type": "line", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1}
    layout["shapes"] = [{**upright, "line": {"color": MUTED, "width": 1}, "layer": "below"}]
    if not log:
        lowest = min(0.0, *(value for values in series.values() for value in values))
        layout["yaxis"] |= {"range": [1.06 * lowest, most], "fixedrange": True}
        return spec
    for line in spec["data"]:
        line["y"] = [value if value > LOWEST else None for value in line["y"]]
    layout["yaxis"] |= {"range": [-17, 0.3], "dtick": 4, "exponentformat": "power", "fixedrange": True}
    level = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": ROUNDING, "y1": ROUNDING}
    layout["shapes"].append({**level, "line": {"color": MUTED, "width": 1, "dash": "dot"}, "layer": "below"})
    return spec
