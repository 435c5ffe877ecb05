"""Where the ways stop agreeing: each sentence of the cases, checked against the numbers it was computed with."""

from __future__ import annotations

import math

import pytest
import torch

from attention_core.mask_lab.endings import Ending, endings

CASES = {ending.key: ending for ending in endings()}


def empty(case: str) -> dict[str, str | None]:
    return {application.way: application.empty for application in CASES[case].comparison.ways}


def test_nothing_left() -> None:
    assert empty("empty") == {
        "after": "zeros",
        "after_renormalised": "nan",
        "before_inf": "nan",
        "before_1e9": "uniform",
        "additive": "nan",
    }


def test_minus_1e9_in_float16() -> None:
    case = CASES["half"].comparison
    assert case.dtype == torch.float16
    assert empty("half")["before_1e9"] == empty("half")["additive"] == "nan"
    assert case["before_1e9"].refused == "value cannot be converted to type c10::Half without overflow"
    assert case["before_1e9"].filled_with == -math.inf
    assert empty("empty")["before_1e9"] == "uniform"  # in float32


@pytest.mark.parametrize("case", ["underflow", "half_underflow"])
def test_what_remains_was_too_small_to_show(case: str) -> None:
    comparison = CASES[case].comparison
    assert comparison["after"].weights.tolist() == [[0.0, 0.0, 0.0]]
    assert comparison["after_renormalised"].weights.isnan().all()
    assert math.isnan(comparison["after_renormalised"].difference)
    assert comparison.agreeing == ("before_inf", "before_1e9", "additive")
    first, second, _ = CASES[case].scores[0].tolist()
    expected = 1 / (1 + math.exp(first - second))
    assert comparison["before_inf"].weights[0, 1].item() == pytest.approx(expected, rel=1e-3)


def test_the_gaps_are_as_small_as_the_sentences_say() -> None:
    """A weight of half the smallest number is rounded to 0: e^-18 is in float16, and e^-17 is not."""
    smallest = 2.0**-24
    assert math.exp(-18) < smallest / 2 < math.exp(-17)
    assert smallest / 2 == pytest.approx(0.00000003, rel=0.01)
    weights = torch.softmax(torch.tensor([0.0, 17.0], dtype=torch.float16), dim=-1)
    assert weights[0] > 0
    weights = torch.softmax(torch.tensor([0.0, 18.0], dtype=torch.float16), dim=-1)
    assert weights[0] == 0


def test_a_bias_that_is_too_weak() -> None:
    soft = CASES["weak"].comparison["additive"]
    powers = [math.exp(0), math.exp(1), math.exp(13 - 10)]
    assert soft.weights[0].tolist() == pytest.approx([p / sum(powers) for p in powers])
    assert soft.leak > 0.5
    assert not soft.agrees
    assert soft.off_by < 1e-6


def test_a_bias_that_cancels() -> None:
    comparison = CASES["absorbed"].comparison
    assert comparison.dtype == torch.float64
    assert comparison["additive"].empty == "unmasked"
    powers = [1.0, math.e, math.e**2]
    weights = comparison["additive"].weights[0].tolist()
    assert weights == pytest.approx([p / sum(powers) for p in powers], rel=1e-6)


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.key)
def test_every_case_has_its_words(case: Ending) -> None:
    assert case.sentence.text().endswith(".")
    assert case.scores.shape == case.allowed.shape == (1, 3)
