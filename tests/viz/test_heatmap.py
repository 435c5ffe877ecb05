"""Heatmaps hold exactly the numbers of the trace, each in its place, and blanks where it is forbidden."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import orjson
import plotly.graph_objects as go
import pytest
import torch

from attention_core.experiment import Experiment
from attention_core.trace import AttentionTrace
from attention_viz import heatmap_spec, signed_scale
from attention_viz.heatmap import number_format
from tests.viz.conftest import Make

BY_SCORE = ("raw_scores", "scaled_scores", "modified_scores", "masked_scores", "weights", "dropped_weights")
BY_HEAD = ("q", "k", "v", "rotated_q", "rotated_k", "context", "head_contributions")
WHOLE = ("embedding", "source_embedding", "concat", "output")


def block(spec: dict[str, Any], place: int) -> np.ndarray:
    """The part of z that meta says is block number `place`."""
    meta, z = spec["meta"], spec["data"][0]["z"]
    x0, y0 = (meta["blocks"][place][name] for name in ("x0", "y0"))
    return z[y0 : y0 + meta["rows"], x0 : x0 + meta["cols"]]


def exact(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().numpy().astype(np.float32)


@pytest.mark.parametrize("heads", [1, 4, 12, 16])
@pytest.mark.parametrize("field", BY_SCORE + BY_HEAD)
def test_each_block_shows_its_head(make: Make, field: str, heads: int) -> None:
    trace = make(("a", "b", "c"), tuple("stuvw"), heads=heads, mask=None)
    spec = heatmap_spec(trace, field)
    meta = spec["meta"]
    assert [one["head"] for one in meta["blocks"]] == list(range(heads))
    for head in range(heads):
        assert np.array_equal(block(spec, head), exact(trace.field(field)[0, head]))
    # All else is gap.
    assert np.isfinite(spec["data"][0]["z"]).sum() == heads * meta["rows"] * meta["cols"]
    # Heads are read like a text: to the right, then down.
    order = [(one["y0"], one["x0"]) for one in meta["blocks"]]
    assert order == sorted(order)


@pytest.mark.parametrize("field", WHOLE)
def test_a_field_without_heads_is_one_matrix(cross: AttentionTrace, field: str) -> None:
    spec = heatmap_spec(cross, field)
    assert np.array_equal(spec["data"][0]["z"], exact(cross.field(field)[0]))
    assert spec["meta"]["blocks"] == [{"head": None, "name": "", "x0": 0, "y0": 0}]
    assert spec["meta"]["cols_are"] == "feature"
    assert spec["meta"]["rows_are"] == ("key" if field == "source_embedding" else "query")


def test_every_field_and_weight_of_a_trace_draws(cross: AttentionTrace) -> None:
    for name in (*cross.fields(), *cross.parameters()):
        spec = heatmap_spec(cross, name)
        go.Figure(data=spec["data"], layout=spec["layout"])  # Plotly checks every property
        assert spec["data"][0]["z"].dtype == np.float32
        orjson.dumps(spec["meta"])


def test_every_batch_row_can_be_drawn(make: Make) -> None:
    trace = make(batch=2)
    for row in (0, 1):
        assert np.array_equal(block(heatmap_spec(trace, "q", batch=row), 1), exact(trace.field("q")[row, 1]))
    with pytest.raises(ValueError, match="batch=2: allowed are whole numbers from 0 to 1"):
        heatmap_spec(trace, "q", batch=2)


@pytest.mark.parametrize(
    ("field", "gap"), [("weights", "0"), ("dropped_weights", "0"), ("masked_scores", "-inf")]
)
def test_what_is_forbidden_is_blank_and_nothing_else(make: Make, field: str, gap: str) -> None:
    generator = torch.Generator().manual_seed(3)
    mask = torch.rand(1, 4, 5, 5, generator=generator) < 0.6  # another mask each head
    mask[0, 2, 3] = False  # a row with nothing allowed
    trace = make(heads=4, mask=mask)
    spec = heatmap_spec(trace, field)
    assert spec["meta"]["gap"] == gap and spec["meta"]["nonfinite"] == []
    for head in range(4):
        allowed = mask[0, head].numpy()
        shown = block(spec, head)
        assert np.array_equal(np.isnan(shown), ~allowed)
        assert np.array_equal(shown[allowed], exact(trace.field(field)[0, head])[allowed])


@pytest.mark.parametrize("field", ["raw_scores", "scaled_scores", "modified_scores", "context"])
def test_before_the_mask_nothing_is_blank(causal: AttentionTrace, field: str) -> None:
    spec = heatmap_spec(causal, field)
    assert all(np.isfinite(block(spec, head)).all() for head in range(3))
    assert spec["meta"]["gap"] is None and spec["layout"]["images"] == []


def test_hatching_lies_behind_each_block_and_only_there(causal: AttentionTrace) -> None:
    spec = heatmap_spec(causal, "weights")
    meta = spec["meta"]
    for one, image in zip(meta["blocks"], spec["layout"]["images"], strict=True):
        assert (image["x"], image["y"]) == (one["x0"] - 0.5, one["y0"] - 0.5)
        assert (image["sizex"], image["sizey"]) == (meta["cols"], meta["rows"])
        assert image["layer"] == "below" and image["source"].startswith("data:image/svg+xml,")


def test_a_block_without_forbidden_cells_has_no_hatching(make: Make) -> None:
    mask = torch.ones(1, 3, 5, 5, dtype=torch.bool)
    mask[0, 1, 0, 4] = False
    spec = heatmap_spec(make(mask=mask), "weights")
    assert [image["x"] for image in spec["layout"]["images"]] == [spec["meta"]["blocks"][1]["x0"] - 0.5]


def test_the_hatching_covers_exactly_the_forbidden_cells(make: Make) -> None:
    import re
    from urllib.parse import unquote

    mask = torch.rand(1, 1, 5, 5, generator=torch.Generator().manual_seed(1)) < 0.5
    spec = heatmap_spec(make(heads=1, mask=mask), "weights")
    path = re.findall(r"<path d='(M[^']*Z)'", unquote(spec["layout"]["images"][0]["source"]))[0]
    covered = np.zeros((5, 5), dtype=bool)
    for x0, y0, x1, y1 in re.findall(r"M(\S+) (\S+)H([\d.]+)V([\d.]+)H[\d.]+Z", path):
        rows = slice(round(5 * float(y0)), round(5 * float(y1)))
        covered[rows, round(5 * float(x0)) : round(5 * float(x1))] = True
    assert np.array_equal(covered, ~mask[0, 0].numpy())


def test_a_leak_through_the_mask_is_shown_not_covered(causal: AttentionTrace, change: Make) -> None:
    leaking = causal.heads.weights.clone()
    leaking[0, 1, 0, 4] = 0.25
    shown = block(heatmap_spec(change(causal, weights=leaking), "weights"), 1)
    assert shown[0, 4] == np.float32(0.25) and np.isnan(shown[0, 3])


def test_numbers_that_are_none_are_written_and_listed(causal: AttentionTrace, change: Make) -> None:
    broken = causal.heads.scaled_scores.clone()
    broken[0, 0, 1, 2], broken[0, 2, 4, 0], broken[0, 2, 4, 1] = math.nan, math.inf, -math.inf
    spec = heatmap_spec(change(causal, scaled_scores=broken), "scaled_scores")
    assert spec["meta"]["nonfinite"] == [
        {"head": 0, "row": 1, "col": 2, "value": "NaN"},
        {"head": 2, "row": 4, "col": 0, "value": "Infinity"},
        {"head": 2, "row": 4, "col": 1, "value": "-Infinity"},
    ]
    assert spec["meta"]["nonfinite_count"] == 3
    written = {(one["x"], one["y"]): one["text"] for one in spec["layout"]["annotations"]}
    last = spec["meta"]["blocks"][2]
    assert written[(last["x0"], last["y0"] + 4)] == "∞" and written[(last["x0"] + 1, last["y0"] + 4)] == "−∞"
    assert written[(2, 1)] == "NaN"
    assert math.isfinite(spec["meta"]["zmax"])
    # A NaN among the weights is no forbidden cell.
    weights = causal.heads.weights.clone()
    weights[0, 1, 3, 0] = math.nan
    listed = heatmap_spec(change(causal, weights=weights), "weights")["meta"]["nonfinite"]
    assert listed == [{"head": 1, "row": 3, "col": 0, "value": "NaN"}]


def test_weights_have_a_fixed_scale_and_signed_values_a_symmetric_one(
    causal: AttentionTrace, cross: AttentionTrace
) -> None:
    weights = heatmap_spec(cross, "weights")
    assert float(cross.heads.weights.max()) < 0.999
    assert (weights["data"][0]["zmin"], weights["data"][0]["zmax"]) == (0, 1)
    assert weights["meta"]["kind"] == "weight"
    for field in ("q", "raw_scores", "output"):
        spec = heatmap_spec(causal, field)
        largest = float(causal.field(field)[0].abs().max())
        assert spec["data"][0]["zmax"] == pytest.approx(largest) == -spec["data"][0]["zmin"]
        assert spec["meta"]["kind"] == "signed"
    finite = causal.heads.masked_scores[causal.heads.allowed]
    assert heatmap_spec(causal, "masked_scores")["meta"]["zmax"] == pytest.approx(float(finite.abs().max()))


def test_one_head_alone_keeps_the_scale_of_all(causal: AttentionTrace) -> None:
    whole = heatmap_spec(causal, "raw_scores")
    for head in range(3):
        alone = heatmap_spec(causal, "raw_scores", head=head)
        assert alone["data"][0]["zmax"] == whole["data"][0]["zmax"]
        assert np.array_equal(alone["data"][0]["z"], exact(causal.field("raw_scores")[0, head]))
        assert alone["meta"]["blocks"] == [{"head": head, "name": f"Head {head + 1}", "x0": 0, "y0": 0}]


def test_panels_share_a_scale(causal: AttentionTrace) -> None:
    shared = signed_scale((causal, "q"), (causal, "k"), (causal, "v"))
    largest = max(float(causal.field(name).abs().max()) for name in "qkv")
    assert shared == pytest.approx(largest)
    for name in "qkv":
        drawn = heatmap_spec(causal, name, scale=shared)["data"][0]
        assert (drawn["zmin"], drawn["zmax"]) == (-shared, shared)
    for bad in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"scale=.*allowed are numbers above 0"):
            heatmap_spec(causal, "q", scale=bad)


def test_all_zero_has_a_scale_too(causal: AttentionTrace, change: Make) -> None:
    spec = heatmap_spec(change(causal, q=torch.zeros_like(causal.heads.q)), "q")
    assert (spec["meta"]["zmin"], spec["meta"]["zmax"]) == (-1, 1)


def test_dropout_may_raise_weights_above_one(causal: AttentionTrace, change: Make) -> None:
    raised = heatmap_spec(change(causal, dropped_weights=causal.heads.weights * 2), "dropped_weights")
    assert raised["meta"]["zmax"] == pytest.approx(2.0)  # the first query has all its weight on itself


def test_the_mask_has_two_colours_and_all_its_cells(causal: AttentionTrace) -> None:
    spec = heatmap_spec(causal, "allowed")
    assert spec["meta"]["kind"] == "mask" and not spec["data"][0]["showscale"]
    for head in range(3):
        assert np.array_equal(block(spec, head), exact(causal.heads.allowed[0, head].float()))
    assert len(spec["layout"]["images"]) == 3


def test_labels_belong_to_their_rows_and_columns(cross: AttentionTrace) -> None:
    spec = heatmap_spec(cross, "weights", box=(1000, 600))
    meta, layout = spec["meta"], spec["layout"]
    assert meta["rows_are"] == "query" and meta["cols_are"] == "key"
    assert meta["row_labels"] == ["a", "b", "c"] and meta["col_labels"] == list("stuvwxy")
    for one in meta["blocks"]:
        at = dict(zip(layout["yaxis"]["tickvals"], layout["yaxis"]["ticktext"], strict=True))
        assert [at[one["y0"] + row] for row in range(3)] == ["a", "b", "c"]
        at = dict(zip(layout["xaxis"]["tickvals"], layout["xaxis"]["ticktext"], strict=True))
        assert [at[one["x0"] + col] for col in range(7)] == list("stuvwxy")


def test_equal_chinese_and_hostile_tokens(make: Make) -> None:
    tokens = ("the", "the", "银行", "<b>$x$</b>", " ", "\u200b", "שלום", "antidisestablishmentarianism")
    spec = heatmap_spec(make(tokens, heads=1), "weights", box=(900, 600))
    texts = spec["layout"]["yaxis"]["ticktext"]
    assert len(set(spec["layout"]["yaxis"]["tickvals"])) == 8
    assert texts[:2] == ["the", "the"] and texts[2] == "银行"
    assert texts[3] == "&lt;b&gt;&#36;x&#36;&lt;/b&gt;"
    assert texts[4:6] == ["␣", "U+200B"] and texts[6] == "\u2068שלום\u2069"
    assert texts[7].endswith("…") and "antidisestablishmentarianism".startswith(texts[7][:-1])
    assert spec["meta"]["row_labels"] == [*tokens[:4], "␣", "U+200B", *tokens[6:]]


@pytest.mark.parametrize("heads", [1, 4, 12])
@pytest.mark.parametrize("count", [6, 16, 64, 200])
@pytest.mark.parametrize("box", [(206, 300), (350, 380), (620, 380), (1200, 700)])
def test_the_figure_fits_its_box_and_its_labels_do_not_collide(
    make: Make, heads: int, count: int, box: tuple[int, int]
) -> None:
    trace = make([f"word{i}" for i in range(count)], heads=heads)
    spec = heatmap_spec(trace, "weights", box=box)
    meta, layout = spec["meta"], spec["layout"]
    assert meta["width"] <= box[0] + 1 and meta["height"] <= box[1] + 1
    assert meta["cell"][0] == meta["cell"][1] and layout["yaxis"]["scaleanchor"] == "x"
    for axis in ("xaxis", "yaxis"):
        places = layout[axis]["tickvals"]
        apart = np.diff(places).min() * meta["cell"][0] if len(places) > 1 else math.inf
        turned = {0: 4 * 5.0, -45: 1.4 * 11, -90: 11}[layout["xaxis"]["tickangle"]]
        assert apart >= (turned if axis == "xaxis" else 11)


def test_the_first_query_is_on_top(causal: AttentionTrace) -> None:
    low, high = heatmap_spec(causal, "weights")["layout"]["yaxis"]["range"]
    assert low > high == -0.5


def test_vectors_may_be_oblong(make: Make) -> None:
    spec = heatmap_spec(make(width=300, heads=1), "embedding")
    assert "scaleanchor" not in spec["layout"]["yaxis"] and spec["meta"]["cell"][0] < spec["meta"]["cell"][1]


def test_titles_stand_over_their_blocks(make: Make) -> None:
    trace = make(heads=4, names=("previous token", "first token", "", "<i>odd</i>"))
    spec = heatmap_spec(trace, "weights", box=(1200, 500))
    meta = spec["meta"]
    names = ["1 · previous token", "2 · first token", "Head 3", "4 · <i>odd</i>"]
    assert [one["name"] for one in meta["blocks"]] == names
    for one, title in zip(meta["blocks"], spec["layout"]["annotations"], strict=False):
        assert title["x"] == one["x0"] + (meta["cols"] - 1) / 2 and title["y"] == one["y0"] - 0.5
    texts = [title["text"] for title in spec["layout"]["annotations"]]
    assert texts[0] == "1 · previous token" and texts[3] == "4 · &lt;i&gt;odd&lt;/i&gt;"


def test_a_small_block_is_titled_by_its_number(make: Make) -> None:
    spec = heatmap_spec(make(list("abcdefghijklmnop"), heads=32), "q", box=(206, 300))
    assert [one["text"] for one in spec["layout"]["annotations"][:3]] == ["1", "2", "3"]


def test_shared_key_value_heads(cross: AttentionTrace) -> None:
    spec = heatmap_spec(cross, "k")
    assert [one["name"] for one in spec["meta"]["blocks"]] == ["Key/value head 1", "Key/value head 2"]
    assert spec["meta"]["row_labels"] == list("stuvwxy")
    # Heads 0 and 1 read the first, 2 and 3 the second.
    for head, read in enumerate((0, 0, 1, 1)):
        alone = heatmap_spec(cross, "k", head=head)
        assert alone["meta"]["blocks"][0]["head"] == read
        assert np.array_equal(alone["data"][0]["z"], exact(cross.field("k")[0, read]))


def test_concatenated_heads_are_divided(causal: AttentionTrace) -> None:
    lines = [one for one in heatmap_spec(causal, "concat")["layout"]["shapes"] if one["type"] == "line"]
    assert [line["x0"] for line in lines] == [6.5, 13.5]


def test_a_difference_is_this_minus_the_other(make: Make) -> None:
    a, b = make(seed=1), make(seed=2)
    spec = heatmap_spec(b, "weights", difference_to=a)
    for head in range(3):
        shown, allowed = block(spec, head), b.heads.allowed[0, head].numpy()
        wanted = exact(b.heads.weights[0, head]) - exact(a.heads.weights[0, head])
        assert np.array_equal(shown[allowed], wanted[allowed]) and np.isnan(shown[~allowed]).all()
    assert spec["meta"]["kind"] == "difference"
    assert spec["meta"]["zmin"] == -spec["meta"]["zmax"]
    assert spec["layout"]["title"]["text"] == "weights: difference B − A"
    largest = float((b.heads.weights - a.heads.weights).abs().max())
    assert spec["meta"]["zmax"] == pytest.approx(largest)
    alone = heatmap_spec(b, "weights", difference_to=a, head=2)
    assert alone["meta"]["zmax"] == spec["meta"]["zmax"]


def test_what_only_one_of_two_forbids_is_a_difference(make: Make) -> None:
    a, b = make(mask=None), make()
    spec = heatmap_spec(b, "weights", difference_to=a)
    assert np.array_equal(block(spec, 0), exact(b.heads.weights[0, 0] - a.heads.weights[0, 0]))
    scores = heatmap_spec(b, "masked_scores", difference_to=a)["meta"]
    assert scores["nonfinite_count"] == 3 * 10 and scores["nonfinite"][0]["value"] == "-Infinity"


def test_an_infinite_difference_is_hatched_and_named_where_there_is_room(make: Make) -> None:
    a, b = make(mask=None), make()
    spec = heatmap_spec(b, "masked_scores", difference_to=a)
    assert len(spec["layout"]["images"]) == 3  # behind each head
    said = [one["text"] for one in spec["layout"]["annotations"]]
    assert said.count("−∞") == 3 * 10
    small = heatmap_spec(b, "masked_scores", difference_to=a, box=(200, 200))
    assert len(small["layout"]["images"]) == 3 and small["meta"]["cell"][0] < 16
    assert "−∞" not in [one["text"] for one in small["layout"]["annotations"]]
    finite = heatmap_spec(b, "weights", difference_to=a)
    assert finite["layout"]["images"] == []


def test_noise_between_equal_runs_stays_pale(causal: AttentionTrace, change: Make) -> None:
    noisy = change(causal, raw_scores=causal.heads.raw_scores + 1e-7)
    spec = heatmap_spec(noisy, "raw_scores", difference_to=causal)
    assert np.nanmax(np.abs(spec["data"][0]["z"])) < 1e-3 * spec["meta"]["zmax"]
    same = heatmap_spec(causal, "raw_scores", difference_to=causal)
    assert np.nanmax(np.abs(same["data"][0]["z"])) == 0 and same["meta"]["zmax"] > 0


def test_traces_of_two_sizes_cannot_be_subtracted(causal: AttentionTrace, make: Make) -> None:
    with pytest.raises(ValueError, match=r"difference_to: weights measures 3 x 5 x 5 here and 2 x"):
        heatmap_spec(causal, "weights", difference_to=make(heads=2))


def test_wrong_input_is_named(causal: AttentionTrace) -> None:
    with pytest.raises(ValueError, match="head=3: allowed are whole numbers from 0 to 2"):
        heatmap_spec(causal, "weights", head=3)
    with pytest.raises(ValueError, match="head=-1"):
        heatmap_spec(causal, "k", head=-1)
    with pytest.raises(ValueError, match=r"box=\(0, 300\): allowed are a width and a height above 0"):
        heatmap_spec(causal, "weights", box=(0, 300))
    with pytest.raises(KeyError, match="weights"):
        heatmap_spec(causal, "attention")


def test_light_and_dark_hold_the_same_numbers(causal: AttentionTrace) -> None:
    light, dark = heatmap_spec(causal, "weights"), heatmap_spec(causal, "weights", dark=True)
    assert np.array_equal(light["data"][0]["z"], dark["data"][0]["z"], equal_nan=True)
    for theme, spec in (("light", light), ("dark", dark)):
        assert spec["data"][0]["colorscale"] == spec["meta"]["colorscales"][theme]
        assert spec["layout"]["font"]["color"] == spec["meta"]["inks"][theme]
    del light["data"][0]["colorscale"], dark["data"][0]["colorscale"]
    light["layout"]["font"].pop("color"), dark["layout"]["font"].pop("color")
    assert light["layout"] == dark["layout"]


def test_words_can_be_translated(make: Make) -> None:
    words = {"Head {number}": "第 {number} 头", "query": "查询", "key": "键"}
    spec = heatmap_spec(make(heads=2), "weights", say=lambda text: words.get(text, text))
    assert [one["name"] for one in spec["meta"]["blocks"]] == ["第 1 头", "第 2 头"]
    assert {"查询", "键"} <= {one["text"] for one in spec["layout"]["annotations"]}


def test_values_are_printed_only_where_they_can_be_read(make: Make) -> None:
    assert heatmap_spec(make(heads=1), "weights")["data"][0]["texttemplate"] == "%{z:.2f}"
    assert "texttemplate" not in heatmap_spec(make([str(i) for i in range(40)]), "weights")["data"][0]
    assert [number_format(size) for size in (0.999, 1.0, 9.9, 99.0, 5000.0, 1e-6)] == [
        ".3f",
        ".2f",
        ".2f",
        ".1f",
        ".1e",
        ".1e",
    ]


def test_vectors_of_a_small_case_have_cells_wide_enough_for_their_numbers() -> None:
    """Five tokens, two heads, width 2, in a stage of 230 pixels: 27 high, where squares of 27 would print nothing."""
    small = Experiment("The cat sat down quietly", num_heads=2, d_model=4).run()
    for field in ("q", "k", "v"):
        spec = heatmap_spec(small, field, box=(520, 230), titled=False)
        wide, high = spec["meta"]["cell"]
        assert 26 < high < 28 and wide == pytest.approx(2.4 * high, abs=0.02)
        assert spec["layout"]["yaxis"]["scaleanchor"] == "x"
        assert spec["layout"]["yaxis"]["scaleratio"] == pytest.approx(high / wide, abs=1e-3)
        assert spec["data"][0]["texttemplate"] == "%{z:.2f}"
        # Both blocks, the gap between them and the margins are no wider than the box.
        assert spec["meta"]["width"] <= 520 and spec["meta"]["height"] <= 230
    # Squares that can be read stay squares, and so do those that would not print in any shape.
    large = heatmap_spec(small, "q", box=(900, 480))
    assert large["layout"]["yaxis"]["scaleratio"] == 1.0 and large["meta"]["cell"][0] == large["meta"]["cell"][1]
    many = Experiment("The cat sat down quietly", num_heads=8, d_model=64).run()
    assert heatmap_spec(many, "q", box=(1400, 230))["layout"]["yaxis"]["scaleratio"] == 1.0
    assert "scaleanchor" not in heatmap_spec(many, "q", box=(520, 230))["layout"]["yaxis"]


def test_the_trace_is_left_as_it_was(causal: AttentionTrace) -> None:
    before = {name: causal.field(name).clone() for name in causal.fields()}
    for name in causal.fields():
        heatmap_spec(causal, name, difference_to=causal)
    assert all(torch.equal(causal.field(name), tensor) for name, tensor in before.items())


def test_double_precision_is_drawn_too(causal: AttentionTrace) -> None:
    double = dataclasses.replace(causal, output=causal.output.double())
    assert np.array_equal(heatmap_spec(double, "output")["data"][0]["z"], exact(causal.output[0]))
