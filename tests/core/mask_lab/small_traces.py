"""Traces whose weights can be worked out by hand: the scores are given, and the output is the head output."""

from __future__ import annotations

import torch
from torch import Tensor

from attention_core.functional import attention
from attention_core.masks import Mask
from attention_core.scores import dot_product
from attention_core.trace import AttentionTrace

VALUES = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]], dtype=torch.float64)
# Before any mask the weights of each row are these.
WEIGHTS = torch.tensor([[0.2, 0.3, 0.5], [0.1, 0.8, 0.1], [0.25, 0.5, 0.25]], dtype=torch.float64)


def trace_of(scores: Tensor, mask: Mask | None = None, values: Tensor = VALUES) -> AttentionTrace:
    """One head in which query i and key j have the score scores[i, j]."""
    queries, keys = scores.shape
    heads = attention(
        scores[None, None],
        torch.eye(keys, dtype=scores.dtype)[None, None],
        values[None, None],
        score=dot_product,
        mask=mask,
    )
    context = heads.context[:, 0]
    return AttentionTrace(
        tokens=tuple("abcdefg"[:queries]),
        source_tokens=tuple("abcdefg"[:keys]),
        embedding=scores[None],
        source_embedding=torch.eye(keys, dtype=scores.dtype)[None],
        heads=heads,
        concat=context,
        output=context,
    )
