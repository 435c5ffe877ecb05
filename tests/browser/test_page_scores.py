"""The page on score functions, drawn: longer vectors change every picture but the cosine's."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Browser

from tests.browser.lessons import PHONE, fits, open_lesson, painted
from tests.browser.reading import drawn, in_the_address, repainted, softmax

QUERY = {"text": "one two three four five", "heads": "2", "width": "12", "weights": "random"}
SCORES = ("dot", "scaled_dot", "cosine", "bilinear", "additive")


def test_longer_vectors_leave_the_cosine_alone(address: str, chromium: Browser) -> None:
    with open_lesson(address, chromium, "scores", QUERY) as page:
        for name in SCORES:
            painted(page, f"scores_{name}_weights")
        before = {name: drawn(page, f"scores_{name}_scaled_scores").blocks for name in SCORES}
        for name in SCORES:
            weights = drawn(page, f"scores_{name}_weights").blocks
            np.testing.assert_allclose(weights, softmax(before[name]), atol=1e-5, err_msg=name)
        with repainted(page, "scores_dot_scaled_scores", "scores_additive_scaled_scores"):
            page.locator(".st-key-scores_length input[type=range]").press("ArrowRight")
            in_the_address(page, scores_length="2.0")
        for name, factor in (("dot", 4), ("scaled_dot", 4), ("bilinear", 4), ("cosine", 1)):
            after = drawn(page, f"scores_{name}_scaled_scores").blocks
            np.testing.assert_allclose(after, factor * before[name], rtol=1e-4, atol=1e-4, err_msg=name)


def test_on_a_phone_nothing_sticks_out(address: str, chromium: Browser) -> None:
    with open_lesson(address, chromium, "scores", QUERY, **PHONE) as page:
        for key in ("scores_dot_weights", "scores_readings", "scores_flops"):
            painted(page, key)
        assert fits(page)
