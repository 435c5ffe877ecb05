"""The glossary: every term in one or two sentences, with the page on which to see it."""

from __future__ import annotations

import streamlit as st

from playground import glossary, state, told
from playground import lesson as lesson_frame
from playground.i18n import _, language

lesson = lesson_frame.begin("glossary", only=())
state.page_setting("glossary_find", "", lambda text: text[:100])
sought = told.text_input(_("Find a term"), key="glossary_find", max_chars=100, live="250ms", width=320)
found = glossary.find(sought, glossary.entries(language()))
if found:
    st.markdown("\n\n".join(entry.markdown() for entry in found))
else:
    st.caption(_("No entry speaks of this."))
lesson.close()
