"""The numbers of the article, through the same door as everything else: `Experiment(...).run()`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from attention_core.experiment import Experiment
from attention_core.trace import AttentionTrace

GOLDEN = json.loads((Path(__file__).parent.parent / "data" / "self_attention_article.json").read_text("utf-8"))
ORDERS = ("article_order", "published_order")
EIGHT_TOKENS = "one two three four five six seven eight"


def run(order: str, **changes: Any) -> AttentionTrace:
    settings: dict[str, Any] = {
        "num_heads": 1,
        "d_model": 3,
        "d_k": 2,
        "d_v": 4,
        "weights": "article",
        "seed": 123,
        "embedding": "sorted_vocabulary",
        "out_proj": False,
    }
    return Experiment(GOLDEN[order]["sentence"], **{**settings, **changes}).run()


def assert_golden(actual: Tensor, order: str, name: str) -> None:
    """Equal to the six decimals that are written down."""
    expected = torch.tensor(GOLDEN[order][name])
    assert actual.shape == expected.shape
    torch.testing.assert_close(actual, expected, atol=2e-6, rtol=0.0)


@pytest.mark.parametrize("order", ORDERS)
def test_self_attention(order: str) -> None:
    trace = run(order)
    assert list(trace.tokens) == GOLDEN[order]["tokens"]
    assert trace.projections is not None
    assert_golden(trace.embedding[0], order, "embedding")
    assert_golden(trace.projections.w_q[0], order, "W_query")
    assert_golden(trace.projections.w_k[0], order, "W_key")
    assert_golden(trace.projections.w_v[0], order, "W_value")
    assert_golden(trace.heads.q[0, 0], order, "query")
    assert_golden(trace.heads.k[0, 0], order, "key")
    assert_golden(trace.heads.v[0, 0], order, "value")
    assert_golden(trace.heads.raw_scores[0, 0], order, "raw_scores")
    assert_golden(trace.heads.weights[0, 0], order, "weights")
    assert_golden(trace.heads.context[0, 0], order, "context")
    assert trace.output is trace.concat
    torch.testing.assert_close(trace.output[0], trace.heads.context[0, 0])


@pytest.mark.parametrize("order", ORDERS)
def test_causal_attention(order: str) -> None:
    assert_golden(run(order, mode="causal").heads.weights[0, 0], order, "causal_masked_before_softmax")


def test_the_order_of_masking_and_softmax_does_not_matter_after_renormalising() -> None:
    trace = run("article_order")
    masked = trace.heads.weights[0, 0].tril()
    assert_golden(masked, "article_order", "causal_masked_after_softmax")
    renormalised = masked / masked.sum(dim=-1, keepdim=True)
    assert_golden(renormalised, "article_order", "causal_renormalised")
    causal = run("article_order", mode="causal").heads.weights[0, 0]
    torch.testing.assert_close(renormalised, causal)


@pytest.mark.parametrize("order", ORDERS)
def test_four_heads(order: str) -> None:
    trace = run(order, num_heads=4, d_v=1)
    assert trace.shape("v") == (1, 4, 6, 1)
    assert_golden(trace.output[0], order, "multi_head_wrapper_4_heads_dk2_dv1")


@pytest.mark.parametrize("order", ORDERS)
def test_cross_attention(order: str) -> None:
    trace = run(order, mode="cross", source_text=EIGHT_TOKENS)
    assert_golden(trace.embedding[0], order, "embedding")
    assert_golden(trace.source_embedding[0], order, "cross_second_input")
    assert_golden(trace.heads.weights[0, 0], order, "cross_weights")
    assert_golden(trace.heads.context[0, 0], order, "cross_context")


def test_what_the_article_prints_wrongly_is_not_what_we_compute() -> None:
    """Its weights for input 3 add up to 1.377; ours are a softmax."""
    row = run("article_order").heads.weights[0, 0, 2]
    assert row.sum().item() == pytest.approx(1.0, abs=1e-6)
    assert row.tolist() == pytest.approx(GOLDEN["article_order"]["weights"][2], abs=2e-6)
