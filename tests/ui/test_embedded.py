"""Chosen panels for a course page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from attention_core.experiment import Experiment
from tests.ui.reading import alerts, expected, healthy, open_app, panel, panels

WANTED = Experiment("one two three", num_heads=2, d_model=12)


def opened(**more: str) -> AppTest:
    app = open_app({**WANTED.to_query(), **more})
    assert not app.exception
    return app


def test_the_panels_of_the_link_and_no_others() -> None:
    app = opened(panels="weights, q,weights")
    shown = panels(app)
    assert [key for key in shown if shown[key].header["kind"] == "heatmap"] == ["embedded_weights", "embedded_q"]
    for field in ("weights", "q"):
        np.testing.assert_allclose(shown[f"embedded_{field}"].blocks, expected(WANTED.run(), field), atol=1e-6)
    assert not app.sidebar.text_area and not app.sidebar.slider and not app.main.slider


def test_the_controls_of_the_link() -> None:
    app = opened(panels="weights", controls="temperature")
    assert [slider.key for slider in app.main.slider] == ["c_temperature"] and not app.sidebar.slider
    app.main.slider(key="c_temperature").set_value(2.0).run()
    hot = Experiment("one two three", num_heads=2, d_model=12, temperature=2.0)
    np.testing.assert_allclose(panel(app, "embedded_weights").blocks, expected(hot.run(), "weights"), atol=1e-6)
    assert app.query_params["panels"] == "weights" and app.query_params["temperature"] == "2.0"


def test_an_unknown_panel_is_named_and_the_others_shown() -> None:
    app = opened(panels="weights,<b>q</b>")
    healthy(app)
    assert any("panels='<b>q</b>': allowed are" in words for words in alerts(app))
    assert "embedded_weights" in panels(app)
    absent = opened(panels="weights,source_position_encoding")
    assert any("panels=source_position_encoding: this experiment has" in words for words in alerts(absent))
    assert "embedded_weights" in panels(absent)


def test_panels_of_which_there_is_none_leave_the_page_whole() -> None:
    app = opened(panels="zzz")
    healthy(app)
    assert any("panels='zzz': allowed are" in words for words in alerts(app))
    assert "hero" in panels(app) and "panels" not in app.query_params


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ("random", "Random weights: the mechanism is real, the meaning is not. Nothing was trained."),
        ("hand_built", "Every head here is built by hand. Nothing was trained."),
    ],
)
def test_a_frame_says_what_its_numbers_mean(weights: str, said: str) -> None:
    app = open_app({**replace(WANTED, weights=weights, d_model=48).to_query(), "panels": "weights"})
    assert said in [caption.value for caption in app.main.caption]


def test_the_arithmetic_can_be_a_panel() -> None:
    app = opened(panels="weights,arithmetic", cell="weights.0.1.2")
    assert any("Where this number comes from" in text.value for text in app.main.markdown)


def test_the_way_to_the_rest_leaves_the_embedding() -> None:
    app = opened(panels="weights", controls="temperature", hide="seed", embed="true")
    (link,) = [caption.value for caption in app.main.caption if "Open in the attention playground" in caption.value]
    assert "panels" not in link and "embed" not in link and "hide=seed" in link and "text=one+two+three" in link


def test_what_the_class_is_to_guess_stays_covered() -> None:
    app = opened(panels="weights", predict="1")
    assert "embedded_weights" not in panels(app)
