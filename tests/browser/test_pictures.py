"""What is drawn is attention: typed, moved and clicked by hand, recomputed from the drawn numbers with numpy."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Page

from attention_core.experiment import Experiment
from tests.browser.conftest import SMALL, Visit
from tests.browser.reading import (
    attention_holds,
    cell_at,
    drawn,
    in_the_address,
    painted,
    repainted,
    settled,
    stage,
)

EVERY_STAGE = ("hero", "stage_q", "stage_weights", "stage_context", "stage_output")


def ahead(tokens: int) -> np.ndarray:
    return np.triu(np.ones((tokens, tokens), dtype=bool), 1)


def step(page: Page, control: str, key: str = "ArrowRight") -> None:
    """One step of a slider, with the keyboard."""
    page.locator(f".st-key-c_{control} input[type=range]").press(key)


def test_a_sentence_is_typed(visit: Visit) -> None:
    page = visit({"weights": "random", "text": "one two", "heads": "2"})
    with repainted(page, *EVERY_STAGE):
        page.get_by_label("Sentence", exact=True).press("End")
        page.keyboard.type(" buckle my shoe")
        in_the_address(page, text="one two buckle my shoe")
    settled(page)
    found = attention_holds(page)
    assert found["weights"].shape == (2, 5, 5) and found["q"].shape == (2, 5, 16)
    words = ["one", "two", "buckle", "my", "shoe"]
    assert drawn(page, "hero").labels[:5] == words
    chips = page.locator(".st-key-tokens .ap-chip").all_inner_texts()
    assert [chip.splitlines()[0].rstrip("0123456789") for chip in chips] == words


def test_heads_by_keyboard_then_the_mode(visit: Visit) -> None:
    page = visit({**SMALL, "width": "24"})
    attention_holds(page)
    places = page.evaluate(_PLACES)
    for heads in (3, 4):
        with repainted(page, *EVERY_STAGE):
            step(page, "heads")
            in_the_address(page, heads=None if heads == 4 else str(heads))
        settled(page)
        assert stage(page, "q").shape == (heads, 5, 24 // heads)
        attention_holds(page)
        every_picture_is_whole(page)
        assert page.evaluate(_PLACES) == places, "panels have moved"
    with repainted(page, "hero", "stage_allowed", "stage_weights", "stage_output"):
        page.get_by_role("radio", name="Causal", exact=True).click()
        in_the_address(page, mode="causal")
    found = attention_holds(page, ahead(5))
    np.testing.assert_allclose(np.nansum(found["weights"], axis=-1), 1.0, atol=1e-5)
    assert (np.isnan(drawn(page, "hero").blocks) == ahead(5)).all()
    assert (stage(page, "allowed") == ~ahead(5)).all()


_PLACES = """() => {
  const place = (panel) => Object.values(panel.getBoundingClientRect().toJSON());
  return [...document.querySelectorAll(".ap-heatmap")].map(place);
}"""

_RANGES = """(key) => {
  const { xaxis, yaxis } = document.querySelector(`.st-key-${key} .js-plotly-plot`)._fullLayout;
  return [xaxis.range, yaxis.range];
}"""


def every_picture_is_whole(page: Page) -> None:
    """The axes end where the matrix ends: nothing is cut off, and no place is left empty."""
    for key in EVERY_STAGE:
        rows, cols = drawn(page, key).z.shape
        wanted = [[-0.5, cols - 0.5], [rows - 0.5, -0.5]]
        np.testing.assert_allclose(page.evaluate(_RANGES, key), wanted, atol=1e-6, err_msg=key)


def test_cross_attention_with_widths_of_their_own(visit: Visit) -> None:
    page = visit({**SMALL, "dk": "3", "dv": "7"})
    with repainted(page, "hero", "stage_k", "stage_v", "stage_weights", "stage_output"):  # a first source sentence
        page.get_by_role("radio", name="Cross").click()
        in_the_address(page, mode="cross")
    with repainted(page, "hero", "stage_k", "stage_v", "stage_weights", "stage_output"):
        page.get_by_label("Source sentence").fill("eins zwei drei")
        in_the_address(page, source="eins zwei drei")
    found = attention_holds(page)
    assert [found[name].shape for name in "qkv"] == [(2, 5, 3), (2, 3, 3), (2, 3, 7)]
    assert found["weights"].shape == (2, 5, 3) and found["concat"].shape == (1, 5, 14)
    assert drawn(page, "hero").labels[:3] == ["eins", "zwei", "drei"]


def test_ten_quick_steps_end_where_the_last_one_went(visit: Visit) -> None:
    page = visit(SMALL)
    page.get_by_text("Position and score").click()
    slider = page.locator(".st-key-c_temperature input[type=range]")
    slider.focus()
    with repainted(page, "hero", "stage_weights"):
        for _ in range(10):
            page.keyboard.press("ArrowRight")
        in_the_address(page, temperature="2.0")
    wanted = Experiment("one two three four five", num_heads=2, d_model=12, temperature=2.0).run()

    settled(page)
    for key, field in (("hero", "weights"), ("stage_weights", "weights"), ("stage_scaled_scores", "scaled_scores")):
        numbers = wanted.field(field)[0].double().numpy()
        np.testing.assert_allclose(drawn(page, key).blocks, numbers, rtol=1e-4, atol=1e-5, err_msg=key)
    assert slider.input_value() in ("2", "2.0")


@pytest.mark.parametrize("pause", [0, 60])
def test_quick_steps_there_and_back_leave_slider_picture_and_link_at_one(visit: Visit, pause: int) -> None:
    """Past one head, where the control of the key/value heads is gone, and back to a number that was there before."""
    page = visit({"text": "one two three four five", "heads": "4", "width": "24"})
    slider = page.locator(".st-key-c_heads input[type=range]")
    for steps, heads in (("RRRLLLLLLRR", 3), ("LLRR", 3), ("LLLRRR", 4), ("RLRLR", 6)):
        slider.focus()
        for step in steps:
            page.keyboard.press({"L": "ArrowLeft", "R": "ArrowRight"}[step])
            page.wait_for_timeout(pause)
        in_the_address(page, heads=None if heads == Experiment.num_heads else str(heads), kv=None)
        settled(page)
        assert len(drawn(page, "hero").origins) == heads
        assert slider.get_attribute("aria-valuetext") == str(heads)
        wanted = Experiment("one two three four five", num_heads=heads, d_model=24).run()
        np.testing.assert_allclose(drawn(page, "stage_k").blocks, wanted.field("k")[0].numpy(), atol=1e-5)


def test_bad_input_keeps_the_picture(visit: Visit) -> None:
    page = visit(SMALL)
    before = {key: painted(page, key) for key in EVERY_STAGE}
    z = drawn(page, "hero").z
    sentence = page.get_by_label("Sentence", exact=True)
    for wrong in ("", "   ", "word " * 5000):
        sentence.fill(wrong)
        page.wait_for_selector('.ap-alert[role="alert"]')
        settled(page)
        said = page.locator(".ap-alert .ap-sentence").inner_text()
        assert ("limit here" if wrong.strip() else "The sentence has no word in it") in said
        assert {key: painted(page, key) for key in EVERY_STAGE} == before
        np.testing.assert_array_equal(drawn(page, "hero").z, z)
        in_the_address(page, text=SMALL["text"])
    with repainted(page, *EVERY_STAGE):
        sentence.fill("all is well again")
    page.wait_for_selector(".ap-alert", state="detached")
    attention_holds(page)


def test_zoom_survives_an_update(visit: Visit) -> None:
    page = visit(SMALL)
    every_picture_is_whole(page)
    mark = painted(page, "sentence")
    whole = page.evaluate(_RANGES, "hero")[0][1]
    page.mouse.move(*cell_at(page, "hero", 0, 0, 0))
    page.mouse.down()
    page.mouse.move(*cell_at(page, "hero", 0, 3, 3), steps=4)
    page.mouse.up()
    page.wait_for_function(f"(whole) => ({_RANGES})('hero')[0][1] < whole - 2", arg=whole)
    settled(page)
    in_the_address(page, cell=None)  # a zoom is no click
    assert painted(page, "sentence") == mark
    zoomed = page.evaluate(_RANGES, "hero")
    before = drawn(page, "hero").z
    with repainted(page, "hero"):
        page.get_by_role("button", name="New random draw").click()
    assert page.evaluate(_RANGES, "hero") == zoomed
    assert not np.array_equal(drawn(page, "hero").z, before)
    # Another sentence is another picture, and that one is shown whole.
    with repainted(page, *EVERY_STAGE):
        page.get_by_label("Sentence", exact=True).fill("one two three")
        in_the_address(page, text="one two three")
    settled(page)
    every_picture_is_whole(page)
    # A double click ends a zoom: what it brings back is this picture, not the first one.
    page.mouse.dblclick(*cell_at(page, "hero", 0, 1, 1))
    settled(page)
    every_picture_is_whole(page)
