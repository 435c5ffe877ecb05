"""Spread, reach and likeness of attention weights: numbers worked by hand, nested loops, properties."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_core import costs, metrics
from attention_core.metrics import (
    attention_distance,
    effective_tokens,
    entropy,
    head_similarity,
    mean_attention_distance,
)


def maps(*shape: int, seed: int = 0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.softmax(3 * torch.randn(*shape, generator=g, dtype=torch.float64), dim=-1)


HAND = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0], [0.25] * 4, [0.0] * 4, [0.5, 0.25, 0.25, 0.0]])


def test_entropy_by_hand() -> None:
    assert entropy(HAND, unit="bits").tolist() == pytest.approx([0.0, 1.0, 2.0, 0.0, 1.5])
    ln2 = 0.6931471805599453
    assert entropy(HAND).tolist() == pytest.approx([0.0, ln2, 2 * ln2, 0.0, 1.5 * ln2])


def test_entropy_of_every_row() -> None:
    weights = maps(2, 3, 5, 7)
    computed = entropy(weights)
    assert computed.shape == (2, 3, 5)
    for index in torch.cartesian_prod(torch.arange(2), torch.arange(3), torch.arange(5)).tolist():
        b, h, i = index
        assert computed[b, h, i].item() == pytest.approx(-sum(w * math.log(w) for w in weights[b, h, i].tolist()))


def test_effective_tokens_by_hand() -> None:
    """The last row: 2^1.5; the row of zeros looks at nothing."""
    assert effective_tokens(HAND).tolist() == pytest.approx([1.0, 2.0, 4.0, 0.0, 2.8284271247])


@given(st.integers(1, 20), st.integers(0, 10_000))
def test_entropy_is_between_one_key_and_all_alike(keys: int, seed: int) -> None:
    weights = maps(3, keys, seed=seed)
    assert bool((entropy(weights) >= 0).all())
    assert bool((entropy(weights) <= math.log(keys) + 1e-12).all())
    assert bool((effective_tokens(weights) <= keys + 1e-9).all())
    assert bool((effective_tokens(weights) >= 1).all())
    uniform = torch.full((1, keys), 1 / keys, dtype=torch.float64)
    assert effective_tokens(uniform).item() == pytest.approx(keys)


def test_distance_by_hand() -> None:
    weights = torch.tensor([[0.0, 0.5, 0.5], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.25, 0.25, 0.5]])
    assert attention_distance(weights).tolist() == [1.5, 1.0, 0.0, 0.75 + 0.5 + 0.5]
    assert mean_attention_distance(weights).item() == pytest.approx((1.5 + 1.0 + 1.75) / 3)
    assert attention_distance(weights, query_offset=1).tolist() == [0.5, 2.0, 0.0, 1.0 + 0.75 + 1.0]
    assert attention_distance(weights, key_offset=3).tolist() == [4.5, 2.0, 0.0, 0.0 + 0.25 + 1.0]


def test_distance_of_every_head() -> None:
    weights = maps(2, 3, 5, 7)
    weights[1, 2, 3] = 0.0
    weights[0, 1] = 0.0
    computed = mean_attention_distance(weights)
    for b in range(2):
        for h in range(3):
            rows = weights[b, h].tolist()
            far = sum(w * abs(i - j) for i, row in enumerate(rows) for j, w in enumerate(row))
            total = sum(map(sum, rows))
            assert computed[b, h].item() == pytest.approx(far / total if total else 0.0)


def test_a_previous_token_head_looks_one_back() -> None:
    previous = torch.diag(torch.ones(6), -1)
    assert mean_attention_distance(previous).item() == 1.0
    assert mean_attention_distance(torch.eye(7)).item() == 0.0


def divergence(p: list[float], q: list[float]) -> float:
    """Jensen-Shannon in bits, by its other definition: the mean of two Kullback-Leibler divergences."""

    def relative(a: list[float], b: list[float]) -> float:
        return sum(x * math.log2(x / y) for x, y in zip(a, b, strict=True) if x > 0)

    middle = [(x + y) / 2 for x, y in zip(p, q, strict=True)]
    return (relative(p, middle) + relative(q, middle)) / 2


def test_likeness_of_heads_in_nested_loops() -> None:
    weights = maps(2, 3, 5, 7)
    cosine, shannon = head_similarity(weights), head_similarity(weights, measure="jensen_shannon")
    for b in range(2):
        for g in range(3):
            for h in range(3):
                one, other = weights[b, g].tolist(), weights[b, h].tolist()
                products = sum(x * y for p, q in zip(one, other, strict=True) for x, y in zip(p, q, strict=True))
                lengths = [math.sqrt(sum(x * x for row in m for x in row)) for m in (one, other)]
                assert cosine[b, g, h].item() == pytest.approx(products / math.prod(lengths))
                mean = sum(1 - divergence(p, q) for p, q in zip(one, other, strict=True)) / 5
                assert shannon[b, g, h].item() == pytest.approx(mean, abs=1e-9)


def test_likeness_by_hand() -> None:
    """Heads look left, right, at both; the divergence of (1, 0) and (1/2, 1/2) is 0.3113 bits."""
    weights = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]], [[0.5, 0.5]]]], dtype=torch.float64)
    half = 1 - (2 - 0.75 * math.log2(3) - 0.5)
    expected = torch.tensor([[1, 0, half], [0, 1, half], [half, half, 1]], dtype=torch.float64)
    torch.testing.assert_close(head_similarity(weights, measure="jensen_shannon")[0], expected)
    assert half == pytest.approx(0.688722, abs=1e-6)


@pytest.mark.parametrize("measure", ["cosine", "jensen_shannon"])
def test_likeness_is_symmetric_and_1_with_itself(measure: str) -> None:
    alike = head_similarity(maps(2, 5, 3, 7).float(), measure=measure)
    torch.testing.assert_close(alike, alike.mT)
    torch.testing.assert_close(alike.diagonal(dim1=1, dim2=2), torch.ones(2, 5))
    assert bool((alike >= 0).all() and (alike <= 1).all())


def test_queries_that_attend_to_nothing() -> None:
    """Row 0, empty in both heads, is left out; row 1, empty in one, has nothing in common."""
    a = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 0.5]])
    b = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.5, 0.5]])
    alike = head_similarity(torch.stack((a, b))[None], measure="jensen_shannon")[0]
    assert alike.tolist() == [[1.0, 0.5], [0.5, 1.0]]
    nothing = torch.zeros(1, 2, 3, 4)
    assert head_similarity(nothing, measure="jensen_shannon").tolist() == [[[0.0, 0.0], [0.0, 0.0]]]
    assert head_similarity(nothing).tolist() == [[[0.0, 0.0], [0.0, 0.0]]]


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="unit='hartley': allowed are nats, bits"):
        entropy(HAND, unit="hartley")
    with pytest.raises(ValueError, match="measure='euclid': allowed are cosine, jensen_shannon"):
        head_similarity(torch.zeros(1, 2, 3, 4), measure="euclid")
    with pytest.raises(ValueError, match="query_offset=-1"):
        mean_attention_distance(HAND, query_offset=-1)


def test_costs_are_reached_from_here() -> None:
    assert metrics.parameter_count is costs.parameter_count
    assert metrics.flop_count is costs.flop_count
    assert metrics.kv_cache_size is costs.kv_cache_size
