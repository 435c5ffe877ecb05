"""Bad input: a message in words, and the last good picture stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from attention_core.experiment import Experiment
from tests.ui.lessons import open_lesson
from tests.ui.reading import alerts, expected, good, healthy, open_app, panel, panels, same

START = Experiment("one two three four five", num_heads=4, d_model=24)


@pytest.fixture
def app() -> AppTest:
    return open_app(START.to_query())


BAD: dict[str, tuple[str, str, Any, str]] = {
    "no text": ("text_input", "c_text", "", "The sentence has no word"),
    "white space": ("text_input", "c_text", " \t \u3000 ", "The sentence has no word"),
    "too many words": ("text_input", "c_text", "word " * 100_000, "max_characters"),
    "a few too many": ("text_input", "c_text", "w " * 513, "max_tokens"),
    "one word too long": ("text_input", "c_text", "x" * 30_000, "max_characters"),
    "a million and one": ("text_input", "c_text", "x" * 1_000_001, "text"),
    "heads that do not divide": ("select_slider", "c_heads", 16, "num_heads=16"),
    "a width that is not divided": ("number_input", "c_width", 23, "d_model=23"),
}


@pytest.mark.parametrize(("kind", "key", "value", "words"), BAD.values(), ids=BAD)
def test_the_last_good_picture_stays(app: AppTest, kind: str, key: str, value: Any, words: str) -> None:
    before = panels(app)
    address = dict(app.query_params)
    getattr(app, kind)(key=key).set_value(value).run()
    healthy(app)
    [found] = alerts(app)
    assert words in found and len(found) < 300
    assert good(app) == START
    assert dict(app.query_params) == address
    after = panels(app)
    for name, message in before.items():
        assert after[name].raw == message.raw, f"{name} has changed"
    # The widget keeps what the visitor wrote, to be mended; and once it is, the message goes.
    assert getattr(app, kind)(key=key).value == value
    getattr(app, kind)(key=key).set_value({"c_text": "one two", "c_heads": 2, "c_width": 8}[key]).run()
    assert alerts(app) == [] and good(app) != START
    same(panel(app, "hero").blocks, expected(good(app).run(), "weights"))


def test_two_faults_one_after_the_other(app: AppTest) -> None:
    """The picture is that of the last valid input, not of the one before the second fault."""
    app.number_input(key="c_width").set_value(23).run()
    app.text_input(key="c_text").set_value("").run()
    assert good(app) == START and len(alerts(app)) == 1
    app.number_input(key="c_width").set_value(24).run()
    assert good(app) == START and len(alerts(app)) == 1
    app.text_input(key="c_text").set_value("six seven").run()
    assert alerts(app) == [] and good(app).text == "six seven"


def test_cross_begins_with_a_source_and_an_empty_one_is_named(app: AppTest) -> None:
    app.button_group(key="c_mode").set_value("cross").run()
    healthy(app)
    wanted = replace(START, mode="cross", source_text=app.text_input(key="c_source").value)
    assert alerts(app) == [] and good(app) == wanted and len(wanted.source_tokens()) > 4
    same(panel(app, "hero").blocks, expected(wanted.run(), "weights"))
    app.text_input(key="c_source").set_value(" ").run()
    [found] = alerts(app)
    assert found.startswith("The source sentence has no word in it.")
    assert good(app) == wanted
    same(panel(app, "hero").blocks, expected(wanted.run(), "weights"))


def test_hand_built_heads_need_room(app: AppTest) -> None:
    app.number_input(key="c_width").set_value(4).run()
    app.selectbox(key="c_weights").set_value("hand_built").run()
    assert any("hand-built" in words for words in alerts(app))


ODD = [
    "\x00\x01\x07 \x1b[31m red",
    "a\u202eb\u2066c \u200b\u200d",
    "<b>$x$</b>",
    "<img src=x onerror=alert(1)>",
    "[link](javascript:alert(1)) `code` **bold**",
    "$\\frac{1}{0}$ & < > \" '",
    "\ud7ff\ufffe\U0010ffff",
    "zalgo" + "\u0301" * 200,
    "{braces} {0} %s %(x)s",
    ":material/home: :red[x] :smile:",
]


@pytest.mark.parametrize("text", ODD, ids=ascii)
@pytest.mark.parametrize("tokenizer", ["word", "character"])
def test_any_text_is_a_text(text: str, tokenizer: str) -> None:
    wanted = Experiment(text, tokenizer=tokenizer, num_heads=2, d_model=12)
    app = open_app(wanted.to_query())
    assert alerts(app) == [] and good(app) == wanted
    same(panel(app, "hero").blocks, expected(wanted.run(), "weights"))
    tokens = [token.text for token in wanted.tokens()]
    assert panel(app, "tokens").header["rows"][0]["tokens"] == tokens
    # Plotly reads markup in labels: none may get there.
    for message in panels(app).values():
        if message.header["kind"] in ("heatmap", "plot"):
            for label in plotly_texts(message.header["figure"]):
                assert "<" not in label.replace("<br>", "").replace("<b>", "", 1).replace("</b>", "", 1)
                assert "$" not in label
    # What goes through Markdown is ours.
    for block in app.markdown:
        for token in tokens:
            if len(token) > 3 and not token.isalnum():
                assert token not in block.value


def plotly_texts(value: Any) -> list[str]:
    """Every text that Plotly would render as markup."""
    found = []
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("text", "ticktext", "hovertext", "name"):
                found += [text for text in np.ravel(item) if isinstance(text, str)]
            found += plotly_texts(item)
    elif isinstance(value, list):
        for item in value:
            found += plotly_texts(item)
    return found


def test_no_message_is_read_as_markup() -> None:
    """An alert quotes what a stranger wrote: it goes on the page as text, in a panel, not through Markdown."""
    app = open_app({"text": "a b", "mode": "<b>$x$</b> [a](javascript:alert(1))"})
    assert any("<b>$x$</b>" in words for words in alerts(app))
    for block in (*app.markdown, *app.caption):
        assert "<b>" not in block.value and "javascript:" not in block.value
    assert not app.error and not app.warning and not app.info


SWITCHES = {
    "hide": ("mask,heads", "hide='heads': allowed are preset, text,", "mask"),
    "lock": ("zzz", "lock='zzz': allowed are preset, text,", None),
    "controls": ("zzz", "controls='zzz': allowed are preset, text,", None),
    "predict": ("true", "predict='true': allowed is 1", None),
    "lang": ("zz", "lang='zz': allowed is en", None),
}


@pytest.mark.parametrize("page", ["playground", "mask_lab"])
def test_a_teachers_switch_that_means_nothing_is_named_and_leaves_the_address(page: str) -> None:
    for switch, (value, words, stays) in SWITCHES.items():
        query = {**START.to_query(), switch: value}
        app = open_app(query) if page == "playground" else open_lesson(page, query)
        healthy(app)
        assert any(words in found for found in alerts(app)), switch
        assert app.query_params.get(switch) == stays, switch


def test_what_the_teacher_has_locked_no_example_moves() -> None:
    app = open_app({**START.to_query(), "lock": "num_heads,text"})
    app.selectbox(key="preset").set_value("base-512").run()
    healthy(app)
    assert good(app).d_model == 512 and good(app).num_heads == START.num_heads and good(app).text == START.text
    # Where the example cannot be had so, that is said, and nothing moves.
    before = good(app)
    app.selectbox(key="preset").set_value("five-tokens").run()  # width 4, and hand-built weights need 8
    assert good(app).d_model == 4
    other = open_app({**START.to_query(), "weights": "hand_built", "lock": "weights"})
    before = good(other)
    other.selectbox(key="preset").set_value("five-tokens").run()
    assert good(other) == before and any("hand-built" in words for words in alerts(other))
