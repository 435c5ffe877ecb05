"""Limits of a public demo: named in the message, and checked before anything costs."""

from __future__ import annotations

import time
from typing import Any

import pytest

from attention_core.experiment import Experiment
from attention_core.limits import LimitError, Limits

SUN = "The sun rises in the east"


@pytest.mark.parametrize(
    ("limits", "changes", "limit", "value"),
    [
        ({"max_characters": 24}, {}, "max_characters", 25),
        ({"max_characters": 30}, {"mode": "cross", "source_text": "x" * 31}, "max_characters", 31),
        ({"max_tokens": 5}, {}, "max_tokens", 6),
        ({"max_tokens": 6}, {"mode": "cross", "source_text": "a b c d e f g"}, "max_tokens", 7),
        ({"max_heads": 3}, {}, "max_heads", 4),
        ({"max_d_model": 31}, {}, "max_d_model", 32),
        ({"max_d_k": 7}, {}, "max_d_k", 8),
        ({"max_d_k": 8}, {"d_k": 9}, "max_d_k", 9),
        ({"max_d_v": 8}, {"d_v": 10}, "max_d_v", 10),
        ({"max_numbers": 143}, {}, "max_numbers", 4 * 6 * 6),
        ({"max_numbers": 200}, {"score": "additive"}, "max_numbers", 4 * 6 * 6 * 8),
    ],
)
def test_each_limit(limits: dict[str, int], changes: dict[str, Any], limit: str, value: int) -> None:
    experiment = Experiment(SUN, **changes)
    with pytest.raises(LimitError) as caught:
        Limits(**limits).check(experiment)
    assert isinstance(caught.value, ValueError)
    assert (caught.value.limit, caught.value.value) == (limit, value)
    assert limit in str(caught.value) and f"{value:,}" in str(caught.value) and str(limits[limit]) in str(caught.value)
    Limits(**{limit: value}).check(experiment)  # exactly at the limit is allowed


def test_the_defaults_let_every_day_pass() -> None:
    Limits().check(Experiment(SUN))
    Limits().check(Experiment(" ".join(["word"] * 512), num_heads=16, d_model=1024))


def test_a_hundred_thousand_words_are_refused_in_milliseconds() -> None:
    text = "word " * 100_000
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        with pytest.raises(LimitError, match=r"characters in the text: 500,000: the limit here .* is 20,000"):
            Limits().check(Experiment(text))
        best = min(best, time.perf_counter() - start)
    assert best < 0.05


def test_a_source_text_counts_in_cross_mode_alone() -> None:
    Limits(max_characters=30).check(Experiment(SUN, source_text="x" * 40))


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "many"])
def test_limits_are_whole_numbers(wrong: Any) -> None:
    with pytest.raises(ValueError, match="max_tokens="):
        Limits(max_tokens=wrong)
