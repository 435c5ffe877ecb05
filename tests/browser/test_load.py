"""The visitors of `benchmarks.load` see what a browser sees, and notice what is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from attention_core import masks
from attention_core.experiment import Experiment
from benchmarks import load
from benchmarks.picture import Asked, Picture
from benchmarks.visitor import Failure, Visitor

WORDS = ("one", "two", "three", "four", "five")
ASKED = Asked(WORDS, 2, "Blocks")


def run(work: Coroutine[Any, Any, Any]) -> None:
    """In a thread of its own: Playwright's loop runs in this one as long as its browser is open."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, work).result()


def weights(text: str, heads: int, mask: masks.Mask) -> np.ndarray:
    return Experiment(text, num_heads=heads, d_model=12, mask=mask).run().heads.weights[0].numpy()


def shown(visitor: Visitor) -> np.ndarray:
    assert visitor.picture is not None
    return np.nan_to_num(visitor.picture.weights)


def test_a_visitor_sees_the_weights_that_were_asked_for(address: str) -> None:
    async def visit() -> None:
        visitor = Visitor(address, {"text": "one two three", "heads": "2", "width": "12"})
        await visitor.open()
        np.testing.assert_allclose(shown(visitor), weights("one two three", 2, masks.Full()), atol=1e-6)
        await visitor.change("c_heads", "3")
        await visitor.change("c_text", " ".join(WORDS))
        np.testing.assert_allclose(shown(visitor), weights(" ".join(WORDS), 3, masks.Full()), atol=1e-6)
        await visitor.change("c_mask", "Sliding window")
        np.testing.assert_allclose(shown(visitor), weights(" ".join(WORDS), 3, masks.Window(3)), atol=1e-6)
        assert visitor.picture is not None
        assert visitor.picture.wrong(Asked(WORDS, 3, "Sliding window")) is None
        assert visitor.picture.wrong(Asked(WORDS, 3)) == "the mask is not 'Everything visible'"
        assert Experiment.from_query(dict(part.split("=") for part in visitor.link.split("&"))).num_heads == 3
        with pytest.raises(Failure, match="no widget c_nothing"):
            await visitor.change("c_nothing", "3")
        # Back after a broken connection, with the session's id and the values of the widgets.
        before, session = shown(visitor), visitor.session
        await visitor.close()
        await visitor.reconnect()
        assert visitor.session == session
        np.testing.assert_array_equal(shown(visitor), before)
        await visitor.close()

    run(visit())


def test_large_numbers_are_asked_for_and_known_messages_are_referred_to(address: str) -> None:
    async def visit() -> None:
        words = tuple(f"w{number}" for number in range(120))
        visitor = Visitor(address, {"text": " ".join(words), "heads": "2", "width": "12"})
        await visitor.open()
        assert visitor.runs == 2, "more than 20,000 cells come when the panel has said that it is near the screen"
        assert visitor.picture is not None and visitor.picture.wrong(Asked(words, 2)) is None
        assert visitor.references > 3, "nothing but that panel has changed"
        await visitor.change("c_temperature", 2.0)
        wanted = Experiment(" ".join(words), num_heads=2, d_model=12, temperature=2.0).run().heads.weights[0].numpy()
        np.testing.assert_allclose(shown(visitor), wanted, atol=1e-6)
        await visitor.close()

    run(visit())


def test_a_class_is_served_without_failure(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(load.classes(address, os.getpid(), [3], 4.0, seed=1))
    columns, _, numbers = (line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines())
    found = dict(zip(columns, numbers, strict=True))
    assert found["failures"] == "0" and found["sessions"] == "3"
    assert 4 <= int(found["changes"]) <= 6
    assert 0 < float(found["p50 ms"]) <= float(found["p95 ms"]) <= float(found["p99 ms"])


def picture() -> Picture:
    allowed = np.broadcast_to(ASKED.allowed, (2, 5, 5))
    even = allowed / allowed.sum(axis=-1, keepdims=True)
    return Picture("p", np.where(allowed, even, np.nan).astype(np.float32), WORDS, WORDS)


def test_a_picture_as_it_was_asked_for_is_right() -> None:
    assert picture().wrong(ASKED) is None
    # Blocks of three among five words: the last block has two.
    assert json.dumps(ASKED.allowed.astype(int).tolist()[2:4]) == "[[1, 1, 1, 0, 0], [0, 0, 0, 1, 1]]"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: replace(p, rows=("one", "two", "three", "four", "six")), "tokens"),
        (lambda p: replace(p, weights=p.weights[:1]), r"shape \(1, 5, 5\) instead of \(2, 5, 5\)"),
        (lambda p: replace(p, weights=np.nan_to_num(p.weights)), "the mask is not 'Blocks'"),
        (lambda p: replace(p, weights=p.weights * np.float32(1.001)), "a row sums to 1.001"),
        (lambda p: replace(p, waiting=True), "no numbers"),
    ],
)
def test_what_is_wrong_is_noticed(change: Callable[[Picture], Picture], words: str) -> None:
    assert re.search(words, change(picture()).wrong(ASKED) or "")


def test_a_picture_of_a_long_text_is_held_against_its_groups() -> None:
    """Two tokens a cell, the last alone: labels name the first and the last of a group, a cell is the largest."""
    asked = Asked(("a", "b", "c", "d", "e"), 1)
    labels = ("a … b", "c … d", "e")
    found = Picture("p", np.full((1, 3, 3), 0.3, np.float32), labels, labels, by=2)
    assert found.wrong(asked) is None
    assert "tokens" in (replace(found, rows=("a … b", "c … x", "e")).wrong(asked) or "")
    assert "between" in (replace(found, weights=found.weights + 1).wrong(asked) or "")
    masked = replace(asked, mask="Blocks")  # groups see each other where any of their tokens do
    shown = np.where(np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]], bool), np.float32(0.3), np.nan)[None]
    assert replace(found, weights=shown.astype(np.float32)).wrong(masked) is None
    assert "mask" in (found.wrong(masked) or "")
