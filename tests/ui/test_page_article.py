"""The article page: its code, its tensors as text and its pictures show the same numbers, the true ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from attention_core.lessons import article
from tests.conftest import ROOT
from tests.ui.lessons import open_lesson, words
from tests.ui.reading import healthy, panel, panels, tell

GOLDEN = json.loads((ROOT / "tests" / "data" / "self_attention_article.json").read_text("utf-8"))["article_order"]
# The pictures that show one of the true tensors whole.
PICTURES = {
    "x": "embedding",
    "scores": "raw_scores",
    "weights": "weights",
    "context": "context",
    "multi_head": "multi_head_wrapper_4_heads_dk2_dv1",
    "cross_weights": "cross_weights",
    "cross_context": "cross_context",
    "cut": "causal_masked_after_softmax",
    "renormalised": "causal_renormalised",
    "causal": "causal_masked_before_softmax",
}


@pytest.fixture(scope="module")
def app() -> AppTest:
    return open_lesson("article")


def codes(app: AppTest) -> list[str]:
    return [code.value for code in app.main.code if code.language == "python"]


def printed(app: AppTest) -> dict[str, np.ndarray]:
    """The tensors that stand as text on the page, by name."""
    found = {}
    for code in app.main.code:
        if code.language != "python":
            for block in code.value.split("\n\n"):
                head, *rows = block.split("\n")
                name, shape = head.split("  ")
                numbers = np.array([[float(number) for number in row.split()] for row in rows])
                found[name] = numbers.reshape([int(size) for size in shape.split(" × ")])
    return found


def test_every_step_has_its_words_in_order(app: AppTest) -> None:
    headings = [line for line in words(app).splitlines() if line.startswith("### ")]
    assert [int(line.split()[1]) for line in headings] == list(range(1, len(article.STEPS) + 1))
    for stray in ("{row}", "{word}", "{true}", "{omega}", "{total}", "{context}", "{difference}"):
        assert stray not in words(app)


def test_the_pieces_of_code_run_as_one_script(app: AppTest) -> None:
    *pieces, whole = codes(app)
    assert len(pieces) == len(article.STEPS)
    assert "\n\n".join(pieces) + "\n" == article.script() == whole + "\n" * (not whole.endswith("\n"))
    found: dict[str, object] = {}
    with torch.random.fork_rng():
        exec("\n\n".join(pieces), found)
    for name, numbers in printed(app).items():
        tensor = found[name]
        assert isinstance(tensor, torch.Tensor)
        np.testing.assert_allclose(numbers, tensor.double().numpy(), atol=6e-5, err_msg=name)


def test_the_pictures_show_the_true_numbers(app: AppTest) -> None:
    for name, theirs in PICTURES.items():
        shown = np.nan_to_num(panel(app, f"article_{name}").blocks[0])
        np.testing.assert_allclose(shown, GOLDEN[theirs], atol=2e-6, err_msg=name)
    matrices = panel(app, "article_matrices").blocks[0]
    np.testing.assert_allclose(
        matrices, np.concatenate([GOLDEN[f"W_{name}"] for name in ("query", "key", "value")], axis=1), atol=2e-6
    )
    ids = panel(app, "article_ids").blocks[0]
    assert ids.argmax(axis=1).tolist() == GOLDEN["ids"] and ids.sum(axis=1).tolist() == [1.0] * 6
    for name, theirs in (("omega", "raw_scores"), ("shares", "weights"), ("mixed", "context")):
        np.testing.assert_allclose(panel(app, f"article_{name}").blocks[0, 0], GOLDEN[theirs][2], atol=2e-6)
    assert panel(app, "article_words").header["rows"] == [[word, str(n)] for word, n in GOLDEN["vocabulary"].items()]


def test_what_lies_ahead_is_hatched(app: AppTest) -> None:
    for name in ("cut", "renormalised", "masked_scores", "causal"):
        assert (np.isnan(panel(app, f"article_{name}").blocks[0]) == np.triu(np.ones((6, 6), dtype=bool), 1)).all()
    masked = panel(app, "article_masked_scores").blocks[0]
    np.testing.assert_allclose(
        masked[np.tril_indices(6)], (np.array(GOLDEN["raw_scores"]) / np.sqrt(2))[np.tril_indices(6)], atol=2e-6
    )


def test_tensors_and_pictures_are_the_same(app: AppTest) -> None:
    text = printed(app)
    for name in ("x", "scores", "weights", "context", "multi_head", "cross_weights", "cross_context"):
        np.testing.assert_allclose(text[name], panel(app, f"article_{name}").blocks[0], atol=6e-5, err_msg=name)
    assert np.isneginf(text["masked"]).sum() == 15


def test_the_notes_name_what_the_article_prints_and_the_true_numbers(app: AppTest) -> None:
    notes = [text.value for text in app.main.markdown if text.value.startswith("> ")]
    assert len(notes) == 5
    scores, context = GOLDEN["raw_scores"][2][0], GOLDEN["context"][2][0]
    true_ones = f"{scores:.4f}", f"{context:.4f}".replace("-", "−"), "shares of 1"
    for wrong, true in zip(("0.8721", "0.6237", "1.377"), true_ones, strict=True):
        [note] = [note for note in notes if wrong in note]
        assert true in note


def test_another_word_asks_and_another_key_is_asked() -> None:
    app = open_lesson("article")
    app.slider(key="article_row").set_value(4).run()
    healthy(app)
    np.testing.assert_allclose(panel(app, "article_omega").blocks[0, 0], GOLDEN["raw_scores"][4], atol=2e-6)
    assert 'i = 4  # "the"' in codes(app)[4]
    assert not [text for text in app.main.markdown if "third word" in text.value]
    tell(app, "article_omega", cell=["omega", 0, 0, 5])
    assert panel(app, "article_pair").header["sentence"] == "“the” asks “east”"
    assert f"\\approx {GOLDEN['raw_scores'][4][5]:.4f}" in words(app)


def test_the_sentence_whose_numbers_are_printed() -> None:
    app = open_lesson("article", {"article_order": "printed"})
    everything = json.loads((ROOT / "tests" / "data" / "self_attention_article.json").read_text("utf-8"))
    for name, theirs in PICTURES.items():
        shown = np.nan_to_num(panel(app, f"article_{name}").blocks[0])
        np.testing.assert_allclose(shown, everything["published_order"][theirs], atol=2e-6, err_msg=name)
    assert panel(app, "article_x").meta["row_labels"] == ["Life", "is", "short", "eat", "dessert", "first"]
    assert 'sentence = "Life is short eat dessert first"' in codes(app)[0]


def test_nothing_of_the_page_needs_the_tests(app: AppTest) -> None:
    for path in (ROOT / "pages" / "article.py", ROOT / "attention_core" / "lessons" / "article.py"):
        assert "json" not in path.read_text("utf-8") and "tests" not in path.read_text("utf-8")
    assert panels(app)
