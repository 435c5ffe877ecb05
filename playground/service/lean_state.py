"""A widget that looks up its own key need not wait for the values of all others.

Streamlit's selectbox, number input and text input each ask for the whole session state as one dict, to look at one key
of it. The dict is made anew every time, with the value of every component worked out, and a page of the playground has
fifteen: it cost a sixth of a run. Here they get a mapping that works out what is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

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


def install() -> None:
    """For the whole process; once is enough."""
    SafeSessionState.filtered_state = property(LeanState)  # type: ignore[assignment]
