"""The page on score functions: five pictures of the same queries and keys, by value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from attention_core.experiment import Experiment
from attention_core.lessons import scores
from tests.ui.lessons import open_lesson, words
from tests.ui.reading import expected, healthy, panel, panels, same

START = Experiment("one two three four five", num_heads=2, d_model=12, weights="random", seed=4)


@pytest.fixture(scope="module")
def app() -> AppTest:
    return open_lesson("scores", START.to_query())


def ends(app: AppTest) -> list[float]:
    return [panel(app, f"scores_{name}_scaled_scores").header["figure"]["data"][0]["zmax"] for name in scores.NAMES]


def test_the_question(app: AppTest) -> None:
    assert words(app).startswith("# How do a query and a key make one number?")
    for source in ("Bahdanau et al. 2015", "Luong et al. 2015", "Vaswani et al. 2017", "Graves et al. 2014"):
        assert source in words(app)
    for stray in ("{head}", "{length}", "{square}", "{queries}", "{keys}", "{width}"):
        assert stray not in words(app)


def test_the_five_scores_and_what_softmax_makes_of_them(app: AppTest) -> None:
    for name in scores.NAMES:
        trace = replace(START, score=name).run()
        for field in ("scaled_scores", "weights"):
            same(panel(app, f"scores_{name}_{field}").blocks, expected(trace, field)[1:], f"{name} {field}")


def test_each_on_its_own_scale_or_all_on_one(app: AppTest) -> None:
    own = ends(app)
    for name, end in zip(scores.NAMES, own, strict=True):
        assert end == pytest.approx(np.abs(panel(app, f"scores_{name}_scaled_scores").blocks).max())
    one = open_lesson("scores", {**START.to_query(), "scores_colours": "one"})
    assert set(ends(one)) == {max(own)}
    for name in scores.NAMES:
        assert panel(one, f"scores_{name}_weights").header["figure"]["data"][0]["zmax"] == 1.0


def test_longer_vectors(app: AppTest) -> None:
    longer = open_lesson("scores", {**START.to_query(), "scores_length": "4.0", "scores_head": "1"})
    shorter = open_lesson("scores", {**START.to_query(), "scores_head": "1"})
    for name, factor in (("dot", 16), ("scaled_dot", 16), ("bilinear", 16), ("cosine", 1)):
        key = f"scores_{name}_scaled_scores"
        np.testing.assert_allclose(panel(longer, key).blocks, factor * panel(shorter, key).blocks, rtol=1e-4, atol=1e-4)
    assert "$c^2 = 16$" in words(longer)
    longer.select_slider(key="scores_length").set_value(8.0)
    healthy(longer.run())
    assert longer.query_params["scores_length"] == "8.0"


def test_the_readings_and_the_curves(app: AppTest) -> None:
    rows = panel(app, "scores_readings").header["rows"]
    curves = panel(app, "scores_entropy").header["figure"]["data"]
    assert len(rows) == 5
    for row, curve, name in zip(rows, curves[:5], scores.NAMES, strict=True):
        reading = scores.read(replace(START, score=name).run(), 1)
        assert row[2:] == [f"{reading.spread:.3g}", f"{reading.top:.3f}", f"{reading.entropy:.2f}"]
        assert curve["x"][2] == 1.0 and curve["y"][2] == pytest.approx(reading.entropy, abs=1e-5)


def test_the_costs(app: AppTest) -> None:
    rows = {row[0]: row[1:] for row in panel(app, "scores_cost").header["rows"]}
    # 5 queries, 5 keys, d_k = 6
    assert rows["Dot product"] == ["0", "300", "25"]
    assert rows["Scaled dot product"] == ["0", "325", "25"]
    assert rows["Cosine"] == ["0", "490", "25"]
    assert rows["Bilinear"] == ["36", "660", "25"]
    assert rows["Additive"] == ["78", "1,320", "150"]
    lines = panel(app, "scores_flops").header["figure"]["data"]
    assert lines[0]["y"][-1] == 12.0 and lines[4]["y"][-1] == pytest.approx(24.0, rel=0.01)


def test_a_text_too_long_for_the_additive_score_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from playground import settings

    monkeypatch.setenv("ATTENTION_MAX_NUMBERS", "200")
    settings.limits.cache_clear()
    try:
        app = open_lesson("scores", {**START.to_query(), "text": "one two three four five six"})
    finally:
        monkeypatch.undo()
        settings.limits.cache_clear()
    assert "scores_dot_weights" in panels(app) and "scores_additive_weights" not in panels(app)
    assert any("too long" in caption.value for caption in app.main.caption)


@pytest.mark.parametrize(
    "query",
    [{"scores_head": "99"}, {"scores_head": "0"}, {"scores_length": "3"}, {"scores_colours": "<i>"}],
    ids=str,
)
def test_a_damaged_link_falls_back(query: dict[str, str]) -> None:
    app = open_lesson("scores", {**START.to_query(), **query})
    assert app.selectbox(key="scores_head").value == 2
    assert app.select_slider(key="scores_length").value == 1.0


@pytest.mark.parametrize(
    "wanted",
    [
        Experiment("one two", source_text="three four five", mode="cross", num_heads=2, d_model=8),
        Experiment("one two three", mode="causal", num_heads=4, d_model=8, num_kv_heads=2, temperature=0.5),
        replace(START, position="rope"),
        replace(START, position="alibi", score="additive"),
        replace(START, text="alone", num_heads=1),
    ],
    ids=["cross", "causal", "rotary", "alibi", "one token"],
)
def test_any_experiment_can_be_looked_at(wanted: Experiment) -> None:
    app = open_lesson("scores", wanted.to_query())
    for name in scores.NAMES:
        same(panel(app, f"scores_{name}_weights").blocks, expected(replace(wanted, score=name).run(), "weights")[-1:])
