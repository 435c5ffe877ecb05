"""Random and nearly right input for every decoder. `python -m tests.fuzz.guided` searches further."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

SEEDS = seeds()


@st.composite
def nearly_right(draw: st.DrawFn, name: str) -> bytes:
    """A seed with a piece replaced, doubled, moved or cut away: what a careless or a hostile hand would write."""
    content = draw(st.sampled_from(SEEDS[name]))
    start = draw(st.integers(0, len(content)))
    end = min(len(content), start + draw(st.integers(0, 12)))
    odd = [b"", b"0", b"-1", b"9" * 30, b"NaN", b"\x00", b"\xff", b"(", b"&", b"[[", content[start:end] * 3]
    pieces = st.sampled_from(odd)
    return content[:start] + draw(pieces | st.binary(max_size=8)) + content[end:]


def test_every_seed_belongs_to_a_target() -> None:
    assert SEEDS.keys() == TARGETS.keys()


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_is_accepted(name: str) -> None:
    for content in SEEDS[name]:
        TARGETS[name](content)


@pytest.mark.parametrize("name", TARGETS)
def test_anything_is_read_or_refused(name: str) -> None:
    @given(st.binary(max_size=300) | st.text(max_size=200).map(lambda words: words.encode("utf-8", "surrogatepass")))
    @settings(max_examples=60)
    def run(content: bytes) -> None:
        TARGETS[name](content)

    run()


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_nearly_right_is_read_or_refused(name: str) -> None:
    @given(nearly_right(name))
    @settings(max_examples=100)
    def run(content: bytes) -> None:
        TARGETS[name](content)

    run()
