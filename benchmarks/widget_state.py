"""What a browser says about the widgets of a page, made from what the server said when it drew them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from streamlit.proto.Element_pb2 import Element
from streamlit.proto.WidgetStates_pb2 import WidgetState


def state_of(element: Element, what: str, known: Mapping[str, WidgetState]) -> WidgetState | None:
    """What the browser says about a widget from now on; None for what is no widget."""
    if what not in _READERS:
        return None
    widget = getattr(element, what)
    if widget.id in known and not widget.set_value:
        return known[widget.id]
    state = WidgetState(id=widget.id)
    _READERS[what](widget, state)
    return state


def _selectbox(widget: Any, state: WidgetState) -> None:
    if widget.set_value:
        if widget.HasField("raw_value"):
            state.string_value = widget.raw_value
    elif widget.HasField("default"):
        state.string_value = widget.options[widget.default]


def _button_group(widget: Any, state: WidgetState) -> None:
    values = widget.raw_values if widget.set_value else [widget.options[index].content for index in widget.default]
    state.string_array_value.data.extend(values)


def _slider(widget: Any, state: WidgetState) -> None:
    values = widget.value if widget.set_value else widget.default
    if widget.type == widget.SELECT_SLIDER:
        chosen = widget.raw_value if widget.set_value else [widget.options[int(index)] for index in values]
        state.string_array_value.data.extend(chosen)
    else:
        state.double_array_value.data.extend(values)


def _number(widget: Any, state: WidgetState) -> None:
    value = widget.value if widget.set_value else widget.default
    if widget.data_type == widget.INT:
        state.int_value = int(value)
    else:
        state.double_value = value


def _text(widget: Any, state: WidgetState) -> None:
    state.string_value = widget.value if widget.set_value else widget.default


def _checkbox(widget: Any, state: WidgetState) -> None:
    state.bool_value = widget.value if widget.set_value else widget.default


_READERS: dict[str, Callable[[Any, WidgetState], None]] = {
    "selectbox": _selectbox,
    "button_group": _button_group,
    "slider": _slider,
    "number_input": _number,
    "text_input": _text,
    "checkbox": _checkbox,
}
