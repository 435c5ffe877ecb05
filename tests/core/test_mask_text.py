"""Masks as text for links: every mask survives the trip, no text does harm."""

from __future__ import annotations

import base64
import random
import re
import time
import urllib.parse
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_core.masks import (
    And,
    Blocks,
    Causal,
    Dilated,
    Documents,
    Explicit,
    Full,
    Global,
    Mask,
    Not,
    Or,
    Padding,
    Prefix,
    Window,
)
from attention_core.masks.text import MAX_TEXT, format_mask, parse_mask
from tests.core.mask_examples import EXAMPLES, endless, grids, masks, nested


def painted(queries: int, keys: int, seed: int = 0) -> Explicit:
    """Coin flips: nothing that could be compressed."""
    coin = random.Random(seed)
    return Explicit(tuple(tuple(coin.random() < 0.5 for _ in range(keys)) for _ in range(queries)))


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (Full(), "full"),
        (Causal(), "causal"),
        (Causal(2), "causal-2"),
        (Causal(-2), "causal--2"),
        (Window(3), "window-3"),
        (Dilated(3, 2), "dilated-3-2"),
        (Blocks(4), "blocks-4"),
        (Prefix(0), "prefix-0"),
        (Padding((5,)), "padding-5"),
        (Padding((5, 7)), "padding-5-7"),
        (Documents((0, 0, 1)), "documents-0-0-1"),
        (Documents((3, 3, 3, 3, 1, 1, 3)), "documents-3x4-1-1-3"),
        (Global((4, 0)), "global-0-4"),
        (Explicit(("x.", "xx")), "explicit-2x2-bsA"),  # 1011 0000 is byte b0, sA in base64
        (Explicit(("x" * 9,)), "explicit-1x9-b_4A"),  # 1111 1111 1000 0000
        (~Causal(), "not.causal"),
        (Not(Not(Causal())), "not.not.causal"),
        (Causal() & Window(3), "causal.and.window-3"),
        (Causal() | Prefix(2), "causal.or.prefix-2"),
        (Causal() & Window(3) | Prefix(2), "causal.and.window-3.or.prefix-2"),
        (Causal() & (Window(3) | Prefix(2)), "causal.and.begin.window-3.or.prefix-2.end"),
        (~(Causal() & Window(3)), "not.begin.causal.and.window-3.end"),
        (~Causal() & Window(3), "not.causal.and.window-3"),
    ],
)
def test_the_text_of_a_mask(mask: Mask, text: str) -> None:
    assert format_mask(mask) == text
    assert parse_mask(text) == mask


@pytest.mark.parametrize("mask", EXAMPLES, ids=str)
def test_examples_survive_the_trip(mask: Mask) -> None:
    assert parse_mask(format_mask(mask)) == mask


@given(masks)
def test_random_combinations_survive_the_trip(mask: Mask) -> None:
    text = format_mask(mask)
    assert parse_mask(text) == mask
    assert format_mask(parse_mask(text)) == text


@given(nested(endless | st.tuples(st.integers(1, 20), st.integers(1, 20)).flatmap(lambda size: grids(*size))))
def test_the_text_needs_no_escapes_in_any_url(mask: Mask) -> None:
    text = format_mask(mask)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", text)
    assert urllib.parse.quote(text, safe="") == text
    assert urllib.parse.urlencode({"mask": text}) == f"mask={text}"
    assert parse_mask(text) == mask


def test_brackets_that_are_not_needed_are_read() -> None:
    assert parse_mask("begin.begin.causal.end.and.begin.window-3.end.end") == Causal() & Window(3)
    assert parse_mask("begin.causal.and.window-3.end.or.prefix-2") == (Causal() & Window(3)) | Prefix(2)
    assert parse_mask("causal-0") == Causal()


def test_and_binds_tighter_than_or_and_not_tighter_than_and() -> None:
    assert parse_mask("causal.or.full.and.prefix-1") == Or((Causal(), And((Full(), Prefix(1)))))
    assert parse_mask("not.causal.and.full") == And((Not(Causal()), Full()))


# ---- short


def test_a_painted_mask_of_64_tokens_fits_into_a_link() -> None:
    assert len(format_mask(painted(64, 64))) < 700
    assert parse_mask(format_mask(painted(64, 64))) == painted(64, 64)


def test_a_painted_mask_with_a_pattern_is_shorter_still() -> None:
    for mask in (Causal(), Window(5), Blocks(8), ~Full()):
        drawn = Explicit.from_tensor(mask.materialize(1, 1, 64, 64)[0, 0])
        text = format_mask(drawn)
        assert text.startswith("explicit-64x64-z")
        assert len(text) < 250
        assert parse_mask(text) == drawn


def test_packed_documents_are_short() -> None:
    mask = Documents((0,) * 2000 + (1,) * 2096)
    assert format_mask(mask) == "documents-0x2000-1x2096"
    assert parse_mask(format_mask(mask)) == mask


def test_the_largest_masks() -> None:
    largest = painted(512, 512)
    assert parse_mask(format_mask(largest)) == largest
    with pytest.raises(ValueError, match=r"the text of the mask has .* characters: allowed are at most"):
        format_mask(largest & painted(512, 512, seed=1))


@pytest.mark.parametrize(("queries", "keys"), [(1, 512), (512, 1), (7, 11), (8, 8), (1, 1), (2, 3)])
def test_rows_and_columns_are_not_mixed_up(queries: int, keys: int) -> None:
    mask = painted(queries, keys)
    assert parse_mask(format_mask(mask)) == mask


# ---- hostile


def deflated(data: bytes) -> str:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.urlsafe_b64encode(deflate.compress(data) + deflate.flush()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        " ",
        "causal ",
        " causal",
        "Causal",
        "causal.",
        ".causal",
        "causal..and.full",
        "sideways",
        "and",
        "or",
        "not",
        "begin",
        "end",
        "begin.end",
        "begin.causal",
        "causal.end",
        "begin.causal.end.end",
        "causal.and",
        "and.causal",
        "causal.window-3",
        "causal.not.window-3",
        "causal.and.and.full",
        "not.and.causal",
        "full-1",
        "full-",
        "causal-",
        "causal-x",
        "causal---1",
        "causal-+1",
        "causal-1-2",
        "causal-1.5",
        "window",
        "window-",
        "window-0",
        "window--3",
        "window-3-",
        "window-3-4",
        "window-³",
        "window-３",
        "window- 3",
        "window-1_0",
        "window-1e3",
        "window-10000000",
        "window-99999999999999999999",
        "dilated-3",
        "dilated-3-0",
        "dilated-1-2-3",
        "blocks-0",
        "prefix--1",
        "padding",
        "padding-",
        "padding-1--2",
        "documents",
        "documents-",
        "documents-0x",
        "documents-x3",
        "documents-0x0",
        "documents-0x0-1",
        "documents-0x4097",
        "documents-0x9999999-1",
        "documents-0x3x3",
        "documents--1",
        "global",
        "global-",
        "global--1",
        "explicit",
        "explicit-",
        "explicit-2x2",
        "explicit-2x2-",
        "explicit-2x2-b",
        "explicit-2x2-sA",
        "explicit-2x2-csA",
        "explicit-2x2-bsB",
        "explicit-2x2-bsAA",
        "explicit-2x2-bsAAA",
        "explicit-2x2-b!!",
        "explicit-0x2-bsA",
        "explicit-2x0-bsA",
        "explicit-513x1-bsA",
        "explicit-999x999-bsA",
        "explicit-2x2x2-bsA",
        "explicit--2x2-bsA",
        "explicit-2x2-bA",
        "explicit-2x2-z",
        "explicit-2x2-zAAAA",
        "explicit-2x2-z____",
        "explicit-2x2-z" + deflated(b""),
        "explicit-2x2-z" + deflated(b"\xb0\x00"),
        "explicit-2x2-z" + deflated(b"\xb1"),
        "explicit-2x2-z" + deflated(b"\xb0") + "AAAA",
        "explicit-512x512-z" + deflated(bytes(40_000_000)),
        "__import__('os')",
        "Causal()",
        "causal&window(3)",
        "mask%2Ecausal",
        "causal\n",
        "causal\x00",
        "\ud800",
        "🙂",
        "é",
        "causal,full",
        "<script>",
        "../../x",
        "not." * 15 + "not.causal",
    ],
)
def test_a_text_that_is_no_mask_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"allowed|damaged") as raised:
        parse_mask(text)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    "text",
    [
        "not." * 16_000 + "causal",
        "begin." * 10_000 + "causal",
        "begin." * 5_000 + "causal" + ".end" * 5_000,
        "not.begin." * 6_000 + "causal",
        ".and.".join(["causal"] * 5_000),
        ".or.".join(["window-3"] * 4_000),
        "documents-" + "-".join(["0x4096"] * 9_000),
        "padding-" + "-".join(["1"] * 30_000),
        "global-" + "1" * 65_000,
        "causal-" + "9" * 65_000,
        "explicit-512x512-b" + "A" * 65_000,
        "explicit-512x512-z" + deflated(random.Random(0).randbytes(40_000)),
        "-" * 65_000,
        "." * 65_000,
        "a" * 65_536,
        "a" * 65_537,
        "causal" * 1_000_000,
    ],
)
def test_a_large_text_is_refused_quickly(text: str) -> None:
    before = time.process_time()
    with pytest.raises(ValueError) as raised:
        parse_mask(text)
    assert time.process_time() - before < 2
    assert len(str(raised.value)) < 400


def test_runs_are_counted_before_they_are_written_out() -> None:
    with pytest.raises(ValueError, match=r"ids: 1000000 or more of them: allowed are at most 4096"):
        parse_mask("documents-0x1000000")
    with pytest.raises(ValueError, match=r"ids: 4097 or more of them: allowed are at most 4096"):
        parse_mask("documents-0x4096-1-1")


def test_the_limit_is_on_what_is_read_too() -> None:
    with pytest.raises(ValueError, match=f"characters: allowed are at most {MAX_TEXT}"):
        parse_mask("a" * (MAX_TEXT + 1))


WORDS = [
    "causal",
    "window",
    "full",
    "not",
    "and",
    "or",
    "begin",
    "end",
    "explicit",
    "documents",
    "global",
    "dilated",
    "2x2",
    "0x3",
    "b",
    "z",
    "-",
    "-",
    ".",
    ".",
    ".",
    "1",
    "3",
    "sA",
    "_",
    "\x00",
    "٣",
    " ",
]


@given(st.one_of(st.text(), st.lists(st.sampled_from(WORDS)).map("".join)))
def test_any_text_is_a_mask_or_a_value_error(text: str) -> None:
    try:
        mask = parse_mask(text)
    except ValueError:
        return
    assert parse_mask(format_mask(mask)) == mask


@given(masks, st.data())
def test_a_damaged_text_is_a_mask_or_a_value_error(mask: Mask, data: st.DataObject) -> None:
    text = format_mask(mask)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(["", "-", ".", "x", "9", "A", "%"]))
    try:
        parse_mask(text[:at] + other + text[at + 1 :])
    except ValueError:
        return


def test_a_mask_of_ones_own_has_no_text() -> None:
    class Wide(Window):
        """It would come back as something else."""

    for mask in (Wide(3), ~Wide(3), Causal() & Wide(3)):
        with pytest.raises(ValueError, match=r"allowed are the masks of attention_core\.masks"):
            format_mask(mask)
