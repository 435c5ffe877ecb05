"""What a teacher may say in the link: controls to hide, controls to lock, and "predict first".

`?hide=weights,mask&lock=num_heads&predict=1`; the names are those of the experiment's fields, and "preset".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.trace import FIELDS
from playground.i18n import LANGUAGES, _

ARITHMETIC = "arithmetic"
CONTROLS = ("preset", *(field.name for field in fields(Experiment)))
PANELS = (*FIELDS, ARITHMETIC)
_LISTS: Mapping[str, Collection[str]] = {"hide": CONTROLS, "lock": CONTROLS, "controls": CONTROLS, "panels": PANELS}
_WORDS: Mapping[str, Collection[str]] = {"predict": ("1",), "lang": LANGUAGES}
SWITCHES = (*_LISTS, *_WORDS)


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


def panels() -> bool:
    """Whether the link asks for chosen pictures alone, at least one of which there may be."""
    return any(name in PANELS for name in names("panels"))


def wrong() -> list[str]:
    """Which words of these switches mean nothing, each with what is allowed."""
    said = []
    for switch, allowed in _LISTS.items():
        unknown = [name for name in names(switch) if name not in allowed]
        if unknown:
            words = _("{switch}={names}: allowed are {allowed}")
            listed = ",".join(unknown)
            said.append(words.format(switch=switch, names=repr(listed[:60]), allowed=", ".join(allowed)))
    for switch, allowed in _WORDS.items():
        value = st.query_params.get(switch)
        if value is not None and value not in allowed:
            words = _("{switch}={value}: allowed is {allowed}")
            said.append(words.format(switch=switch, value=repr(value[:40]), allowed=", ".join(allowed)))
    return said


def kept(query: Mapping[str, str]) -> dict[str, str]:
    """The switches of an address, without the words that mean nothing."""
    found = {}
    for switch, allowed in _LISTS.items():
        known = [name for name in names(switch) if name in allowed]
        if switch in query and known:
            found[switch] = ",".join(known)
    return found | {name: query[name] for name, allowed in _WORDS.items() if query.get(name) in allowed}
