"""Messages that no page of ours would send: what a widget cannot mean counts as not said, on every page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.testing.v1 import AppTest

from attention_core.masks import Causal
from playground.service import heard
from playground.sitemap import pages
from tests.ui.lessons import open_lesson
from tests.ui.reading import alerts, elements, expected, good, healthy, open_app, panel, same, tell

PAGES = [name for entries in pages().values() for name, _title in entries]
QUERY = {"text": "one two three", "heads": "2", "width": "8"}
# What is said of every widget of a page at once, by the kind of value that it takes; lists take several of the kind.
WRONG: dict[str, tuple[Any, ...]] = {
    "string_value": ("<b>$x$</b>", "zzz"),
    "int_value": (2**62, -(2**62)),
    "double_value": (float("nan"), -1e308),
    "json_value": ('{"a":' * 50_000, '{"cell":' + "9" * 5000 + "}", '{"far": [3, null], "near": {}}'),
    "string_array_value": ((), ("zzz",), ("zzz", "zzz")),
    "double_array_value": ((), (float("nan"),), (1e308, 1.0)),
    "int_array_value": ((), (2**62,)),
}
OTHERS: tuple[tuple[str, Any], ...] = (("string_value", "zzz"), ("bool_value", True), ("json_value", "[1]"))
ROUNDS = 6


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        heard.install(patch.setattr)
        yield


def said(app: AppTest) -> list[WidgetState]:
    """What the browser would say now, components included."""
    states = list(app._tree.get_widget_states().widgets)
    known = {state.id for state in states}
    parts = (element.proto.id for element in elements(app).values())
    return [*states, *(WidgetState(id=name, json_value="{}") for name in parts if name not in known)]


def filled(name: str, kind: str, value: Any) -> WidgetState:
    state = WidgetState(id=name)
    if kind.endswith("array_value"):
        getattr(state, kind).data.extend(value)
        getattr(state, kind).SetInParent()  # an empty list is said too
    else:
        setattr(state, kind, value)
    return state


def made_up(state: WidgetState, turn: int) -> WidgetState:
    """What is said in this round in place of `state`: values of its own kind, and then some of others."""
    kind = state.WhichOneof("value") or "string_value"
    own = [(kind, value) for value in WRONG.get(kind, ())]
    options = [*own, *(other for other in OTHERS if other[0] != kind)]
    return filled(state.id, *options[turn % len(options)])


@pytest.mark.parametrize("name", PAGES)
def test_no_message_ends_a_page(name: str) -> None:
    app = open_lesson(name, QUERY)
    for turn in range(ROUNDS):
        app._run(WidgetStates(widgets=[made_up(state, turn) for state in said(app)]))
        healthy(app)


def change(app: AppTest, key: str, kind: str, value: Any) -> None:
    """Say one thing, made up, in place of what the widget would say."""
    states = [state for state in said(app) if not state.id.endswith(f"-{key}")]
    [name] = [state.id for state in said(app) if state.id.endswith(f"-{key}")]
    app._run(WidgetStates(widgets=[*states, filled(name, kind, value)]))
    healthy(app)


# Another value than the one to begin with: it is the present one that has to stay.
MOVED = {
    "c_mask": ("selectbox", "causal"),
    "c_position": ("selectbox", "alibi"),
    "c_heads": ("select_slider", 4),
    "c_mode": ("button_group", "causal"),
    "c_text": ("text_input", "four five"),
    "c_width": ("number_input", 16),
    "mask_lab_section": ("button_group", "cost"),
    "mask_lab_base": ("selectbox", "causal"),
    "scores_head": ("selectbox", 2),
}


@pytest.mark.parametrize(
    ("page", "key", "kind", "value"),
    [
        ("playground", "preset", "string_value", "zzz"),
        ("playground", "c_mask", "string_value", "zzz"),
        ("playground", "c_position", "string_value", "zzz"),
        ("playground", "c_heads", "string_array_value", ("zzz",)),
        ("playground", "c_mode", "string_array_value", ()),
        ("playground", "c_text", "bool_value", True),
        ("playground", "c_width", "int_value", 2**62),
        ("playground", "c_width", "int_value", -1),
        ("playground", "c_width", "double_value", float("nan")),
        ("playground", "c_width", "string_value", "8"),
        ("mask_lab", "mask_lab_section", "string_array_value", ()),
        ("mask_lab", "mask_lab_base", "string_value", "zzz"),
        ("mask_lab", "mask_lab_shown", "string_value", "zzz"),
        ("trained", "trained_model", "string_array_value", ()),
        ("live", "live_task", "string_value", "zzz"),
        ("scores", "scores_head", "string_value", "zzz"),
        ("encoder", "encoder_token", "string_value", "zzz"),
    ],
)
def test_a_widget_keeps_what_it_has(page: str, key: str, kind: str, value: Any) -> None:
    app = open_lesson(page, QUERY)
    if key in MOVED:
        widget, moved = MOVED[key]
        getattr(app, widget)(key=key).set_value(moved).run()
        assert app.session_state[key] == moved
    before, address, shown = app.session_state[key], dict(app.query_params), good(app)
    change(app, key, kind, value)
    assert app.session_state[key] == before and good(app) == shown
    assert dict(app.query_params) == address and alerts(app) == []


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[" * 200_000, '{"a":' * 50_000, '{"far":' + "9" * 5000 + "}", '"far"']
)
def test_a_component_that_says_no_json_keeps_its_state(text: str) -> None:
    """Above the limit of cells a panel has its numbers while it has said that it is near; it goes on as it was."""
    app = open_app({"text": " ".join("abcdefgh" * 13), "heads": "2", "width": "8"})
    assert panel(app, "hero").header["figure"] is None
    tell(app, "hero", state={"near": True})
    wanted = expected(good(app).run(), "weights")
    assert panel(app, "hero").blocks.shape == (2, 104, 104)
    change(app, "hero", "json_value", text)
    if text in ("null", '"far"'):  # JSON, but of no state: the panel has said nothing
        assert panel(app, "hero").header["figure"] is None
    else:
        same(panel(app, "hero").blocks, wanted)


def test_what_is_meant_is_heard() -> None:
    """Clicks, options and numbers come through the same door."""
    app = open_app(QUERY)
    app.selectbox(key="c_mask").set_value("causal").run()
    app.select_slider(key="c_heads").set_value(4).run()
    tell(app, "hero", cell=["weights", 3, 2, 1])
    assert app.session_state["view"].cell.head == 3
    change(app, "c_width", "int_value", 16)  # as the browser sends a whole number
    assert good(app).num_heads == 4 and good(app).mask == Causal(offset=1) and good(app).d_model == 16
    assert np.isnan(panel(app, "hero").blocks[:, 0, 2]).all()
