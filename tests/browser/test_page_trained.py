"""The page on trained models in a real browser: type, take a head out, force a look, and read the numbers back."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Page, expect

from attention_core.trained import answer, load_shipped, task
from tests.browser.conftest import Visit
from tests.browser.reading import cell_at, drawn, in_the_address, repainted, settled
from tests.browser.test_page_position import no_horizontal_scroll

TEXT = "the old dog near the soup did not help us because it was too salty"


def accuracy(page: Page) -> str:
    return page.locator(".st-key-trained_measured td").nth(1).inner_text()


def test_trained(visit: Visit) -> None:
    page = visit()
    page.get_by_role("link", name="Trained heads").click()
    page.wait_for_selector(".st-key-trained_weights .ap[data-painted]")
    page.get_by_role("radio", name="What “it” means").click()
    in_the_address(page, trained_model="coreference")
    settled(page)
    page.get_by_text("Every stage of this layer").click()
    in_the_address(page, trained_open="stages")
    page.wait_for_selector(".st-key-trained_stage_q .ap[data-painted]", state="attached")
    settled(page)
    box = page.get_by_label("Your text", exact=True)
    with repainted(page, "trained_weights", "trained_stage_q"):
        box.fill(TEXT)
        box.press("Enter")
    settled(page)
    found = answer(task("coreference"), load_shipped("coreference"), TEXT)
    wanted = found.traces["self2"].heads.weights[0].numpy()
    np.testing.assert_allclose(drawn(page, "trained_weights").blocks, wanted, atol=1e-6)
    expect(page.locator(".st-key-trained_answer")).to_contain_text("soup")
    np.testing.assert_allclose(
        drawn(page, "trained_stage_q").blocks, found.traces["self2"].heads.q[0], atol=1e-6
    )

    box.fill("the unicorn slept because it was tired")
    box.press("Enter")
    expect(page.locator(".st-key-trained_wrong")).to_contain_text("unicorn")
    box.fill(TEXT)
    box.press("Enter")
    expect(page.locator(".st-key-trained_wrong")).to_have_count(0)
    settled(page)

    expect(page.locator(".st-key-sentence")).to_contain_text("'it' looks")  # the row that was asked, to begin with
    row, key = TEXT.split().index("it"), TEXT.split().index("dog")
    with repainted(page, "sentence"):
        x, y = cell_at(page, "trained_weights", 0, row, key)
        page.mouse.click(x, y)
    expect(page.locator(".st-key-sentence")).to_contain_text("'it' looks")

    before = float(accuracy(page))
    with repainted(page, "trained_answer", "trained_measured"):
        page.get_by_role("button", name="Layer 2, head 1").click()
        in_the_address(page, trained_removed="self2.0")
    assert float(accuracy(page)) < 0.5 < before
    settled(page)
    no_horizontal_scroll(page)
