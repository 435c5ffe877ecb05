"""Rotary positions: queries and keys are turned by an angle that grows with their position."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from attention_core.checks import whole
from attention_core.functional import Mod
from attention_core.positions.offsets import check_offsets
from attention_core.shapes import Heads, Keys

__all__ = ["RoPE"]


@dataclass(frozen=True)
class RoPE(Mod):
    """Rotary position embedding: the score of two tokens depends on their distance, not on where they stand.

    Columns 2 i and 2 i + 1 form a plane, as in the paper (some libraries pair column i with i + d / 2
    instead: the same up to the order of the columns). At position p the plane turns by the angle p * theta_i:

    (a, b) -> (a cos - b sin, a sin + b cos),   a = x[2 i], b = x[2 i + 1],   theta_i = base^(-2 i / d)

    d is d_k; when d_k is odd, its last column has no partner and stays as it is, and d is d_k - 1. The first
    query stands at query_offset, the first key at key_offset (0 unless keys are cached). base > 0 and offsets
    from 0, else ValueError.

    Su et al. 2021, "RoFormer: Enhanced transformer with rotary position embedding", equations 15 and 34.

    >>> q, k = RoPE().on_qk(torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]]), torch.ones(1, 1, 1, 2))
    >>> q
    tensor([[[[1.0000, 0.0000],
              [0.5403, 0.8415]]]])
    """

    base: float = 10000.0
    query_offset: int = 0
    key_offset: int = 0

    def __post_init__(self) -> None:
        check_offsets(self.query_offset, self.key_offset)
        if not (math.isfinite(self.base) and self.base > 0):
            raise ValueError(f"base={self.base!r}: allowed are finite numbers above 0")

    def angles(self, length: int, d_k: int, offset: int = 0) -> Tensor:
        """The angle of each plane at each position, (position, plane), in float64 radians.

        >>> RoPE().angles(3, 4)
        tensor([[0.0000, 0.0000],
                [1.0000, 0.0100],
                [2.0000, 0.0200]], dtype=torch.float64)
        """
        planes = whole("d_k", d_k, 1) // 2
        if planes == 0:
            return torch.zeros(length, 0, dtype=torch.float64)  # (position, 0)
        theta = self.base ** (-torch.arange(planes, dtype=torch.float64) / planes)  # (plane,)
        position = torch.arange(length, dtype=torch.float64) + offset  # (position,)
        return position[:, None] * theta  # (position, plane)

    def rotate(self, x: Tensor, offset: int = 0) -> Tensor:
        """Turn x (..., position, d_k), first row at `offset`; the same object when no plane can turn."""
        planes = x.shape[-1] // 2
        if planes == 0:
            return x
        angle = self.angles(x.shape[-2], x.shape[-1], offset)  # (position, plane)
        cos, sin = angle.cos().to(x), angle.sin().to(x)  # (position, plane)
        even, odd = x[..., 0 : 2 * planes : 2], x[..., 1 : 2 * planes : 2]  # (..., position, plane)
        turned = torch.stack(
            (even * cos - odd * sin, even * sin + odd * cos), dim=-1
        )  # (..., position, plane, 2)
        return torch.cat((turned.flatten(-2), x[..., 2 * planes :]), dim=-1)  # (..., position, d_k)

    def on_qk(self, q: Heads, k: Keys) -> tuple[Heads, Keys]:
        """Turn the queries and the keys, each by the angles of its own positions."""
        return self.rotate(q, self.query_offset), self.rotate(k, self.key_offset)
