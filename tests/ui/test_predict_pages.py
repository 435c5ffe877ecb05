"""Predict first, on the pages that show weights of the visitor's text: covered, guessed, revealed."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from attention_core.experiment import Experiment
from attention_core.trained import answer, load_shipped, task
from tests.ui.lessons import open_lesson
from tests.ui.reading import healthy, panel, panels

TEXT = {"text": "one two three four five", "heads": "2", "width": "12"}
# The panels of a page that show weights, as the beginnings of their names, and the question's key.
PAGES = {
    "heads": ("heads_map", "heads_similarity", "heads_contributions"),
    "scores": ("scores_scaled_dot_weights", "scores_readings"),
    "scale": ("scale_dot_weights", "scale_scaled_dot_weights"),
    "cross": ("cross_lines", "cross_weights", "cross_most", "cross_difference"),
    "encoder": ("encoder_looks", "encoder_draws", "encoder_mean"),
    "trained": ("trained_lines", "trained_weights", "trained_self", "trained_stage", "row_bars", "sentence"),
}


def shown(app: AppTest, beginnings: tuple[str, ...]) -> list[str]:
    return [key for key in panels(app) if key.startswith(beginnings)]


def guess(app: AppTest, name: str, key: int) -> AppTest:
    app.selectbox(key=f"{name}_guess").select_index(key).run()
    app.button(key=f"{name}_reveal").click().run()
    healthy(app)
    return app


@pytest.mark.parametrize("name", PAGES)
def test_nothing_of_the_weights_is_on_the_page_until_somebody_has_guessed(name: str) -> None:
    beginnings = PAGES[name]
    query = {**TEXT, "trained_open": "stages"} if name == "trained" else TEXT
    open_ = shown(open_lesson(name, query), beginnings)
    assert all(any(key.startswith(one) for key in open_) for one in beginnings)
    app = open_lesson(name, {**query, "predict": "1"})
    assert shown(app, beginnings) == []
    question = panel(app, f"{name}_question").header["sentence"]
    assert question.startswith("Where will “") and app.button(key=f"{name}_reveal").disabled
    assert not any("download/" in passage.value for passage in app.markdown)
    assert not any(message.header.get("csv") for message in panels(app).values())
    app = guess(app, name, 0)
    assert shown(app, beginnings) == open_
    verdict = panel(app, f"{name}_verdict").header["sentence"]
    assert verdict.startswith(("Right: “", "Not quite: “"))
    assert app.query_params["predict"] in ("1", ["1"])


def test_the_verdict_on_the_trained_page_is_about_it_and_its_head() -> None:
    query = {"trained_model": "coreference", "predict": "1"}
    app = open_lesson("trained", query)
    assert panel(app, "trained_question").header["sentence"] == "Where will “it” look most? Guess first."
    assert "animal" in panel(app, "trained_answer").header["sentence"]  # no secret; where it looks is one
    one = task("coreference")
    weights = answer(one, load_shipped("coreference"), one.inputs[0]).traces["self2"].heads.weights[0, 0, 8]
    app = guess(app, "trained", 6)
    wanted = f"looks most at “animal”, with a weight of {weights[1]:.3f}; “street” gets {weights[6]:.3f}."
    wanted = f"Not quite: “it” {wanted}"
    assert panel(app, "trained_verdict").header["sentence"] == wanted
    # Another layer is another question; and what is revealed stays so.
    app.button_group(key="trained_layer").set_value("self1").run()
    healthy(app)
    assert "trained_weights" not in panels(app)
    app.button_group(key="trained_layer").set_value("self2").run()
    assert panel(app, "trained_weights").blocks.size
    assert panel(app, "trained_verdict").header["sentence"] == wanted


def test_the_verdict_of_a_concept_page_names_the_true_weight() -> None:
    app = guess(open_lesson("scores", {**TEXT, "predict": "1"}), "scores", 1)
    exp = Experiment(TEXT["text"], num_heads=2, d_model=12)
    drawn = panel(app, "scores_scaled_dot_weights").blocks[0]
    row = drawn[2]
    best = int(np.argmax(row))
    words = exp.text.split()
    verdict = panel(app, "scores_verdict").header["sentence"]
    assert f"at “{words[best]}”, with a weight of {row[best]:.3f}" in verdict and "“three”" in verdict


def test_the_question_stays_answered_while_another_length_of_the_queries_is_tried() -> None:
    app = guess(open_lesson("scores", {**TEXT, "predict": "1"}), "scores", 1)
    app.select_slider(key="scores_length").set_value(4.0).run()
    healthy(app)
    assert panel(app, "scores_scaled_dot_weights").blocks.size
