"""The page on positions in a real browser: what is drawn there is what the page says."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Page

from tests.browser.conftest import Visit
from tests.browser.reading import cell_at, drawn, in_the_address, repainted, settled


def open_lesson(page: Page, title: str, panel: str) -> None:
    """Go to a concept page by the menu."""
    page.get_by_text("Understand", exact=True).click()
    page.get_by_role("menuitem", name=title).click()
    page.wait_for_selector(f".st-key-{panel} .ap[data-painted]")


def no_horizontal_scroll(page: Page) -> None:
    """On a phone nothing sticks out at the side, once everything is drawn anew."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function(
        """() => [document.documentElement, document.querySelector("[data-testid=stMain]")]
             .every((one) => one.scrollWidth <= one.clientWidth && one.clientWidth <= 390)"""
    )
    page.set_viewport_size({"width": 1280, "height": 800})
    settled(page)


def test_positions(visit: Visit) -> None:
    page = visit()
    open_lesson(page, "Where does position come in?", "pos_patches")
    no_horizontal_scroll(page)
    before, after = drawn(page, "pos_without_before"), drawn(page, "pos_without_after")
    # The rows of the second picture are those of the first in another order: pair them up by their numbers alone.
    distances = np.abs(before.blocks[0][:, None] - after.blocks[0][None]).max(axis=-1)
    assert sorted(distances.argmin(axis=1)) == list(range(11)) and distances.min(axis=1).max() < 1e-6
    assert np.abs(drawn(page, "pos_without_difference").z).max() < 1e-12
    assert np.abs(drawn(page, "pos_with_difference").z).max() > 0.1

    with repainted(page, "pos_with_difference", "pos_places"):
        x, y = cell_at(page, "pos_changes", 2, 3, 3)  # RoPE is the third picture
        page.mouse.click(x, y)
    in_the_address(page, position_scheme="rope")
    page.wait_for_selector(".st-key-pos_products .ap[data-painted]")
    products = drawn(page, "pos_products").blocks[0]
    assert max(np.ptp(np.diagonal(products, offset)) for offset in range(-15, 16)) < 1e-5 < np.ptp(products)

    with repainted(page, "pos_turn"):
        x, y = cell_at(page, "pos_products", 0, 9, 1)
        page.mouse.click(x, y)
    in_the_address(page, position_query="9", position_key="1")

    with repainted(page, "pos_patches"):
        x, y = cell_at(page, "pos_patches", 2, 7, 9)
        page.mouse.click(x, y)
    alike = drawn(page, "pos_patches").blocks[2]
    assert np.unravel_index(alike.argmax(), alike.shape) == (7, 9)
