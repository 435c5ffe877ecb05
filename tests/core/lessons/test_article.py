"""The article, step by step: the script on the page, the numbers on the page, and the article's true numbers agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from attention_core.lessons import article

GOLDEN = json.loads((Path(__file__).parents[2] / "data" / "self_attention_article.json").read_text("utf-8"))
ORDERS = {"own": "article_order", "printed": "published_order"}
# The script's variables, and what they are called in the file of true numbers.
NAMES = {
    "ids": "ids",
    "x": "embedding",
    "W_query": "W_query",
    "W_key": "W_key",
    "W_value": "W_value",
    "keys": "key",
    "values": "value",
    "scores": "raw_scores",
    "weights": "weights",
    "context": "context",
    "multi_head": "multi_head_wrapper_4_heads_dk2_dv1",
    "source": "cross_second_input",
    "cross_weights": "cross_weights",
    "cross_context": "cross_context",
    "cut": "causal_masked_after_softmax",
    "renormalised": "causal_renormalised",
    "causal": "causal_masked_before_softmax",
}
ROWS = {"query_i": "query", "omega_i": "raw_scores", "weights_i": "weights", "context_i": "context"}


def executed(order: str, row: int) -> dict[str, Any]:
    """The variables of the script that the page shows, after it has run by itself."""
    found: dict[str, Any] = {}
    with torch.random.fork_rng():
        exec(article.script(order, row), found)
    return found


def close(actual: torch.Tensor, wanted: Any) -> None:
    """Equal to the six decimals that are written down."""
    expected = torch.tensor(wanted)
    assert actual.shape == expected.shape
    torch.testing.assert_close(actual.to(expected), expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("row", [0, 2, 5])
def test_the_script_gives_the_true_numbers(order: str, row: int) -> None:
    found, golden = executed(order, row), GOLDEN[ORDERS[order]]
    assert found["vocabulary"] == golden["vocabulary"] and found["words"] == golden["tokens"]
    for name, theirs in NAMES.items():
        close(found[name], golden[theirs])
    for name, theirs in ROWS.items():
        close(found[name], golden[theirs][row])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("row", [0, 2, 5])
def test_the_page_shows_the_true_numbers(order: str, row: int) -> None:
    shown, golden = article.tensors(order, row), GOLDEN[ORDERS[order]]
    assert article.vocabulary(order) == golden["vocabulary"]
    assert list(article.traces(order)["self"].tokens) == golden["tokens"]
    for name, theirs in NAMES.items():
        close(shown[name], golden[theirs])
    for name, theirs in ROWS.items():
        close(shown[name], golden[theirs][row])


def test_the_page_shows_what_its_script_computes() -> None:
    found, shown = executed("own", 2), article.tensors()
    names = [name for step in article.STEPS for name in step.shows]
    assert set(names) == set(shown) == {*NAMES, *ROWS, "masked"}
    for name in names:
        torch.testing.assert_close(found[name], shown[name], atol=2e-6, rtol=0, msg=name)


def test_the_two_ways_of_masking_end_the_same() -> None:
    shown = article.tensors()
    torch.testing.assert_close(shown["renormalised"], shown["causal"])
    assert (shown["cut"].sum(dim=-1)[:-1] < 0.99).all()
    assert torch.equal(shown["masked"] == -torch.inf, torch.ones(6, 6).triu(1).bool())


def test_the_printed_tables_are_those_of_another_sentence() -> None:
    """The same vectors in another order: the words of both sentences have the same six numbers."""
    own, printed = article.tensors("own"), article.tensors("printed")
    order = [own["ids"].tolist().index(number) for number in printed["ids"].tolist()]
    assert order != list(range(6)) and printed["ids"].tolist() == [0, 4, 5, 2, 1, 3]
    assert torch.equal(own["x"][order], printed["x"])
    torch.testing.assert_close(own["scores"][order][:, order], printed["scores"])
    torch.testing.assert_close(own["context"][order], printed["context"])


def test_no_run_gives_what_the_article_prints_for_its_third_word() -> None:
    assert any("0.8721" in finding and "1.377" in finding and "0.6237" in finding for finding in GOLDEN["findings"])
    assert tuple(article.PRINTED.values()) == ("0.8721", "1.377", "0.6237")
    for order in article.SENTENCES:
        for row in range(6):
            shown = article.tensors(order, row)
            assert abs(float(shown["omega_i"][0]) - 0.8721) > 0.1
            assert float(shown["weights_i"].sum()) == pytest.approx(1.0, abs=1e-6)
            assert abs(float(shown["context_i"][0]) - 0.6237) > 0.01


def test_wrong_choices_are_named() -> None:
    with pytest.raises(ValueError, match="order='other': allowed are own, printed"):
        article.tensors("other")
    with pytest.raises(ValueError, match="row=6: allowed are whole numbers from 0 to 5"):
        article.script("own", 6)
