"""Predict first: covered until somebody has guessed, then the true weight, for each experiment anew."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from attention_core.experiment import Experiment
from attention_core.masks import Explicit, Full
from attention_core.presets import DEFAULT
from tests.ui.reading import healthy, panels

HOSTILE = "**x** $y$ <b>z</b> [l](javascript:1) `c` :red[d]"


def page() -> None:
    """What a page does with it."""
    import streamlit as st

    from playground import compute, predict, state

    state.load("playground")
    experiment = state.experiment()
    covered = predict.cover("hero", compute.run(experiment))
    st.text("covered" if covered else "open")
    state.save(experiment)


def visit(experiment: Experiment, predict: bool = True) -> AppTest:
    app = AppTest.from_function(page, default_timeout=60)
    app.query_params.update(experiment.to_query() | ({"predict": "1"} if predict else {}))
    app.run()
    healthy(app)
    return app


def covered(app: AppTest) -> bool:
    healthy(app)
    return app.text[0].value == "covered"


def said(app: AppTest, name: str) -> str:
    sentence: str = panels(app)[f"hero_{name}"].header["sentence"]
    return sentence


def guess(app: AppTest, key: int) -> AppTest:
    app.selectbox(key="hero_guess").select_index(key).run()
    app.button(key="hero_reveal").click().run()
    healthy(app)
    return app


def test_nothing_is_covered_without_the_switch() -> None:
    app = visit(DEFAULT.experiment, predict=False)
    assert not covered(app) and not app.selectbox and panels(app) == {}


def test_the_weights_are_covered_until_somebody_has_guessed() -> None:
    app = visit(DEFAULT.experiment)
    trace = DEFAULT.experiment.run()
    assert covered(app)
    assert said(app, "question") == "Where will “street” look most? Guess first."
    options = app.selectbox(key="hero_guess").options
    assert options == [f"{place} · {word}" for place, word in enumerate(trace.tokens)]
    assert app.selectbox(key="hero_guess").value is None and app.button(key="hero_reveal").disabled
    app.selectbox(key="hero_guess").select_index(4).run()
    assert covered(app) and not app.button(key="hero_reveal").disabled


def test_a_right_and_a_wrong_guess_with_the_true_weights() -> None:
    weights = DEFAULT.experiment.run().field("weights")[0, 0, 5]
    assert int(weights.argmax()) == 4  # the first head looks at the previous token
    app = guess(visit(DEFAULT.experiment), 4)
    assert not covered(app)
    assert said(app, "verdict") == f"Right: “street” looks most at “the”, with a weight of {weights[4]:.3f}."
    app = guess(visit(DEFAULT.experiment), 1)
    assert not covered(app)
    wanted = f"looks most at “the”, with a weight of {weights[4]:.3f}; “animal” gets {weights[1]:.3f}."
    assert said(app, "verdict") == f"Not quite: “street” {wanted}"


def test_the_name_of_the_head_does_not_give_it_away() -> None:
    assert DEFAULT.experiment.head_names()[0] == "previous token"
    app = visit(DEFAULT.experiment)
    assert "previous" not in str([message.header for message in panels(app).values()])


def test_it_stays_revealed_and_another_experiment_is_covered_again() -> None:
    app = guess(visit(DEFAULT.experiment), 4)
    assert not covered(app.run())
    app.session_state["good"] = Experiment("one two three")
    app.run()
    assert covered(app) and app.selectbox(key="hero_guess").value is None
    app.session_state["good"] = DEFAULT.experiment
    app.run()
    assert not covered(app) and said(app, "verdict").startswith("Right")


def test_equal_weights_are_equally_right() -> None:
    app = guess(visit(Experiment("one one one", num_heads=1, d_model=4)), 2)
    assert said(app, "verdict") == "Right: “one” looks most at “one”, with a weight of 0.333."


def test_a_token_that_may_look_nowhere_is_not_asked_about() -> None:
    seeing, blind = (True, True, True), (False, False, False)
    app = visit(Experiment("one two three", mask=Explicit((seeing, blind, blind))))
    assert covered(app) and said(app, "question").startswith("Where will “one” look")
    assert not covered(visit(Experiment("one two three", mask=~Full())))
    assert not covered(visit(Experiment("alone")))


@pytest.mark.parametrize("mode", ["self", "cross"])
def test_tokens_of_strangers_stay_plain_text(mode: str) -> None:
    wanted = Experiment(HOSTILE, source_text=HOSTILE if mode == "cross" else None, mode=mode, tokenizer="bpe")
    app = visit(wanted)
    assert covered(app)
    guess(app, 0)
    assert not app.markdown and not app.caption
    for message in panels(app).values():
        assert message.header["kind"] == "statement"
