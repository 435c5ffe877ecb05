"""A, B and their difference: on one scale, and in the link."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from attention_core.experiment import Experiment
from playground.view import STAGES, View
from tests.ui.reading import alerts, expected, good, healthy, open_app, panel, panels, same, tell

A = Experiment("one two three four five", num_heads=2, d_model=12)
B = replace(A, seed=7)


def press(app: AppTest, label: str) -> None:
    app.button[[button.label for button in app.button].index(label)].click().run()
    healthy(app)


@pytest.fixture
def app() -> AppTest:
    found = open_app(A.to_query())
    press(found, "Pin as A")
    return found


def test_at_first_the_difference_is_nothing(app: AppTest) -> None:
    assert (panel(app, "compare_difference").blocks == 0).all()


def test_a_stays_and_b_moves(app: AppTest) -> None:
    app.number_input(key="c_seed").set_value(7).run()
    assert good(app) == B and alerts(app) == []
    before, after = expected(A.run(), "weights"), expected(B.run(), "weights")
    same(panel(app, "compare_a").blocks, before, "A")
    same(panel(app, "compare_b").blocks, after, "B")
    same(panel(app, "compare_difference").blocks, after - before, "B - A")


CROSS = {"mode": "cross", "source_text": "six seven"}
# What an experiment needs for a stage to be one of its own.
NEEDS: dict[str, dict[str, object]] = {
    "token_embedding": {"position": "sinusoidal"},
    "position_encoding": {"position": "learned"},  # drawn from the seed, so A and B differ in it
    "source_token_embedding": {**CROSS, "position": "learned"},
    "source_position_encoding": {**CROSS, "position": "learned"},
    "source_embedding": CROSS,
    "rotated_q": {"position": "rope"},
    "rotated_k": {"position": "rope"},
    "modified_scores": {"position": "t5"},
    "dropped_weights": {"dropout": 0.5},
}


@pytest.mark.parametrize("field", STAGES)
def test_any_stage_on_one_scale(field: str) -> None:
    a = replace(A, **NEEDS.get(field, {}))  # type: ignore[arg-type]
    app = open_app(a.to_query())
    press(app, "Pin as A")
    app.number_input(key="c_seed").set_value(7).run()
    app.selectbox(key="compare_stage").set_value(field).run()
    healthy(app)
    before, after = expected(a.run(), field), expected(replace(a, seed=7).run(), field)
    same(panel(app, "compare_a").blocks, before, field)
    same(panel(app, "compare_b").blocks, after, field)
    same(panel(app, "compare_difference").blocks, after - before, field)
    ends = {
        (data["zmin"], data["zmax"])
        for key in ("compare_a", "compare_b")
        for data in panel(app, key).header["figure"]["data"]
    }
    assert len(ends) == 1
    [(zmin, zmax)] = ends
    assert zmax >= max(np.nanmax(np.abs(before)), np.nanmax(np.abs(after))) - 1e-6 and zmin in (0.0, -zmax)


def test_a_stage_that_one_of_them_has_not_is_not_offered(app: AppTest) -> None:
    offered = app.selectbox(key="compare_stage").options
    assert "Mask" in offered and "What each head adds to the output" in offered
    assert not {"Q, rotated", "Source x", "Weights after dropout", "Positions"} & set(offered)
    app.selectbox(key="c_position").set_value("rope").run()
    assert "Q, rotated" in app.selectbox(key="compare_stage").options  # that of A is its Q
    app.selectbox(key="compare_stage").set_value("rotated_q").run()
    same(panel(app, "compare_a").blocks, expected(A.run(), "q"), "A")
    app.selectbox(key="c_position").set_value("none").run()
    healthy(app)
    assert app.selectbox(key="compare_stage").value == "weights"


def test_both_are_in_the_link(app: AppTest) -> None:
    app.number_input(key="c_seed").set_value(7).run()
    app.selectbox(key="compare_stage").set_value("k").run()
    again = open_app(app.query_params)
    assert alerts(again) == [] and good(again) == B
    for key in ("compare_a", "compare_b", "compare_difference"):
        assert panel(again, key).raw == panel(app, key).raw
        assert panel(again, key).meta["field"] == "k"


def test_other_sizes_have_no_difference(app: AppTest) -> None:
    app.text_input(key="c_text").set_value("one two").run()
    healthy(app)
    shown = panels(app)
    assert "compare_difference" not in shown
    same(shown["compare_a"].blocks, expected(A.run(), "weights"))
    assert any("same size" in caption.value for caption in app.main.caption)


def test_where_one_of_both_forbids_the_difference_is_the_weight_itself(app: AppTest) -> None:
    app.button_group(key="c_mode").set_value("causal").run()
    difference = panel(app, "compare_difference").blocks
    full = A.run().field("weights")[0].numpy()
    causal = replace(A, mode="causal").run().field("weights")[0].numpy()
    np.testing.assert_allclose(difference, causal - full, rtol=0, atol=1e-6, equal_nan=True)


def test_unpinning_ends_it(app: AppTest) -> None:
    press(app, "Unpin A")
    assert not {"compare_a", "compare_b", "compare_difference"} & set(panels(app))
    assert "a" not in app.query_params


def test_a_click_on_a_explains_a_and_one_on_the_difference_b(app: AppTest) -> None:
    app.number_input(key="c_seed").set_value(7).run()
    a, b = (float(one.run().field("weights")[0, 1, 3, 2]) for one in (A, B))
    compared = f"In A this is {a:.4f}, in B {b:.4f}: B − A is {b - a:.4f}.".replace("-", "−")
    for key, value, title in (
        ("compare_a", a, "### Where this number of A comes from"),
        ("compare_difference", b, "### Where this number comes from"),
        ("compare_b", b, "### Where this number comes from"),
    ):
        assert panel(app, key).header["selectable"] is True
        tell(app, key, cell=["weights", 1, 3, 2])
        healthy(app)
        assert title in [one.value for one in app.main.markdown]
        assert f"looks {100 * value:.0f} % at 'three'" in panel(app, "sentence").header["sentence"]
        assert compared in [caption.value for caption in app.main.caption]
        marked = {name: panel(app, name).header["cell"] is not None for name in ("compare_a", "compare_b", "hero")}
        of_a = key == "compare_a"
        assert marked == {"compare_a": of_a, "compare_b": not of_a, "hero": not of_a}
        again = open_app(app.query_params)
        assert alerts(again) == []
        assert panel(again, "sentence").raw == panel(app, "sentence").raw
    tell(app, "compare_a", cell=["weights", 1, 3, 2])
    press(app, "Unpin A")
    assert "cell" not in app.query_params


def test_a_link_to_a_cell_of_a_is_held_against_a() -> None:
    """The experiment on the screen is shorter: it has no fifth word, and A has no sixth."""
    pinned = View(pinned=A).to_query()
    shorter = replace(B, text="one two").to_query()
    there = open_app({**shorter, **pinned, "cell": "a.weights.1.4.2"})
    assert alerts(there) == [] and there.query_params["cell"] == "a.weights.1.4.2"
    value = 100 * float(A.run().field("weights")[0, 1, 4, 2])
    assert f"'five' looks {value:.1f} % at 'three'" in panel(there, "sentence").header["sentence"]
    nowhere = open_app({**shorter, **pinned, "cell": "a.weights.1.5.2"})
    (words,) = alerts(nowhere)
    assert words.startswith("cell='a.weights.1.5.2': there is no such cell") and "cell" not in nowhere.query_params
