"""Settings that one page has beside the experiment, and that belong into its link."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import streamlit as st

_KEPT = "page_settings"


@dataclass
class _Setting:
    default: Any
    value: Any


def page_setting(name: str, default: Any, parse: Callable[[str], Any]) -> Any:
    """The value of a setting, to be called just before the widget whose key is `name`.

    The name begins with the page's: "mask_lab_layers". It is read from the address when the page opens, and written
    there while it differs from `default`; it survives while its widget is out of sight. `parse` makes the value from
    the address' text and raises ValueError for what is not allowed.
    """
    kept: dict[str, _Setting] = st.session_state.setdefault(_KEPT, {})
    if name not in st.session_state:
        if name not in kept:
            kept[name] = _Setting(default, _given(name, default, parse))
        st.session_state[name] = kept[name].value
    kept[name] = _Setting(default, st.session_state[name])
    return st.session_state[name]


def _given(name: str, default: Any, parse: Callable[[str], Any]) -> Any:
    text = st.query_params.get(name)
    try:
        return default if text is None else parse(text)
    except ValueError:
        return default


def for_address(page: str) -> dict[str, str]:
    """What the address of `page` has to say about its settings."""
    kept: dict[str, _Setting] = st.session_state.get(_KEPT, {})
    found = {}
    for name, setting in kept.items():
        if name.startswith(f"{page}_"):
            setting.value = st.session_state.get(name, setting.value)
            if setting.value != setting.default:
                found[name] = str(setting.value)
    return found


def forget() -> None:
    """Read every setting anew from the address when its page asks for it."""
    for name in st.session_state.pop(_KEPT, {}):
        st.session_state.pop(name, None)


def one_of(names: Collection[str]) -> Callable[[str], str]:
    """A parser for `page_setting` that allows these names alone.

    >>> one_of(("self", "cross"))("cross")
    'cross'
    """

    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(f"{text!r}: allowed are {', '.join(names)}")
        return text

    return parse


def whole(least: int, most: int) -> Callable[[str], int]:
    """A parser for `page_setting` that allows the whole numbers from `least` to `most`.

    >>> whole(1, 12)("7")
    7
    """

    def parse(text: str) -> int:
        if not text.isdecimal() or len(text) > 9 or not least <= int(text) <= most:
            raise ValueError(f"{text!r}: allowed are whole numbers from {least} to {most}")
        return int(text)

    return parse
