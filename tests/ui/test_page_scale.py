"""The page on the division by sqrt(d_k): its curves, its table and its sentence, by value."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from attention_core.experiment import Experiment
from attention_core.lessons import scale
from tests.ui.lessons import open_lesson, words
from tests.ui.reading import Message, healthy, panel, softmax

START = Experiment("one two three four five", num_heads=2, d_model=12, weights="random", seed=4)


@pytest.fixture(scope="module")
def app() -> AppTest:
    return open_lesson("scale", START.to_query())


def line(message: Message, number: int) -> dict[str, Any]:
    found: dict[str, Any] = message.header["figure"]["data"][number]
    return found


def test_the_question(app: AppTest) -> None:
    assert words(app).startswith(r"# Why divide by $\sqrt{d_k}$?")
    assert "scores of about ±8 are common" in words(app), "64 is where the page opens"
    for stray in ("{width}", "{root}", "{draws}", "{keys}", "{most}"):
        assert stray not in words(app)


def test_the_draws_and_the_theory_over_them(app: AppTest) -> None:
    shown = panel(app, "scale_spread")
    divided, plain, rising, flat = (line(shown, number) for number in range(4))
    assert len(plain["x"]) == len(plain["y"]) == len(scale.WIDTHS) * scale.DRAWS
    for place in range(0, len(plain["x"]), scale.DRAWS):
        width = plain["x"][place]
        drawn = np.array(plain["y"][place : place + scale.DRAWS])
        assert drawn.mean() == pytest.approx(width, rel=0.4)
        np.testing.assert_allclose(np.array(divided["y"][place : place + scale.DRAWS]) * width, drawn, rtol=1e-4)
    assert rising["x"] == rising["y"] == list(scale.WIDTHS)
    assert set(flat["y"]) == {1.0}


def test_the_table_says_what_the_curves_say(app: AppTest) -> None:
    rows = panel(app, "scale_numbers").header["rows"]
    at = scale.WIDTHS.index(64)
    for number, scaled in ((1, False), (2, True)):
        measured = scale.measure(START.seed, scaled=scaled)
        assert float(rows[0][number]) == pytest.approx(measured.deviation[at], abs=0.006)
        assert float(rows[1][number]) == (1.0 if scaled else 8.0)
        assert float(rows[3][number]) == pytest.approx(measured.entropy[at], abs=0.006)
        curve = line(panel(app, "scale_entropy"), 0 if scaled else 1)
        assert curve["y"] == list(measured.entropy)
        gradient = line(panel(app, "scale_gradient"), 0 if scaled else 1)
        assert gradient["y"] == list(measured.gradient)


def test_the_dots_follow_the_slider() -> None:
    app = open_lesson("scale", {**START.to_query(), "scale_dk": "256", "scale_t": "3.162"})
    measured = scale.measure(START.seed, scaled=False, temperature=3.162)
    dot = line(panel(app, "scale_entropy"), 3)
    assert (dot["x"], dot["y"]) == ([256], [measured.entropy[scale.WIDTHS.index(256)]])
    app.select_slider(key="scale_dk").set_value(1024)
    healthy(app.run())
    assert line(panel(app, "scale_entropy"), 3)["x"] == [1024]
    assert app.query_params["scale_dk"] == "1024"
    ranges = {
        name: panel(app, name).header["figure"]["layout"]["yaxis"]["range"]
        for name in ("scale_entropy", "scale_temperature")
    }
    assert set(map(tuple, ranges.values())) == {(0, 1.08 * math.log(16))}, "the axes stay where they are"


def test_the_temperature_curve_is_moved_by_the_root(app: AppTest) -> None:
    shown = panel(app, "scale_temperature")
    divided, plain = line(shown, 0), line(shown, 1)
    # 8 steps of the slider are a factor of 10; at d_k = 64 the curve moves by 8.
    wanted = np.interp(np.log(8) + np.log(divided["x"]), np.log(plain["x"]), plain["y"])
    inside = np.array(divided["x"]) * 8 < 100
    np.testing.assert_allclose(np.array(divided["y"])[inside], wanted[inside], atol=0.03)


@pytest.mark.parametrize("d_k", [1, 64, 1024])
def test_the_sentence_on_both_sides(d_k: int) -> None:
    app = open_lesson("scale", {**START.to_query(), "scale_dk": str(d_k)})
    plain, divided = panel(app, "scale_dot_scaled_scores"), panel(app, "scale_scaled_dot_scaled_scores")
    np.testing.assert_allclose(plain.blocks, divided.blocks * math.sqrt(d_k), rtol=1e-4, atol=1e-5)
    ends = [message.header["figure"]["data"][0]["zmax"] for message in (plain, divided)]
    assert ends[0] == ends[1], "one scale, or the sizes cannot be compared"
    for name, message in (("dot", plain), ("scaled_dot", divided)):
        weights = panel(app, f"scale_{name}_weights").blocks
        np.testing.assert_allclose(weights, softmax(message.blocks.astype(np.float64)), atol=1e-5)


@pytest.mark.parametrize(
    "query", [{"scale_dk": "5"}, {"scale_dk": "x"}, {"scale_t": "-1"}, {"scale_t": "inf"}], ids=str
)
def test_a_damaged_link_falls_back(query: dict[str, str]) -> None:
    app = open_lesson("scale", {**START.to_query(), **query})
    assert app.select_slider(key="scale_dk").value == 64
    assert app.select_slider(key="scale_t").value == 1.0


@pytest.mark.parametrize(
    "wanted",
    [
        Experiment("one two", source_text="three four five", mode="cross", num_heads=2, d_model=8),
        Experiment("one two three", mode="causal", num_heads=4, d_model=8, num_kv_heads=2, dropout=0.5),
        Experiment("one two", num_heads=1, d_model=3, weights="article", embedding="sorted_vocabulary", d_k=2, d_v=4),
    ],
    ids=["cross", "causal", "article"],
)
def test_any_experiment_can_be_looked_at(wanted: Experiment) -> None:
    app = open_lesson("scale", wanted.to_query())
    assert panel(app, "scale_dot_weights").blocks.shape[1] == len(wanted.tokens())
