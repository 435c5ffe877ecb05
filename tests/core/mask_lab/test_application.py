"""Where a mask is applied: the article's numbers, nested loops, SDPA, and where the agreement ends."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from attention_core.mask_lab.application import (
    DTYPES,
    TOLERANCES,
    WAYS,
    apply_mask,
    compare_applications,
    refusal,
)
from attention_core.masks import Causal, Explicit, Mask
from tests.core.mask_examples import BATCH, EXAMPLES, HEADS, KEYS, QUERIES, grids, masks

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

ARTICLE = json.loads((Path(__file__).parents[2] / "data" / "self_attention_article.json").read_text(encoding="utf-8"))
ORDERS = ("article_order", "published_order")
BEFORE = ("before_inf", "before_1e9", "additive")
EMPTY_LAST = torch.tensor([[True, False], [False, False]])


def scores_and(mask: Mask, spread: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    scores = spread * torch.randn(BATCH, HEADS, QUERIES, KEYS, generator=generator, dtype=torch.float64)
    return scores, mask.materialize(BATCH, HEADS, QUERIES, KEYS)


# ---- the article


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("way", "name"),
    [
        ("after", "causal_masked_after_softmax"),
        ("after_renormalised", "causal_renormalised"),
        ("before_inf", "causal_masked_before_softmax"),
        ("before_1e9", "causal_masked_before_softmax"),
        ("additive", "causal_masked_before_softmax"),
    ],
)
def test_the_numbers_of_the_article(order: str, way: str, name: str) -> None:
    raw = torch.tensor(ARTICLE[order]["raw_scores"], dtype=torch.float64)
    scaled = raw / math.sqrt(2)  # d_k = 2
    allowed = Causal().materialize(1, 1, 6, 6)[0, 0]
    weights = apply_mask(scaled, allowed, way, dtype=torch.float64)
    expected = torch.tensor(ARTICLE[order][name], dtype=torch.float64)
    torch.testing.assert_close(weights, expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("order", ORDERS)
def test_the_lesson_of_the_article(order: str) -> None:
    """Four of the five agree, and cutting out afterwards loses what was on the future tokens."""
    raw = torch.tensor(ARTICLE[order]["raw_scores"])
    comparison = compare_applications(raw / math.sqrt(2), Causal().materialize(1, 1, 6, 6)[0, 0])
    assert comparison.agreeing == ("after_renormalised", *BEFORE)
    sums = comparison["after"].row_sums.tolist()
    weights = ARTICLE[order]["weights"]
    assert sums == pytest.approx([sum(weights[i][: i + 1]) for i in range(6)], abs=2e-6)
    assert comparison["after"].off_by == pytest.approx(1 - weights[0][0], abs=2e-6)
    assert comparison["before_inf"].off_by < 1e-6


# ---- by hand


def test_five_ways_by_hand() -> None:
    scores = torch.tensor([[0.2, 0.3, 0.5]], dtype=torch.float64).log()
    allowed = torch.tensor([[True, True, False]])
    found = {way: apply_mask(scores, allowed, way, dtype=torch.float64)[0].tolist() for way in WAYS}
    assert found["after"] == pytest.approx([0.2, 0.3, 0.0])
    for way in WAYS[1:]:
        assert found[way] == pytest.approx([0.4, 0.6, 0.0]), way
    # a bias of ln(1/5): the forbidden key counts a fifth, 0.1 beside 0.2 and 0.3
    soft = apply_mask(scores, allowed, "additive", dtype=torch.float64, bias=-math.log(5))[0].tolist()
    assert soft == pytest.approx([0.2 / 0.6, 0.3 / 0.6, 0.1 / 0.6])


def test_the_measurements_by_hand() -> None:
    scores = torch.tensor([[0.2, 0.3, 0.5], [0.1, 0.8, 0.1]], dtype=torch.float64).log()
    allowed = torch.tensor([[True, True, False], [True, True, True]])
    comparison = compare_applications(scores, allowed, dtype=torch.float64, bias=-math.log(5))
    after, soft = comparison["after"], comparison["additive"]
    assert after.row_sums.tolist() == pytest.approx([0.5, 1.0])
    assert after.off_by == pytest.approx(0.5)
    assert after.leak == 0.0
    assert after.difference == pytest.approx(0.3)  # 0.6 - 0.3
    assert not after.agrees
    assert soft.leak == pytest.approx(1 / 6)
    assert soft.difference == pytest.approx(1 / 6)
    assert soft.off_by < 1e-15
    assert soft.filled_with == pytest.approx(-math.log(5))
    assert comparison.agreeing == ("after_renormalised", "before_inf", "before_1e9")
    assert after.title.text() == "After the softmax, nothing else"
    one, other = WAYS.index("after"), WAYS.index("additive")
    assert comparison.distances[one, other].item() == pytest.approx(0.2)  # 0.5 - 0.3, and 1/3 - 0.2, 1/6
    assert torch.equal(comparison.distances, comparison.distances.T)


# ---- nested loops and SDPA


@given(masks)
def test_each_way_in_nested_loops(mask: Mask) -> None:
    scores, allowed = scores_and(mask)
    found = {way: apply_mask(scores, allowed, way, dtype=torch.float64) for way in WAYS}
    for b in range(BATCH):
        for h in range(HEADS):
            for i in range(QUERIES):
                row, seen = scores[b, h, i].tolist(), allowed[b, h, i].tolist()
                powers = [math.exp(s) for s in row]
                cut = [p / sum(powers) * s for p, s in zip(powers, seen, strict=True)]
                assert found["after"][b, h, i].tolist() == pytest.approx(cut)
                if not any(seen):
                    assert found["before_1e9"][b, h, i].tolist() == pytest.approx([1 / KEYS] * KEYS)
                    for way in ("after_renormalised", "before_inf", "additive"):
                        assert found[way][b, h, i].isnan().all(), way
                    continue
                for way in ("after_renormalised", *BEFORE):
                    expected = [c / sum(cut) for c in cut]
                    assert found[way][b, h, i].tolist() == pytest.approx(expected), way


@given(masks, st.sampled_from([torch.float64, torch.float32]), st.sampled_from([0.1, 1.0, 5.0]))
def test_against_sdpa(mask: Mask, dtype: torch.dtype, spread: float) -> None:
    """With the identity for values, scaled_dot_product_attention gives its weights."""
    scores, allowed = scores_and(mask, spread)
    eye = torch.eye(KEYS, dtype=dtype).expand(BATCH, HEADS, KEYS, KEYS)
    theirs = F.scaled_dot_product_attention(scores.to(dtype), eye, eye, attn_mask=allowed, scale=1.0)
    comparison = compare_applications(scores, allowed, dtype=dtype)
    left = comparison.something_left
    torch.testing.assert_close(comparison.reference.to(dtype), theirs, atol=2e-6, rtol=0)
    for way in comparison.agreeing:
        torch.testing.assert_close(comparison[way].weights[left], theirs[left], atol=2e-6, rtol=0)
    if left.any():
        assert {"after_renormalised", *BEFORE} <= set(comparison.agreeing)
    blind = ~left
    assert (comparison["after"].weights[blind] == 0).all()
    assert comparison["before_inf"].weights[blind].isnan().all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mask", EXAMPLES, ids=str)
def test_what_agrees_in_every_dtype(mask: Mask, dtype: torch.dtype) -> None:
    scores, allowed = scores_and(mask)
    comparison = compare_applications(scores, allowed, dtype=dtype)
    left = bool(comparison.something_left.any())
    for application in comparison.ways:
        assert application.weights.dtype == dtype
        if application.way != "after":
            assert application.agrees is (True if left else None), application.way
            assert application.off_by <= comparison.tolerance
            assert application.leak == 0.0
    closed = (comparison.something_left.unsqueeze(-1) & ~allowed).any()
    assert comparison["after"].agrees is ((not closed) if left else None)


@given(grids(5, 7), st.sampled_from(DTYPES))
def test_rows_that_sum_to_less(mask: Explicit, dtype: torch.dtype) -> None:
    scores, allowed = scores_and(mask)
    comparison = compare_applications(scores, allowed, dtype=dtype)
    lost = (torch.softmax(scores, dim=-1) * ~allowed).sum(-1)[comparison.something_left]
    expected = float(lost.max()) if lost.numel() else 0.0
    assert comparison["after"].off_by == pytest.approx(expected, abs=2 * TOLERANCES[dtype])


def test_tolerances_hold_at_512_keys() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = 3 * torch.randn(64, 512, generator=generator, dtype=torch.float64)
    allowed = torch.rand(64, 512, generator=generator) < 0.5
    for dtype in DTYPES:
        agreeing = compare_applications(scores, allowed, dtype=dtype).agreeing
        assert agreeing == ("after_renormalised", *BEFORE), dtype


# ---- -1e9 and a row with nothing left, in each dtype


@pytest.mark.parametrize(
    ("dtype", "replaced", "added"),
    [
        (torch.float64, "uniform", "unmasked"),
        (torch.float32, "uniform", "uniform"),
        (torch.bfloat16, "uniform", "uniform"),
        (torch.float16, "nan", "nan"),
    ],
)
def test_minus_1e9_in_an_empty_row(dtype: torch.dtype, replaced: str, added: str) -> None:
    scores = torch.tensor([[1.0, 2.0], [0.0, 3.0]])
    comparison = compare_applications(scores, EMPTY_LAST, dtype=dtype, bias=-1e9)
    assert comparison["before_1e9"].empty == replaced
    assert comparison["additive"].empty == added
    assert comparison["before_inf"].empty == "nan"
    assert comparison["after_renormalised"].empty == "nan"
    assert comparison["after"].empty == "zeros"
    assert comparison["before_1e9"].filled_with == (
        -math.inf if dtype == torch.float16 else pytest.approx(-1e9, rel=0.01)
    )


def test_masked_fill_refuses_minus_1e9_in_float16_alone() -> None:
    for dtype in DTYPES:
        refused = refusal(dtype)
        assert (refused is not None) is (dtype == torch.float16)
        again = compare_applications(torch.zeros(2, 2), EMPTY_LAST, dtype=dtype)["before_1e9"].refused
        assert again == refused
    assert "overflow" in str(refusal(torch.float16))
    assert refusal(torch.float16, -1e4) is None
    assert compare_applications(torch.zeros(2, 2), EMPTY_LAST)["after"].refused is None


def test_no_empty_row_no_verdict() -> None:
    comparison = compare_applications(torch.zeros(2, 2), torch.ones(2, 2).tril().bool())
    assert all(application.empty is None for application in comparison.ways)


def test_nothing_left_anywhere_means_no_agreement_and_no_disagreement() -> None:
    comparison = compare_applications(torch.zeros(2, 2), torch.zeros(2, 2).bool())
    assert all(application.agrees is None for application in comparison.ways)
    assert comparison.agreeing == ()


# ---- what goes in


def test_a_mask_that_broadcasts() -> None:
    scores = torch.zeros(2, 3, 4, 5)
    comparison = compare_applications(scores, torch.tensor([True, False, True, True, False]))
    assert comparison["before_inf"].weights[1, 2, 3].tolist() == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3, 0])


def test_nothing_is_written_to() -> None:
    scores, allowed = scores_and(Causal())
    copies = scores.clone(), allowed.clone()
    compare_applications(scores, allowed)
    assert torch.equal(scores, copies[0])
    assert torch.equal(allowed, copies[1])


def test_what_is_refused() -> None:
    scores, allowed = torch.zeros(2, 3), torch.ones(2, 3).bool()
    with pytest.raises(ValueError, match=r"way='during': allowed are after, after_renormalised"):
        apply_mask(scores, allowed, "during")
    with pytest.raises(ValueError, match=r"dtype=torch.int64: allowed are torch.float64"):
        apply_mask(scores, allowed, "after", dtype=torch.int64)
    for bias in (1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"bias=.*: allowed are numbers up to 0, and -inf"):
            apply_mask(scores, allowed, "additive", bias=bias)
    with pytest.raises(ValueError, match=r"the mask has dtype torch.int64"):
        apply_mask(scores, allowed.long(), "after")
    with pytest.raises(ValueError, match=r"the mask has shape \(2, 4\)"):
        apply_mask(scores, torch.ones(2, 4).bool(), "after")
    with pytest.raises(ValueError, match=r"scores have shape \(3,\)"):
        apply_mask(scores[0], allowed[0], "after")
    with pytest.raises(KeyError, match="no way of applying a mask"):
        compare_applications(scores, allowed)["during"]
