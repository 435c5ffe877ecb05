"""Rotary positions against complex numbers, and what makes them relative."""

from __future__ import annotations

import cmath
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_core.positions import RoPE


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rotated(row: list[float], position: int, base: float) -> list[float]:
    """Multiply each pair, read as a complex number, by e^(i p theta)."""
    planes = len(row) // 2
    out: list[float] = []
    for i in range(planes):
        turned = complex(row[2 * i], row[2 * i + 1]) * cmath.exp(1j * position * base ** (-2 * i / (2 * planes)))
        out += [turned.real, turned.imag]
    return out + row[2 * planes :]


def test_a_quarter_turn_by_hand() -> None:
    """Base chosen so that the second plane turns by pi / 2 a position; (3, 4) becomes (-4, 3)."""
    rope = RoPE(base=(2 / math.pi) ** 2)
    turned = rope.rotate(torch.tensor([[1.0, 0.0, 3.0, 4.0]] * 2, dtype=torch.float64))
    assert turned[0].tolist() == [1.0, 0.0, 3.0, 4.0]
    assert turned[1].tolist() == pytest.approx([math.cos(1), math.sin(1), -4.0, 3.0], abs=1e-12)


@pytest.mark.parametrize("d_k", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("base", [10000.0, 500.0])
def test_complex_numbers_agree(d_k: int, base: float) -> None:
    q, k = numbers(2, 3, 5, d_k), numbers(2, 1, 7, d_k, seed=1)
    turned_q, turned_k = RoPE(base, query_offset=11, key_offset=2).on_qk(q, k)
    for given_x, turned, offset in ((q, turned_q, 11), (k, turned_k, 2)):
        for index in torch.cartesian_prod(*(torch.arange(n) for n in given_x.shape[:3])).tolist():
            b, h, p = index
            expected = rotated(given_x[b, h, p].tolist(), p + offset, base)
            assert turned[b, h, p].tolist() == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300), st.integers(2, 9))
def test_the_score_depends_on_the_distance_alone(i: int, j: int, shift: int, d_k: int) -> None:
    q, k = numbers(1, d_k), numbers(1, d_k, seed=1)
    rope = RoPE()

    def score(i: int, j: int) -> float:
        return (rope.rotate(q, i) * rope.rotate(k, j)).sum().item()

    assert score(i, j) == pytest.approx(score(i + shift, j + shift), abs=1e-9)


def test_the_score_does_depend_on_the_distance_and_its_sign() -> None:
    rope, q, k = RoPE(), numbers(1, 4), numbers(1, 4, seed=1)
    scores = [(rope.rotate(q, i) * rope.rotate(k, j)).sum().item() for i, j in ((5, 5), (5, 4), (4, 5))]
    assert len({round(score, 3) for score in scores}) == 3


@given(st.integers(1, 9), st.integers(0, 5000))
def test_lengths_are_kept(d_k: int, offset: int) -> None:
    x = numbers(2, 3, 5, d_k)
    torch.testing.assert_close(RoPE().rotate(x, offset).norm(dim=-1), x.norm(dim=-1), atol=1e-12, rtol=0)


def test_the_first_position_is_not_turned_and_an_odd_last_column_never() -> None:
    x = numbers(1, 1, 5, 7)
    turned = RoPE().rotate(x)
    assert torch.equal(turned[:, :, 0], x[:, :, 0])
    assert torch.equal(turned[..., 6], x[..., 6])
    assert not bool((turned[:, :, 1:, :6] == x[:, :, 1:, :6]).any())


def test_one_column_has_nothing_to_turn() -> None:
    q, k = numbers(1, 2, 3, 1), numbers(1, 2, 5, 1)
    turned_q, turned_k = RoPE().on_qk(q, k)
    assert turned_q is q
    assert turned_k is k


def test_far_positions_keep_their_precision() -> None:
    """An angle of 100,000 computed in float32 would already be off by 4e-3."""
    x = torch.tensor([[1.0, 0.0]])
    turned = RoPE().rotate(x, offset=99_999)
    assert turned.dtype == torch.float32
    assert turned[0].tolist() == pytest.approx([math.cos(99_999), math.sin(99_999)], abs=1e-7)


def test_gradients_turn_back() -> None:
    """A rotation is orthogonal: the gradient of <g, R x> is R^T g, of the same length as g."""
    x, g = numbers(3, 5).requires_grad_(), numbers(3, 5, seed=1)
    (RoPE().rotate(x) * g).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(RoPE().rotate(x.grad), g, atol=1e-12, rtol=0)


def test_equal_values_are_equal() -> None:
    assert RoPE() == RoPE(10000.0, 0, 0)
    assert len({RoPE(), RoPE(500.0), RoPE(key_offset=1)}) == 3


@pytest.mark.parametrize("base", [0.0, -1.0, math.inf, math.nan])
def test_a_wrong_base_is_named(base: float) -> None:
    with pytest.raises(ValueError, match=r"base=.*: allowed are finite numbers above 0"):
        RoPE(base)


def test_a_wrong_offset_is_named() -> None:
    with pytest.raises(ValueError, match="key_offset=-3: allowed are whole numbers from 0"):
        RoPE(key_offset=-3)
