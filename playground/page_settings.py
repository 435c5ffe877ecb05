"""Settings that one page has beside the experiment, and that belong into its link."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st

from playground.i18n import _

_KEPT = "page_settings"
_RENAMED = "renamed_settings"  # names that only older links have
_WRONG = "wrong_settings"  # what the address said and could not be had, in words

Option = TypeVar("Option")


@dataclass
class _Setting:
    default: Any
    value: Any


def page_setting(name: str, default: Any, parse: Callable[[str], Any]) -> Any:
    """The value of a setting, to be called just before the widget whose key is `name`.

    The name begins with the page's: "mask_lab_layers". It is read from the address when the page opens, and written
    there while it differs from `default`; it survives while its widget is out of sight. `parse` makes the value from
    the address' text and raises ValueError for what is not allowed, which is said at the top of the page.
    """
    kept: dict[str, _Setting] = st.session_state.setdefault(_KEPT, {})
    if name not in st.session_state:
        if name not in kept:
            kept[name] = _Setting(default, _given(name, default, parse))
        st.session_state[name] = kept[name].value
    if name in kept and kept[name].value != st.session_state[name]:
        pardon()
    kept[name] = _Setting(default, st.session_state[name])
    return st.session_state[name]


def _given(name: str, default: Any, parse: Callable[[str], Any]) -> Any:
    text = st.query_params.get(name)
    try:
        return default if text is None else parse(text)
    except ValueError as problem:
        words = _("{name}={problem}; what is usual is taken instead").format(name=name, problem=problem)
        st.session_state.setdefault(_WRONG, []).append(words)
        return default


def wrong() -> tuple[str, ...]:
    """What the address said of the page's settings and could not be had, in words."""
    return tuple(st.session_state.get(_WRONG, ()))


def pardon() -> None:
    """Speak no more of what was wrong: the visitor has gone on."""
    st.session_state.pop(_WRONG, None)


def for_address(page: str) -> dict[str, str]:
    """What the address of `page` has to say about its settings."""
    kept: dict[str, _Setting] = st.session_state.get(_KEPT, {})
    found = {}
    for name, setting in kept.items():
        if name.startswith(f"{page}_"):
            setting.value = st.session_state.get(name, setting.value)
            if setting.value != setting.default:
                found[name] = str(setting.value)
    # What nobody has read yet belongs to a part of the page that is closed: it is for the day when that is opened.
    read = {*kept, *st.session_state.get(_RENAMED, ())}
    unread = {name: text for name, text in st.query_params.items() if name.startswith(f"{page}_") and name not in read}
    return unread | found


def renamed(name: str) -> str | None:
    """What an older link says under a name that is used no more; the address of today goes without it."""
    text = st.query_params.get(name)
    if text is not None:
        st.session_state.setdefault(_RENAMED, set()).add(name)
    return text


def forget() -> None:
    """Read every setting anew from the address when its page asks for it."""
    pardon()
    for name in st.session_state.pop(_KEPT, {}):
        st.session_state.pop(name, None)


def one_of(names: Collection[str]) -> Callable[[str], str]:
    """A parser for `page_setting` that allows these names alone.

    >>> one_of(("self", "cross"))("cross")
    'cross'
    """

    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(f"{text[:40]!r}: allowed are {', '.join(names)}")
        return text

    return parse


def option_of(options: Collection[Option]) -> Callable[[str], Option]:
    """A parser for `page_setting` that gives the option which is written like the text.

    >>> option_of((0.5, 1.0))("0.5")
    0.5
    """
    written = {str(option): option for option in options}

    def parse(text: str) -> Option:
        return written[one_of(written)(text)]

    return parse


def whole(least: int, most: int) -> Callable[[str], int]:
    """A parser for `page_setting` that allows the whole numbers from `least` to `most`.

    >>> whole(1, 12)("7")
    7
    """

    def parse(text: str) -> int:
        if not text.isdecimal() or len(text) > 9 or not least <= int(text) <= most:
            raise ValueError(f"{text[:40]!r}: allowed are whole numbers from {least} to {most}")
        return int(text)

    return parse
