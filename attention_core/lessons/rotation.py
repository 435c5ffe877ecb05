"""Rotary positions, pair by pair: what turns, by how much, and why only the distance counts.

A pair (a, b) at position p is turned by the angle p theta. Turning both vectors of a product by the same angle changes
nothing, so R_i q . R_j k = q . R_(j - i) k: the score depends on j - i alone (Su et al. 2021, equation 16).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from attention_core.checks import whole
from attention_core.positions.rotary import RoPE

__all__ = ["TurnedPair", "products", "spread_along_diagonals", "turned_pair"]


@dataclass(frozen=True)
class TurnedPair:
    """One pair of numbers of a query at position i and of a key at position j, before and after the turn.

    `step` is the angle theta of one position; `product` is what this pair adds to the score before scaling.
    """

    pair: int
    query_position: int
    key_position: int
    step: float
    query: tuple[float, float]
    key: tuple[float, float]
    turned_query: tuple[float, float]
    turned_key: tuple[float, float]

    @property
    def product(self) -> float:
        """turned query . turned key, of this pair alone."""
        (a, b), (c, d) = self.turned_query, self.turned_key
        return a * c + b * d

    @property
    def wavelength(self) -> float:
        """After how many positions the pair has turned once round."""
        return 2 * math.pi / self.step


def turned_pair(
    query: Tensor, key: Tensor, *, pair: int, query_position: int, key_position: int, base: float = 10000.0
) -> TurnedPair:
    """Pair number `pair` (from 0: columns 2 pair and 2 pair + 1) of two vectors of width d_k.

    ValueError where there is no such pair, or a position is negative.

    >>> import torch
    >>> one = torch.tensor([1.0, 0.0])
    >>> turned_pair(one, one, pair=0, query_position=2, key_position=2).product
    1.0
    """
    pairs = query.shape[-1] // 2
    if not 0 <= pair < pairs:
        raise ValueError(f"pair={pair}: allowed are whole numbers from 0 to {pairs - 1}")
    whole("query_position", query_position, 0)
    whole("key_position", key_position, 0)
    rope = RoPE(base)
    columns = slice(2 * pair, 2 * pair + 2)

    def numbers(vector: Tensor) -> tuple[float, float]:
        a, b = vector.double()[columns].tolist()
        return a, b

    def turned(vector: Tensor, position: int) -> tuple[float, float]:
        return numbers(rope.rotate(vector.double()[None], offset=position)[0])

    return TurnedPair(
        pair=pair,
        query_position=query_position,
        key_position=key_position,
        step=float(rope.angles(2, query.shape[-1])[1, pair]),
        query=numbers(query),
        key=numbers(key),
        turned_query=turned(query, query_position),
        turned_key=turned(key, key_position),
    )


def products(query: Tensor, key: Tensor, length: int, *, rotate: bool = True) -> Tensor:
    """R_i q . R_j k for one q and one k put at every position, (length, length), in float64.

    Without `rotate` every entry is q . k.

    >>> import torch
    >>> one = torch.tensor([1.0, 0.0])
    >>> products(one, one, 3)
    tensor([[ 1.0000,  0.5403, -0.4161],
            [ 0.5403,  1.0000,  0.5403],
            [-0.4161,  0.5403,  1.0000]], dtype=torch.float64)
    """
    whole("length", length, 1)
    queries = query.double().expand(length, -1)  # (position, d_k)
    keys = key.double().expand(length, -1)  # (position, d_k)
    if rotate:
        queries, keys = RoPE().rotate(queries), RoPE().rotate(keys)
    return queries @ keys.mT  # (query position, key position)


def spread_along_diagonals(matrix: Tensor) -> float:
    """The largest difference between two entries on one diagonal: 0 where only the distance counts.

    >>> import torch
    >>> spread_along_diagonals(torch.tensor([[1.0, 2.0], [5.0, 1.5]]))
    0.5
    """
    rows, cols = matrix.shape
    diagonals = [matrix.diagonal(offset) for offset in range(1 - rows, cols)]
    return max(float(diagonal.max() - diagonal.min()) for diagonal in diagonals)
