"""Weights set by hand on the page on trained models: strokes, numbers, rules, the way back, and the link."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from attention_core.trained import Change, Patch, answer, load_shipped, measure, task
from attention_core.trained.patch_text import format_patches
from tests.ui.lessons import open_lesson
from tests.ui.reading import alerts, healthy, panel, panels, tell
from tests.ui.test_mask_lab import painted

TIRED = "the animal did not cross the street because it was too tired"
IT, ANIMAL, STREET, WORDS = 8, 1, 6, 12


def open_page(**query: str) -> AppTest:
    app = open_lesson("trained", {"trained_model": "coreference", "trained_open": "stages", **query})
    app.toggle(key="trained_by_hand").set_value(True).run()
    healthy(app)
    return app


def paint(app: AppTest, *cells: tuple[int, int], serial: int = 1, size: tuple[int, int] = (WORDS, WORDS)) -> AppTest:
    """The whole grid as the browser sends it, with these cells painted."""
    grid = np.zeros(size, dtype=bool)
    for cell in cells:
        grid[cell] = True
    return tell(app, "trained_weights", state=painted(grid, serial))


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    healthy(app)
    return app


def said(app: AppTest, key: str = "trained_answer") -> str:
    sentence: str = panel(app, key).header["sentence"]
    return sentence


def measured(app: AppTest, row: int = 0) -> tuple[float, float]:
    found = panel(app, "trained_measured").header["rows"][row]
    return float(found[1]), float(found[2])


def row(app: AppTest, query: int) -> list[float]:
    found: list[float] = panel(app, "trained_weights").blocks[0][query].tolist()
    return found


def test_a_stroke_makes_a_word_look_and_the_answer_follows() -> None:
    app = open_page()
    assert "“animal”" in said(app)
    sent = panel(app, "trained_weights").header["paint"]
    assert not sent["grid"].any() and sent["steps"] == {"z": "patch_undo", "y": "patch_redo"}
    app = paint(app, (IT, STREET))
    change = Change(patches=(Patch("self2", 0, rows=((IT, (*[0] * STREET, 10_000)),)),))
    found = answer(task("coreference"), load_shipped("coreference"), TIRED, change)
    assert found.words == ("street",)
    assert said(app) == said(app, "trained_patched")
    assert 0.9995 < float(found.probabilities.max()) < 1 and "“street”, with probability > 0.999" in said(app)
    assert "“animal”" in panel(app, "trained_patched").header["detail"]
    shown = panel(app, "trained_weights")
    np.testing.assert_allclose(shown.blocks[0], found.traces["self2"].heads.dropped_weights[0, 0], atol=1e-6)
    np.testing.assert_allclose(panel(app, "trained_self2_map").blocks, shown.blocks, atol=1e-6)
    assert [line for line in panel(app, "trained_lines").meta["lines"] if line[0] == IT] == [[IT, STREET, 1.0]]
    grid = shown.header["paint"]["grid"]
    assert grid.sum() == 1 and grid[IT, STREET] == 1
    # What queries and keys give is still there, and what is mixed is what was painted.
    own = panel(app, "trained_stage_weights").blocks[0]
    assert own[IT, ANIMAL] > 0.9
    np.testing.assert_allclose(panel(app, "trained_stage_dropped_weights").blocks, shown.blocks, atol=1e-6)
    for field in ("context", "concat", "output"):
        wanted = found.traces["self2"].field(field)[0].numpy()
        np.testing.assert_allclose(panel(app, f"trained_stage_{field}").z, wanted.reshape(WORDS, -1), atol=1e-5)


def test_painted_keys_share_alike_and_wiping_all_gives_the_row_back() -> None:
    app = paint(open_page(), (3, 2), (3, 5), (3, 7), (3, 9))
    assert row(app, 3)[2] == row(app, 3)[9] == 0.25 and sum(row(app, 3)) == pytest.approx(1)
    own = panel(app, "trained_stage_weights").blocks[0]
    assert row(app, 4) == pytest.approx(own[4].tolist(), abs=1e-6)
    app = paint(app, serial=2)
    assert row(app, 3) == pytest.approx(own[3].tolist(), abs=1e-6)
    assert "trained_patches" not in app.query_params


def test_what_is_painted_holds_for_this_sentence_only_and_the_page_says_so() -> None:
    app = paint(open_page(), (IT, STREET))
    assert measured(app) == (1.0, 1.0)
    assert any("hold for this sentence only" in one.value for one in app.main.caption)
    # All texts of reversal are of one length: the painted map is tried on the others too.
    app = open_lesson("trained", {"trained_model": "reversal"})
    app.toggle(key="trained_by_hand").set_value(True).run()
    app = paint(app, (3, 0), size=(10, 10))
    assert said(app) == "It writes “snoatnetta”."
    change = Change(patches=(Patch("self1", 0, rows=((3, (10_000,)),)),))
    one = task("reversal")
    wanted = measure(one, load_shipped("reversal"), one.batch("held_out", 64, 2), change).accuracy
    assert measured(app)[0] == pytest.approx(wanted, abs=0.0051) and wanted < 0.2
    assert not any("hold for this sentence only" in one.value for one in app.main.caption)
    # The map that reversal has learned, painted by hand, is as good as its own.
    app = paint(app, *((place, 9 - place) for place in range(10)), serial=2, size=(10, 10))
    assert said(app) == "It writes “snoitnetta”." and measured(app) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("how", "wanted"),
    [("uniform", [1 / 12] * 12), ("previous", [0] * 7 + [1] + [0] * 4), ("same", [0] * 8 + [1] + [0] * 3)],
)
def test_a_row_by_a_rule(how: str, wanted: list[float]) -> None:
    app = open_page()
    app.selectbox(key="patch_row").set_value(IT).run()
    assert row(press(app, f"patch_row_{how}"), IT) == pytest.approx(wanted, abs=1e-4)


def test_a_row_at_one_key_and_a_weight_as_a_number() -> None:
    app = open_page()
    app.selectbox(key="patch_row").set_value(IT).run()
    app.selectbox(key="patch_key").set_value(STREET).run()
    own = row(app, IT)
    assert app.number_input(key="patch_weight").value == pytest.approx(own[STREET], abs=1e-4)
    app.number_input(key="patch_weight").set_value(0.6).run()
    app = press(app, "patch_set")
    new = row(app, IT)
    assert new[STREET] == pytest.approx(0.6) and sum(new) == pytest.approx(1)
    others = [key for key in range(WORDS) if key != STREET]
    left = sum(own[key] for key in others)
    assert [new[key] for key in others] == pytest.approx([0.4 * own[key] / left for key in others], abs=2e-4)
    change = Change(patches=(Patch("self2", 0, rows=((IT, tuple(round(w * 10_000) for w in new)),)),))
    found = answer(task("coreference"), load_shipped("coreference"), TIRED, change)
    assert f"“{found.words[0]}”, with probability {float(found.probabilities.max()):.3f}" in said(app)
    app = press(app, "patch_row_key")
    assert row(app, IT)[STREET] == 1.0


@pytest.mark.parametrize("rule", ["uniform", "previous", "same", "first"])
def test_a_rule_for_the_whole_head_is_tried_on_other_samples(rule: str) -> None:
    app = open_lesson("trained", {"trained_model": "reversal"})
    app.toggle(key="trained_by_hand").set_value(True).run()
    app.selectbox(key="patch_rule").set_value(rule).run()
    healthy(app)
    change, one = Change(patches=(Patch("self1", 0, rule),)), task("reversal")
    found = answer(one, load_shipped("reversal"), "attentions", change)
    assert said(app) == f"It writes “{''.join(found.words)}”."
    wanted = measure(one, load_shipped("reversal"), one.batch("held_out", 64, 2), change)
    assert measured(app)[0] == pytest.approx(wanted.accuracy, abs=0.0051) and measured(app)[0] == 0.0
    by_rule = {
        "uniform": torch.full((10, 10), 0.1),
        "previous": torch.eye(10).roll(1, 0) * (torch.arange(10) > 0)[:, None] + torch.eye(10) * (torch.arange(10) < 1),
        "same": torch.eye(10),
        "first": torch.eye(10)[0].expand(10, 10),
    }
    np.testing.assert_allclose(panel(app, "trained_weights").blocks[0], by_rule[rule], atol=1e-6)
    assert app.query_params["trained_patches"] == f"self1-0-{rule}"
    if rule == "same":
        assert said(app) == "It writes “attentions”."


def test_undo_redo_and_clear() -> None:
    app = open_page()
    assert app.button(key="patch_undo").disabled and app.button(key="patch_clear").disabled
    paint(app, (IT, STREET))
    one = app.query_params["trained_patches"]
    paint(app, (IT, STREET), (0, 0), serial=2)
    two = app.query_params["trained_patches"]
    press(app, "patch_undo")
    assert app.query_params["trained_patches"] == one and "“street”" in said(app)
    press(app, "patch_undo")
    assert "trained_patches" not in app.query_params and "“animal”" in said(app)
    press(app, "patch_redo")
    press(app, "patch_redo")
    assert app.query_params["trained_patches"] == two and app.button(key="patch_redo").disabled
    press(app, "patch_clear")
    assert "trained_patches" not in app.query_params
    press(app, "patch_undo")
    assert app.query_params["trained_patches"] == two
    next(button for button in app.sidebar.button if button.label == "Undo all changes").click().run()
    healthy(app)
    assert "“animal”" in said(app) and app.button(key="patch_undo").disabled


def test_the_link_brings_it_back_and_two_heads_are_two_patches() -> None:
    app = paint(open_page(), (IT, STREET))
    app.button_group(key="trained_layer").set_value("self1").run()
    assert not panel(app, "trained_weights").header["paint"]["grid"].any()
    app.selectbox(key="patch_rule").set_value("first").run()
    healthy(app)
    text = app.query_params["trained_patches"]
    assert "self1-0-first" in text and "self2-0-" in text and len(text) < 60
    again = open_lesson("trained", dict(app.query_params))
    assert said(again) == said(app)
    for key in ("trained_weights", "trained_self2_map"):
        np.testing.assert_array_equal(panel(again, key).blocks, panel(app, key).blocks)


def test_another_text_takes_the_rows_away_and_keeps_the_rules() -> None:
    text = format_patches([Patch("self1", 0, "first"), Patch("self2", 0, "same", ((IT, (0, 10_000)),))])
    app = open_page(trained_patches=text)
    assert row(app, IT)[ANIMAL] == 1.0
    app.text_input(key="trained_text").set_value("the dragon slept because it was tired").run()
    assert alerts(app) and row(app, IT)[ANIMAL] == 1.0  # it cannot be read: what is on the screen stays
    app.text_input(key="trained_text").set_value(TIRED.replace("tired", "wide")).run()
    healthy(app)
    assert row(app, IT)[IT] == 1.0
    assert any("belonged to the other text" in one.value for one in (*app.main.caption, *app.sidebar.caption))
    assert set(app.query_params["trained_patches"].split(".")) == {"self1-0-first", "self2-0-same"}


def test_where_all_texts_are_of_one_length_the_rows_stay() -> None:
    app = open_lesson("trained", {"trained_model": "reversal"})
    app.toggle(key="trained_by_hand").set_value(True).run()
    app = paint(app, (3, 0), size=(10, 10))
    assert any("fits any text of this model" in one.value for one in app.main.caption)
    kept = app.query_params["trained_patches"]
    app.text_input(key="trained_text").set_value("helloworld").run()
    healthy(app)
    assert said(app) == "It writes “dlrhwolleh”." and row(app, 3)[0] == 1.0
    assert app.query_params["trained_patches"] == kept
    assert not any("belonged to the other text" in one.value for one in (*app.main.caption, *app.sidebar.caption))


def test_in_a_layer_that_writes_nothing_later_can_be_painted() -> None:
    app = open_page(trained_model="translation", trained_layer="decoder1")
    before = panel(app, "trained_weights").blocks[0]
    queries = len(before)
    assert np.isnan(before[0, 1:]).all()
    app = paint(app, (1, 0), (1, 3), (0, 2), size=(queries, queries))
    after = panel(app, "trained_weights").blocks[0]
    assert after[1, 0] == 1.0 and np.isnan(after[1, 2:]).all()
    np.testing.assert_allclose(after[0], before[0], atol=1e-6)


def test_a_cross_patch_changes_what_is_written_and_the_size_of_the_grid_may_follow() -> None:
    app = open_page(trained_model="translation", trained_text="the farmer sat on the bank to catch fish")
    patch = Patch("cross1", 0, rows=((3, (0, 0, 0, 0, 0, 0, 0, 0, 10_000)),))
    found = answer(
        task("translation"), load_shipped("translation"), "the farmer sat on the bank to catch fish",
        Change(patches=(patch,)),
    )  # fmt: skip
    size = panel(app, "trained_weights").blocks[0].shape
    app = paint(app, (3, 8), size=size)
    assert said(app) == "It writes “" + " ".join(word for word in found.words if word != "[end]") + "”."
    assert panel(app, "trained_weights").blocks[0].shape == (len(found.rows), 9)


def test_older_links_still_mean_what_they_meant() -> None:
    app = open_lesson("trained", {"trained_model": "reversal", "trained_forced": "self1.0.3.0"})
    assert said(app) == "It writes “snoatnetta”."
    assert app.query_params["trained_patches"] and "trained_forced" not in app.query_params
    app = open_lesson("trained", {"trained_model": "coreference", "trained_mask": "causal"})
    assert {name: app.session_state[f"trained_mask_{name}"] for name in ("self1", "self2")} == {
        "self1": "causal", "self2": "causal",
    }  # fmt: skip
    assert np.isnan(panel(app, "trained_self1_map").blocks[0][0, 1:]).all()


@pytest.mark.parametrize(
    "sent", [painted(np.ones((3, 3), dtype=bool)), {"mask": {"serial": 1}}, {"mask": "x"}, {"mask": None}]
)
def test_what_is_no_grid_changes_nothing(sent: dict[str, object]) -> None:
    app = open_page()
    before = panel(app, "trained_weights").blocks
    tell(app, "trained_weights", state=sent)
    np.testing.assert_array_equal(panel(app, "trained_weights").blocks, before)


def test_the_desk_begins_at_the_word_that_is_asked_for_and_comes_back_when_it_is_put_away() -> None:
    app = open_page()
    assert app.selectbox(key="patch_row").value == IT
    app = paint(app, (2, 4))
    assert (app.selectbox(key="patch_row").value, app.selectbox(key="patch_key").value) == (2, 4)
    for on in (False, True):
        app.toggle(key="trained_by_hand").set_value(on).run()
        healthy(app)
    assert app.selectbox(key="patch_row").value == IT
    assert row(app, 2)[4] == 1.0


def test_without_the_switch_nothing_can_be_painted() -> None:
    app = open_lesson("trained", {"trained_model": "coreference"})
    assert panel(app, "trained_weights").header["paint"] is None
    assert "trained_patched" not in panels(app)


def test_a_head_taken_out_stays_out_whatever_is_painted() -> None:
    change = Change(removed=frozenset({("self2", 0)}))
    both = replace(change, patches=(Patch("self2", 0, "uniform"),))
    model, one = load_shipped("coreference"), task("coreference")
    torch.testing.assert_close(
        answer(one, model, TIRED, both).probabilities, answer(one, model, TIRED, change).probabilities
    )
