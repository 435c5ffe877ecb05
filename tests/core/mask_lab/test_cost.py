"""What a mask saves: counted cell by cell, and the blocks against those of FlexAttention."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from jaxtyping import Bool
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask

from attention_core.costs import flop_count
from attention_core.mask_lab.cost import MaskCost, mask_cost
from attention_core.masks import Blocks, Causal, Explicit, Full, Mask, Padding, Prefix, Window
from attention_core.masks.base import Indices
from tests.core.mask_examples import BATCH, EXAMPLES, HEADS, KEYS, QUERIES, masks

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

D_K, D_V = 11, 13


def small(mask: Mask, **more: int) -> MaskCost:
    return mask_cost(mask, QUERIES, KEYS, d_k=D_K, d_v=D_V, batch=BATCH, heads=HEADS, block_sizes=(2, 3, 128), **more)


def assert_counts(mask: Mask) -> None:
    """Cell by cell."""
    allowed = mask.materialize(BATCH, HEADS, QUERIES, KEYS).tolist()
    cost = small(mask)
    cells = [(b, h, i, j) for b in range(BATCH) for h in range(HEADS) for i in range(QUERIES) for j in range(KEYS)]
    is_open = [(b, h, i, j) for b, h, i, j in cells if allowed[b][h][i][j]]
    assert cost.cells == len(cells)
    assert cost.allowed == len(is_open)
    assert cost.share == len(is_open) / len(cells)
    assert cost.score_flops == sum(2 * D_K for _ in is_open)
    assert cost.sum_flops == sum(2 * D_V for _ in is_open)
    assert cost.flops == cost.score_flops + cost.sum_flops
    assert cost.full_flops == len(cells) * 2 * (D_K + D_V)
    kv = {(b, h, j) for b, h, _, j in is_open}
    assert cost.kv_cells == len(kv)
    assert cost.kv_numbers == len(kv) * (D_K + D_V)
    assert cost.full_kv_cells == BATCH * HEADS * KEYS
    assert cost.full_kv_numbers == BATCH * HEADS * KEYS * (D_K + D_V)
    rows = [sum(allowed[b][h][i]) for b in range(BATCH) for h in range(HEADS) for i in range(QUERIES)]
    assert cost.widest_row == max(rows)
    for size in (2, 3, 128):
        block = cost.block(size)
        tiles = {(b, h, i // size, j // size) for b, h, i, j in cells}
        needed = {(b, h, i // size, j // size) for b, h, i, j in is_open}
        inside = [cell for cell in cells if (cell[0], cell[1], cell[2] // size, cell[3] // size) in needed]
        assert (block.blocks, block.needed, block.cells) == (len(tiles), len(needed), len(inside))
        assert block.share == len(needed) / len(tiles)
        assert block.flops == len(inside) * 2 * (D_K + D_V)
        assert block.wasted == pytest.approx(1 - len(is_open) / len(inside) if inside else 0.0)


@pytest.mark.parametrize("mask", EXAMPLES, ids=str)
def test_counted_cell_by_cell(mask: Mask) -> None:
    assert_counts(mask)


@settings(max_examples=25)
@given(masks)
def test_random_combinations(mask: Mask) -> None:
    assert_counts(mask)


@pytest.mark.parametrize("size", [(300, 200), (128, 256), (1, 129)], ids=str)
@pytest.mark.parametrize("block", [16, 128])
@pytest.mark.parametrize("mask", [Full(), Causal(), Causal() & Window(20), Blocks(50), Prefix(0)], ids=str)
def test_the_blocks_are_those_of_flex_attention(mask: Mask, block: int, size: tuple[int, int]) -> None:
    queries, keys = size
    theirs = create_block_mask(mask, None, None, queries, keys, device="cpu", BLOCK_SIZE=block)
    computed = int(theirs.kv_num_blocks.sum())
    if theirs.full_kv_num_blocks is not None:
        computed += int(theirs.full_kv_num_blocks.sum())
    ours = mask_cost(mask, queries, keys, d_k=8, d_v=8).block(block)
    assert ours.needed == computed
    assert ours.blocks == -(-queries // block) * -(-keys // block)


def test_causal_by_hand() -> None:
    cost = mask_cost(Causal(), 4, 4, d_k=3, d_v=5, block_sizes=(2,))
    assert (cost.allowed, cost.cells, cost.share) == (10, 16, 0.625)
    assert (cost.score_flops, cost.sum_flops) == (60, 100)
    assert (cost.full_score_flops, cost.full_sum_flops) == (96, 160)
    assert (cost.block(2).needed, cost.block(2).blocks, cost.block(2).cells) == (3, 4, 12)
    assert cost.block(2).wasted == pytest.approx(2 / 12)
    assert (cost.kv_cells, cost.widest_row) == (4, 4)


def test_a_mask_that_one_cell_in_each_block_spoils() -> None:
    rows = ["." * 32 for _ in range(32)]
    for i in (5, 21):
        rows[i] = "...x" + "." * 15 + "x" + "." * 12
    cost = mask_cost(Explicit(tuple(rows)), 32, 32, d_k=8, d_v=8)
    assert cost.block(16).share == 1.0
    assert cost.share == 4 / 1024
    assert cost.block(16).wasted == 1 - 4 / 1024


def test_the_operations_of_all_cells_are_those_of_the_layer() -> None:
    """The project's own count adds one operation a score for the scale."""
    cost = mask_cost(Full(), 5, 7, d_k=D_K, d_v=D_V, heads=3, batch=2)
    layer = flop_count(5, 7, d_model=33, num_heads=3, d_k=D_K, d_v=D_V, batch=2)
    assert cost.full_score_flops == cost.score_flops == layer["scores"] - cost.cells
    assert cost.full_sum_flops == layer["weighted_sum"]


def test_a_cache_for_a_window_and_for_shared_keys() -> None:
    last = Explicit(("." * 20 + "x" * 4,))  # the one query that is generated now, a window of 4
    cost = mask_cost(last, 1, 24, d_k=2, d_v=3, heads=6, num_kv_heads=2)
    assert (cost.kv_cells, cost.full_kv_cells) == (8, 48)
    assert cost.kv_numbers == 40
    padded = mask_cost(Padding((2, 5)), 3, 5, d_k=1, d_v=1, batch=2, heads=4, num_kv_heads=1)
    assert padded.kv_cells == 7


class Diagonal(Mask):
    """Head h looks at key h and at no other."""

    @property
    def depends_on(self) -> frozenset[str]:
        return frozenset("hk")

    def allows(self, b: Indices, h: Indices, q: Indices, k: Indices) -> Bool[Tensor, ...]:
        return k == h

    def expression(self) -> str:
        return "k == h"


def test_a_key_is_kept_when_one_query_head_of_its_group_looks_at_it() -> None:
    def kept(num_kv_heads: int) -> int:
        return mask_cost(Diagonal(), 3, 7, d_k=1, d_v=1, batch=2, heads=6, num_kv_heads=num_kv_heads).kv_cells

    assert [kept(n) for n in (1, 2, 3, 6)] == [12] * 4  # each head's own key, whoever shares them
    full = mask_cost(Full(), 3, 7, d_k=1, d_v=1, batch=2, heads=6, num_kv_heads=2)
    assert full.kv_cells == full.full_kv_cells == 28


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="d_k=0: allowed are whole numbers from 1"):
        mask_cost(Full(), 3, 3, d_k=0, d_v=1)
    with pytest.raises(ValueError, match="num_kv_heads=2: allowed are the divisors of heads=3"):
        mask_cost(Full(), 3, 3, d_k=1, d_v=1, heads=3, num_kv_heads=2)
    with pytest.raises(ValueError, match="block_sizes=0: allowed are whole numbers from 1"):
        mask_cost(Full(), 3, 3, d_k=1, d_v=1, block_sizes=(0,))
    with pytest.raises(KeyError, match="64 is no block size here; there are 16, 128"):
        mask_cost(Full(), 3, 3, d_k=1, d_v=1).block(64)


def test_512_tokens_and_12_heads_fit() -> None:
    cost = mask_cost(Causal() & Window(64), 512, 512, d_k=64, d_v=64, heads=12)
    assert cost.allowed == 12 * (512 * 64 - 64 * 63 // 2)
    assert torch.tensor(cost.share).item() == pytest.approx(0.1173, abs=1e-4)
