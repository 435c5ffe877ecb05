"""What the browser has said of its screen: whether it is narrow, and which pictures nobody sees."""

from __future__ import annotations

import threading
from typing import Any

import streamlit as st

from playground.panel.received import far_of

NARROW, FAR = "narrow", "far"  # in the session, and as the browser's half of a panel calls them

_run = threading.local()


def begin() -> None:
    """Look it up once for this run of the script: its many panels need not ask the session each."""
    _run.narrow = bool(st.session_state.get(NARROW))
    _run.far = st.session_state.get(FAR, frozenset())


def begin_page() -> None:
    """All pictures of a page come once: nobody knows yet which of them are in sight. Before `begin`."""
    st.session_state.pop(FAR, None)


def narrow() -> bool:
    """Whether it is as narrow as a phone's."""
    known: bool | None = getattr(_run, "narrow", None)
    return bool(st.session_state.get(NARROW)) if known is None else known


def unseen(key: str) -> bool:
    """Whether the panel of this key is far from what is on the screen."""
    known: frozenset[str] | None = getattr(_run, "far", None)
    return key in (st.session_state.get(FAR, ()) if known is None else known)


def hear(name: str, sent: Any) -> None:
    """Keep what a panel was told, in a callback."""
    if sent is not None:
        st.session_state[name] = bool(sent) if name == NARROW else far_of(sent)


def recall(sent: Any) -> None:
    """Take over what the browser told a server that was restarted: it has said so long ago, and nothing changes now."""
    for name in (NARROW, FAR):
        if sent.get(name) is not None and name not in st.session_state:
            hear(name, sent[name])
