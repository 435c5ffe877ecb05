"""What a run asks Streamlit's session for, at less cost: one value at a time, and no class for each value.

A widget that looks up its own key need not wait for the values of all others.

Streamlit's selectbox, number input and text input each ask for the whole session state as one dict, to look at one key
of it. The dict is made anew every time, with the value of every component worked out, and a page of the playground has
fifteen: it cost a sixth of a run. Here they get a mapping that works out what is asked for.

And the value of a component is shown to a script as a dict of a class that is made for this one look, so that the
script may write into it. No page here does: they get a plain dict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from streamlit.components.v2.bidi_component import main as components
from streamlit.runtime.state.common import is_element_id
from streamlit.runtime.state.safe_session_state import SafeSessionState
from streamlit.runtime.state.session_state import STREAMLIT_INTERNAL_KEY_PREFIX


class LeanState(Mapping[str, Any]):
    """What `SafeSessionState.filtered_state` holds, one value at a time."""

    def __init__(self, state: SafeSessionState) -> None:
        self._state = state

    def __getitem__(self, key: str) -> Any:
        if is_element_id(key) or _internal(key):  # Streamlit's own names are not shown to scripts
            raise KeyError(key)
        state = self._state
        with state._lock:
            return state._state[key]

    def __iter__(self) -> Iterator[str]:
        with self._state._lock:
            state = self._state._state
            named = state._key_id_mapper.id_key_mapping
            keys = {named.get(key) if is_element_id(key) else key for key in state._keys()}
        return iter([key for key in keys if key is not None and not _internal(key)])

    def __len__(self) -> int:
        return sum(1 for _key in self)

    def __repr__(self) -> str:
        return repr(dict(self))


def _internal(key: str) -> bool:
    return key.startswith(STREAMLIT_INTERNAL_KEY_PREFIX)


def presenter(aggregator: str, *_for_writing: Any) -> Callable[[Any, Any], Any]:
    """As `make_bidi_component_presenter`: a component's state, with what was triggered in it as long as it lasts."""

    def present(base: Any, state: Any) -> Any:
        if not isinstance(base, dict):
            return base
        try:
            events = state._new_widget_state[aggregator] or ()
        except KeyError:
            events = ()
        listed = events if isinstance(events, list | tuple) else [events]
        triggered = {one["event"]: one.get("value") for one in listed if isinstance(one, dict) and "event" in one}
        return {**triggered, **base}

    return present


def install() -> None:
    """For the whole process; once is enough."""
    SafeSessionState.filtered_state = property(LeanState)  # type: ignore[assignment]
    components.make_bidi_component_presenter = presenter  # type: ignore[assignment, attr-defined]
