"""Limits of a public demo: named in the message, and checked before anything costs."""

from __future__ import annotations

import time
from typing import Any

import pytest

from attention_core.experiment import Experiment, description
from attention_core.limits import COUNTED, LimitError, Limits
from attention_core.masks import Explicit
from attention_core.tokens.bpe import Bpe

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


@pytest.mark.parametrize("tokenizer", ["word", "character", "byte", "bpe"])
def test_a_refused_text_is_not_cut_into_tokens(tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends one after the other must not keep the machine busy: it costs what the tokens counted cost."""
    merged = 0
    merge = Bpe._merge

    def counting(bpe: Bpe, piece: bytes) -> list[bytes]:
        nonlocal merged
        merged += len(piece)
        return merge(bpe, piece)

    monkeypatch.setattr(Bpe, "_merge", counting)
    monkeypatch.setattr(description, "tokenize", lambda *_: pytest.fail("the text was cut into tokens"))
    text = "".join(f"q{number:x}z " for number in range(6000))  # no number comes twice
    limits = Limits(max_tokens=100, max_characters=10**6)
    with pytest.raises(LimitError) as caught:
        limits.check(Experiment(text, tokenizer=tokenizer))
    assert (caught.value.limit, caught.value.value) == ("max_tokens", 100 * COUNTED)
    assert str(caught.value) == "tokens in the text: more than 400: the limit here (max_tokens) is 100"
    # 4,096 tokens are looked at when it is made and 400 when it is checked, of at least 1 and mostly 2 bytes each.
    assert merged < 15_000
    with pytest.raises(LimitError, match="tokens in the source text: more than 400"):
        limits.check(Experiment("a", text, mode="cross", tokenizer=tokenizer))


def test_a_painted_mask_does_not_make_a_refused_text_dear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(description, "tokenize", lambda *_: pytest.fail("the text was cut into tokens"))
    for more in ({"mask": Explicit(("11", "11"))}, {"embedding": "one_hot", "d_model": 1024}):
        with pytest.raises(LimitError, match="more than 2,048"):
            Limits().check(Experiment("a " * 9_000, tokenizer="bpe", **more))  # type: ignore[arg-type]


def test_a_number_of_tokens_near_the_limit_is_said_exactly() -> None:
    with pytest.raises(LimitError, match=r"tokens in the text: 600: the limit here \(max_tokens\) is 512"):
        Limits().check(Experiment("w " * 600))


def test_a_source_text_counts_in_cross_mode_alone() -> None:
    Limits(max_characters=30).check(Experiment(SUN, source_text="x" * 40))


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "many"])
def test_limits_are_whole_numbers(wrong: Any) -> None:
    with pytest.raises(ValueError, match="max_tokens="):
        Limits(max_tokens=wrong)
