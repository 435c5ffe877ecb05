"""Shaw and Transformer-XL against nested loops, with a prime size for every axis."""

from __future__ import annotations

import math

import pytest
import torch

from attention_core.functional import attention
from attention_core.positions import Shaw, TransformerXL

BATCH, HEADS, QUERIES, KEYS, D_K, D_R = 2, 3, 5, 7, 11, 13
SCALE = 1 / math.sqrt(D_K)


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    q, k = numbers(BATCH, HEADS, QUERIES, D_K, seed=1), numbers(BATCH, HEADS, KEYS, D_K, seed=2)
    return q, k, numbers(BATCH, HEADS, KEYS, 17, seed=3)


def dot(a: torch.Tensor, b: torch.Tensor) -> float:
    return sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))


@pytest.mark.parametrize("offsets", [(0, 0), (4, 0), (0, 2)])
@pytest.mark.parametrize("max_distance", [0, 2, 19])
def test_shaw_is_its_equation(max_distance: int, offsets: tuple[int, int]) -> None:
    table = numbers(2 * max_distance + 1, D_K, seed=4)
    q, k, v = inputs()
    scores = attention(q, k, v, mods=(Shaw(table, *offsets),)).modified_scores
    for b in range(BATCH):
        for h in range(HEADS):
            for i in range(QUERIES):
                for j in range(KEYS):
                    ahead = (j + offsets[1]) - (i + offsets[0])
                    a = table[max(-max_distance, min(max_distance, ahead)) + max_distance]
                    expected = dot(q[b, h, i], k[b, h, j] + a) * SCALE
                    assert scores[b, h, i, j].item() == pytest.approx(expected, abs=1e-12)


def test_shaw_by_hand() -> None:
    """The query is (1, 2); behind it lies (1, 0), here (0, 0), ahead (0, 10)."""
    shaw = Shaw(torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 10.0]]))
    q = torch.tensor([1.0, 2.0]).expand(1, 1, 3, 2)
    scores = shaw.on_scores(torch.zeros(1, 1, 3, 3), q, q, 0.5)
    assert scores[0, 0].tolist() == [[0.0, 10.0, 10.0], [0.5, 0.0, 10.0], [0.5, 0.5, 0.0]]


def sinusoid(distance: int) -> list[float]:
    columns = []
    for c in range(D_R):
        angle = distance / 10000 ** (2 * (c // 2) / D_R)
        columns.append(math.cos(angle) if c % 2 else math.sin(angle))
    return columns


@pytest.mark.parametrize("offsets", [(0, 0), (4, 0), (0, 2)])
def test_transformer_xl_is_its_equation(offsets: tuple[int, int]) -> None:
    """All four terms of the paper, with the projection W_r done by hand."""
    u, v_bias, w_r = (
        numbers(HEADS, D_K, seed=5),
        numbers(HEADS, D_K, seed=6),
        numbers(HEADS, D_R, D_K, seed=7),
    )
    q, k, v = inputs()
    scores = attention(q, k, v, mods=(TransformerXL(u, v_bias, w_r, *offsets),)).modified_scores
    for h in range(HEADS):
        for i in range(QUERIES):
            for j in range(KEYS):
                wave = sinusoid((i + offsets[0]) - (j + offsets[1]))
                r = torch.tensor(
                    [sum(wave[s] * w_r[h, s, d].item() for s in range(D_R)) for d in range(D_K)],
                    dtype=torch.float64,
                )
                for b in range(BATCH):
                    content = dot(q[b, h, i] + u[h], k[b, h, j])
                    position = dot(q[b, h, i] + v_bias[h], r)
                    expected = (content + position) * SCALE
                    assert scores[b, h, i, j].item() == pytest.approx(expected, abs=1e-11)


def test_transformer_xl_with_shared_keys() -> None:
    """Grouped queries: three heads, one key head, as if the key were given three times."""
    q, k, v = inputs()
    mod = TransformerXL.random(HEADS, D_K, seed=1)
    shared = attention(q, k[:, :1], v[:, :1], mods=(mod,)).modified_scores
    copied = attention(q, k[:, :1].expand_as(k), v[:, :1].expand_as(v), mods=(mod,)).modified_scores
    torch.testing.assert_close(shared, copied, atol=1e-12, rtol=0)


def test_random_tables_belong_to_their_seed() -> None:
    one, same, other = (Shaw.random(D_K, seed=s) for s in (1, 1, 2))
    assert one.table.shape == (33, D_K)
    assert one.max_distance == 16
    assert torch.equal(one.table, same.table)
    assert not torch.equal(one.table, other.table)
    first, again, third = (TransformerXL.random(HEADS, D_K, seed=s, d_r=D_R) for s in (1, 1, 2))
    for name, shape in (("u", (HEADS, D_K)), ("v", (HEADS, D_K)), ("w_r", (HEADS, D_R, D_K))):
        assert getattr(first, name).shape == shape
        assert torch.equal(getattr(first, name), getattr(again, name))
        assert not torch.equal(getattr(first, name), getattr(third, name))
    assert not torch.equal(first.u, first.v)
    assert first.w_r.std().item() == pytest.approx(D_R**-0.5, rel=0.1)


def test_what_is_learned_receives_gradients() -> None:
    """The same numbers as by finite differences (torch.autograd.gradcheck), for every parameter."""
    q, k = numbers(1, 2, 3, 2), numbers(1, 2, 4, 2, seed=1)
    scores = torch.zeros(1, 2, 3, 4, dtype=torch.float64)
    table = numbers(5, 2, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda t: Shaw(t).on_scores(scores, q, k, 0.7), (table,))
    learned = tuple(numbers(*s, seed=3).requires_grad_() for s in ((2, 2), (2, 2), (2, 3, 2)))
    assert torch.autograd.gradcheck(lambda *p: TransformerXL(*p).on_scores(scores, q, k, 0.7), learned)


def test_wrong_input_is_named() -> None:
    q, k, v = inputs()
    with pytest.raises(ValueError, match=r"table of shape \(4, 11\).*an odd number of rows"):
        Shaw(torch.zeros(4, D_K))
    with pytest.raises(ValueError, match="queries of width 11: allowed is the width of the table, 10"):
        attention(q, k, v, mods=(Shaw(torch.zeros(5, 10, dtype=torch.float64)),))
    with pytest.raises(ValueError, match="max_distance=-1: allowed are whole numbers from 0"):
        Shaw.random(D_K, seed=0, max_distance=-1)
    with pytest.raises(ValueError, match=r"w_r of shape \(2, 3\): allowed is \(head, d_r, d_k\)"):
        TransformerXL(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"v of shape \(3, 2\).*here \(2, 3\)"):
        TransformerXL(torch.zeros(2, 3), torch.zeros(3, 2), torch.zeros(2, 5, 3))
    with pytest.raises(ValueError, match=r"queries with 3 heads of width 11: .*\(2, 11\)"):
        attention(q, k, v, mods=(TransformerXL.random(2, D_K, seed=0),))
    with pytest.raises(ValueError, match="d_r=0: allowed are whole numbers from 1"):
        TransformerXL.random(2, 3, seed=0, d_r=0)
