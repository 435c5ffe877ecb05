"""Streamlit's widgets, each of them telling the browser its value with every message.

A value that the session has set is told to the browser once. One that is still loading the widget's script when the
next run overtakes that message never hears it: it begins with the widget's default, the least of a slider for
instance, and sends that back as if the visitor had chosen it. So the default is always what the session holds. It is
no part of a widget's identity where it has a key, and a widget that has begun looks at it no more.

A choice that is required is never taken back: the browser offers no way to, and a message that somebody has made up
changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import streamlit as st

__all__ = [
    "checkbox",
    "number_input",
    "pills",
    "segmented_control",
    "select_slider",
    "selectbox",
    "slider",
    "text_area",
    "text_input",
    "toggle",
]

Widget = Callable[..., Any]


def _telling(widget: Widget, begins: Callable[..., dict[str, Any]]) -> Widget:
    """The widget with what it `begins` with from the session, if that can be had at all."""

    @wraps(widget)
    def told(label: str, *args: Any, key: str, **more: Any) -> Any:
        value = st.session_state.get(key)
        known = {} if value is None else begins(value, *args)
        if value is not None and more.get("required"):
            more["on_change"] = _unless_taken_back(key, value, more.get("on_change"), more.pop("args", ()))
        return widget(label, *args, key=key, **{**more, **known})

    return told


def _unless_taken_back(key: str, value: Any, on_change: Callable[..., None] | None, given: Any) -> Callable[[], None]:
    """What is called when the widget has changed: `on_change`, unless nothing is chosen, which leaves it at `value`."""

    def changed() -> None:
        if st.session_state[key] is None:
            st.session_state[key] = value
        elif on_change is not None:
            on_change(*given)

    return changed


def _as_it_is(value: Any) -> dict[str, Any]:
    return {"value": value}


def _number(value: Any, least: Any = None, most: Any = None) -> dict[str, Any]:
    within = (least is None or least <= value) and (most is None or value <= most)
    return {"value": value} if within else {}


def _one(value: Any, options: Any) -> dict[str, Any]:
    return {"value": value} if value in options else {}


def _index(value: Any, options: Any) -> dict[str, Any]:
    return {"index": list(options).index(value)} if value in options else {}


def _chosen(value: Any, options: Any) -> dict[str, Any]:
    several = value if isinstance(value, list | tuple) else [value]
    return {"default": value} if all(one in options for one in several) else {}


checkbox = _telling(st.checkbox, _as_it_is)
toggle = _telling(st.toggle, _as_it_is)
text_input = _telling(st.text_input, _as_it_is)
text_area = _telling(st.text_area, _as_it_is)
number_input = _telling(st.number_input, _number)
slider = _telling(st.slider, _number)
select_slider = _telling(st.select_slider, _one)
selectbox = _telling(st.selectbox, _index)
segmented_control = _telling(st.segmented_control, _chosen)
pills = _telling(st.pills, _chosen)
