"""Traces to draw: real attention on random vectors, with sizes that cannot be taken for one another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import pytest
import torch

from attention_core.modules import MultiHeadAttention
from attention_core.trace import AttentionTrace

Make = Callable[..., AttentionTrace]


def make_trace(
    tokens: Sequence[str] = ("the", "cat", "sat", "on", "the"),
    source: Sequence[str] | None = None,
    *,
    heads: int = 3,
    kv_heads: int | None = None,
    width: int = 12,
    mask: torch.Tensor | str | None = "causal",
    batch: int = 1,
    seed: int = 0,
    names: Sequence[str] = (),
) -> AttentionTrace:
    """Self attention over `tokens`, or cross attention to `source`; the mask is causal unless given."""
    generator = torch.Generator().manual_seed(seed)
    keys = tokens if source is None else source
    module = MultiHeadAttention(width, heads, num_kv_heads=kv_heads, head_dim=7)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
        query = torch.randn(batch, len(tokens), width, generator=generator)
        other = None if source is None else torch.randn(batch, len(keys), width, generator=generator)
        if isinstance(mask, str):
            mask = torch.ones(len(tokens), len(keys), dtype=torch.bool).tril()
        trace = module.trace(query, other, mask=mask, tokens=tokens, source_tokens=keys)
    return dataclasses.replace(trace, head_names=tuple(names))


def with_heads(trace: AttentionTrace, **tensors: torch.Tensor) -> AttentionTrace:
    """The trace with other tensors in its heads."""
    return dataclasses.replace(trace, heads=dataclasses.replace(trace.heads, **tensors))


@pytest.fixture(scope="session")
def make() -> Make:
    return make_trace


@pytest.fixture(scope="session")
def change() -> Make:
    return with_heads


@pytest.fixture(scope="session")
def causal() -> AttentionTrace:
    """Three causal heads over five tokens, two of them the same."""
    return make_trace()


@pytest.fixture(scope="session")
def cross() -> AttentionTrace:
    """Four query heads, two key/value heads, three queries, seven keys, nothing forbidden."""
    return make_trace(("a", "b", "c"), tuple("stuvwxy"), heads=4, kv_heads=2, mask=None)
