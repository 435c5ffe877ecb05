"""The page on the division by sqrt(d_k), drawn: the slider moves the mark, the sentence obeys the root."""

from __future__ import annotations

import math

import numpy as np
from playwright.sync_api import Browser

from tests.browser.lessons import PHONE, fits, lines, open_lesson, painted
from tests.browser.reading import drawn, in_the_address, repainted, softmax

QUERY = {"text": "one two three four five", "scale_dk": "192"}


def test_the_slider_moves_everything(address: str, chromium: Browser) -> None:
    with open_lesson(address, chromium, "scale", QUERY) as page:
        for key in ("scale_spread", "scale_entropy", "scale_dot_weights", "scale_scaled_dot_weights"):
            painted(page, key)
        cloud = lines(page, "scale_spread")[1]
        drawn_there = [y for x, y in zip(cloud["x"], cloud["y"], strict=True) if x == 1024]
        assert len(drawn_there) == 24 and abs(np.mean(drawn_there) / 1024 - 1) < 0.1
        with repainted(page, "scale_entropy", "scale_dot_scaled_scores", "scale_scaled_dot_scaled_scores"):
            page.locator(".st-key-scale_dk input[type=range]").press("ArrowRight")
            in_the_address(page, scale_dk="256")
        assert lines(page, "scale_entropy")[2]["x"] == [256]
        plain = drawn(page, "scale_dot_scaled_scores").blocks
        divided = drawn(page, "scale_scaled_dot_scaled_scores").blocks
        np.testing.assert_allclose(plain, math.sqrt(256) * divided, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(drawn(page, "scale_dot_weights").blocks, softmax(plain), atol=1e-5)
        np.testing.assert_allclose(drawn(page, "scale_scaled_dot_weights").blocks, softmax(divided), atol=1e-5)


def test_on_a_phone_nothing_sticks_out(address: str, chromium: Browser) -> None:
    with open_lesson(address, chromium, "scale", QUERY, **PHONE) as page:
        for key in ("scale_spread", "scale_temperature", "scale_dot_weights"):
            painted(page, key)
        assert fits(page)


def test_a_link_in_the_text_stays_in_the_tab_and_takes_everything_along(address: str, chromium: Browser) -> None:
    """The next page has the visitor's sentence, and what the teacher has locked is locked there too."""
    with open_lesson(address, chromium, "scale", {"text": "one two three", "lock": "text"}) as page:
        page.get_by_role("link", name="One head or many?").last.click()
        page.wait_for_url("**/heads?**")
        page.wait_for_selector('[data-testid="stMain"] .ap[data-painted]')
        assert len(page.context.pages) == 1
        in_the_address(page, text="one two three", lock="text")
        sentence = page.get_by_label("Sentence", exact=True)
        assert sentence.input_value() == "one two three" and sentence.is_disabled()
