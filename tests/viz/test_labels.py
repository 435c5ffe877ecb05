"""Labels: every token visible, none of it markup, none longer than its place."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_viz import labels
from attention_viz.labels import (
    dim_title,
    escape,
    isolate,
    names,
    places,
    shorten,
    storable,
    text_width,
    tick,
    visible,
)

TEXTS = st.text(alphabet=st.characters(exclude_categories=[]), max_size=30)


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("cat", "cat"),
        ("猫", "猫"),
        ("don't", "don't"),
        ("New York", "New York"),
        (" the", "␣the"),
        ("the ", "the␣"),
        (" ", "␣"),
        ("  ", "␣␣"),
        ("\n", "↵"),
        ("a\nb", "a↵b"),
        ("\t", "⇥"),
        ("", "∅"),
        ("\u200b", "U+200B"),
        ("\x00", "U+0000"),
        ("\u00a0", "U+00A0"),
        ("\u3000", "U+3000"),
        ("\ufeff", "U+FEFF"),
        ("a\u202eb", "aU+202Eb"),  # would turn the rest of the line round
        ("\u3164", "U+3164"),  # a letter by its category, and blank
        ("\ud800", "U+D800"),
        ("\u0301", "◌\u0301"),
        ("e\u0301", "e\u0301"),
        ("👨‍👩‍👧", "👨‍👩‍👧"),  # joined by U+200D
        ("\u200d", "U+200D"),
        ("שלום", "שלום"),
    ],
)
def test_a_token_is_visible(token: str, shown: str) -> None:
    assert visible(token) == shown


@given(TEXTS)
def test_nothing_invisible_is_left(token: str) -> None:
    shown = visible(token)
    assert shown
    for char in shown:
        assert unicodedata.category(char) not in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
        assert unicodedata.category(char) != "Cf" or char in "\u200c\u200d"
    assert not shown[0].isspace() and not shown[-1].isspace()


def test_markup_and_formulas_are_letters() -> None:
    assert tick("<b>$x$</b>") == "&lt;b&gt;&#36;x&#36;&lt;/b&gt;"
    assert escape("&lt;") == "&amp;lt;"


@given(TEXTS)
def test_a_label_holds_no_markup(token: str) -> None:
    label = tick(token)
    assert not set(label) & set("<>$")
    # What follows an ampersand is one of ours.
    assert all(part.startswith(("amp;", "lt;", "gt;", "#36;")) for part in label.split("&")[1:])


@given(TEXTS, st.floats(1.0, 12.0))
def test_a_shortened_text_fits_and_begins_as_the_whole(text: str, limit: float) -> None:
    short = shorten(text, limit)
    assert text_width(short) <= max(limit, 1.0) + 0.6
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


def test_shortening_keeps_graphemes_whole() -> None:
    family = "👨‍👩‍👧"
    short = shorten(family * 9, 6.0)
    assert short == family * short.count(family) + "…"


def test_right_to_left_is_closed_off_and_the_rest_is_not_touched() -> None:
    assert isolate("שלום") == "\u2068שלום\u2069"
    assert isolate("مرحبا")[0] == "\u2068"
    assert isolate("cat") == "cat" and isolate("猫") == "猫"
    assert tick("שלום").startswith("\u2068") and tick("שלום").endswith("\u2069")


def test_equal_tokens_keep_a_label_each() -> None:
    assert names(("the", "the", "cat"), 3) == ["the", "the", "cat"]
    assert names((), 2) == ["1", "2"]  # as formulas count the numbers of a vector


@given(st.integers(1, 600), st.floats(0.2, 60), st.floats(5, 90), st.booleans())
def test_labels_never_overlap(count: int, pixels: float, needed: float, numbers: bool) -> None:
    chosen = places(count, pixels, needed, first=1 if numbers else None)
    assert chosen[0] >= 0 and chosen[-1] < count and len(chosen) <= 32
    assert numbers or chosen[0] == 0
    if numbers and len(chosen) > 1:  # the numbers that stand there, from 1, are round: the multiples of one step
        assert [at + 1 for at in chosen] == [(chosen[0] + 1) * time for time in range(1, len(chosen) + 1)]
    for one, next_ in pairwise(chosen):
        assert (next_ - one) * pixels >= needed - 1e-6


def test_labels_are_thinned_no_more_than_needed() -> None:
    assert places(32, 20, 13) == list(range(32))
    assert places(33, 20, 13) == list(range(0, 33, 2))
    assert places(12, 7, 13) == list(range(0, 12, 2))


@given(TEXTS)
def test_what_is_stored_can_be_stored(text: str) -> None:
    kept = storable(text)
    kept.encode()
    if not any("\ud800" <= char <= "\udfff" for char in text):
        assert kept == text


def test_dimensions_are_written_out() -> None:
    assert dim_title("heads*d_v") == "heads × d_v" and dim_title("query") == "query"


def test_few_long_tokens_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token may be 20,000 characters long, and thousands of short ones are remembered."""
    looked: list[str] = []
    unseen = labels._unseen
    monkeypatch.setattr(labels, "_unseen", lambda char: looked.append(char) or unseen(char))
    short, long = [f"-{number}" for number in range(100)], [f"-{number}" + "-" * 80 for number in range(100)]
    for token in [*short, *long]:
        visible(token)
    looked.clear()
    visible(short[0])
    visible(long[-1])
    assert looked == []
    visible(long[0])
    assert len(looked) > 80
