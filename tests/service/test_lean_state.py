"""The session state that widgets look into: the same keys and values as Streamlit's own dict, worked out one by one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from streamlit.components.v2.presentation import make_bidi_component_presenter
from streamlit.runtime.scriptrunner_utils.script_run_context import get_script_run_ctx
from streamlit.runtime.state.safe_session_state import SafeSessionState
from streamlit.testing.v1 import AppTest

from playground.service import lean_state
from tests.conftest import ROOT

_whole = SafeSessionState.filtered_state


@pytest.fixture
def installed() -> Iterator[None]:
    lean_state.install()
    yield
    SafeSessionState.filtered_state = _whole  # type: ignore[method-assign]


def page() -> None:
    import streamlit as st

    from tests.service import test_lean_state

    st.session_state["own"] = [1, 2]
    st.selectbox("Choice", ["a", "b"], index=1, key="choice")
    st.number_input("Number", value=3, key="number")
    st.text_input("No key", value="unnamed")
    st.segmented_control("Nothing chosen", ["x"], key="nothing")
    st.components.v2.component("lean", js="export default () => {}")(key="part", on_seen_change=lambda: None)
    st.text_input("After all others", key="last")
    test_lean_state.compare()


def compare() -> None:
    context = get_script_run_ctx()
    assert context is not None
    state = context.session_state
    whole: dict[str, Any] = _whole.fget(state)  # type: ignore[attr-defined]
    lean = state.filtered_state
    assert isinstance(lean, lean_state.LeanState)
    assert set(whole) >= {"own", "choice", "number", "nothing", "part", "last"}
    assert set(lean) == set(whole) and len(lean) == len(whole)
    assert {key: lean[key] for key in whole} == whole == dict(lean)
    hidden = [key for key in state._state._keys() if key not in whole]
    assert hidden  # the keyless input, and the names by which Streamlit knows the others
    for key in (*hidden, "unknown"):
        assert key not in lean and lean.get(key, "none") == "none"


def test_it_holds_what_streamlits_own_dict_holds(installed: None) -> None:
    app = AppTest.from_function(page).run()
    assert not app.exception
    app.session_state["choice"] = "a"
    app.text_input(key="last").input("typed").run()
    assert not app.exception
    assert app.selectbox(key="choice").value == "a" and app.number_input(key="number").value == 3


def test_it_is_there_once_the_server_is_warm() -> None:
    asked = (
        "from playground.warmup import warm_up; warm_up();"
        "from streamlit.runtime.state.safe_session_state import SafeSessionState;"
        "print(SafeSessionState.filtered_state.fget.__name__)"
    )
    said = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.split()[-1] == "LeanState"


@pytest.mark.parametrize(
    "events",
    [None, [], [{"event": "cell", "value": [1, 2]}], {"event": "cell", "value": 0}, ["odd"], [{"value": 1}], "odd"],
    ids=str,
)
@pytest.mark.parametrize("base", [{}, {"near": True}, {"cell": "kept", "mask": 1}, None, "no dict"], ids=str)
def test_a_component_is_shown_as_streamlit_shows_it(base: Any, events: Any) -> None:
    """The same values as Streamlit's own presenter gives, triggers and state, in a plain dict."""

    class Widgets(dict[str, Any]):
        widget_metadata: ClassVar = {"events": SimpleNamespace(value_type="json_trigger_value")}

    state = SimpleNamespace(_new_widget_state=Widgets({} if events is None else {"events": events}))
    theirs = make_bidi_component_presenter("events", "part", {"cell"})(base, state)  # type: ignore[arg-type]
    ours = lean_state.presenter("events", "part", {"cell"})(base, state)
    assert ours == theirs
    assert type(ours) is (dict if isinstance(base, dict) else type(base))
