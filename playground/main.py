"""The frame of every page: what Streamlit runs on each visit and each change."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from playground import frame, i18n, page_settings, teacher
from playground.i18n import _
from playground.panel import screen
from playground.service import uploads
from playground.service.rerun import watched

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


def main() -> None:
    """Set up the frame and run the page that is asked for."""
    i18n.begin()
    st.set_page_config(page_title=_("Attention playground"), layout="wide", initial_sidebar_state="auto", menu_items={})
    sections = {
        section: [
            st.Page(PAGES / f"{name}.py", title=title, url_path=name, default=name == "playground")
            for name, title in entries
            if (PAGES / f"{name}.py").exists()
        ]
        for section, entries in pages().items()
    }
    # Chosen panels in somebody's course page need no way to the other pages.
    page = st.navigation(sections, position="hidden" if teacher.panels() else "top")
    name = page.url_path or "playground"
    place = st.container()  # of words that only the page's last line can know to be needed
    if st.session_state.get("shown_page", name) != name:
        page_settings.pardon()
        screen.begin_page()
        uploads.leave()
    st.session_state["shown_page"] = name
    screen.begin()
    with watched(name):
        page.run()
    with place:
        frame.alerts(page_settings.wrong(), "wrong_setting")


if __name__ == "__main__":
    main()
