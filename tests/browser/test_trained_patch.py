"""Painting on the weights of a trained head with a real mouse; the answer is computed here once more, with numpy."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Browser, expect

from attention_core.trained import load_shipped
from attention_core.trained.tasks import task
from tests.browser.lessons import open_lesson
from tests.browser.reading import Numbers, cell_at, drawn, focus, in_the_address, repainted, settled, softmax

TIRED = "the animal did not cross the street because it was too tired"
IT, STREET, TOO = 8, 6, 10


def norm(x: Numbers, weight: Numbers, bias: Numbers) -> Numbers:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5) * weight + bias


def answer_with(look: Numbers) -> tuple[str, float]:
    """Coreference, multiplied out: the word for "it" and its probability when it looks so in layer 2."""
    one = task("coreference")
    p = {name: tensor.numpy().astype(np.float64) for name, tensor in load_shipped("coreference").state_dict().items()}
    words = one.words.encode(one.read(TIRED))
    x = p["word_table"][words] + p["position_table"][: len(words)]

    def values_and_weights(layer: str, at: Numbers) -> tuple[Numbers, Numbers]:
        normed = norm(at, p[f"{layer}.norm.weight"], p[f"{layer}.norm.bias"])
        packed = normed @ p[f"{layer}.attention.in_proj_weight"].T + p[f"{layer}.attention.in_proj_bias"]
        q, k, v = np.split(packed, 3, axis=-1)
        return v, softmax(q @ k.T / np.sqrt(q.shape[-1]))

    def out(layer: str, context: Numbers) -> Numbers:
        return context @ p[f"{layer}.attention.out_proj_weight"].T + p[f"{layer}.attention.out_proj_bias"]

    def feed(number: int, at: Numbers) -> Numbers:
        name = f"feed.{number}"
        hidden = norm(at, p[f"{name}.norm.weight"], p[f"{name}.norm.bias"]) @ p[f"{name}.hidden.weight"].T
        return at + np.maximum(hidden + p[f"{name}.hidden.bias"], 0) @ p[f"{name}.out.weight"].T + p[f"{name}.out.bias"]

    v, weights = values_and_weights("self1", x)
    x = feed(0, x + out("self1", weights @ v))
    v, _ = values_and_weights("self2", x)
    state = feed(1, out("self2", look @ v))
    logits = norm(state, p["norm.weight"], p["norm.bias"]) @ p["out.weight"].T + p["out.bias"]
    chances = softmax(logits)
    return one.answers.all[int(chances.argmax())], float(chances.max())


def test_painting_a_look(address: str, chromium: Browser) -> None:
    with open_lesson(address, chromium, "trained", {"trained_model": "coreference"}) as page:
        page.wait_for_selector(".st-key-trained_weights .ap[data-painted]")
        page.locator(".st-key-trained_by_hand label").first.click()
        page.wait_for_selector(".st-key-trained_weights .ap-paintable")
        settled(page)
        before = drawn(page, "trained_weights").blocks[0]
        answer = page.locator(".st-key-trained_patched .ap-sentence")

        def holds(*cells: int) -> None:
            """The row of "it" shares its weight among these keys, and the answer is the one multiplied out here."""
            look = np.zeros(len(before))
            look[list(cells)] = 1 / max(1, len(cells))
            word, chance = answer_with(look if cells else before[IT])
            written = "> 0.999" if chance > 0.9995 else f"{chance:.3f}"
            expect(answer).to_have_text(f"“it” is “{word}”, with probability {written}.")
            settled(page)
            shown = drawn(page, "trained_weights").blocks[0]
            np.testing.assert_allclose(shown[IT], look if cells else before[IT], atol=1e-4)
            others = np.arange(len(before)) != IT
            np.testing.assert_allclose(shown[others], before[others], atol=1e-6)

        with repainted(page, "trained_weights", "trained_patched"):
            page.mouse.click(*cell_at(page, "trained_weights", 0, IT, STREET))
        holds(STREET)
        with repainted(page, "trained_weights"):  # a stroke over the two next cells, one of which is skipped over
            page.mouse.move(*cell_at(page, "trained_weights", 0, IT, STREET + 1))
            page.mouse.down()
            page.mouse.move(*cell_at(page, "trained_weights", 0, IT, TOO), steps=2)
            page.mouse.up()
        holds(*range(STREET, TOO + 1))
        link = page.url
        with repainted(page, "trained_weights"):
            page.keyboard.press("Control+z")
        holds(STREET)
        with repainted(page, "trained_weights"):  # with the keyboard: the cell under the cursor is wiped again
            focus(page, "trained_weights")
            for key in (*["ArrowDown"] * IT, *["ArrowRight"] * STREET, "Space"):
                page.keyboard.press(key)
        holds()
        in_the_address(page, trained_patches=None)
        # Off again, a click opens the arithmetic, as before.
        page.locator(".st-key-trained_by_hand label").first.click()
        page.wait_for_selector(".st-key-trained_weights .ap-stage:not(.ap-paintable)")
        settled(page)
        with repainted(page, "sentence"):
            page.mouse.click(*cell_at(page, "trained_weights", 0, IT, STREET))
        expect(page.locator(".st-key-sentence")).to_contain_text("'it' looks")

        page.goto(link)
        page.wait_for_selector(".st-key-trained_weights .ap[data-painted]")
        settled(page)
        share = 1 / (TOO + 1 - STREET)
        np.testing.assert_allclose(drawn(page, "trained_weights").blocks[0, IT, STREET : TOO + 1], share, atol=1e-4)
        # What is offered to take away is there, and the server hands it over.
        page.get_by_role("button", name="Download").click()
        with page.expect_download() as kept:
            page.get_by_role("link", name="Every tensor of this layer as JSON").click()
        assert kept.value.suggested_filename == "coreference-self2-trace.json"
