"""Caches are bounded by bytes, keys included, whatever a visitor makes them remember."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from attention_core.experiment import Experiment
from attention_core.masks import Explicit
from attention_core.remembered import Remembered, bytes_of, remembered

ROOT = Path(__file__).resolve().parents[2]
# What may count entries instead: keys and results are small, however large a text or a trace is.
SMALL = {
    "attention_core/experiment/hand_built.py": 3,  # numbers
    "attention_core/lessons/article.py": 1,  # two traces of one known text
    "attention_core/lessons/scale.py": 3,  # numbers; 16 draws of half a megabyte
    "attention_core/modules/multi_head.py": 1,  # names of positions, by their number
    "attention_viz/labels.py": 2,  # texts of 64 characters, and 32 others
    "attention_viz/mosaic.py": 1,  # numbers
    "playground/pretrained/policy.py": 1,  # one word for each model that is offered
}


def test_the_bytes_of_a_value() -> None:
    text = "x" * 10_000
    assert 10_000 < bytes_of(text) < 10_100
    assert bytes_of([text, text]) < 10_300  # the same one twice
    assert 40_000 < bytes_of({"key": "ä好" * 5000 + text}) < 40_500  # two bytes a character
    matrix = torch.zeros(100, 100)
    assert 40_000 < bytes_of((matrix, matrix[:3], matrix.T)) < 41_000  # views share their storage
    assert 40_000 < bytes_of(torch.nn.Linear(100, 100, bias=False)) < 42_000
    words = "w " * 200
    painted = bytes_of(Experiment(words, mask=Explicit(tuple(f"{row:0200b}" for row in range(200)))))
    assert 200 * 200 < painted - bytes_of(Experiment(words)) < 200 * (200 + 70)  # a byte a cell

    @dataclass(frozen=True, slots=True)
    class Slots:
        held: str

    assert bytes_of(Slots(text)) > 10_000


def test_no_more_than_its_budget_and_the_oldest_go_first() -> None:
    store = Remembered(35_000)
    for key in "abc":
        store.keep(key, key * 10_000)
    assert store.find("a") == "a" * 10_000  # so that b was asked for longest ago
    store.keep("d", "d" * 10_000)
    assert [store.find(key) is not None for key in "abcd"] == [True, False, True, True]
    assert 30_000 < store.used < 35_000 and len(store) == 3
    store.keep("large", "x" * 40_000)
    assert store.find("large") is None and len(store) == 3  # and nobody had to go for it


def test_keys_count() -> None:
    """As of a painted mask, whose result is a short text."""
    asked: list[str] = []

    @remembered(50_000)
    def length(text: str) -> int:
        asked.append(text[:1])
        return len(text)

    for letter in "abcdefgh":
        assert length(letter * 20_000) == 20_000
    assert length.store.used <= 50_000 and len(length.store) == 2  # type: ignore[attr-defined]
    length("h" * 20_000)
    length("a" * 20_000)
    assert "".join(asked) == "abcdefgha"


def test_a_fault_is_not_remembered() -> None:
    @remembered(1000)
    def refuse(number: int) -> int:
        raise ValueError(number)

    for _ in range(2):
        with pytest.raises(ValueError):
            refuse(1)
    assert len(refuse.store) == 0  # type: ignore[attr-defined]


def test_many_threads_at_once() -> None:
    store = Remembered(8_000)

    def work(name: str) -> None:
        for number in range(300):
            store.keep((name, number % 20), name * 500)
            assert store.find((name, number % 20)) in (None, name * 500)

    threads = [threading.Thread(target=work, args=[name]) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.used == sum(size for _, size in store._values.values()) <= 8_000


def test_every_cache_that_counts_entries_is_known_to_be_small() -> None:
    found = {
        str(path.relative_to(ROOT)): len(re.findall(r"\blru_cache\(", path.read_text()))
        for folder in ("attention_core", "attention_viz", "playground", "pages")
        for path in (ROOT / folder).rglob("*.py")
    }
    found.pop("attention_core/remembered.py")
    assert {path: count for path, count in found.items() if count} == SMALL
