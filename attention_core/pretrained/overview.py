"""Every head of every layer in one small picture each."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from attention_core.pretrained.layer import Layer

__all__ = ["small_maps"]


def small_maps(layers: list[Layer], cells: int) -> Tensor:
    """The weights of all heads of these layers, (layer * head, row, column), shrunk to about `cells` numbers in all.

    Where a map is shrunk, a cell is the largest weight of the tokens it stands for, so a sharp look stays visible.
    Layers of different sizes are not mixed: all must have the same.

    >>> import types
    >>> one = types.SimpleNamespace(weights=torch.eye(4)[None])
    >>> small_maps([one, one], 8)[0]
    tensor([[1., 0.],
            [0., 1.]])
    """
    weights = torch.stack([layer.weights for layer in layers]).flatten(0, 1)  # (layer * head, query, key)
    blocks, queries, keys = weights.shape
    most = max(2, math.isqrt(max(1, cells // blocks)))
    rows, columns = (math.ceil(size / math.ceil(size / most)) for size in (queries, keys))
    if (rows, columns) == (queries, keys):
        return weights
    high, wide = math.ceil(queries / most), math.ceil(keys / most)
    padded = F.pad(weights, (0, columns * wide - keys, 0, rows * high - queries))
    return F.max_pool2d(padded[:, None], (high, wide))[:, 0]  # (layer * head, row, column)
