"""ALiBi slopes from the paper, and T5 buckets against a scalar statement of the formula."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_core.positions import ALiBi, T5Buckets, alibi_slopes, t5_buckets


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_slopes_of_8_heads_are_those_of_the_paper() -> None:
    assert alibi_slopes(8) == (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256)


def test_slopes_of_16_heads_are_those_of_the_paper() -> None:
    """ "2^-0.5, 2^-1, 2^-1.5, ..., 2^-8" """
    assert alibi_slopes(16) == pytest.approx([2 ** (-h / 2) for h in range(1, 17)], rel=1e-15)


def test_slopes_of_12_heads_add_every_second_slope_of_16() -> None:
    between = (0.7071067811865476, 0.35355339059327373, 0.17677669529663687, 0.08838834764831843)
    assert alibi_slopes(12)[:8] == alibi_slopes(8)
    assert alibi_slopes(12)[8:] == pytest.approx(between, rel=1e-15)


@pytest.mark.parametrize(
    ("heads", "slopes"),
    [
        (1, (1 / 256,)),
        (2, (1 / 16, 1 / 256)),
        (3, (1 / 16, 1 / 256, 1 / 4)),
        (6, (1 / 4, 1 / 16, 1 / 64, 1 / 256, 1 / 2, 1 / 8)),
    ],
)
def test_slopes_of_few_heads(heads: int, slopes: tuple[float, ...]) -> None:
    assert alibi_slopes(heads) == slopes


@given(st.integers(1, 200))
def test_every_head_has_a_slope_of_its_own(heads: int) -> None:
    slopes = alibi_slopes(heads)
    assert len(set(slopes)) == len(slopes) == heads
    assert all(1 / 256 <= slope < 1 for slope in slopes)


def test_alibi_by_hand() -> None:
    bias = ALiBi(2).bias(3, 3)
    assert bias[0].tolist() == [[0, -1 / 16, -2 / 16], [-1 / 16, 0, -1 / 16], [-2 / 16, -1 / 16, 0]]
    assert bias[1].tolist() == [[0, -1 / 256, -2 / 256], [-1 / 256, 0, -1 / 256], [-2 / 256, -1 / 256, 0]]


def test_alibi_adds_its_bias_to_every_pair() -> None:
    scores, q, k = numbers(2, 3, 5, 7), numbers(2, 3, 5, 11), numbers(2, 3, 7, 11)
    changed = ALiBi(3, query_offset=4).on_scores(scores, q, k, 0.25)
    slopes = (1 / 16, 1 / 256, 1 / 4)
    for b in range(2):
        for h in range(3):
            for i in range(5):
                for j in range(7):
                    expected = scores[b, h, i, j].item() - slopes[h] * abs(i + 4 - j)
                    assert changed[b, h, i, j].item() == pytest.approx(expected, abs=1e-14)


def t5_of_the_paper(ahead: int, num_buckets: int, max_distance: int, bidirectional: bool) -> int:
    """The bucket of key minus query; a share that is whole but for rounding counts as whole."""
    first = 0
    if bidirectional:
        num_buckets = num_buckets // 2
        if ahead > 0:
            first = num_buckets
        distance = abs(ahead)
    else:
        distance = -ahead if ahead < 0 else 0
    near = num_buckets // 2
    if distance < near:
        return first + distance
    share = math.log(distance / near) / math.log(max_distance / near) * (num_buckets - near)
    nearest = round(share)
    step = nearest if math.isclose(share, nearest, rel_tol=1e-9) else math.floor(share)
    return first + min(near + step, num_buckets - 1)


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("num_buckets", "max_distance"), [(32, 128), (4, 3), (6, 20), (10, 7), (64, 1000), (32, 17)])
def test_t5_buckets_are_the_formula(num_buckets: int, max_distance: int, bidirectional: bool) -> None:
    if max_distance <= (num_buckets // 4 if bidirectional else num_buckets // 2):
        pytest.skip("no room for logarithmic buckets")
    ahead = torch.arange(-300, 301)
    buckets = t5_buckets(-ahead, num_buckets=num_buckets, max_distance=max_distance, bidirectional=bidirectional)
    expected = [t5_of_the_paper(n, num_buckets, max_distance, bidirectional) for n in ahead.tolist()]
    assert buckets.tolist() == expected


def test_t5_buckets_that_look_both_ways_literally() -> None:
    """Both sides: 8 exact buckets, then from 8, 12, 16, 23, 32, 46, 64 and 91 on."""
    starts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]
    behind = t5_buckets(torch.arange(0, 400)).tolist()
    assert [behind.index(bucket) for bucket in range(16)] == starts
    assert behind == sorted(behind)
    assert behind[-1] == 15
    ahead = t5_buckets(-torch.arange(1, 400)).tolist()
    assert ahead == [bucket + 16 for bucket in behind[1:]]


def test_t5_buckets_that_look_back_literally() -> None:
    starts = [*range(16), 16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113]
    behind = t5_buckets(torch.arange(0, 400), bidirectional=False).tolist()
    assert [behind.index(bucket) for bucket in range(32)] == starts
    assert behind == sorted(behind)
    assert t5_buckets(-torch.arange(400), bidirectional=False).tolist() == [0] * 400


def test_t5_adds_the_number_of_the_bucket_and_head() -> None:
    table = numbers(6, 3, seed=9)
    mod = T5Buckets(3, table, num_buckets=6, max_distance=4, key_offset=2)
    scores, q, k = numbers(2, 3, 5, 7), numbers(2, 3, 5, 11), numbers(2, 3, 7, 11)
    changed = mod.on_scores(scores, q, k, 0.25)
    for b in range(2):
        for h in range(3):
            for i in range(5):
                for j in range(7):
                    bucket = t5_of_the_paper(j + 2 - i, 6, 4, True)
                    expected = scores[b, h, i, j] + table[bucket, h]
                    assert changed[b, h, i, j].item() == pytest.approx(expected.item(), abs=1e-14)


def test_t5_draws_one_table_a_seed() -> None:
    first, again, other = (T5Buckets(3, seed=seed).table for seed in (1, 1, 2))
    assert first is not None and again is not None and other is not None
    assert first.shape == (32, 3)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 0.7 < first.std().item() < 1.3


def test_t5_gradients_reach_the_table() -> None:
    """Two tokens look at each other: bucket 0 twice, 1 behind once, 17 ahead once."""
    table = torch.zeros(32, 2, requires_grad=True)
    zeros, x = torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2, 3)
    T5Buckets(2, table).on_scores(zeros, x, x, 1.0).sum().backward()
    assert table.grad is not None
    assert {b: n for b, n in enumerate(table.grad[:, 1].tolist()) if n} == {0: 2.0, 1: 1.0, 17: 1.0}


def test_wrong_input_is_named() -> None:
    scores, x = torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 4)
    with pytest.raises(ValueError, match="num_heads=0: allowed are whole numbers from 1"):
        ALiBi(0)
    with pytest.raises(ValueError, match="scores with 2 heads: allowed are 3"):
        ALiBi(3).on_scores(scores, x, x, 1.0)
    with pytest.raises(ValueError, match="scores with 2 heads: allowed are 3"):
        T5Buckets(3).on_scores(scores, x, x, 1.0)
    with pytest.raises(ValueError, match=r"table of shape \(3, 32\).*here \(32, 3\)"):
        T5Buckets(3, torch.zeros(3, 32))
    with pytest.raises(ValueError, match="num_buckets=5: allowed are even numbers"):
        T5Buckets(1, num_buckets=5)
    with pytest.raises(ValueError, match="num_buckets=2: allowed are whole numbers from 4"):
        T5Buckets(1, num_buckets=2)
    with pytest.raises(ValueError, match="num_buckets=1: allowed are whole numbers from 2"):
        T5Buckets(1, num_buckets=1, bidirectional=False)
    with pytest.raises(ValueError, match="max_distance=8: allowed are whole numbers from 9"):
        T5Buckets(1, max_distance=8)
