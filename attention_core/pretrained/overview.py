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
    heads, queries, keys = layers[0].weights.shape
    blocks = len(layers) * heads
    most = max(2, math.isqrt(max(1, cells // blocks)))
    rows, columns = (math.ceil(size / math.ceil(size / most)) for size in (queries, keys))
    high, wide = math.ceil(queries / most), math.ceil(keys / most)
    room = (0, columns * wide - keys, 0, rows * high - queries)
    shrunk = [F.max_pool2d(F.pad(layer.weights, room), (high, wide)) for layer in layers]  # (head, row, column) each
    return torch.cat(shrunk)  # (layer * head, row, column)
