"""Experiments in addresses and JSON: what goes out comes back, nonsense is only ever refused."""

from __future__ import annotations

import base64
import json
import tracemalloc
import zlib
from dataclasses import fields
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_core.embeddings import EMBEDDINGS
from attention_core.experiment import MODES, Experiment, ExperimentError
from attention_core.experiment.recipes import SCORES, WEIGHTS
from attention_core.experiment.text import QUERY_NAMES, read_query
from attention_core.masks import (
    Blocks,
    Causal,
    Dilated,
    Documents,
    Explicit,
    Full,
    Global,
    Mask,
    Padding,
    Prefix,
    Window,
)
from attention_core.positions import POSITIONS
from attention_core.tokens import TOKENIZERS

SUN = "The sun rises in the east"


def masks() -> st.SearchStrategy[Mask]:
    small = st.integers(1, 9)
    simple = st.one_of(
        st.just(Full()),
        st.integers(-9, 9).map(Causal),
        small.map(Window),
        st.builds(Dilated, small, small),
        small.map(Blocks),
        st.integers(0, 9).map(Prefix),
        small.map(lambda n: Padding((n,))),
        st.lists(st.integers(0, 9), min_size=1, max_size=5).map(lambda ids: Documents(tuple(ids))),
        st.sets(st.integers(0, 9), min_size=1, max_size=3).map(lambda at: Global(tuple(sorted(at)))),
    )
    return st.recursive(
        simple,
        lambda inner: st.one_of(inner.map(lambda m: ~m), st.tuples(inner, inner).map(lambda p: p[0] & p[1]),
                                st.tuples(inner, inner).map(lambda p: p[0] | p[1])),
        max_leaves=4,
    )  # fmt: skip


TEXTS = st.one_of(
    st.text(min_size=1, max_size=30),
    st.sampled_from(
        [
            "你好,世界",
            "👩‍👩‍👧 family 🇨🇭",
            "مرحبا بالعالم",
            "a&b=c#d?e+f%20g",
            "<b>$x$</b> \\ \" '",
            "x" * 500,
            "界" * 300,
        ]
    ),
)


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    heads = draw(st.integers(1, 6))
    values: dict[str, Any] = {
        "text": draw(TEXTS),
        "source_text": draw(st.none() | TEXTS),
        "mode": draw(st.sampled_from(MODES)),
        "tokenizer": draw(st.sampled_from(TOKENIZERS)),
        "num_heads": heads,
        "d_model": heads * draw(st.integers(4, 9)),
        "d_k": draw(st.none() | st.integers(4, 9)),
        "d_v": draw(st.none() | st.integers(1, 9)),
        "num_kv_heads": draw(st.sampled_from([None, *(n for n in range(1, heads + 1) if heads % n == 0)])),
        "position": draw(st.sampled_from(POSITIONS)),
        "score": draw(st.sampled_from(SCORES)),
        "temperature": draw(st.floats(0.001, 1000.0)),
        "mask": draw(masks()),
        "dropout": draw(st.floats(0.0, 1.0, exclude_max=True)),
        "bias": draw(st.booleans()),
        "weights": draw(st.sampled_from(WEIGHTS)),
        "seed": draw(st.integers(0, 2**63 - 1)),
        "embedding": draw(st.sampled_from(EMBEDDINGS)),
        "out_proj": draw(st.booleans()),
    }
    for field in ("text", "source_text", "mask", "mode", "weights", "embedding"):
        try:
            return Experiment(**values)
        except ExperimentError:
            values[field] = {"text": "a", "source_text": "b", "mask": Full(), "mode": "self"}.get(field)
            if values[field] is None:
                del values[field]
    return Experiment("a")


@given(experiments())
def test_what_goes_into_an_address_comes_back(experiment: Experiment) -> None:
    query = experiment.to_query()
    assert Experiment.from_query(query) == experiment
    assert Experiment.from_query(dict(parse_qsl(urlencode(query), keep_blank_values=True))) == experiment
    assert read_query({**query, "utm_source": "elsewhere", "a": "b"}) == (experiment, ())
    assert set(query) <= set(QUERY_NAMES)


@given(experiments())
def test_what_goes_into_json_comes_back(experiment: Experiment) -> None:
    text = experiment.to_json()
    assert Experiment.from_json(text) == experiment
    assert set(json.loads(text)) == {"v", *(field.name for field in fields(Experiment))}


def test_a_painted_mask_comes_back() -> None:
    experiment = Experiment(
        SUN, mode="causal", mask=Explicit(("101010", "010101", "111000", "000111", "100001", "011110"))
    )
    assert Experiment.from_query(experiment.to_query()) == experiment
    assert Experiment.from_json(experiment.to_json()) == experiment


def test_the_address_is_short_and_its_names_are_stable() -> None:
    assert Experiment(SUN).to_query() == {"v": "1", "text": SUN}
    everything = Experiment(
        "a b", "c d", "cross", "character", 6, 48, 7, 5, 3, "rope", "cosine", 0.5, Causal() & Window(3),
        0.1, True, "article", 12, "one_hot", False,
    )  # fmt: skip
    assert everything.to_query() == {
        "v": "1",
        "text": "a b",
        "source": "c d",
        "mode": "cross",
        "tokenizer": "character",
        "heads": "6",
        "width": "48",
        "dk": "7",
        "dv": "5",
        "kv": "3",
        "position": "rope",
        "score": "cosine",
        "temperature": "0.5",
        "mask": "causal.and.window-3",
        "dropout": "0.1",
        "bias": "1",
        "weights": "article",
        "seed": "12",
        "embedding": "one_hot",
        "wo": "0",
    }


def test_long_texts_are_compressed() -> None:
    query = Experiment("word " * 300).to_query()
    assert "text" not in query and len(query["textz"]) < 60
    assert Experiment.from_query(query).text == "word " * 300
    edge = Experiment("x" * 200).to_query()
    assert edge["text"] == "x" * 200 and "textz" in Experiment("x" * 201).to_query()
    both = Experiment("x" * 201, source_text="日" * 201, mode="cross")
    assert Experiment.from_query(both.to_query()) == both and "sourcez" in both.to_query()


# ---- strict reading


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "text: missing"),
        ({"text": ""}, "text=''"),
        ({"v": "2"}, "v='2': allowed is 1; a newer version of the playground has written this"),
        ({"v": "0"}, "v='0': allowed is 1$"),
        ({"color": "red"}, "unknown parameters .*color.*: allowed are v, text, source"),
        ({"heads": "four"}, "heads='four': allowed are whole numbers"),
        ({"heads": "0"}, "heads='0': allowed are whole numbers from 1"),
        ({"heads": "-1"}, "heads='-1'"),
        ({"heads": "4.0"}, "heads='4.0'"),
        ({"heads": "٤"}, "heads='٤'"),
        ({"heads": "9" * 5000}, "heads=.*: allowed are whole numbers of at most 19 digits"),
        ({"width": "9" * 20}, "width='9{20}': allowed are whole numbers of at most 19 digits"),
        ({"temperature": "-1"}, "temperature='-1': allowed are numbers from 0.001 to 1000"),
        ({"temperature": "hot"}, "temperature='hot': allowed are numbers such as 0.5"),
        ({"temperature": "nan"}, "temperature='nan'"),
        ({"temperature": "inf"}, "temperature='inf'"),
        ({"temperature": "1e999"}, "temperature='1e999': allowed are numbers from 0.001 to 1000"),
        ({"dropout": "1"}, "dropout='1': allowed are numbers from 0 up to, not including, 1"),
        ({"dropout": "2"}, "dropout='2': allowed are numbers from 0 up to, not including, 1"),
        ({"dropout": "-0.5"}, "dropout='-0.5': allowed are numbers from 0 up to, not including, 1"),
        ({"bias": "yes"}, "bias='yes': allowed are 0, 1"),
        ({"mode": "SELF"}, "mode='SELF'"),
        ({"mode": "sideways"}, "mode='sideways': allowed are self, causal, cross"),
        ({"mask": "sideways"}, "mask='sideways': allowed are full, causal"),
        ({"seed": str(2**63)}, "seed='9223372036854775808': allowed are whole numbers from 0 to"),
        ({"textz": "AAAA"}, "textz='AAAA': damaged"),
        ({"textz": "A"}, "textz='A': damaged"),
        ({"textz": "ÄÖÜ"}, "textz='ÄÖÜ': allowed are at most 400000 characters of base64url"),
        ({"text": "a", "textz": "eJwDAAAAAAE"}, "textz: allowed is one of text and textz, not both"),
        ({"text": "\ud800"}, "half a character"),
        ({"text": None}, "text=None: allowed is a text"),
        ({"heads": ["4"]}, r"heads=\['4'\]: allowed is a text"),
    ],
)
def test_strict_reading_refuses(query: dict[str, Any], words: str) -> None:
    base = {} if {"text", "textz"} & set(query) or not query else {"text": SUN}
    with pytest.raises(ValueError, match=words) as caught:
        Experiment.from_query({**base, **query})
    assert len(str(caught.value)) < 600


def packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(data)).decode().rstrip("=")


def test_a_bomb_is_not_unpacked() -> None:
    bomb = packed(b"a" * 200_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="longer than 400000 bytes when unpacked"):
            Experiment.from_query({"textz": bomb})
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_damaged_texts_are_refused() -> None:
    whole = packed(b"hello " * 100)
    for broken in (whole[:-5], whole[:10], whole + "AAAA", packed(b"\xff\xfe"), packed(b"")):
        with pytest.raises(ValueError, match="text"):
            Experiment.from_query({"textz": broken})


# ---- lenient reading


def test_each_wrong_parameter_falls_back_alone() -> None:
    experiment, problems = read_query(
        {
            "text": SUN,
            "heads": "many",
            "seed": "7",
            "position": "gps",
            "temperature": "hot",
            "mask": "}{",
            "wo": "2",
        }
    )
    assert experiment == Experiment(SUN, seed=7)
    assert len(problems) == 5
    assert problems[0] == "heads='many': allowed are whole numbers; taken instead: 4"
    assert problems[1].startswith("position='gps': allowed are none, sinusoidal") and problems[1].endswith("none")
    assert problems[3].startswith("mask='}{': allowed are full") and problems[3].endswith("; taken instead: full")


def test_values_that_do_not_fit_together_fall_back() -> None:
    experiment, problems = read_query({"text": SUN, "heads": "5", "width": "48", "seed": "3"})
    assert experiment == Experiment(SUN, seed=3)
    assert problems == (
        "d_model=48: cannot be divided among num_heads=5; allowed head counts are "
        "1, 2, 3, 4, 6, 8, 12, 16, 24, 48, or any with d_k and d_v given; "
        "taken instead: num_heads=4, d_model=32",
    )
    experiment, problems = read_query({"text": SUN, "heads": "5"})
    assert experiment == Experiment(SUN) and len(problems) == 1
    experiment, problems = read_query({"text": SUN, "mode": "cross", "heads": "2"})
    assert experiment == Experiment(SUN, num_heads=2) and "needs a source text" in problems[0]
    experiment, problems = read_query({"text": SUN, "mask": "explicit-2x2-b8A"})
    assert experiment == Experiment(SUN) and "does not fit 6 queries" in problems[0]
    experiment, problems = read_query({"text": SUN, "weights": "hand_built", "width": "6", "heads": "3"})
    assert experiment is not None and len(problems) >= 1


def test_heads_and_width_that_fit_each_other_but_not_the_defaults() -> None:
    assert read_query({"text": SUN, "heads": "3", "width": "9"}) == (
        Experiment(SUN, num_heads=3, d_model=9),
        (),
    )


def test_without_a_text() -> None:
    assert read_query({}) == (None, ())
    assert read_query({"v": "1", "lang": "zh"}) == (None, ())
    experiment, problems = read_query({"heads": "2"})
    assert experiment is None and problems == ("text: missing; allowed is a text with at least one token",)
    assert read_query({"heads": "2"}, default_text=SUN) == (Experiment(SUN, num_heads=2), ())
    experiment, problems = read_query({"text": "  ", "heads": "2"})
    assert experiment is None and "at least one token" in problems[0]
    experiment, problems = read_query({"text": "  ", "heads": "2"}, default_text=SUN)
    assert experiment == Experiment(SUN, num_heads=2)
    assert problems[0].endswith(f"taken instead: '{SUN}'")
    experiment, problems = read_query({"textz": "%%%"}, default_text=SUN)
    assert experiment == Experiment(SUN) and len(problems) == 1


HOSTILE = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["", "0", "-1", "1e308", "9" * 30, "nan", "\x00", "__class__", "../..", "explicit-512x512-zAAAA"]),
    st.none(),
    st.integers(),
    st.lists(st.text(max_size=3), max_size=2),
)


@given(st.dictionaries(st.one_of(st.sampled_from(QUERY_NAMES), st.text(max_size=5)), HOSTILE, max_size=8))
def test_hostile_addresses_are_only_ever_refused(query: dict[str, Any]) -> None:
    try:
        experiment = Experiment.from_query(query)
    except ValueError:
        pass
    else:
        assert Experiment.from_query(experiment.to_query()) == experiment
    found, problems = read_query(query, default_text=SUN)
    assert all(isinstance(problem, str) and len(problem) < 2000 for problem in problems)
    if set(query) & (set(QUERY_NAMES) - {"v"}):
        assert found is not None
        assert Experiment.from_query(found.to_query()) == found


# ---- JSON

BAD_JSON = [
    ("", "Expecting value"),
    ("[]", r"JSON: \[\]; allowed is one object"),
    ("5", "allowed is one object"),
    ("null", "allowed is one object"),
    ('{"text": "a", "heads": 2}', r"unknown fields \['heads'\]: allowed are v, text"),
    ('{"num_heads": 2}', "text: missing"),
    ('{"v": 2, "text": "a"}', "v=2: allowed is 1; a newer version of the playground has written this"),
    ('{"text": "a", "seed": %s}' % ("7" * 5000), "JSON: a number of 5,000 digits; allowed are at most 40"),
    ('{"text": "a", "seed": %s}' % ("7" * 40), "seed=777"),
    ('{"v": true, "text": "a"}', "v=True: allowed is 1"),
    ('{"text": "a", "num_heads": "2"}', "num_heads='2': allowed are whole numbers"),
    ('{"text": "a", "num_heads": 2.0}', "num_heads=2.0"),
    ('{"text": "a", "num_heads": null}', "num_heads=None"),
    ('{"text": "a", "bias": 0}', "bias=0: allowed are True, False"),
    ('{"text": "a", "temperature": NaN}', "JSON: NaN; allowed are finite numbers"),
    ('{"text": "a", "temperature": 1e999}', "temperature=inf"),
    ('{"text": "a", "mask": 3}', "mask=3: allowed is the text of a mask"),
    ('{"text": "a", "mask": "sideways"}', "mask='sideways'"),
    ('{"text": "a", "mask": null}', "mask=None"),
    ('{"text": "a", "text": "b"}', "a name stands twice"),
    ('{"text": {"a": 1}}', "text=.*allowed is a text"),
    ('{"text": "\\ud800"}', "half a character"),
    ('{"text": "a", "seed": ' + "9" * 5000 + "}", "."),
    ("[" * 100_000, "."),
    ('{"text": ' * 50_000, "."),
    ("x" * 8_000_001, "allowed is a text of at most 8000000 characters"),
]


@pytest.mark.parametrize(("text", "words"), BAD_JSON, ids=[text[:40] for text, _ in BAD_JSON])
def test_bad_json_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Experiment.from_json(text)


@pytest.mark.parametrize("value", [None, 5, b'{"text": "a"}'])
def test_json_is_a_text(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON: allowed is a text"):
        Experiment.from_json(value)


PLAIN = st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers()


@given(st.recursive(PLAIN, st.lists, max_leaves=4), st.sampled_from([field.name for field in fields(Experiment)]))
def test_any_value_in_any_field_is_taken_or_refused(value: Any, field: str) -> None:
    try:
        experiment = Experiment.from_json(json.dumps({"text": SUN, field: value}))
    except ValueError as problem:
        assert str(problem)
    else:
        assert Experiment.from_json(experiment.to_json()) == experiment
