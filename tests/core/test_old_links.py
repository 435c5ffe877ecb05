"""Links that people have sent each other: they open what they opened when they were made. Add, never change."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from attention_core.experiment import Experiment
from attention_core.masks import Full
from tests.conftest import ROOT

LINKS: list[dict[str, Any]] = json.loads((ROOT / "tests" / "data" / "links.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("old", LINKS, ids=[entry["link"][:60] for entry in LINKS])
def test_an_old_link_opens_what_it_did(old: dict[str, Any]) -> None:
    found, problems = Experiment.read_query(dict(parse_qsl(old["link"])))
    assert problems == () and found is not None
    assert replace(found, mask=Full()) == Experiment(**old["experiment"])
    assert (str(found.mask) if found.mask != Full() else None) == old.get("mask")


@pytest.mark.parametrize("old", LINKS, ids=[entry["link"][:60] for entry in LINKS])
def test_a_link_is_still_written_as_it_was(old: dict[str, Any]) -> None:
    found = Experiment.from_query(dict(parse_qsl(old["link"])))
    assert urlencode(found.to_query()) == (old["link"] if old["link"].startswith("v=") else f"v=1&{old['link']}")


def test_a_link_of_a_later_version_says_so() -> None:
    with pytest.raises(ValueError, match="v="):
        Experiment.from_query({"v": "2", "text": "a b"})


def test_a_link_fits_a_chat_message() -> None:
    """64 tokens with a painted 64 x 64 mask is the longest that people will make by hand."""
    from attention_core.masks import Explicit

    words = " ".join(f"word{number}" for number in range(64))
    painted = Explicit(tuple(tuple((i * 7 + j * 13) % 5 > 1 for j in range(64)) for i in range(64)))
    assert len(urlencode(Experiment(words, mask=painted).to_query())) < 2000
    assert len(urlencode(Experiment("The cat sat on the mat", mode="causal", num_heads=8).to_query())) < 70
