"""Every head of every layer in one small picture each."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from attention_core.pretrained.layer import Layer

__all__ = ["small_maps"]


def small_maps(layers: list[Layer], cells: int) -> tuple[Tensor, Tensor]:
    """The weights of all heads of these layers, shrunk to about `cells` numbers in all, and where nobody may look.

    Both are (layer * head, row, column), the second one bool. Where a map is shrunk, a cell is the largest weight of
    the tokens it stands for, so a sharp look stays visible, and is forbidden where all of them are. All layers must
    have the same size.

    >>> import types
    >>> one = types.SimpleNamespace(weights=torch.eye(4)[None], allowed=torch.ones(4, 4, dtype=torch.bool).tril())
    >>> maps, forbidden = small_maps([one, one], 8)
    >>> maps[0].tolist(), forbidden[0].tolist()
    ([[1.0, 0.0], [0.0, 1.0]], [[False, True], [False, False]])
    """
    heads, queries, keys = layers[0].weights.shape
    blocks = len(layers) * heads
    most = max(2, math.isqrt(max(1, cells // blocks)))
    rows, columns = (math.ceil(size / math.ceil(size / most)) for size in (queries, keys))
    high, wide = math.ceil(queries / most), math.ceil(keys / most)
    room = (0, columns * wide - keys, 0, rows * high - queries)
    shrunk = [F.max_pool2d(F.pad(layer.weights, room), (high, wide)) for layer in layers]  # (head, row, column) each
    seen = [F.max_pool2d(F.pad(layer.allowed[None].float(), room), (high, wide)) for layer in layers]
    forbidden = torch.cat([one.expand(heads, -1, -1) for one in seen]) == 0.0
    return torch.cat(shrunk), forbidden
