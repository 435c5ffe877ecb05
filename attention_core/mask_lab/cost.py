"""What a mask saves: cells, operations, blocks of a block-sparse kernel, keys and values to keep."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from attention_core.checks import whole
from attention_core.masks.base import Mask

__all__ = ["BLOCK", "BlockCost", "MaskCost", "mask_cost"]

BLOCK = 128  # the default of FlexAttention


@dataclass(frozen=True)
class BlockCost:
    """What a kernel computes that skips a square block of cells when it is forbidden as a whole.

    `needed` of `blocks` hold an allowed cell; `cells` lie inside the matrix in those blocks, of which
    `flops` for scores and weighted sum. `share` is needed / blocks, `wasted` the share of the computed cells
    that are forbidden after all (0 where none is computed).
    """

    size: int
    blocks: int
    needed: int
    cells: int
    flops: int
    share: float
    wasted: float


@dataclass(frozen=True)
class MaskCost:
    """What attention with this mask takes, over all batch rows and heads, against attention without.

    cells, allowed       of the score matrices; `share` is allowed / cells
    score_flops, sum_flops, flops              of the allowed cells alone: what could not be saved
    full_score_flops, full_sum_flops, full_flops   of all cells: what a dense kernel takes, mask or not
    blocks               for each block size asked for
    kv_cells             keys that some query looks at, each with its value: a cache has to hold these
    full_kv_cells        all keys
    kv_numbers           the numbers in them, for each key/value head d_k + d_v a cell
    widest_row           the most keys that one query looks at
    """

    cells: int
    allowed: int
    share: float
    score_flops: int
    sum_flops: int
    full_score_flops: int
    full_sum_flops: int
    blocks: tuple[BlockCost, ...]
    kv_cells: int
    full_kv_cells: int
    kv_numbers: int
    full_kv_numbers: int
    widest_row: int

    @property
    def flops(self) -> int:
        """Scores and weighted sum of the allowed cells."""
        return self.score_flops + self.sum_flops

    @property
    def full_flops(self) -> int:
        """Scores and weighted sum of all cells."""
        return self.full_score_flops + self.full_sum_flops

    def block(self, size: int = BLOCK) -> BlockCost:
        """The blocks of that size. KeyError where it was not asked for."""
        for one in self.blocks:
            if one.size == size:
                return one
        sizes = ", ".join(str(one.size) for one in self.blocks)
        raise KeyError(f"{size} is no block size here; there are {sizes}")


def mask_cost(
    mask: Mask,
    queries: int,
    keys: int,
    *,
    d_k: int,
    d_v: int,
    batch: int = 1,
    heads: int = 1,
    num_kv_heads: int | None = None,
    block_sizes: tuple[int, ...] = (16, BLOCK),
) -> MaskCost:
    """Count what a mask leaves to compute; a multiply-add is 2 operations.

    scores 2 d_k and weighted sum 2 d_v for each cell; the softmax and the scale are left out, they are small
    beside these. A dense kernel computes all cells, whatever the mask: PyTorch's own without a fused causal
    path does. A block-sparse kernel (FlexAttention: Dong et al. 2024, arXiv:2412.05496) computes the blocks
    that hold an allowed cell. `kv_cells` are counted once for each batch row and key/value head, seen by a
    query head of its group.

    Raises ValueError unless all numbers are whole from 1, num_kv_heads divides heads, and the mask fits.

    >>> from attention_core.masks import Causal
    >>> cost = mask_cost(Causal(), 256, 256, d_k=64, d_v=64)
    >>> cost.allowed, cost.flops * 2 > cost.full_flops, cost.block().share, round(cost.block().wasted, 4)
    (32896, True, 0.75, 0.3307)
    """
    numbers = {"queries": queries, "keys": keys, "batch": batch, "heads": heads, "d_k": d_k, "d_v": d_v}
    for name, number in numbers.items():
        whole(name, number, 1)
    kv_heads = heads if num_kv_heads is None else whole("num_kv_heads", num_kv_heads, 1)
    if heads % kv_heads:
        raise ValueError(f"num_kv_heads={kv_heads}: allowed are the divisors of heads={heads}")
    allowed = mask.compact(batch, heads, queries, keys).expand(-1, -1, queries, keys)  # (b | 1, h | 1, q, k)
    times = batch * heads // (allowed.shape[0] * allowed.shape[1])  # how often each map stands for another
    cells, open_cells = batch * heads * queries * keys, times * int(allowed.sum())
    kv_cells = _kv_cells(allowed, batch, heads, kv_heads)
    full_kv = batch * kv_heads * keys
    return MaskCost(
        cells=cells,
        allowed=open_cells,
        share=open_cells / cells,
        score_flops=2 * d_k * open_cells,
        sum_flops=2 * d_v * open_cells,
        full_score_flops=2 * d_k * cells,
        full_sum_flops=2 * d_v * cells,
        blocks=tuple(_blocks(allowed, size, times, 2 * (d_k + d_v)) for size in block_sizes),
        kv_cells=kv_cells,
        full_kv_cells=full_kv,
        kv_numbers=kv_cells * (d_k + d_v),
        full_kv_numbers=full_kv * (d_k + d_v),
        widest_row=int(allowed.sum(dim=-1).max()),
    )


def _kv_cells(allowed: Tensor, batch: int, heads: int, kv_heads: int) -> int:
    """The keys that are looked at, in each batch row and key/value head."""
    looked_at = allowed.any(dim=-2)  # (batch | 1, head | 1, key)
    looked_at = looked_at.expand(batch, heads, -1)  # (batch, head, key)
    by_group = looked_at.reshape(batch, kv_heads, heads // kv_heads, -1)  # (batch, kv_head, group, key)
    return int(by_group.any(dim=2).sum())


def _blocks(allowed: Tensor, size: int, times: int, flops_a_cell: int) -> BlockCost:
    """The square blocks from the top left; those at the end may stick out of the matrix."""
    whole("block_sizes", size, 1)
    queries, keys = allowed.shape[-2:]
    down, across = -(-queries // size), -(-keys // size)
    padded = F.pad(allowed, (0, across * size - keys, 0, down * size - queries))  # (b, h, whole blocks)
    tiles = padded.reshape(*allowed.shape[:2], down, size, across, size)
    needed = tiles.any(dim=5).any(dim=3)  # (b, h, down, across)
    heights = (queries - size * torch.arange(down)).clamp(max=size)  # (down,)
    widths = (keys - size * torch.arange(across)).clamp(max=size)  # (across,)
    cells = times * int((needed * heights[:, None] * widths).sum())
    open_cells = times * int(allowed.sum())
    count, total = times * int(needed.sum()), times * needed.numel()
    return BlockCost(
        size=size,
        blocks=total,
        needed=count,
        cells=cells,
        flops=flops_a_cell * cells,
        share=count / total,
        wasted=1.0 - open_cells / cells if cells else 0.0,
    )
