"""Pointing and clicking: a cell explains itself, a token lights up everywhere."""

from __future__ import annotations

import re

import numpy as np
from playwright.sync_api import Page, expect

from tests.browser.conftest import SMALL, Visit
from tests.browser.reading import (
    cell_at,
    drawn,
    focus,
    in_the_address,
    repainted,
    settled,
    stage,
)


def sentence(page: Page) -> str:
    return page.locator(".st-key-sentence .ap-sentence").inner_text()


def place(page: Page) -> str:
    return page.locator(".st-key-sentence .ap-detail").inner_text()


def open_cells(page: Page) -> list[str]:
    """The panels in which a cell is framed as open."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll(".ap-heatmap")]
          .filter((panel) => panel.querySelector(".ap-open").getAttribute("d"))
          .map((panel) => panel.closest("[class*=st-key-]").className.match(/st-key-(\\w+)/)[1])"""
    )
    return found


def test_a_click_opens_the_arithmetic_of_the_cell(visit: Visit) -> None:
    page = visit(SMALL)
    weights, output = drawn(page, "hero").blocks, stage(page, "output")[0]
    with repainted(page, "sentence"):
        page.mouse.click(*cell_at(page, "hero", 1, 3, 4))
        in_the_address(page, cell="weights.1.3.4")
    said = sentence(page)
    assert "four" in said and "five" in said and f"{100 * weights[1, 3, 4]:.0f}" in said
    assert place(page).startswith("Weights, head 2")
    settled(page)
    assert set(open_cells(page)) == {
        *("hero", "stage_raw_scores", "stage_scaled_scores", "stage_allowed", "stage_masked_scores"),
        "stage_weights",
    }
    # The arithmetic uses the numbers that are drawn.
    score = stage(page, "raw_scores")[1, 3, 4]
    assert f"{score:.4f}".replace("-", "−") in page.locator(".st-key-arithmetic_open").inner_text()
    # Another cell, of a stage without heads.
    with repainted(page, "sentence"):
        page.mouse.click(*cell_at(page, "stage_output", 0, 4, 2))
        in_the_address(page, cell="output.0.4.2")
    settled(page)
    assert open_cells(page) == ["stage_output"]
    text = page.locator(".st-key-arithmetic_open").inner_text().replace("−", "-")
    numbers = np.array([float(word) for word in re.findall(r"-?\d+\.\d+", text)])
    assert np.abs(numbers - output[4, 2]).min() < 1e-3
    # A reload shows the same.
    said = sentence(page)
    page.reload()
    page.wait_for_selector(".st-key-hero .ap-heatmap[data-painted]")
    settled(page)
    assert sentence(page) == said and open_cells(page) == ["stage_output"]
    page.get_by_role("button", name="Close").click()
    in_the_address(page, cell=None)
    settled(page)
    assert open_cells(page) == []


BARS = """() => {
  const root = document.querySelector(".st-key-row_bars .ap-bars");
  const rows = root.querySelector(".ap-bars-rows").getBoundingClientRect();
  const hatched = [...root.querySelectorAll(".ap-bars-shut")].map((one) => one.getBoundingClientRect());
  return [...root.querySelectorAll(".ap-bars-row")].map((row) => {
    const [name, bar, value] = row.children;
    const { top, bottom } = row.getBoundingClientRect();
    const over = hatched.some((one) => one.top < top + 1 && one.bottom > bottom - 1);
    const share = bar.hidden ? null : bar.getBoundingClientRect().width / rows.width;
    const bold = getComputedStyle(name).fontWeight === "700";
    return { name: name.textContent, value: value.textContent, title: row.title, share, over, bold };
  });
}"""


def test_the_bars_are_the_row_that_is_drawn(visit: Visit) -> None:
    page = visit({**SMALL, "mode": "causal", "cell": "weights.1.2.1"})
    weights = drawn(page, "hero").blocks[1, 2]
    tokens = SMALL["text"].split()
    bars = page.evaluate(BARS)
    assert [bar["name"] for bar in bars] == tokens and [bar["bold"] for bar in bars].index(True) == 1
    for key, bar in enumerate(bars):
        if key > 2:
            assert (bar["value"], bar["share"], bar["over"]) == ("forbidden", None, True)
            assert bar["title"] == f"{tokens[key]}\nforbidden"
        else:
            assert bar["value"] == f"{weights[key]:.3f}" and not bar["over"]
            assert abs(bar["share"] - weights[key]) < 0.01  # a pixel is less
            assert bar["title"].split("\n")[0] == tokens[key]
            assert abs(float(bar["title"].split("\n")[1]) - weights[key]) < 1e-4
    # Another row takes the same places, and nothing of the one before stays.
    with repainted(page, "row_bars"):
        page.mouse.click(*cell_at(page, "hero", 0, 4, 3))
        in_the_address(page, cell="weights.0.4.3")
    settled(page)
    weights, bars = drawn(page, "hero").blocks[0, 4], page.evaluate(BARS)
    assert [bar["value"] for bar in bars] == [f"{weight:.3f}" for weight in weights]
    assert not any(bar["over"] for bar in bars) and [bar["bold"] for bar in bars].index(True) == 3


def test_what_is_old_fades_in_a_long_run_only(visit: Visit) -> None:
    page = visit(SMALL)
    page.evaluate(
        """() => {
          document.querySelector("[data-testid=stApp]").dataset.testScriptState = "running";
          const old = document.querySelector(".st-key-hero");
          old.dataset.stale = "true";
          old.style.opacity = "0.3"; // as Streamlit's own style has it
        }"""
    )
    opacity = "() => getComputedStyle(document.querySelector('.st-key-hero')).opacity"
    assert page.evaluate(opacity) == "1"
    page.wait_for_function(f"() => ({opacity})() === '0.3'")
    page.evaluate("() => { document.querySelector('[data-testid=stApp]').dataset.testScriptState = 'notRunning'; }")
    page.wait_for_function(f"() => ({opacity})() === '1'")


def test_the_words_at_a_resting_pointer_are_of_the_picture_that_is_there(visit: Visit) -> None:
    """So are those of the keyboard's place, when something else has changed the picture."""
    page = visit(SMALL)
    tip = page.locator(".st-key-hero .ap-tip-value")
    page.mouse.move(*cell_at(page, "hero", 0, 1, 2))
    before = drawn(page, "hero").blocks
    assert tip.inner_text() == f"{before[0, 1, 2]:.6f}"
    with repainted(page, "hero"):
        page.get_by_label("Sentence", exact=True).fill("six seven eight nine ten")
        in_the_address(page, text="six seven eight nine ten")
    settled(page)
    now = drawn(page, "hero").blocks
    assert tip.inner_text() == f"{now[0, 1, 2]:.6f}" != f"{before[0, 1, 2]:.6f}"

    page.mouse.move(5, 5)
    focus(page, "hero")
    for key in ("ArrowDown", "ArrowDown", "PageDown"):
        page.keyboard.press(key)
    with repainted(page, "hero"):
        page.get_by_role("button", name="New random draw").evaluate("button => button.click()")  # no focus, no pointer
    settled(page)
    row, col = position(page.locator(".st-key-hero .ap-tip").inner_text())
    assert tip.inner_text() == f"{drawn(page, 'hero').blocks[1, row, col]:.6f}" != f"{now[1, row, col]:.6f}"


def test_by_keyboard_to_a_cell(visit: Visit) -> None:
    page = visit(SMALL)
    focus(page, "hero")
    for key in ("Home", "ArrowDown", "ArrowDown", "ArrowRight", "PageDown"):
        page.keyboard.press(key)
    tip = page.locator(".st-key-hero .ap-tip")
    row, col = position(tip.inner_text())
    value = drawn(page, "hero").blocks[1, row, col]
    assert f"{value:.6f}" in tip.inner_text() and "Head 2" in tip.inner_text()
    with repainted(page, "sentence"):
        page.keyboard.press("Enter")
        in_the_address(page, cell=f"weights.1.{row}.{col}")
    words = SMALL["text"].split()
    assert col == 1 and words[row] in sentence(page) and words[col] in sentence(page)
    assert place(page).startswith("Weights, head 2")
    # The arrows end at the edge.
    for _ in range(9):
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowLeft")
    assert position(tip.inner_text()) == (0, 0)
    page.keyboard.press("ArrowLeft")
    with repainted(page, "sentence"):
        page.keyboard.press("Enter")
        in_the_address(page, cell="weights.1.0.0")


def position(tip: str) -> tuple[int, int]:
    """Row and column, from the small figures beside the tokens."""
    digits = "₀₁₂₃₄₅₆₇₈₉"
    found = re.findall(f"[{digits}]+", tip)
    row, col = (int("".join(str(digits.index(sign)) for sign in number)) for number in found)
    return row, col


def test_pointing_at_a_token_lights_it_in_every_panel(visit: Visit) -> None:
    page = visit({**SMALL, "mode": "causal"})
    bands = """() => [...document.querySelectorAll(".ap-heatmap")].map((panel) => [
      panel.dataset.field, (panel.querySelector(".ap-bands").getAttribute("d") ?? "").split("M").length - 1])"""
    assert {count for _, count in page.evaluate(bands)} == {0}
    page.locator(".st-key-tokens .ap-chip").nth(2).hover()
    lit = page.evaluate(bands)
    # Two heads: in a picture of weights two rows and two columns, in one of vectors a row for each head.
    for field, count in lit:
        scores = field in ("weights", "raw_scores", "scaled_scores", "masked_scores")
        assert count == {"allowed": 4, "embedding": 1, "concat": 1, "output": 1}.get(field, 4 if scores else 2), field
    assert len(lit) >= 14
    page.mouse.move(2, 2)
    assert {count for _, count in page.evaluate(bands)} == {0}
    # From a cell: its query's row and its key's column, there and everywhere.
    page.mouse.move(*cell_at(page, "stage_weights", 0, 1, 3))
    assert all(count for _, count in page.evaluate(bands))
    chips = page.locator(".st-key-tokens .ap-lit").all_inner_texts()
    assert len(chips) == 2 and chips[0].startswith("two") and chips[1].startswith("four")
    # And beside the pointer stands the number that is drawn there.
    blocks = drawn(page, "hero").blocks
    tip = page.locator(".st-key-hero .ap-tip")
    for head, row, col in ((0, 2, 1), (1, 4, 0)):
        page.mouse.move(*cell_at(page, "hero", head, row, col))
        expect(tip).to_contain_text(f"{blocks[head, row, col]:.6f}")
        assert position(tip.inner_text()) == (row, col)
    page.mouse.move(*cell_at(page, "hero", 0, 1, 3))
    expect(tip).to_contain_text("forbidden: the weight is 0")
