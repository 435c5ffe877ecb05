"""The made-up data of the trained models: each sample is right, and no sample is in two splits."""

from __future__ import annotations

from datetime import date
from random import Random

import pytest

from attention_core.trained import TASKS, coreference, dates, induction, task, translation
from attention_core.trained.batch import NOT_ASKED, SPLITS, split_of
from attention_core.trained.vocabulary import END, UnknownWords


@pytest.mark.parametrize("name", TASKS)
def test_no_sample_is_in_two_splits_and_a_seed_repeats_them(name: str) -> None:
    one = task(name)
    numbers = Random(3)
    keys = {split: set() for split in SPLITS}
    for _ in range(400):
        _, key = one.draw(numbers)
        keys[split_of(one.name, key)].add(key)
    assert all(keys.values()) and len(keys["train"]) > len(keys["held_out"])
    assert (
        not keys["train"] & keys["held_out"] | keys["train"] & keys["test"] | keys["held_out"] & keys["test"]
    )
    first, again, other = (one.batch("test", 7, seed) for seed in (5, 5, 6))
    assert (
        first.source.equal(again.source)
        and first.target.equal(again.target)
        and first.looks.equal(again.looks)
    )
    assert first.source.shape != other.source.shape or not first.source.equal(other.source)


def test_reversal_asks_for_the_letter_at_the_mirrored_place() -> None:
    batch = task("reversal").batch("train", 5)
    assert batch.target.equal(batch.source.flip(1))
    assert batch.looks[3].nonzero().tolist() == [[place, 9 - place] for place in range(10)]


def test_induction_asks_only_for_what_stood_there_before() -> None:
    batch = task("induction").batch("train", 9)
    asked = (batch.target != NOT_ASKED).nonzero().tolist()
    assert len(asked) > 9 * 8
    for row, place in asked:
        text = batch.source[row].tolist()
        before = text.index(text[place])
        assert before < place and text[before + 1] == int(batch.target[row, place]) == text[place + 1]
        assert batch.looks[row, place].nonzero().tolist() == [[before + 1]]


def test_coreference_has_two_kinds_and_an_adjective_that_fits_the_answer_alone() -> None:
    batch = task("coreference").batch("train", 40)
    kind = {noun: name for name, nouns in coreference.NOUNS.items() for noun in nouns}
    fits = {word: name for name, words in coreference.ADJECTIVES.items() for word in words}
    places = set()
    for row in range(40):
        words = task("coreference").words.decode(batch.source[row].tolist())
        nouns = [word for word in words if word in kind]
        (adjective,) = [word for word in words if word in fits]
        it = words.index("it")
        assert (batch.target[row] != NOT_ASKED).nonzero().tolist() == [[it]]
        answer = task("coreference").words.decode([int(batch.target[row, it])])[0]
        assert [noun for noun in nouns if kind[noun] == fits[adjective]] == [answer]
        assert batch.looks[row].nonzero().tolist() == [[it, words.index(answer)]]
        places.add(nouns.index(answer))
    assert places == {0, 1}


def test_a_translation_moves_its_words() -> None:
    one = task("translation")
    wanted = {
        "the sun rises in the east": "太阳 从 东方 升起",
        "the door of the house is beautiful": "房子 的 门 很 美",
        "the farmer sat on the bank to get cash": "农民 坐 在 银行 取款",
        "the farmer sat on the bank to swim": "农民 坐 在 河岸 游泳",
    }
    found = {}
    batch = one.batch("train", 3000)
    for row in range(3000):
        english = [word for word in one.words.decode(batch.source[row].tolist()) if word != "[pad]"]
        numbers = [number for number in batch.target[row].tolist() if number not in (NOT_ASKED, END)]
        found[" ".join(english)] = (" ".join(one.answers.decode(numbers)), batch.looks[row])
    seen = {text: found[text][0] for text in wanted if text in found}
    assert seen and seen == {text: wanted[text] for text in seen}
    for text, (chinese, looks) in found.items():
        words = text.split()
        if "yesterday" in words:
            assert chinese.split()[1] == "昨天" and looks[1].nonzero().tolist() == [
                [words.index("yesterday")]
            ]
    assert max(len(text.split()) for text in found) <= translation.LENGTH


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("D M Y", "3 january 2004"),
        ("M D, Y", "january 3, 2004"),
        ("D S Y", "3 jan 2004"),
        ("S D, Y", "jan 3, 2004"),
        ("D.N.Y", "3.1.2004"),
        ("Y/P/D", "2004/01/3"),
        ("W, D M Y", "saturday, 3 january 2004"),
        ("the T of M Y", "the 3rd of january 2004"),
    ],
)
def test_a_date_in_each_format(pattern: str, text: str) -> None:
    characters = dates.written_in(pattern, date(2004, 1, 3))
    assert "".join(character for character, _ in characters) == text
    assert "".join(character for character, field in characters if field == "year") == "2004"
    assert "".join(character for character, field in characters if field == "day") == "3"
    assert pattern in dates.FORMATS and len(dates.FORMATS) == 8


@pytest.mark.parametrize("name", TASKS)
def test_the_typed_examples_can_be_read(name: str) -> None:
    for text in task(name).inputs:
        words = task(name).read(text)
        assert all(word in task(name).words for word in words)


def test_an_unknown_word_is_named_with_what_is_known() -> None:
    with pytest.raises(UnknownWords, match=r"'dragon'.*allowed are .*animal") as found:
        task("coreference").read("the dragon flew near the dragon because it was tired")
    assert found.value.unknown == ("dragon", "flew")
    assert "street" in found.value.known and "..." not in str(found.value)
    with pytest.raises(UnknownWords, match=r"'8', \.\.\.: the model"):
        task("reversal").read("1234567890")


def test_full_stops_and_commas_are_no_words() -> None:
    for name, text in (("induction", "Moon, cat. moon,"), ("translation", "The girl, sat."), ("coreference", "It.")):
        assert task(name).read(text) == tuple(text.lower().replace(",", "").replace(".", "").split())


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("reversal", "abc", "3 letters"),
        ("induction", "ant " * 49, "49 words"),
        ("induction", "", "0 words"),
        ("coreference", "the dog was tired", "0 “it”"),
        ("translation", "the " * 17, "17 words"),
        ("dates", "1" * 33, "33 characters"),
    ],
)
def test_a_text_of_the_wrong_length_is_refused(name: str, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        task(name).read(text)


def test_episodes_fit_the_words() -> None:
    assert len(induction.WORDS.words) == 64 and induction.LENGTH == 48
    with pytest.raises(ValueError, match="split='all'"):
        task("induction").batch("all", 3)
    with pytest.raises(ValueError, match="count=0"):
        task("induction").batch("test", 0)
    with pytest.raises(ValueError, match="task='chess'"):
        task("chess")
