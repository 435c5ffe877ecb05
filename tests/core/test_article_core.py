"""The numbers of a published article on self-attention, for both orders of its sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from attention_core.modules import CausalSelfAttention, CrossAttention, MultiHeadAttention, SelfAttention
from attention_core.trace import Projections

ARTICLE = json.loads((Path(__file__).parents[1] / "data" / "self_attention_article.json").read_text())
Case = dict[str, Any]


@pytest.fixture(params=["article_order", "published_order"])
def case(request: pytest.FixtureRequest) -> Case:
    numbers: Case = ARTICLE[request.param]
    return numbers


def close(actual: Tensor, expected: list[Any]) -> None:
    torch.testing.assert_close(actual, torch.tensor(expected), atol=1e-5, rtol=0)


def weights(case: Case) -> Projections:
    """(1, 3, 2), (1, 3, 2), (1, 3, 4)."""
    return Projections(*(torch.tensor(case[name])[None] for name in ("W_query", "W_key", "W_value")))


def test_every_stage_of_self_attention(case: Case) -> None:
    module = SelfAttention(3, 2, 4)
    module.load_projections(weights(case))
    trace = module.trace(torch.tensor(case["embedding"])[None], tokens=case["tokens"])
    close(trace.heads.q[0, 0], case["query"])
    close(trace.heads.k[0, 0], case["key"])
    close(trace.heads.v[0, 0], case["value"])
    close(trace.heads.raw_scores[0, 0], case["raw_scores"])
    close(trace.heads.weights[0, 0], case["weights"])
    close(trace.heads.context[0, 0], case["context"])
    close(trace.output[0], case["context"])
    assert trace.tokens == tuple(case["tokens"]) == trace.source_tokens


def test_the_causal_variants(case: Case) -> None:
    """Masking before the softmax, and masking after it and dividing by what is left, are one and the same."""
    x = torch.tensor(case["embedding"])[None]
    full, causal = SelfAttention(3, 2, 4), CausalSelfAttention(3, 2, 4)
    full.load_projections(weights(case))
    causal.load_projections(weights(case))
    cut = full.trace(x).heads.weights[0, 0].tril()
    close(cut, case["causal_masked_after_softmax"])
    close(cut / cut.sum(-1, keepdim=True), case["causal_renormalised"])
    close(causal.trace(x).heads.weights[0, 0], case["causal_renormalised"])
    close(causal.trace(x).heads.weights[0, 0], case["causal_masked_before_softmax"])


def test_cross_attention(case: Case) -> None:
    module = CrossAttention(3, 2, 4)
    module.load_projections(weights(case))
    trace = module.trace(torch.tensor(case["embedding"])[None], torch.tensor(case["cross_second_input"])[None])
    close(trace.heads.weights[0, 0], case["cross_weights"])
    close(trace.output[0], case["cross_context"])


def test_the_wrapper_of_four_heads(case: Case) -> None:
    """The article draws each head's three matrices in turn and concatenates, with no output projection."""
    generator = torch.Generator().manual_seed(123)
    widths = (2, 2, 1)
    drawn = [[torch.rand(3, width, generator=generator) for width in widths] for _ in range(4)]
    module = MultiHeadAttention(3, 4, head_dim=2, value_dim=1, bias=False, out_proj=False)
    module.load_projections(Projections(*(torch.stack(matrices) for matrices in zip(*drawn, strict=True))))
    close(module(torch.tensor(case["embedding"])[None])[0], case["multi_head_wrapper_4_heads_dk2_dv1"])
