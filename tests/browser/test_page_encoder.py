"""The page on the encoder block, drawn: a token's rows follow from each other, and residuals keep tokens apart."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Browser

from tests.browser.lessons import PHONE, fits, lines, open_lesson, painted
from tests.browser.reading import drawn, in_the_address, repainted

QUERY = {"text": "one two three four five", "heads": "2", "width": "12", "weights": "random"}


def test_the_rows_of_a_token_add_up_and_without_residuals_all_tokens_are_one(address: str, chromium: Browser) -> None:
    with open_lesson(address, chromium, "encoder", QUERY) as page:
        painted(page, "encoder_stages")
        x, normed, attention, a, _, feed_forward, output = drawn(page, "encoder_stages").z.astype(float)
        np.testing.assert_allclose(a, x + attention, atol=1e-5)
        np.testing.assert_allclose(output, a + feed_forward, atol=1e-5)
        np.testing.assert_allclose(normed, (x - x.mean()) / np.sqrt(x.var() + 1e-5), atol=1e-5)
        painted(page, "encoder_collapse")
        collapse = {line["name"]: line["y"] for line in lines(page, "encoder_collapse")}
        assert collapse["no residuals"][5] < 1e-12 and collapse["the whole block"][5] > 0.1
        painted(page, "encoder_alike_no_residual")
        with repainted(page, "encoder_alike_no_residual", "encoder_alike_whole"):
            page.locator(".st-key-encoder_after input[type=range]").press("ArrowRight")
            in_the_address(page, encoder_after="4")
        assert drawn(page, "encoder_alike_no_residual").z.min() > 0.99999
        assert drawn(page, "encoder_alike_whole").z.min() < 0.95


def test_on_a_phone_nothing_sticks_out(address: str, chromium: Browser) -> None:
    with open_lesson(address, chromium, "encoder", QUERY, **PHONE) as page:
        for key in ("encoder_stages", "encoder_inside", "encoder_depth", "encoder_draws", "encoder_off"):
            painted(page, key)
        assert fits(page)
