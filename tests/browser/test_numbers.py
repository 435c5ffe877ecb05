"""Boxes for numbers, typed into and stepped: the browser sends a whole number as another kind than a fraction."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Page

from tests.browser.conftest import SMALL, Visit
from tests.browser.reading import attention_holds, drawn, in_the_address, repainted, settled


def type_into(page: Page, key: str, value: str) -> None:
    box = page.locator(f".st-key-{key} input")
    box.fill(value)
    box.press("Enter")


def test_a_number_that_is_typed_is_what_is_computed(visit: Visit) -> None:
    page = visit({**SMALL, "mask": "window-3", "seed": "5"})
    tokens = len(SMALL["text"].split())
    distance = np.abs(np.subtract.outer(np.arange(tokens), np.arange(tokens)))
    attention_holds(page, distance >= 3)
    with repainted(page, "hero"):
        type_into(page, "c_mask_window_0", "2")
        in_the_address(page, mask="window-2")
    settled(page)
    attention_holds(page, distance >= 2)

    page.get_by_text("Widths", exact=True).click()
    with repainted(page, "hero", "stage_q"):
        type_into(page, "c_width", "20")
        in_the_address(page, width="20")
    settled(page)
    assert drawn(page, "stage_q").blocks.shape == (2, tokens, 10)
    # What cannot be had is said, and the picture stays.
    before = drawn(page, "stage_q").z
    type_into(page, "c_width", "21")
    page.get_by_role("alert").filter(has_text="d_model").wait_for()
    settled(page)
    np.testing.assert_array_equal(drawn(page, "stage_q").z, before)
    in_the_address(page, width="20")
    type_into(page, "c_width", "20")
    page.get_by_role("alert").filter(has_text="d_model").wait_for(state="detached")

    page.get_by_text("Seed, dropout, bias").click()
    with repainted(page, "hero"):
        page.locator(".st-key-c_seed button").last.click()
        in_the_address(page, seed="6")
