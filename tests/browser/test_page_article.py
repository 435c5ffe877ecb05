"""The article page, drawn: the pictures follow from each other, and a click works a score out."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Browser

from tests.browser.lessons import PHONE, fits, open_lesson, painted
from tests.browser.reading import cell_at, drawn, in_the_address, repainted, softmax


def test_the_numbers_follow_from_each_other(address: str, chromium: Browser) -> None:
    with open_lesson(address, chromium, "article") as page:
        for key in ("x", "matrices", "scores", "weights", "causal", "omega"):
            painted(page, f"article_{key}")
        x, matrices = (drawn(page, f"article_{key}").z.astype(float) for key in ("x", "matrices"))
        w_q, w_k = matrices[:, :2], matrices[:, 2:4]
        scores = (x @ w_q) @ (x @ w_k).T
        np.testing.assert_allclose(drawn(page, "article_scores").z, scores, atol=1e-5)
        np.testing.assert_allclose(drawn(page, "article_weights").z, softmax(scores / np.sqrt(2)), atol=1e-5)
        past = np.tril(np.ones((6, 6), dtype=bool))
        causal = softmax(np.where(past, scores / np.sqrt(2), -np.inf))
        np.testing.assert_allclose(drawn(page, "article_causal").z, np.where(past, causal, np.nan), atol=1e-5)
        np.testing.assert_allclose(drawn(page, "article_omega").z[0], scores[2], atol=1e-5)
        with repainted(page, "article_pair"):
            page.mouse.click(*cell_at(page, "article_omega", 0, 0, 4))
            in_the_address(page, article_key="4")
        assert "“rises” asks “the”" in page.locator(".st-key-article_pair").inner_text()


def test_on_a_phone_nothing_sticks_out(address: str, chromium: Browser) -> None:
    with open_lesson(address, chromium, "article", **PHONE) as page:
        for key in ("matrices", "omega", "weights", "cross_weights", "causal"):
            painted(page, f"article_{key}")
        assert fits(page)
