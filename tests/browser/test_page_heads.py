"""The page on heads, drawn: the pictures of the contributions add up to the picture of the output."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Browser

from tests.browser.lessons import PHONE, fits, open_lesson, painted
from tests.browser.reading import drawn, repainted

QUERY = {"text": "one two three four five", "heads": "4", "width": "16", "weights": "random"}


def test_contributions_add_up_and_heads_go_off(address: str, chromium: Browser) -> None:
    with open_lesson(address, chromium, "heads", QUERY) as page:
        for key in ("heads_map_1", "heads_map_8", "heads_contributions", "heads_output", "heads_change"):
            painted(page, key)
        parts, whole = drawn(page, "heads_contributions").blocks, drawn(page, "heads_output").blocks[0]
        assert parts.shape == (4, 5, 16)
        np.testing.assert_allclose(parts.sum(axis=0), whole, atol=1e-5)
        np.testing.assert_allclose(drawn(page, "heads_map_8").blocks.sum(axis=-1), np.ones((8, 5)), atol=1e-5)
        with repainted(page, "heads_change"):
            page.locator(".st-key-heads_off").get_by_text("3", exact=True).click()
        change = drawn(page, "heads_change").blocks[0]
        np.testing.assert_allclose(change, -parts[0] - parts[2], atol=1e-5)


@pytest.mark.parametrize("width", ["own", "paper"])
def test_on_a_phone_nothing_sticks_out(address: str, chromium: Browser, width: str) -> None:
    with open_lesson(address, chromium, "heads", {**QUERY, "heads_width": width}, **PHONE) as page:
        for key in ("heads_similarity", "heads_parameters", "heads_cache"):
            painted(page, key)
        assert fits(page)
