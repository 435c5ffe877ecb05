"""The page on pretrained models in a real browser, on small models in folders: what is drawn is what they compute."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from tests import serving
from tests.browser.lessons import PHONE, fits, lines, open_lesson, painted
from tests.browser.reading import Numbers, cell_at, drawn, in_the_address, repainted, settled
from tests.core.pretrained.tiny import saved

TEXT = "the cat sat on the bank of the river"


@pytest.fixture(scope="module")
def offering() -> Iterator[str]:
    """The app of an operator who offers two models."""
    with serving.serve(ATTENTION_MODELS=f"{saved('bert')},{saved('gpt2')}") as address:
        yield address


def own_weights(text: str) -> list[Numbers]:
    """The weights of every layer, from transformers alone."""
    import transformers

    model = transformers.AutoModel.from_pretrained(saved("bert"), attn_implementation="eager").eval()
    ids = transformers.AutoTokenizer.from_pretrained(saved("bert"))(text, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return [one[0].numpy() for one in model(input_ids=ids, output_attentions=True).attentions]


def shown(page: Page, *keys: str) -> None:
    """Wait for the model, and until these panels are drawn."""
    page.wait_for_selector(".st-key-pretrained_weights .ap[data-painted]")
    settled(page)
    for key in keys:
        painted(page, key)


def test_pretrained(offering: str, chromium: Browser) -> None:
    query = {"pretrained_model": "bert", "pretrained_text": TEXT, "pretrained_layer": "layer2", "pretrained_head": "3"}
    # The first visitor waits for the model; what the link says is there once it is loaded.
    with open_lesson(offering, chromium, "pretrained", query, **PHONE) as page:
        shown(page, "pretrained_layer_maps")
        assert fits(page)
        assert page.get_by_label("Your text", exact=True).input_value() == TEXT
        expect(page.locator(".st-key-pretrained_wrong")).to_have_count(0)

    with open_lesson(offering, chromium, "pretrained", query) as page:
        shown(page, "pretrained_layer_maps")
        own = own_weights(TEXT)
        np.testing.assert_allclose(drawn(page, "pretrained_weights").blocks[0], own[1][2], atol=1e-5)
        np.testing.assert_allclose(drawn(page, "pretrained_layer_maps").blocks, np.concatenate(own), atol=1e-5)
        in_the_address(page, pretrained_layer="layer2", pretrained_head="3")

        # A click on a small map shows it large, another text changes it.
        with repainted(page, "pretrained_weights"):
            x, y = cell_at(page, "pretrained_layer_maps", 1, 2, 2)
            page.mouse.click(x, y)
            in_the_address(page, pretrained_layer=None, pretrained_head="2")
        np.testing.assert_allclose(drawn(page, "pretrained_weights").blocks[0], own[0][1], atol=1e-5)
        other = "he put the money into <b>the</b> bank"
        with repainted(page, "pretrained_weights"):
            box = page.get_by_label("Your text", exact=True)
            box.fill(other)
            box.press("Control+Enter")
        settled(page)
        np.testing.assert_allclose(drawn(page, "pretrained_weights").blocks[0], own_weights(other)[0][1], atol=1e-5)

        # A cell's arithmetic, the same word twice, and what cannot be read.
        with repainted(page, "sentence"):
            x, y = cell_at(page, "pretrained_weights", 0, 2, 4)
            page.mouse.click(x, y)
        page.wait_for_url(re.compile(r"cell=weights\.1\.2\.4"))
        expect(page.locator(".st-key-sentence .ap-detail")).to_have_text("Weights, head 2")
        painted(page, "pretrained_word_lines")
        (line,) = lines(page, "pretrained_word_lines")
        assert line["x"] == [0, 1, 2] and all(-1 <= value <= 1 for value in line["y"])
        page.get_by_label("Your text", exact=True).fill("cat " * 600)
        page.get_by_label("Your text", exact=True).press("Control+Enter")
        expect(page.locator(".st-key-pretrained_wrong")).to_contain_text("602 tokens")


def test_a_phone_says_where_the_pages_are_before_there_is_any_picture(address: str, chromium: Browser) -> None:
    context = chromium.new_context(**PHONE)
    page = context.new_page()
    page.goto(f"{address}/pretrained")
    page.wait_for_selector(".ap-statement")
    assert page.locator(".ap-heatmap").count() == 0
    expect(page.locator(".st-key-way")).to_have_text("Pages and settings")
    expect(page.locator(".st-key-way")).to_be_visible()
    context.close()
