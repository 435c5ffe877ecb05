"""The same mask in each library's convention, fed to it and compared with attention in nested loops."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from attention_core.masks import Causal, Explicit, Full, Mask, Padding, Prefix, Window
from attention_core.masks.base import Indices
from attention_core.shapes import Allowed
from tests.core.mask_examples import BATCH, EXAMPLES, HEADS, KEYS, QUERIES, grids, masks, open_cell

D_K, D_V = 11, 13


class Staggered(Mask):
    """A mask that is different in every head of every batch row: j + h <= i + b."""

    def __str__(self) -> str:
        return "staggered"

    @property
    def depends_on(self) -> frozenset[str]:
        return frozenset("bhqk")

    def allows(self, b: Indices, h: Indices, q: Indices, k: Indices) -> Allowed:
        return k + h <= q + b

    def expression(self) -> str:
        return "k + h <= q + b"


def allowed_cell(mask: Mask, b: int, h: int, i: int, j: int) -> bool:
    return j + h <= i + b if isinstance(mask, Staggered) else open_cell(mask, b, i, j)


EVERY_ONE = pytest.mark.parametrize("mask", [*EXAMPLES, Staggered()], ids=str)


def projections(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    def random(length: int, width: int) -> Tensor:
        return torch.randn(BATCH, HEADS, length, width, generator=generator, dtype=torch.float64)

    generator = torch.Generator().manual_seed(seed)
    return random(QUERIES, D_K), random(KEYS, D_K), random(KEYS, D_V)


def loops(mask: Mask, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Weights and context, one number at a time; a query that may attend to nothing gets zeros."""
    batch, heads, queries, d_k = q.shape
    keys, d_v = v.shape[2:]
    weights = torch.zeros(batch, heads, queries, keys, dtype=torch.float64)
    context = torch.zeros(batch, heads, queries, d_v, dtype=torch.float64)
    for b in range(batch):
        for h in range(heads):
            for i in range(queries):
                seen = [j for j in range(keys) if allowed_cell(mask, b, h, i, j)]
                query = q[b, h, i].tolist()
                powers = {}
                for j in seen:
                    dot = sum(x * y for x, y in zip(query, k[b, h, j].tolist(), strict=True))
                    powers[j] = math.exp(dot / math.sqrt(d_k))
                for j in seen:
                    weights[b, h, i, j] = powers[j] / sum(powers.values())
                    context[b, h, i] += weights[b, h, i, j] * v[b, h, j]
    return weights, context


# ---- scaled_dot_product_attention


@EVERY_ONE
def test_sdpa_with_the_boolean_and_the_additive_mask(mask: Mask) -> None:
    assert_sdpa_agrees(mask)


@given(masks)
def test_sdpa_with_random_combinations(mask: Mask) -> None:
    assert_sdpa_agrees(mask)


@given(grids(QUERIES, KEYS))
def test_sdpa_with_random_painted_masks(mask: Explicit) -> None:
    assert_sdpa_agrees(mask)


def assert_sdpa_agrees(mask: Mask) -> None:
    q, k, v = projections()
    context = loops(mask, q, k, v)[1]
    boolean = mask.to_sdpa(QUERIES, KEYS, batch=BATCH, heads=HEADS)
    torch.testing.assert_close(F.scaled_dot_product_attention(q, k, v, attn_mask=boolean), context)
    added = mask.to_additive(QUERIES, KEYS, batch=BATCH, heads=HEADS, dtype=torch.float64)
    torch.testing.assert_close(F.scaled_dot_product_attention(q, k, v, attn_mask=added), context)


def test_is_causal_of_sdpa_is_causal_aligned_top_left() -> None:
    q, k, v = projections()
    theirs = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    ours = F.scaled_dot_product_attention(q, k, v, attn_mask=Causal().to_sdpa(QUERIES, KEYS))
    torch.testing.assert_close(ours, theirs)
    other = Causal.bottom_right(QUERIES, KEYS).to_sdpa(QUERIES, KEYS)
    assert not torch.allclose(F.scaled_dot_product_attention(q, k, v, attn_mask=other), theirs)


# ---- nn.MultiheadAttention


@EVERY_ONE
def test_multihead_attention_of_torch(mask: Mask) -> None:
    assert_mha_agrees(mask)


@given(masks)
def test_multihead_attention_of_torch_with_random_combinations(mask: Mask) -> None:
    assert_mha_agrees(mask)


def assert_mha_agrees(mask: Mask) -> None:
    width = HEADS * D_K
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.MultiheadAttention(width, HEADS, batch_first=True, dtype=torch.float64).eval()
        nn.init.normal_(module.in_proj_bias)
        nn.init.normal_(module.out_proj.bias)
        query = torch.randn(BATCH, QUERIES, width, dtype=torch.float64)
        source = torch.randn(BATCH, KEYS, width, dtype=torch.float64)

    def split(x: Tensor, part: int) -> Tensor:
        rows = slice(part * width, (part + 1) * width)
        y = x @ module.in_proj_weight[rows].T + module.in_proj_bias[rows]  # (batch, position, width)
        return y.view(BATCH, -1, HEADS, D_K).transpose(1, 2)

    weights, context = loops(mask, split(query, 0), split(source, 1), split(source, 2))
    output = module.out_proj(context.transpose(1, 2).reshape(BATCH, QUERIES, width))
    forbidden = mask.to_mha(QUERIES, KEYS, batch=BATCH, heads=HEADS)

    theirs = module(query, source, source, attn_mask=forbidden, need_weights=False)[0]
    torch.testing.assert_close(theirs, output)

    theirs, their_weights = module(query, source, source, attn_mask=forbidden, average_attn_weights=False)
    blind = weights.sum(-1) == 0  # (batch, head, query): these are NaN there, zero here
    assert their_weights[blind].isnan().all()
    torch.testing.assert_close(their_weights[~blind], weights[~blind])
    seeing = ~blind.any(1)  # (batch, query)
    torch.testing.assert_close(theirs[seeing], output[seeing])


def test_the_shape_for_multihead_attention() -> None:
    assert Causal().to_mha(5, 7).shape == (5, 7)
    assert Causal().to_mha(5, 7, batch=2, heads=3).shape == (5, 7)
    assert Padding((4,)).to_mha(5, 7, batch=2, heads=3).shape == (5, 7)
    assert Padding((4, 6)).to_mha(5, 7, batch=2, heads=3).shape == (6, 5, 7)
    assert Staggered().to_mha(5, 7).shape == (1, 5, 7)


def test_batch_rows_are_outside_and_heads_inside() -> None:
    forbidden = Padding((1, 2)).to_mha(1, 3, batch=2, heads=2)
    assert forbidden[:, 0].tolist() == [[False, True, True]] * 2 + [[False, False, True]] * 2


# ---- what becomes of a query that may attend to nothing


def test_a_blind_query_is_zero_in_sdpa() -> None:
    q, k, v = projections()
    for mask in (Prefix(0).to_sdpa(QUERIES, KEYS), Prefix(0).to_additive(QUERIES, KEYS, dtype=torch.float64)):
        assert (F.scaled_dot_product_attention(q, k, v, attn_mask=mask) == 0).all()


def test_a_blind_query_is_nan_or_the_bias_in_multihead_attention() -> None:
    module = nn.MultiheadAttention(6, 2, batch_first=True, dtype=torch.float64)
    nn.init.constant_(module.out_proj.bias, 3.0)
    x = torch.ones(1, 4, 6, dtype=torch.float64)
    mask = Causal(-1).to_mha(4, 4)  # the first query is blind
    output, weights = module(x, x, x, attn_mask=mask)
    assert output[0, 0].isnan().all()
    assert weights[0, 0].isnan().all()
    assert not output[0, 1:].isnan().any()
    output = module(x, x, x, attn_mask=mask, need_weights=False)[0]
    assert output[0, 0].tolist() == [3.0] * 6


# ---- added to the scores


def test_the_additive_mask_written_out() -> None:
    inf = math.inf
    mask = Causal() & Window(2)
    rows = [[0, -inf, -inf, -inf], [0, 0, -inf, -inf], [-inf, 0, 0, -inf]]
    assert mask.to_additive(3, 4)[0, 0].tolist() == rows


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_additive_mask_in_every_float(dtype: torch.dtype) -> None:
    added = Causal().to_additive(2, 3, batch=5, heads=7, dtype=dtype)
    assert added.dtype == dtype
    assert added.shape == (5, 7, 2, 3)
    assert added[4, 6].tolist() == [[0, -math.inf, -math.inf], [0, 0, -math.inf]]


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool])
def test_the_additive_mask_needs_a_float(dtype: torch.dtype) -> None:
    with pytest.raises(ValueError, match=f"dtype={dtype}: allowed are floating-point types"):
        Causal().to_additive(2, 3, dtype=dtype)


@EVERY_ONE
def test_softmax_of_scores_plus_the_additive_mask(mask: Mask) -> None:
    q, k, v = projections()
    weights = loops(mask, q, k, v)[0]
    added = mask.to_additive(QUERIES, KEYS, batch=BATCH, heads=HEADS, dtype=torch.float64)
    theirs = torch.softmax(q @ k.mT / math.sqrt(D_K) + added, dim=-1)
    blind = weights.sum(-1) == 0
    assert theirs[blind].isnan().all()
    torch.testing.assert_close(theirs[~blind], weights[~blind])


# ---- Hugging Face


@EVERY_ONE
def test_the_mask_of_hugging_face_used_as_their_models_do(mask: Mask) -> None:
    """(1 - mask) * finfo.min is added to the scores, as `get_extended_attention_mask` prepares it."""
    q, k, v = projections()
    weights = loops(mask, q, k, v)[0]
    keep = mask.to_hf(QUERIES, KEYS, batch=BATCH, heads=HEADS)
    assert keep.dtype == torch.int64
    whole = keep[:, None, None, :] if keep.dim() == 2 else keep
    added = (1.0 - whole.double()) * torch.finfo(torch.float64).min
    theirs = torch.softmax(q @ k.mT / math.sqrt(D_K) + added, dim=-1)
    seeing = weights.sum(-1) > 0
    torch.testing.assert_close(theirs[seeing], weights[seeing])


@EVERY_ONE
def test_the_boolean_of_the_hugging_face_mask_in_sdpa(mask: Mask) -> None:
    q, k, v = projections()
    keep = mask.to_hf(QUERIES, KEYS, batch=BATCH, heads=HEADS).bool()
    whole = keep[:, None, None, :] if keep.dim() == 2 else keep
    context = loops(mask, q, k, v)[1]
    torch.testing.assert_close(
        F.scaled_dot_product_attention(q, k, v, attn_mask=whole.expand(-1, -1, QUERIES, -1)), context
    )


def test_the_shape_for_hugging_face() -> None:
    sizes = {"batch": 2, "heads": 3}
    assert Padding((4, 6)).to_hf(5, 7, **sizes).shape == (2, 7)
    assert Padding((4,)).to_hf(5, 7, **sizes).shape == (2, 7)
    middle = Padding((4, 6)) & ~Prefix(1)
    assert middle.to_hf(5, 7, **sizes).tolist() == [[0, 1, 1, 1, 0, 0, 0], [0, 1, 1, 1, 1, 1, 0]]
    assert Full().to_hf(5, 7, **sizes).tolist() == [[1] * 7] * 2
    assert Causal().to_hf(5, 7, **sizes).shape == (2, 1, 5, 7)
    assert (Causal() & Padding((4, 6))).to_hf(5, 7, **sizes).shape == (2, 1, 5, 7)
    assert Staggered().to_hf(5, 7, **sizes).shape == (2, 3, 5, 7)


# ---- all four at once


@given(masks, st.integers(1, 3))
def test_all_conventions_say_the_same(mask: Mask, heads: int) -> None:
    ours = mask.materialize(BATCH, heads, QUERIES, KEYS)
    sizes = {"batch": BATCH, "heads": heads}
    assert torch.equal(mask.to_sdpa(QUERIES, KEYS, **sizes), ours)
    forbidden = mask.to_mha(QUERIES, KEYS, **sizes)
    folded = forbidden if forbidden.dim() == 2 else forbidden.view(BATCH, heads, QUERIES, KEYS)
    assert torch.equal(~folded.expand_as(ours), ours)
    assert torch.equal(mask.to_additive(QUERIES, KEYS, **sizes) == 0, ours)
    assert torch.equal(mask.to_additive(QUERIES, KEYS, **sizes) == -math.inf, ~ours)
    keep = mask.to_hf(QUERIES, KEYS, **sizes)
    whole = keep[:, None, None, :] if keep.dim() == 2 else keep
    assert torch.equal((whole == 1).expand_as(ours), ours)
    assert ((keep == 0) | (keep == 1)).all()


def test_the_conventions_written_out() -> None:
    mask = Causal()
    assert mask.to_sdpa(2, 3)[0, 0].tolist() == [[True, False, False], [True, True, False]]
    assert mask.to_mha(2, 3).tolist() == [[False, True, True], [False, False, True]]
    assert mask.to_hf(2, 3)[0, 0].tolist() == [[1, 0, 0], [1, 1, 0]]
    assert Padding((2,)).to_hf(2, 3).tolist() == [[1, 1, 0]]
