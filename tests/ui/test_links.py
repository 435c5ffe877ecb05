"""Links: the same address, the same picture; and an address that anybody may have written."""

from __future__ import annotations

import base64
import zlib
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.runtime.state import QueryParamsProxy

from attention_core.experiment import Experiment
from attention_core.masks import Causal, Explicit, Padding, Window
from attention_core.presets import DEFAULT
from playground import state
from playground.panel import Cell
from playground.view import View, read_view
from tests.ui.lessons import open_lesson
from tests.ui.reading import alerts, expected, good, healthy, open_app, panel, panels, same

RICH = Experiment(
    "one two three & four=five #six",
    source_text="七 八 九?",
    mode="cross",
    num_heads=6,
    d_model=24,
    d_k=5,
    d_v=7,
    num_kv_heads=2,
    position="alibi",
    score="dot",
    temperature=0.7,
    mask=Causal(1) & ~Window(2),
    dropout=0.15,
    bias=True,
    seed=2**40,
    out_proj=False,
)


def test_a_link_gives_the_same_page() -> None:
    app = open_app(RICH.to_query())
    assert good(app) == RICH and alerts(app) == []
    again = open_app(dict(parse_qsl(urlencode(app.query_params))))
    first, second = panels(app), panels(again)
    assert first.keys() == second.keys()
    for key in first:
        assert first[key].raw == second[key].raw, key


def test_back_brings_the_page_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address changes by itself: the widgets follow, and then lead again."""
    app = open_app({"text": "one two three", "heads": "2"})
    app.number_input(key="c_seed").set_value(5).run()
    later = dict(app.query_params)
    app.query_params.clear()
    app.query_params.update({"text": "one two three", "heads": "2"})
    with monkeypatch.context() as browser:
        browser.setattr(state, "navigated", lambda: True)  # what the browser says with a step in its history
        app.run()
    assert good(app) == Experiment("one two three", num_heads=2)
    assert app.number_input(key="c_seed").value == 0
    app.number_input(key="c_seed").set_value(5).run()
    assert dict(app.query_params) == later


@pytest.mark.parametrize("last", [6, 5], ids=["another value", "right and left again"])
def test_an_old_address_does_not_undo_a_quick_change(last: int) -> None:
    """The browser sends the address it shows: after quick changes an older one than the server wrote last.

    Nor does it where the controls are what they were in the run before, as after a step there and back.
    """
    app = open_app({"text": "one two three", "heads": "2"})
    old = dict(app.query_params)
    app.number_input(key="c_seed").set_value(5).run()
    app.query_params.clear()
    app.query_params.update(old)
    app.number_input(key="c_seed").set_value(last).run()
    assert good(app).seed == app.number_input(key="c_seed").value == last
    assert app.query_params["seed"] == str(last)


def test_the_address_is_written_again_where_an_earlier_run_has_overtaken_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """5, 6, 5: the last run was sent with the address of the first, and the address of the second arrives later."""
    app = open_app({"text": "one two three", "heads": "2", "seed": "5"})
    first = dict(app.query_params)
    app.number_input(key="c_seed").set_value(6).run()
    written: list[dict[str, str]] = []
    app.query_params.clear()
    app.query_params.update(first)
    kept = QueryParamsProxy.from_dict
    monkeypatch.setattr(
        QueryParamsProxy, "from_dict", lambda self, query: (written.append(dict(query)), kept(self, query))[1]
    )
    app.number_input(key="c_seed").set_value(5).run()
    assert [query["seed"] for query in written] == ["5"]


def test_what_belongs_to_others_stays_in_the_address() -> None:
    app = open_app({"text": "one two", "embed": "true", "lang": "en"})
    app.number_input(key="c_seed").set_value(5).run()
    assert app.query_params["embed"] == "true" and app.query_params["lang"] == "en"


NONSENSE = {
    "v": "99",
    "mode": "sideways",
    "tokenizer": "emoji<script>",
    "heads": "-3",
    "width": "1e999",
    "dk": "0",
    "dv": "zwei",
    "kv": "3",
    "position": "' OR 1=1",
    "score": "\x00",
    "temperature": "NaN",
    "mask": "explicit-9x9-bAAAA",
    "dropout": "1",
    "bias": "maybe",
    "weights": "../../etc/passwd",
    "seed": "99999999999999999999",
    "embedding": "one_hot_hot",
    "wo": "2",
    "head": "0",
    "cell": "weights.0.0",
    "stage": "zzz",
    "a": "AAAA",
}
BEYOND = {  # well written, and not to be had
    "head": ("99", "head=99: this experiment has the heads 1 to 4"),
    "cell": ("q.9.9.9", "cell='q.9.9.9': there is no such cell"),
    "heads": ("99", "heads=99: the limit here (max_heads) is 16"),
    "width": ("99999", "width=99999: the limit here (max_d_model) is 1024"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_named_and_the_rest_is_kept(name: str) -> None:
    app = open_app({"text": "one two three four", name: NONSENSE[name]})
    words = alerts(app)
    assert words, f"nothing is said about {name}"
    assert any(name in sentence or "pinned" in sentence for sentence in words), words
    wanted = Experiment("one two three four")
    assert good(app) == wanted
    same(panel(app, "hero").blocks, expected(wanted.run(), "weights"))
    # The next change starts from there, and the complaint is over.
    app.number_input(key="c_seed").set_value(5).run()
    healthy(app)
    assert alerts(app) == [] and good(app).seed == 5


@pytest.mark.parametrize("name", BEYOND)
def test_what_cannot_be_had_is_named_with_what_can(name: str) -> None:
    value, words = BEYOND[name]
    app = open_app({"text": "one two three four", name: value})
    assert any(words in sentence for sentence in alerts(app)), alerts(app)
    assert good(app) == Experiment("one two three four") and name not in app.query_params


@pytest.mark.parametrize(("value", "words"), [("-3", "whole numbers from 1"), ("few", "allowed are whole numbers")])
def test_a_number_is_refused_for_what_is_wrong_with_it(value: str, words: str) -> None:
    assert any(words in sentence for sentence in alerts(open_app({"text": "a b", "heads": value})))


@pytest.mark.parametrize("damaged", ["!!!", "AAAA", "e", "éé"])
def test_a_pin_that_was_cut_is_not_called_too_long(damaged: str) -> None:
    (words,) = alerts(open_app({"text": "a b", "a": damaged}))
    assert "damaged" in words and "longer" not in words


@pytest.mark.parametrize("heads", ["0", "999"])
def test_a_number_too_small_and_one_too_large_fall_back_alike(heads: str) -> None:
    app = open_app({"heads": heads})
    assert len(alerts(app)) == 1
    assert good(app) == Experiment(DEFAULT.experiment.text)  # whose number of heads the first message names


def test_a_mask_in_a_link_is_named_as_the_link_names_it() -> None:
    for text, words in {
        "zzz": "mask_lab_base='zzz': allowed are full, causal",
        "causal.and.zzz": "mask_lab_base='zzz': allowed are full, causal",
        "window-0": "mask_lab_base='window-0': width=0: allowed are whole numbers from 1",
        "begin.causal": "mask_lab_base='begin.causal': mask: a begin without its end",
    }.items():
        [said] = alerts(open_lesson("mask_lab", {"text": "one two", "mask_lab_base": text}))
        assert said.startswith(words)


SETTINGS = {
    "mask_lab": {
        "mask_lab_section": "zzz",
        "mask_lab_base": "zzz",
        "mask_lab_stage": "zzz",
        "mask_lab_layers": "13",
        "mask_lab_library": "zzz",
        "mask_lab_dtype": "int8",
        "mask_lab_bias": "zzz",
        "mask_lab_query": "99",
    },
    "trained": {"trained_model": "zzz", "trained_temperature": "hot", "trained_removed": "!!", "trained_layer": "zzz"},
    "live": {"live_task": "zzz", "live_seed": "-1", "live_heads": "99", "live_rate": "fast", "live_steps": "0"},
    "heads": {"heads_width": "zzz", "heads_off": "[99]", "heads_p": "2"},
    "scale": {"scale_dk": "7", "scale_t": "cold"},
    "scores": {"scores_head": "99", "scores_length": "zzz", "scores_colours": "zzz"},
    "position": {"position_head": "99", "position_scheme": "zzz", "position_length": "1"},
    "encoder": {"encoder_norm": "zzz", "encoder_residual": "maybe"},
}


@pytest.mark.parametrize(("page", "name"), [(page, name) for page, names in SETTINGS.items() for name in names])
def test_a_page_names_what_is_wrong_with_its_own_settings(page: str, name: str) -> None:
    app = open_lesson(page, {"text": "one two three four", name: SETTINGS[page][name]})
    words = alerts(app)
    assert len(words) == 1 and words[0].startswith(f"{name}=") and "allowed" in words[0], words
    assert app.query_params.get(name) != [SETTINGS[page][name]]


def test_a_setting_of_a_part_that_is_closed_stays_in_the_link() -> None:
    far = {"mask_lab_section": "cost", "mask_lab_layers": "5", "mask_lab_new": "2"}
    app = open_lesson("mask_lab", {"text": "one two three four", **far})
    assert alerts(app) == [] and {name: app.query_params.get(name) for name in far} == far
    app.number_input(key="c_seed").set_value(5).run()
    assert {name: app.query_params.get(name) for name in far} == far
    app.button_group(key="mask_lab_section").set_value("far").run()
    assert app.slider(key="mask_lab_layers").value == 5
    app.button_group(key="mask_lab_section").set_value("lengths").run()
    assert app.slider(key="mask_lab_new").value == 2


def test_a_wrong_setting_is_forgotten_when_the_visitor_goes_on() -> None:
    app = open_lesson("mask_lab", {"text": "one two three four", "mask_lab_section": "zzz"})
    assert len(alerts(app)) == 1
    app.run()
    assert len(alerts(app)) == 1  # a run that the visitor did not ask for
    app.button_group(key="mask_lab_section").set_value("cost").run()
    healthy(app)
    assert alerts(app) == []


def test_all_nonsense_at_once() -> None:
    """The first are said large, the others small: a page of red boxes is read by nobody."""
    app = open_app({"text": "one two three four", **NONSENSE})
    said = [panel(app, f"wrong_{number}").header for number in range(len(alerts(app)))]
    assert len(said) == 3
    words = " ".join(one["sentence"] + one["detail"] for one in said)
    for name in NONSENSE:
        assert ("pinned" if name == "a" else name) in words, name
    same(panel(app, "hero").blocks, expected(Experiment("one two three four").run(), "weights"))


@pytest.mark.parametrize(
    "query",
    [
        {"text": ""},
        {"text": "   \t  "},
        {"textz": "eNqrVkrLz1eyUkpKLFKqBQA"},
        {"textz": "!!!"},
        {"text": "a b", "mode": "cross"},
        {"text": "a b", "mode": "cross", "source": ""},
        {"heads": "5"},
        {"text": "a b", "embedding": "one_hot", "width": "1", "heads": "1"},
        {"text": "a b", "weights": "hand_built", "width": "4"},
        {"text": "a b", "mask": "padding-1-2-3"},
        {"text": "a b", "width": "4096"},
        {"text": "a b", "heads": "64", "width": "64"},
        {"text": "w " * 600},
        {"text": "one two", "stage": "nonsense", "a": "nonsense"},
        {"text": "one two", "a": "=" * 5000},
        {"text": "one two", "cell": "weights.0.99.0"},
        {"text": "one two", "cell": "allowed.0.0.0"},
        {"text": "one two", "cell": "nothing.0.0.0"},
        {"text": "one two", "cell": "²³.¹.0.0"},
        {"text": "one two", "head": "³"},
        {"text": "one two", "head": "999"},
        {"lang": "../../etc"},
        {"lang": "zz"},
        {"text": "one two", "hide": "everything", "lock": "num_heads"},
    ],
    ids=lambda query: urlencode(query)[:40],
)
def test_there_is_always_a_picture(query: dict[str, str]) -> None:
    app = open_app(query)
    shown = panel(app, "hero").blocks
    same(shown, expected(good(app).run(), "weights"))
    np.testing.assert_allclose(np.nansum(shown, axis=-1), 1.0, atol=1e-5)


EDGES: dict[str, dict[str, Any]] = {
    "cold": {"temperature": 0.001},
    "hot": {"temperature": 1000.0},
    "between the steps": {"temperature": 0.1234567},
    "nearly all dropped": {"dropout": 0.99},
    "the largest seed": {"seed": 2**53 - 1},
    "far ahead": {"mask": Causal(1000)},
    "many lengths": {"mask": Padding((1,)) | Causal(3)},
    "five heads": {"num_heads": 5, "d_model": 10},
    "widest": {"d_k": 256, "d_v": 1},
}


@pytest.mark.parametrize("changes", EDGES.values(), ids=EDGES)
def test_what_an_experiment_may_be_a_link_may_say(changes: dict[str, Any]) -> None:
    """The sidebar's steps and ends are for the hand: they neither refuse nor round what a link brings."""
    wanted = Experiment("one two three", **changes)
    app = open_app(wanted.to_query())
    assert alerts(app) == [] and good(app) == wanted
    same(panel(app, "hero").blocks, expected(wanted.run(), "weights"))
    assert Experiment.from_query(app.query_params) == wanted
    app.run()
    assert good(app) == wanted


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"text": ""}, "text"),
        ({"text": "a b", "mode": "cross"}, "source_text"),
        ({"text": "a b", "width": "4096"}, "max_d_model"),
        ({"text": "a b", "heads": "64", "width": "64"}, "max_heads"),
        ({"text": "w " * 600}, "max_tokens"),
        ({"text": "a b", "heads": "5", "width": "32"}, "d_model=32"),
        ({"text": "a b", "mask": "padding-1-2-3"}, "mask"),
        ({"text": "a b", "seed": str(2**63 - 1)}, "seed="),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_refusal_says_what_is_allowed(query: dict[str, str], words: str) -> None:
    found = alerts(open_app(query))
    assert any(words in sentence for sentence in found), found


def pinned(text: str) -> str:
    return base64.urlsafe_b64encode(zlib.compress(text.encode())).decode().rstrip("=")


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "x",
        "AAAA",
        "e" * 10_000,
        "ünïcode",
        "%00",
        pinned("text=" + "a" * 50_000),
        pinned("no query at all"),
        pinned("text=a+b&heads=0"),
        pinned("text=a+b&heads=9999&width=9999"),
        pinned("text=a+b&surprise=1"),
        pinned("text=" + "a+" * 900),
        base64.urlsafe_b64encode(zlib.compress(b"\xff\xfe")).decode(),
        pinned("text=a+b")[:-6],
    ],
    ids=lambda text: text[:20],
)
def test_a_damaged_pin_is_refused_in_words(damaged: str) -> None:
    app = open_app({"text": "one two", "a": damaged})
    assert "compare_a" not in panels(app)
    same(panel(app, "hero").blocks, expected(Experiment("one two").run(), "weights"))
    if damaged:
        assert any("pinned" in sentence for sentence in alerts(app)), alerts(app)


EXPERIMENTS = st.builds(
    Experiment,
    text=st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=300).filter(
        lambda text: any(char.isalnum() for char in text)
    ),
    mode=st.sampled_from(["self", "causal"]),
    num_heads=st.sampled_from([1, 2, 4]),
    d_model=st.sampled_from([8, 32]),
    mask=st.sampled_from([Window(3), Causal(-1), Padding((1,)), ~Window(1) | Causal()]),
    temperature=st.floats(0.1, 5),
    dropout=st.floats(0, 0.9),
    seed=st.integers(0, 2**63 - 1),
)
CELLS = st.builds(Cell, st.sampled_from(["weights", "q"]), *[st.integers(0, 500)] * 3)
VIEWS = st.builds(
    View,
    head=st.none() | st.integers(0, 15),
    cell=st.none() | CELLS,
    pinned=st.none() | EXPERIMENTS,
)


@given(EXPERIMENTS, VIEWS)
@settings(max_examples=30)
def test_the_address_keeps_experiment_and_view(experiment: Experiment, view: View) -> None:
    query = state.to_query(experiment, view)
    assert all(isinstance(value, str) for value in query.values())
    query = dict(parse_qsl(urlencode(query), keep_blank_values=True))
    notes: list[str] = []
    assert read_view(query, notes) == view and notes == []
    assert Experiment.read_query(query) == (experiment, ())


@given(st.dictionaries(st.sampled_from(["head", "cell", "a", "stage"]), st.text(max_size=60)))
@settings(max_examples=50)
def test_any_view_in_an_address_is_read_or_refused(query: dict[str, str]) -> None:
    notes: list[str] = []
    found = read_view(query, notes)
    assert isinstance(found, View)
    assert len(notes) <= 4 and all(len(words) < 400 for words in notes)


def test_the_stage_that_is_compared_is_in_the_link() -> None:
    view = View(pinned=DEFAULT.experiment, stage="q")
    assert state.to_query(DEFAULT.experiment, view)["stage"] == "q"
    assert "stage" not in state.to_query(DEFAULT.experiment, View(stage="q"))


def test_a_painted_mask_goes_through_the_address() -> None:
    wanted = Experiment("one two three", mask=Explicit(("101", "010", "111")), num_heads=2)
    app = open_app(wanted.to_query())
    assert good(app) == wanted
    same(panel(app, "hero").blocks, expected(wanted.run(), "weights"))
    assert app.selectbox(key="c_mask").value == "custom"
