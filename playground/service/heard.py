"""What a browser says of a widget and the widget cannot mean counts as not said: the widget keeps what it has.

Streamlit takes what comes for what its own page sends. A message that somebody has made up may hold a text that is no
JSON, a value of another kind, or an option that the choice does not have, and each of these would end the run in an
exception: again and again, since a tab repeats the values of all its widgets with every message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streamlit.elements.widgets.selectbox import SelectboxSerde
from streamlit.runtime.state.session_state import Serialized, WStates

_SENT_AS = {"double_value": "int_value"}  # a box for numbers takes fractions; whole ones the browser sends as such

_read = WStates.__getitem__
_choose = SelectboxSerde.deserialize


def read(self: WStates, widget: str) -> Any:
    """As `WStates.__getitem__`: the value that was sent, or KeyError, which says that none was, if it is unreadable."""
    state, known = self.states.get(widget), self.widget_metadata.get(widget)
    if isinstance(state, Serialized) and known is not None:
        kind = state.value.WhichOneof("value")
        if kind not in (None, known.value_type, _SENT_AS.get(known.value_type)):  # None: a choice was taken back
            raise KeyError(widget)
    try:
        return _read(self, widget)
    except (ValueError, TypeError, AttributeError, IndexError, ArithmeticError, RecursionError):
        raise KeyError(widget) from None


def choose(self: SelectboxSerde[Any], said: Any) -> Any:
    """As `SelectboxSerde.deserialize`, but for what is no option: no page here lets visitors write their own."""
    if said is not None and said not in self.formatted_option_to_option_index:
        raise ValueError("no option of this choice")
    return _choose(self, said)


def install(put: Callable[[Any, str, Any], None] = setattr) -> None:
    """For the whole process."""
    put(WStates, "__getitem__", read)
    put(SelectboxSerde, "deserialize", choose)
