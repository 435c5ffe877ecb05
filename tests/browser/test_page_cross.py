"""The page on cross-attention in a real browser: lines and map tell the same, and follow what is clicked."""

from __future__ import annotations

from typing import Any

import numpy as np
from playwright.sync_api import Page

from tests.browser.conftest import Visit
from tests.browser.reading import cell_at, drawn, in_the_address, repainted, settled
from tests.browser.test_page_position import no_horizontal_scroll, open_lesson

QUERIES, KEYS = 11, 9


def lines(page: Page) -> dict[tuple[int, int], dict[str, Any]]:
    """The lines as Plotly holds them, by (query, key)."""
    traces = page.evaluate(
        """() => document.querySelector(".st-key-cross_lines .js-plotly-plot").data
             .filter((one) => one.mode === "lines")
             .map(({ x, opacity, line }) => ({ x, opacity, colour: line.color, width: line.width }))"""
    )
    found = {}
    for trace in traces:
        for below, above in zip(trace["x"][0::3], trace["x"][1::3], strict=True):
            found[round(below * QUERIES - 0.5), round(above * KEYS - 0.5)] = trace
    return found


def test_cross(visit: Visit) -> None:
    page = visit()
    open_lesson(page, "Cross-attention", "cross_weights")
    no_horizontal_scroll(page)
    page.wait_for_selector(".st-key-cross_lines .ap[data-painted]")
    weights = drawn(page, "cross_weights").blocks[0]
    assert weights.shape == (QUERIES, KEYS)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-6)
    shown = lines(page)
    assert set(shown) == {tuple(pair) for pair in np.argwhere(weights >= 0.02).tolist()}
    strong, weak = max(shown, key=lambda pair: weights[pair]), min(shown, key=lambda pair: weights[pair])
    assert shown[strong]["width"] > shown[weak]["width"] and shown[strong]["opacity"] > shown[weak]["opacity"]

    with repainted(page, "cross_lines"):
        x, y = cell_at(page, "cross_weights", 0, 5, 2)
        page.mouse.click(x, y)
    in_the_address(page, cross_query="6")
    followed = {pair[0] for pair, line in lines(page).items() if line["colour"] == lines(page)[5, 1]["colour"]}
    assert followed == {5}

    with repainted(page, "cross_weights", "cross_lines", "cross_difference"):
        page.locator(".st-key-cross_padding input[type=range]").press("ArrowRight")
        page.locator(".st-key-cross_padding input[type=range]").press("ArrowRight")
        in_the_address(page, cross_padding="2")

    settled(page)
    assert np.isnan(drawn(page, "cross_weights").blocks[0][:, -2:]).all()
    assert {key for _, key in lines(page)} <= set(range(KEYS - 2))
    np.testing.assert_allclose(np.nansum(drawn(page, "cross_weights").blocks[0], axis=1), 1.0, atol=1e-6)
