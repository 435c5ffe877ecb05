"""The notebook's figure tells on hover what is in each cell, and nothing between the blocks."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest

from attention_core.trace import AttentionTrace
from attention_viz import heatmap, heatmap_spec
from attention_viz.figure import number
from tests.viz.conftest import Make


def test_the_numbers_are_those_of_the_specification(causal: AttentionTrace) -> None:
    figure, spec = heatmap(causal, "weights"), heatmap_spec(causal, "weights", box=(900, 520))
    assert isinstance(figure, go.Figure)
    drawn = figure.data[0].z
    for one in spec["meta"]["blocks"]:
        shown = drawn[one["y0"] : one["y0"] + 5, one["x0"] : one["x0"] + 5]
        wanted = causal.heads.weights[0, one["head"]].detach().numpy()
        allowed = causal.heads.allowed[0, one["head"]].numpy()
        assert np.array_equal(shown[allowed], wanted[allowed]) and np.isnan(shown[~allowed]).all()


@pytest.mark.parametrize(
    ("field", "forbidden"), [("weights", "forbidden: the weight is 0"), ("masked_scores", "forbidden: −∞")]
)
def test_hovering_tells_head_tokens_and_value(make: Make, field: str, forbidden: str) -> None:
    tokens = ("the", "<b>$x$</b>", "antidisestablishmentarianism", "שלום")
    trace = make(tokens, heads=2, names=("first", ""))
    figure = heatmap(trace, field)
    said, z = figure.data[0].customdata, figure.data[0].z
    assert said.shape == z.shape
    meta = heatmap_spec(trace, field, box=(900, 520))["meta"]
    shown = ["the", "&lt;b&gt;&#36;x&#36;&lt;/b&gt;", tokens[2], "\u2068שלום\u2069"]
    covered = np.zeros(z.shape, dtype=bool)
    for one, head in zip(meta["blocks"], ("1 · first", "Head 2"), strict=True):
        for row in range(4):
            for col in range(4):
                at = one["y0"] + row, one["x0"] + col
                value = (
                    number(float(trace.field(field)[0, one["head"], row, col])) if col <= row else forbidden
                )
                assert said[at] == (
                    f"<b>{head}</b><br>query {row}: {shown[row]}<br>key {col}: {shown[col]}<br>{value}"
                )
                covered[at] = True
    assert set(said[~covered]) <= {""}


def test_hovering_over_vectors_tells_the_feature(causal: AttentionTrace) -> None:
    said = heatmap(causal, "concat").data[0].customdata
    value = number(float(causal.concat[0, 1, 9]))
    assert said[1, 9] == f"query 1: cat<br>heads × d_v 10<br>{value}"


def test_the_mask_says_allowed_or_forbidden(causal: AttentionTrace, make: Make) -> None:
    said = heatmap(causal, "allowed", head=0).data[0].customdata
    assert said[0, 0].endswith("<br>allowed") and said[0, 1].endswith("<br>forbidden")
    assert all(
        text.endswith("<br>allowed")
        for text in heatmap(make(mask=None), "allowed", head=0).data[0].customdata.flat
    )


def test_forbidden_cells_carry_a_sign_where_values_are_printed(make: Make) -> None:
    trace = make(heads=1)
    for field, sign in (("weights", "×"), ("masked_scores", "−∞")):
        cells, signs = heatmap(trace, field).data
        assert cells.texttemplate and signs.text == sign
        assert sorted(zip(signs.x, signs.y, strict=True)) == [(x, y) for x in range(5) for y in range(x)]


def test_large_figures_stay_small(make: Make) -> None:
    trace = make([str(i) for i in range(180)], heads=4)
    figure = heatmap(trace, "weights")
    assert figure.data[0].customdata is None and figure.data[0].hovertemplate.startswith("%{z")


def test_size_paper_and_title(causal: AttentionTrace, make: Make) -> None:
    figure = heatmap(causal, "raw_scores", box=(700, 400), dark=True)
    assert figure.layout.width <= 701 and figure.layout.height <= 401
    assert figure.layout.paper_bgcolor == "#0e1117"
    assert figure.layout.title.text == "raw scores"
    assert heatmap(causal, "raw_scores", title="<b>").layout.title.text == "&lt;b&gt;"
    assert heatmap(causal, "q", difference_to=make(seed=4)).layout.title.text == "q: difference B − A"


def test_numbers_are_written_as_in_print() -> None:
    assert [number(value) for value in (0.0, 1 / 3, -2e-9, 123456.7, float("inf"), float("nan"))] == [
        "0",
        "0.333333",
        "−2e−09",
        "123457",
        "∞",
        "NaN",
    ]
