"""Fewer cells than the computation has: the largest of each group, and nothing hidden."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_core.experiment import Experiment
from attention_core.masks import Explicit
from attention_core.modules import MultiHeadAttention
from attention_core.trace import AttentionTrace
from attention_viz import heatmap_spec
from attention_viz.panel import Panel, panel
from attention_viz.pool import pooled, strongest


def small(values: list[list[float]], forbidden: list[list[bool]] | None = None) -> Panel:
    trace = MultiHeadAttention(4, 1).trace(torch.ones(1, 3, 4), tokens=("a", "b", "c"))
    shown = panel(trace, "raw_scores")
    z = np.array([values], dtype=np.float32)
    closed = None if forbidden is None else np.array([forbidden], dtype=bool)
    return replace(shown, values=z, forbidden=closed)


def long_trace(tokens: int = 300, heads: int = 12) -> AttentionTrace:
    words = " ".join(f"w{number}" for number in range(tokens))
    return Experiment(words, num_heads=heads, d_model=4 * heads, d_k=4).run()


def test_the_largest_magnitude_stands_for_its_group_with_its_sign() -> None:
    found = pooled(small([[1, -5, 0.5], [2, 3, -0.25], [-7, 6, 0.125]]), (2, 2))
    assert found.values.tolist() == [[[-5, 0.5], [-7, 0.125]]]
    assert found.row_spans == ("a … b", "c") and found.col_spans == ("0 … 1", "2")
    assert found.row_labels == ["a", "c"] and found.col_labels == ["0", "2"], "the ticks"


def test_rows_alone() -> None:
    assert pooled(small([[1, -5, 0.5], [2, 3, -0.25], [-7, 6, 0.125]]), (3, 1)).values.tolist() == [[[-7, 6, 0.5]]]


def test_a_group_is_forbidden_where_all_of_it_is() -> None:
    low = -math.inf
    found = pooled(
        small([[1, low, low], [low, low, low], [2, 3, low]], [[0, 1, 1], [1, 1, 1], [0, 0, 1]]),
        (2, 2),
    )
    assert found.forbidden is not None and found.forbidden.tolist() == [[[False, True], [False, True]]]
    assert found.values[0, 0, 0] == 1 and found.values[0, 1, 0] == 3


def test_a_number_that_is_none_is_never_lost() -> None:
    found = pooled(small([[1e30, 1, 1], [1, math.nan, 1], [1, 1, math.inf]]), (2, 2))
    assert math.isnan(found.values[0, 0, 0]) and found.values[0, 1, 1] == math.inf


def test_what_has_room_is_drawn_cell_by_cell() -> None:
    trace = long_trace(40, 4)
    spec = heatmap_spec(trace, "weights", box=(520, 520), pool=True)
    assert spec["meta"]["pool"] == [1, 1] and spec["meta"]["rows"] == 40


@pytest.mark.parametrize("field", ["weights", "raw_scores"])
def test_many_heads_of_many_tokens_are_drawn_together(field: str) -> None:
    trace = long_trace()
    spec = heatmap_spec(trace, field, box=(520, 520), pool=True)
    rows, cols = spec["meta"]["pool"]
    assert rows == cols > 1
    assert min(spec["meta"]["cell"]) >= 0.6
    whole = trace.field(field)[0].numpy()
    assert spec["meta"]["zmax"] == heatmap_spec(trace, field, box=(520, 520))["meta"]["zmax"], "one scale"
    origin = spec["meta"]["blocks"][5]
    z = spec["data"][0]["z"]
    for row, col in ((0, 0), (7, 3), (spec["meta"]["rows"] - 1, spec["meta"]["cols"] - 1)):
        group = whole[5, row * rows : (row + 1) * rows, col * cols : (col + 1) * cols]
        drawn = z[origin["y0"] + row, origin["x0"] + col]
        assert drawn == group.flat[np.abs(group).argmax()]
        at = strongest(trace, field, 5, row, col, (rows, cols))
        assert whole[(5, *at)] == drawn and at[0] // rows == row and at[1] // cols == col


def test_one_head_alone_is_drawn_whole() -> None:
    spec = heatmap_spec(long_trace(), "weights", head=3, box=(520, 520), pool=True)
    assert spec["meta"]["pool"] == [1, 1] and spec["meta"]["rows"] == 300


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**20))
def test_nothing_larger_is_left_out(rows: int, cols: int, down: int, across: int, seed: int) -> None:
    drawn = np.random.default_rng(seed)
    mask = Explicit(tuple(tuple(bool(cell) for cell in row) for row in drawn.random((rows, cols)) > 0.4))
    layer = MultiHeadAttention(6, 2)
    source = torch.from_numpy(drawn.standard_normal((1, cols, 6))).float()
    trace = layer.trace(torch.from_numpy(drawn.standard_normal((1, rows, 6))).float(), source, mask=mask)
    shown = panel(trace, "weights")
    found = pooled(shown, (down, across))
    assert found.values.shape == (2, -(-rows // down), -(-cols // across))
    np.testing.assert_array_equal(found.values.max((1, 2)), shown.values.max((1, 2)))
    for head, row, col in np.ndindex(found.values.shape):
        at = strongest(trace, "weights", head, row, col, (down, across))
        assert shown.values[(head, *at)] == found.values[head, row, col]
