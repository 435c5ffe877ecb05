"""The pages of the app and the order in which the menu shows them."""

from __future__ import annotations

from copy import copy
from functools import cache
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

from playground.i18n import _, language

PAGES = Path(__file__).parent.parent / "pages"


def pages() -> dict[str, list[tuple[str, str]]]:
    """The pages by section: file name (which is also the address) and title."""
    return {
        "": [
            ("playground", _("Playground")),
            ("mask_lab", _("Mask lab")),
            ("trained", _("Trained heads")),
            ("live", _("Live training")),
            ("pretrained", _("Pretrained models")),
        ],
        _("Understand"): [
            ("heads", _("One head or many?")),
            ("scale", _("Why divide by √d_k?")),
            ("scores", _("Score functions")),
            ("position", _("Where does position come in?")),
            ("cross", _("Cross-attention")),
            ("encoder", _("The encoder block")),
            ("article", _("The article, step by step")),
            ("glossary", _("Glossary")),
        ],
    }


@cache
def _known(_language: str) -> dict[str, list[Page]]:
    return {
        section: [
            st.Page(PAGES / f"{name}.py", title=title, url_path=name, default=name == "playground")
            for name, title in entries
        ]
        for section, entries in pages().items()
    }


def navigation() -> dict[str, list[Page]]:
    """The pages as `st.navigation` takes them, for one run: it notes in a page that the run may show it.

    To make one, Streamlit looks for its file; once is enough.
    """
    return {section: [copy(page) for page in its] for section, its in _known(language()).items()}
