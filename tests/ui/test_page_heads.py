"""The page on heads: every number on it is the one that the mathematics gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from attention_core.experiment import Experiment
from attention_core.lessons import heads
from attention_core.metrics import head_similarity
from attention_core.presets import DEFAULT
from tests.ui.lessons import open_lesson, words
from tests.ui.reading import expected, good, healthy, panel, panels, same

START = Experiment("one two three four five", num_heads=4, d_model=16, weights="random", seed=2)
KEYS = ("heads_map_1", "heads_map_2", "heads_map_4", "heads_map_8")


@pytest.fixture(scope="module")
def app() -> AppTest:
    return open_lesson("heads", START.to_query())


def bars(app: AppTest, key: str) -> dict[str, list[float]]:
    return {bar["name"]: bar["x"] for bar in panel(app, key).header["figure"]["data"]}


def test_the_question_and_the_answer(app: AppTest) -> None:
    assert good(app) == START
    assert words(app).startswith("# One head or many?")
    for stray in ("{width}", "{count}", "{heads}"):
        assert stray not in words(app)


def test_the_maps_of_every_cut(app: AppTest) -> None:
    for count in (1, 2, 4, 8):
        shown = panel(app, f"heads_map_{count}")
        same(shown.blocks, expected(heads.cut(START, count).run(), "weights"), f"{count} heads")
        assert shown.header["figure"]["data"][0]["zmax"] == 1.0


def test_the_similarity_of_the_heads_that_are_looked_at(app: AppTest) -> None:
    alike = head_similarity(START.run().heads.weights)[0].numpy()
    same(panel(app, "heads_similarity").blocks[0], alike)
    other = open_lesson("heads", {**START.to_query(), "heads_cut": "8", "heads_measure": "jensen_shannon"})
    trace = heads.cut(START, 8).run()
    wanted = head_similarity(trace.heads.weights, measure="jensen_shannon")[0].numpy()
    same(panel(other, "heads_similarity").blocks[0], wanted)


def test_the_drawn_contributions_add_up_to_the_drawn_output(app: AppTest) -> None:
    parts, whole = panel(app, "heads_contributions"), panel(app, "heads_output")
    np.testing.assert_allclose(parts.blocks.sum(axis=0), whole.blocks[0], atol=1e-5)
    ends = [shown.header["figure"]["data"][0]["zmax"] for shown in (parts, whole)]
    assert ends[0] == ends[1] >= max(np.abs(parts.blocks).max(), np.abs(whole.blocks).max()) * 0.999
    said = panel(app, "heads_residual").header["sentence"]
    assert float(said.rstrip(".").rpartition(" ")[2]) < 1e-5
    [shares] = bars(app, "heads_shares").values()
    assert sum(shares) == pytest.approx(1.0, abs=1e-5)


def test_heads_are_switched_off(app: AppTest) -> None:
    trace = START.run()
    same(panel(app, "heads_one_by_one").blocks[0], heads.one_by_one(trace).numpy())
    assert app.pills(key="heads_off").value == [0]
    parts = panel(app, "heads_contributions").blocks
    np.testing.assert_allclose(panel(app, "heads_change").blocks[0], -parts[0], atol=1e-5)
    other = open_lesson("heads", {**START.to_query(), "heads_off": "[1, 3]"})
    np.testing.assert_allclose(panel(other, "heads_change").blocks[0], -parts[1] - parts[3], atol=1e-5)
    assert panel(other, "heads_moved").header["sentence"].startswith("2 of 4 heads off")
    other.pills(key="heads_off").set_value([])
    healthy(other.run())
    assert not panel(other, "heads_change").blocks.any()
    assert other.query_params["heads_off"] == "[]"


def test_whole_heads_are_dropped(app: AppTest) -> None:
    gates = heads.draw_gates(4, 0.25, 200, START.seed)
    same(panel(app, "heads_gates").blocks[0], gates[:12].numpy())
    line = panel(app, "heads_mean").header["figure"]["data"]
    np.testing.assert_allclose(line[0]["y"], heads.mean_distance(START.run(), gates).tolist())
    assert set(line[1]["y"]) == {0.25**4}


def test_parameters_stay_and_grow(app: AppTest) -> None:
    shown = bars(app, "heads_parameters")
    assert shown == {name: [256, 256, 256, 256] for name in ("W_Q", "W_K", "W_V", "W_O")}
    rows = panel(app, "heads_totals").header["rows"]
    assert [row[:3] for row in rows] == [
        ["1 head", "16", "1,024"],
        ["2 heads", "8", "1,024"],
        ["4 heads", "4", "1,024"],
        ["8 heads", "2", "1,024"],
    ]
    other = open_lesson("heads", {**START.to_query(), "heads_cost": "fixed"})
    assert bars(other, "heads_parameters")["W_Q"] == [32, 64, 128, 256]
    axes = [panel(one, "heads_parameters").header["figure"]["layout"]["xaxis"]["range"] for one in (app, other)]
    assert axes[0] == axes[1], "the axis moved"


def test_the_table_of_the_paper(app: AppTest) -> None:
    assert panel(app, "heads_paper").header["rows"] == [
        ["1 head", "512", "512", "1,048,576", "5.29", "24.9"],
        ["4 heads", "128", "128", "1,048,576", "5.00", "25.5"],
        ["8 heads", "64", "64", "1,048,576", "4.92", "25.8"],
        ["16 heads", "32", "32", "1,048,576", "4.91", "25.8"],
        ["32 heads", "16", "16", "1,048,576", "5.01", "25.4"],
    ]


def test_the_width_of_the_paper() -> None:
    app = open_lesson("heads", {**START.to_query(), "heads_width": "paper", "heads_cut": "32"})
    base = replace(START, d_model=512)
    for count in (1, 4, 8, 16, 32):
        same(panel(app, f"heads_map_{count}").blocks, expected(heads.cut(base, count).run(), "weights"))
    same(panel(app, "heads_lengths").blocks[0], heads.lengths(heads.cut(base, 32).run()).numpy())
    assert good(app) == START, "the visitor's own experiment stays what it was"


def test_keys_and_values_are_shared(app: AppTest) -> None:
    assert app.button_group(key="heads_kv").value == 2
    shared = heads.cut(START, 4, 2).run()
    same(panel(app, "heads_shared").blocks, expected(shared, "weights"))
    moved = expected(shared, "weights") - expected(START.run(), "weights")
    same(panel(app, "heads_shared_change").blocks, moved)
    rows = {row[0]: row for row in panel(app, "heads_cache").header["rows"]}
    assert rows["8"] == ["8", "grouped-query", "320 KiB", "1.25 GiB"]
    assert rows["1"][1] == "multi-query" and rows["64"][1] == "multi-head"
    # 5 tokens, 2 heads instead of 4, 4 + 4 numbers of 2 bytes
    assert "160 B instead of 320 B" in panel(app, "heads_shared_moved").header["detail"]


VARIETY = {
    "one head": replace(START, num_heads=1),
    "three heads of odd widths": Experiment("one two three", num_heads=3, d_model=7, d_k=5, d_v=2),
    "cross": Experiment("one two three", source_text="four five six seven", mode="cross", num_heads=2, d_model=8),
    "causal and grouped": Experiment("one two three", mode="causal", num_heads=4, d_model=16, num_kv_heads=2),
    "no output projection": replace(START, out_proj=False),
    "rotary": replace(START, position="rope"),
    "additive": replace(START, score="additive"),
    "the article": Experiment("one two three", num_heads=1, d_model=3, d_k=2, d_v=4, weights="article"),
    "one token": replace(START, text="alone"),
}


@pytest.mark.parametrize("wanted", VARIETY.values(), ids=VARIETY)
def test_any_experiment_can_be_looked_at(wanted: Experiment) -> None:
    app = open_lesson("heads", wanted.to_query())
    assert good(app) == wanted
    same(panel(app, f"heads_map_{wanted.num_heads}").blocks, expected(wanted.run(), "weights"))
    same(panel(app, "heads_map_1").blocks, expected(heads.cut(wanted, 1).run(), "weights"))


@pytest.mark.parametrize(
    "query",
    [
        {"heads_cut": "3"},
        {"heads_off": "[99]"},
        {"heads_off": "__import__('os')"},
        {"heads_p": "nan"},
        {"heads_p": "2"},
        {"heads_width": "<b>"},
        {"heads_kv": "-1"},
        {"heads_context": "1e9"},
    ],
    ids=str,
)
def test_a_damaged_link_falls_back(query: dict[str, str]) -> None:
    app = open_lesson("heads", {**START.to_query(), **query})
    assert app.button_group(key="heads_cut").value == 4
    assert "heads_similarity" in panels(app)


def test_a_long_text_is_not_cut_at_the_width_of_the_paper() -> None:
    app = open_lesson("heads", {"text": "word " * 70, "heads_width": "paper", "heads": "2", "width": "8"})
    assert app.button_group(key="heads_width").value == "own"
    assert "heads_map_32" not in panels(app)


def test_the_default_shows_what_the_text_says() -> None:
    app = open_lesson("heads")
    assert good(app) == DEFAULT.experiment
    four, one = panel(app, "heads_map_4").blocks, panel(app, "heads_map_1").blocks[0]
    assert four[0].diagonal(-1).min() > 0.9, "the previous token"
    assert one.diagonal(-1).max() < 0.5 and one[1:, 0].max() < 0.1, "drowned"
