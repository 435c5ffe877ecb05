"""The words of the interface, through gettext. English is the source and the fallback."""

from __future__ import annotations

import gettext
import threading
from functools import cache
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

LOCALES = Path(__file__).parent / "locale"
LANGUAGES = ("en",)

# Each run of the script has a thread to itself, so what is kept here is one visitor's.
_run = threading.local()


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation("playground", LOCALES, languages=[language], fallback=True)


def language() -> str:
    """The language of this visitor: `?lang=` in the address, else what the browser asks for, else English."""
    known: str | None = getattr(_run, "language", None)
    return known or _asked()


def begin() -> None:
    """Look the language up once for this run of the script: its thousand phrases need not ask the address each."""
    _run.language = _asked()


def _asked() -> str:
    if get_script_run_ctx(suppress_warning=True) is None:
        return "en"  # for a file, which is made outside any visitor's run
    asked = (st.query_params.get("lang") or (st.context.locale or "")).split("-")[0]
    return asked if asked in LANGUAGES else "en"


def _(message: str) -> str:
    """`message` in the visitor's language."""
    return _catalogue(language()).gettext(message)


def plural(one: str, many: str, count: int) -> str:
    """The form of a phrase that fits `count`, in the visitor's language."""
    return _catalogue(language()).ngettext(one, many, count)
