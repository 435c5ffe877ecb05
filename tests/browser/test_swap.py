"""New numbers in an unchanged picture: only the cells are drawn again, and they look as if all had been."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import SMALL, Visit
from tests.browser.reading import cell_at, drawn, in_the_address, repainted, settled

LARGE = {"text": " ".join(f"w{number}" for number in range(16)), "heads": "12", "width": "48"}

# Where the cells are and what is in them: Plotly's picture, the numbers and colours of its labels, and our signs.
_LOOK = """(key) => {
  const panel = document.querySelector(`.st-key-${key} .ap-heatmap`);
  const image = panel.querySelector(".heatmaplayer image");
  const place = (element, names) => names.map((name) => element.getAttribute(name));
  const label = (text) => [text.textContent, text.style.fill, text.style.fontSize, ...place(text, ["x", "y"])];
  return [
    [...place(image, ["x", "y", "width", "height"]), image.href.baseVal],
    ...[...panel.querySelectorAll(".heatmap-label text")].map(label),
    ...[...panel.querySelectorAll(".ap-signs text")].map((sign) => [sign.textContent, ...place(sign, ["x", "y"])]),
    panel.querySelectorAll(".heatmaplayer .hm").length,
  ];
}"""


def look(page: Page, key: str) -> Any:
    """What a visitor sees in the cells of a panel."""
    return page.evaluate(_LOOK, key)


def warmer(page: Page, by: str) -> None:
    """One step of the temperature."""
    with repainted(page, "hero", "stage_weights"):
        page.locator(".st-key-c_temperature input[type=range]").press("ArrowRight")
        in_the_address(page, temperature=by)
    settled(page)


def link(page: Page) -> dict[str, str]:
    """The address, to be opened by another visitor."""
    return dict(parse_qsl(urlsplit(page.url).query))


@pytest.mark.parametrize("query", [{**SMALL, "mode": "causal"}, LARGE], ids=["numbers and signs", "colours"])
def test_cells_look_as_in_a_page_that_was_opened_with_them(visit: Visit, query: dict[str, str]) -> None:
    page = visit(query)
    page.get_by_text("Position and score").click()
    title = page.locator(".st-key-hero .annotation").first.element_handle()
    first = look(page, "hero")
    for by in ("1.1", "1.2"):
        warmer(page, by)
    assert title is not None and title.evaluate("(node) => node.isConnected"), "the titles were drawn again"
    now = look(page, "hero")
    assert now != first
    fresh = visit(link(page))
    assert look(fresh, "hero") == now
    assert look(fresh, "stage_weights") == look(page, "stage_weights")


def test_another_frame_is_drawn_whole(visit: Visit) -> None:
    """Another mask, another word, one head: nothing that stands round the cells stays behind."""
    page = visit({**SMALL, "temperature": "1.5"})
    changes: tuple[tuple[Callable[[], None], dict[str, str]], ...] = (
        (lambda: page.get_by_role("radio", name="Causal", exact=True).click(), {"mode": "causal"}),
        (lambda: page.get_by_label("Sentence", exact=True).fill("one two three four six"), {}),
        (lambda: page.get_by_role("radio", name="2", exact=True).click(), {"head": "2"}),
    )
    for change, wanted in changes:
        with repainted(page, "hero"):
            change()
            in_the_address(page, **wanted)
        settled(page)
        if not wanted:  # the mask and the word are compared together: to open a page takes longest
            compare(visit(link(page)), page)
    compare(visit(link(page)), page)


def compare(fresh: Page, page: Page) -> None:
    assert look(fresh, "hero") == look(page, "hero")
    assert drawn(fresh, "hero").labels == drawn(page, "hero").labels
    fresh.context.close()


def test_a_zoom_and_the_signs_in_it_stay_where_they_are(visit: Visit) -> None:
    """After a zoom the cells are larger, numbers fit into them, and new ones are printed in the same places."""
    page = visit({**LARGE, "heads": "4", "mode": "causal"})
    page.get_by_text("Position and score").click()
    assert [piece for piece in look(page, "hero") if isinstance(piece, list)][1:] == []  # too small to print in
    page.mouse.move(*cell_at(page, "hero", 0, 1, 1))
    page.mouse.down()
    page.mouse.move(*cell_at(page, "hero", 0, 6, 6), steps=4)
    page.mouse.up()
    page.wait_for_selector(".st-key-hero .heatmap-label text")
    settled(page)
    before = look(page, "hero")
    assert "×" in {piece[0] for piece in before[1:-1]}
    warmer(page, "1.1")
    after = look(page, "hero")
    places = [[piece[-2:] for piece in found[1:-1]] for found in (before, after)]
    assert after != before and places[0] == places[1]
    page.evaluate("() => window.Plotly.redraw(document.querySelector('.st-key-hero .js-plotly-plot'))")
    assert look(page, "hero") == after
