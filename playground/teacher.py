"""What a teacher may say in the link: controls to hide, controls to lock, and "predict first".

`?hide=weights,mask&lock=num_heads&predict=1`; the names are those of the experiment's fields, and "preset".
"""

from __future__ import annotations

import streamlit as st

SWITCHES = ("hide", "lock", "predict", "lang", "embed", "panels", "controls")


def names(switch: str) -> tuple[str, ...]:
    """What a switch of the link lists, each once, in its order."""
    listed = (name.strip() for name in st.query_params.get(switch, "")[:400].split(","))
    return tuple(dict.fromkeys(name for name in listed if name))


def hidden() -> frozenset[str]:
    """The controls that are not to be seen."""
    return frozenset(names("hide"))


def locked() -> frozenset[str]:
    """The controls that are to be seen and cannot be moved."""
    return frozenset(names("lock"))


def predict() -> bool:
    """Whether the weights stay covered until the class has guessed."""
    return st.query_params.get("predict") == "1"
