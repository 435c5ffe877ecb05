"""Score functions: numbers worked by hand, loops, and what makes each of them itself."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from attention_core.functional import attention
from attention_core.scores import (
    Additive,
    Bilinear,
    Dot,
    ScaledDot,
    Score,
    Tempered,
    cosine,
    dot_product,
    scaled_dot_product,
)
from tests.core.oracles import attention_in_loops, dot, numbers

BATCH, HEADS, QUERIES, KEYS, D_K, D_A = 2, 3, 5, 7, 11, 13
Q, K = numbers(BATCH, HEADS, QUERIES, D_K), numbers(BATCH, HEADS, KEYS, D_K, seed=1)
ADDITIVE = Additive(numbers(HEADS, D_K, D_A, seed=2), numbers(HEADS, D_K, D_A, seed=3), numbers(HEADS, D_A, seed=4))
BILINEAR = Bilinear(numbers(HEADS, D_K, D_K, seed=5))
ALL = [dot_product, scaled_dot_product, cosine, ADDITIVE, BILINEAR, Tempered(scaled_dot_product, 0.7)]


def one(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)[None, None, None]


def by_hand(score: Score, h: int, q: list[float], k: list[float]) -> float:
    """The raw score of one pair, written out."""
    if score is ADDITIVE:
        total = 0.0
        for a in range(D_A):
            inside = sum(ADDITIVE.w_q[h, c, a].item() * q[c] + ADDITIVE.w_k[h, c, a].item() * k[c] for c in range(D_K))
            total += ADDITIVE.v[h, a].item() * math.tanh(inside)
        return total
    if score is BILINEAR:
        w = BILINEAR.weight[h].tolist()
        return sum(q[i] * w[i][j] * k[j] for i in range(D_K) for j in range(D_K))
    if score is cosine:
        return dot(q, k) / math.sqrt(dot(q, q) * dot(k, k))
    return dot(q, k)


@pytest.mark.parametrize("score", ALL, ids=lambda s: s.name)
def test_raw_scores_against_loops(score: Score) -> None:
    raw = score.raw(Q, K)
    assert raw.shape == (BATCH, HEADS, QUERIES, KEYS)
    for b in range(BATCH):
        for h in range(HEADS):
            for i in range(QUERIES):
                for j in range(KEYS):
                    expected = by_hand(score, h, Q[b, h, i].tolist(), K[b, h, j].tolist())
                    assert raw[b, h, i, j].item() == pytest.approx(expected, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("score", ALL, ids=lambda s: s.name)
def test_a_call_is_raw_times_scale(score: Score) -> None:
    torch.testing.assert_close(score(Q, K), score.raw(Q, K) * score.scale(D_K), rtol=0, atol=0)


@pytest.mark.parametrize("score", ALL, ids=lambda s: s.name)
def test_gradients_of_scores(score: Score) -> None:
    q, k = numbers(1, HEADS, 2, D_K).requires_grad_(), numbers(1, HEADS, 3, D_K, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(score, (q, k))


def test_scales_worked_by_hand() -> None:
    assert dot_product.scale(9) == 1.0
    assert scaled_dot_product.scale(9) == pytest.approx(1 / 3)
    assert cosine.scale(9) == 1.0
    assert Tempered(scaled_dot_product, 0.5).scale(16) == 0.5
    assert scaled_dot_product(one(1, 2, 3, 4), one(2, 0, 1, 1)).item() == 4.5  # 9 / sqrt(4)


def test_scaled_dot_keeps_the_variance_at_one() -> None:
    """The reason for the scale: without it the variance of a score is d_k."""
    d_k = 64
    q, k = numbers(1, 1, 300, d_k), numbers(1, 1, 300, d_k, seed=1)
    assert scaled_dot_product(q, k).var().item() == pytest.approx(1.0, rel=0.05)
    assert dot_product(q, k).var().item() == pytest.approx(d_k, rel=0.05)


def test_cosine_ignores_length_and_stays_within_one() -> None:
    torch.testing.assert_close(cosine(Q * 7, K / 3), cosine(Q, K))
    assert cosine(Q, K).abs().max() <= 1.0 + 1e-12
    torch.testing.assert_close(cosine(Q, K), F.cosine_similarity(Q[:, :, :, None], K[:, :, None], dim=-1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_cosine_with_a_zero_vector_is_zero(dtype: torch.dtype) -> None:
    q, k = torch.zeros(1, 1, 1, 3, dtype=dtype), torch.ones(1, 1, 2, 3, dtype=dtype)
    assert cosine(q, k).tolist() == [[[[0.0, 0.0]]]]


def test_additive_stays_within_the_sum_of_v() -> None:
    bound = ADDITIVE.v.abs().sum(-1)[None, :, None, None]
    assert (ADDITIVE(Q * 100, K * 100).abs() <= bound).all()


def test_bilinear_with_the_identity_is_the_dot_product() -> None:
    identity = torch.eye(D_K, dtype=torch.float64).expand(HEADS, -1, -1)
    torch.testing.assert_close(Bilinear(identity)(Q, K), dot_product(Q, K))


def test_temperature_moves_weights_between_even_and_sharp() -> None:
    v = torch.zeros(BATCH, HEADS, KEYS, 1, dtype=torch.float64)

    def weights(temperature: float) -> torch.Tensor:
        return attention(Q, K, v, score=Tempered(scaled_dot_product, temperature)).weights

    torch.testing.assert_close(weights(1.0), attention(Q, K, v).weights)
    torch.testing.assert_close(weights(1e9), torch.full_like(weights(1.0), 1 / KEYS))
    best = F.one_hot(scaled_dot_product(Q, K).argmax(-1), KEYS).double()
    torch.testing.assert_close(weights(1e-6), best)
    assert weights(0.5).amax() > weights(1.0).amax() > weights(2.0).amax()


def test_attention_with_another_score_against_loops() -> None:
    v = numbers(BATCH, HEADS, KEYS, 2, seed=9)
    trace = attention(Q, K, v, score=dot_product)
    weights, context = attention_in_loops(Q, K, v, pair=dot)
    torch.testing.assert_close(trace.weights, weights)
    torch.testing.assert_close(trace.context, context)
    assert trace.scaled_scores is trace.raw_scores  # a scale of 1 makes no copy


def test_scores_are_values() -> None:
    assert Dot() == dot_product and ScaledDot() == scaled_dot_product and Dot() != ScaledDot()
    assert hash(Tempered(cosine, 2.0)) == hash(Tempered(cosine, 2.0))
    assert [score.name for score in ALL[:5]] == ["dot", "scaled_dot", "cosine", "additive", "bilinear"]
    assert ALL[5].name == "scaled_dot, temperature 0.7"


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_wrong_temperatures(temperature: float) -> None:
    with pytest.raises(ValueError, match=r"temperature=.*: allowed are finite numbers above 0"):
        Tempered(scaled_dot_product, temperature)


def test_wrong_shapes_of_weights() -> None:
    w = torch.zeros(2, 3, 5)
    with pytest.raises(ValueError, match=r"w_q=\(2, 3, 5\), w_k=\(2, 3, 4\): allowed is one"):
        Additive(w, torch.zeros(2, 3, 4), torch.zeros(2, 5))
    with pytest.raises(ValueError, match=r"v=\(5,\): allowed is \(head, d_a\) = \(2, 5\)"):
        Additive(w, w, torch.zeros(5))
    with pytest.raises(ValueError, match=r"weight=\(3, 3\): allowed is \(head, d_k, d_k\)"):
        Bilinear(torch.zeros(3, 3))
