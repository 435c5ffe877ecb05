"""Screens of every size, light and dark."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import Page

from attention_core.experiment import Experiment
from attention_core.presets import PRESETS, preset
from tests.browser.conftest import SMALL, Visit
from tests.browser.reading import cell_at, drawn, in_the_address, into_view, painted, repainted, settled

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def sideways(page: Page) -> float:
    """By how many pixels the page is wider than the screen."""
    width: float = page.evaluate(
        """() => {
          const main = document.querySelector('[data-testid="stMain"]');
          return Math.max(
            document.documentElement.scrollWidth - innerWidth, main.scrollWidth - main.clientWidth);
        }"""
    )
    return width


def test_a_visitor_sees_all_heads_without_scrolling(visit: Visit) -> None:
    page = visit()
    box = page.locator(".st-key-hero .js-plotly-plot .heatmaplayer").bounding_box()
    assert box is not None
    assert box["y"] >= 0 and box["y"] + box["height"] <= 800
    before = drawn(page, "hero")
    assert before.blocks.shape == (4, 11, 11)
    assert sideways(page) <= 0
    # A smaller window draws the same again.
    page.set_viewport_size({"width": 1000, "height": 800})
    page.wait_for_function(
        "(old) => document.querySelector('.st-key-hero .js-plotly-plot').layout.width !== old",
        arg=before.layout["width"],
    )
    settled(page)
    np.testing.assert_array_equal(drawn(page, "hero").blocks, before.blocks)
    assert sideways(page) <= 0


@pytest.mark.parametrize("query", [None, {**SMALL, "mode": "cross", "source": "a b"}], ids=["default", "cross"])
def test_on_a_phone(visit: Visit, query: dict[str, str] | None) -> None:
    page = visit(query, **PHONE)
    assert sideways(page) <= 0
    box = page.locator(".st-key-hero .js-plotly-plot .heatmaplayer").bounding_box()
    assert box is not None
    assert box["width"] > 150 and box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert box["y"] < 844, "the weights begin below the first screen"
    sign, name = page.get_by_test_id("stExpandSidebarButton"), page.locator(".st-key-way")
    box, words = sign.bounding_box(), name.bounding_box()  # the way to the controls says so, and its name is part of it
    assert name.inner_text() == "Pages and settings" and box is not None and words is not None
    assert box["x"] < words["x"] and words["x"] + words["width"] < box["x"] + box["width"]
    found = drawn(page, "hero")
    rows, cols = found.z.shape
    assert [found.layout[axis]["range"] for axis in ("xaxis", "yaxis")] == [[-0.5, cols - 0.5], [rows - 0.5, -0.5]]
    # A finger opens a cell; it does not zoom.
    head, row, col = 0, 1, 1
    with repainted(page, "sentence"):
        page.touchscreen.tap(*cell_at(page, "hero", head, row, col))
        in_the_address(page, cell=f"weights.{head}.{row}.{col}")
    settled(page)
    assert sideways(page) <= 0


def luminance(colour: str) -> float:
    """Of a CSS colour, 0 to 1."""
    if colour.startswith("#"):
        channels = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    else:
        channels = [round(float(number)) for number in re.findall(r"[\d.]+", colour)[:3]]
    red, green, blue = (
        channel / 255 / 12.92 if channel / 255 <= 0.04045 else ((channel / 255 + 0.055) / 1.055) ** 2.4
        for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """WCAG 2."""
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_light_and_dark(visit: Visit) -> None:
    page = visit({**SMALL, "mode": "causal"}, color_scheme="light")
    light = drawn(page, "hero")
    is_readable(page, dark=False)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "(old) => document.querySelector('.st-key-hero .js-plotly-plot').layout.font.color !== old",
        arg=light.layout["font"]["color"],
    )
    settled(page)
    is_readable(page, dark=True)
    assert drawn(page, "hero").layout["colours"] != light.layout["colours"]
    np.testing.assert_array_equal(drawn(page, "hero").z, light.z)


def is_readable(page: Page, *, dark: bool) -> None:
    """Words stand out from the paper and from the cells, and the scale begins near the paper."""
    paper = page.evaluate("getComputedStyle(document.querySelector('[data-testid=\"stApp\"]')).backgroundColor")
    assert (luminance(paper) < 0.2) == dark
    hero = drawn(page, "hero")
    assert hero.layout["paper_bgcolor"] == "rgba(0,0,0,0)"
    assert contrast(hero.layout["font"]["color"], paper) > 7
    scale = [colour for _, colour in hero.layout["colours"]]
    assert contrast(scale[0], paper) < 1.6 and contrast(scale[-1], paper) > 4.5
    labels = page.evaluate(
        """() => [...document.querySelectorAll(".st-key-hero .xtick text, .st-key-hero .ytick text")]
          .map((text) => getComputedStyle(text).fill)"""
    )
    assert labels and all(contrast(colour, paper) > 4.5 for colour in labels)
    printed = page.evaluate(
        """() => [...document.querySelectorAll(".st-key-hero .heatmap-label text, .st-key-hero .hm text")]
          .map((text) => [getComputedStyle(text).fill, text.textContent])"""
    )
    for colour, words in printed:
        value = float(words.replace("−", "-"))
        cell = scale[min(int(value * (len(scale) - 1) + 0.5), len(scale) - 1)]
        assert contrast(colour, cell) > 3, (colour, words, cell)
    chip = page.evaluate("getComputedStyle(document.querySelector('.ap-chip')).color")
    assert contrast(chip, paper) > 7


def test_every_number_of_a_small_case_is_printed(visit: Visit) -> None:
    """Five tokens, two heads, width 4: the example says that every number fits on the screen."""
    experiment = preset("five-tokens").experiment
    page = visit(experiment.to_query())
    trace = experiment.run()
    for field in ("embedding", "q", "k", "v", "raw_scores", "weights", "context", "concat", "output"):
        printed = page.evaluate(
            """(field) => [...document.querySelectorAll(`.st-key-stage_${field} .heatmap-label text`)]
              .map((text) => text.textContent)""",
            field,
        )
        values = trace.field(field)[0].flatten().tolist()
        decimals = 2 if max(map(abs, values)) < 10 else 1
        wanted = sorted(f"{value:.{decimals}f}".replace("-0.00", "0.00") for value in values)
        assert sorted(words.replace("−", "-").replace("-0.00", "0.00") for words in printed) == wanted, field


def test_no_title_of_an_example_is_clipped(visit: Visit) -> None:
    page = visit()
    page.locator(".st-key-preset input").click()
    lists = page.locator('[data-testid="stSelectboxVirtualDropdown"]')
    lists.wait_for()
    seen = set()
    for _ in range(12):
        for words, clipped in page.evaluate(
            """() => [...document.querySelectorAll('[role="option"]')].map((option) => [
              option.textContent,
              [option, ...option.querySelectorAll("*")].some((part) => part.scrollWidth > part.clientWidth + 1),
            ])"""
        ):
            assert not clipped, words
            seen.add(words)
        page.keyboard.press("ArrowDown")
    assert seen == {example.title for example in PRESETS}


def test_a_long_paragraph_is_drawn_when_it_comes_near(visit: Visit) -> None:
    """Large pictures are sent when they are needed: further down nothing stays empty."""
    text = " ".join(f"w{number}" for number in range(90))
    page = visit({"text": text, "heads": "4"}, tall=False)
    assert painted(page, "hero")
    assert drawn(page, "hero").blocks.shape == (4, 90, 90)
    into_view(page, ".st-key-stage_weights")
    page.wait_for_selector(".st-key-stage_weights .ap-heatmap[data-painted]:not(.ap-stale)")
    np.testing.assert_array_equal(drawn(page, "stage_weights").blocks, drawn(page, "hero").blocks)


def test_cells_too_small_to_see_are_drawn_together_and_still_open_their_arithmetic(visit: Visit) -> None:
    words = " ".join(f"w{number}" for number in range(256))
    experiment = Experiment(words, num_heads=12, d_model=48)
    page = visit(experiment.to_query())
    meta_rows = drawn(page, "hero").blocks.shape[1]
    by = -(-256 // meta_rows)
    assert by > 1 and f"the largest of {by} × {by} cells" in page.locator(".st-key-hero .ap-note").inner_text()
    weights = experiment.run().field("weights")[0].numpy()
    row, col = 5, 9
    group = weights[2, row * by : (row + 1) * by, col * by : (col + 1) * by]
    np.testing.assert_allclose(drawn(page, "hero").blocks[2, row, col], group.max(), atol=1e-6)
    down, across = divmod(int(group.argmax()), by)
    with repainted(page, "sentence"):
        page.mouse.click(*cell_at(page, "hero", 2, row, col))
    said = page.locator(".st-key-sentence").inner_text()
    assert f"'w{row * by + down}' looks" in said and f"at 'w{col * by + across}'" in said and "head 3" in said
