"""Attention written out in loops over Python numbers: slow, plain, and independent of attention_core."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Pair = Callable[[list[float], list[float]], float]


def numbers(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Normal numbers that depend on the seed alone."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def dot(a: list[float], b: list[float]) -> float:
    """The sum of the products."""
    return sum(x * y for x, y in zip(a, b, strict=True))


def scaled_dot(a: list[float], b: list[float]) -> float:
    """The dot product by the square root of the width."""
    return dot(a, b) / math.sqrt(len(a))


def weights_of_row(scores: list[float], allowed: list[bool]) -> list[float]:
    """Softmax over the allowed entries; all 0 where there is none."""
    top = max((s for s, ok in zip(scores, allowed, strict=True) if ok), default=0.0)
    powers = [math.exp(s - top) if ok else 0.0 for s, ok in zip(scores, allowed, strict=True)]
    total = sum(powers)
    return [p / total if total else 0.0 for p in powers]


def attention_in_loops(
    q: Tensor, k: Tensor, v: Tensor, allowed: Tensor | None = None, pair: Pair = scaled_dot
) -> tuple[Tensor, Tensor]:
    """Weights and context of q (b, h, n, d), k and v (b, h_kv, m, d); True in `allowed` = may attend."""
    batch, heads, queries, _ = q.shape
    kv_heads, keys, width = v.shape[1:]
    mask = torch.ones(batch, heads, queries, keys, dtype=torch.bool)
    mask = mask if allowed is None else mask & allowed
    weights = torch.zeros(batch, heads, queries, keys, dtype=torch.float64)
    context = torch.zeros(batch, heads, queries, width, dtype=torch.float64)
    for b in range(batch):
        for h in range(heads):
            g = h * kv_heads // heads
            for i in range(queries):
                scores = [pair(q[b, h, i].tolist(), k[b, g, j].tolist()) for j in range(keys)]
                row = weights_of_row(scores, mask[b, h, i].tolist())
                for j in range(keys):
                    weights[b, h, i, j] = row[j]
                    for c in range(width):
                        context[b, h, i, c] += row[j] * v[b, g, j, c].item()
    return weights, context
