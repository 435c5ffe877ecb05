"""The frame of every page: what Streamlit runs on each visit and each change, from top to bottom.

Nothing is defined here: a function would hold the run's module, and that the function, until the collector finds them.
"""

from __future__ import annotations

import streamlit as st

from playground import as_before, frame, i18n, page_settings, sitemap, teacher
from playground.i18n import _
from playground.panel import screen
from playground.service import uploads
from playground.service.rerun import watched

i18n.begin()
st.set_page_config(page_title=_("Attention playground"), layout="wide", initial_sidebar_state="auto", menu_items={})
# Chosen panels in somebody's course page need no way to the other pages.
page = st.navigation(sitemap.navigation(), position="hidden" if teacher.panels() else "top")
name = page.url_path or "playground"
place = st.container()  # of words that only the page's last line can know to be needed
if st.session_state.get("shown_page", name) != name:
    page_settings.pardon()
    as_before.forget()
    screen.begin_page()
    uploads.leave()
st.session_state["shown_page"] = name
screen.begin()
with watched(name):
    page.run()
with place:
    frame.alerts(page_settings.wrong(), "wrong_setting")
