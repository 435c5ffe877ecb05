"""What is folded away: the words behind "Why?", and every stage of a layer where a page shows more than them."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from playground import state
from playground.i18n import _


def folded(lead: str, why: str) -> None:
    """Show `lead`, and `why` for those who want to know.

    In one element of the page, where an expander of Streamlit's makes it three, which the browser takes in anew at
    every change.
    """
    if not why:
        st.markdown(lead)
    elif "<" in lead + why:  # it would be taken for a tag
        st.markdown(lead)
        with st.expander(_("Why?")):
            st.markdown(why)
    else:  # the only tags are these; the blank lines make what is between them Markdown again
        fold = f"<details><summary>{_('Why?')}</summary>\n\n{why}\n\n</details>"
        st.markdown(f"{lead}\n\n{fold}", unsafe_allow_html=True)


def every_stage(page: str, draw: Callable[[], None]) -> None:
    """`draw` the stages of a layer once somebody unfolds them; the link of a `page` says whether they are open."""
    name, fold = f"{page}_open", f"{page}_stages_open"
    state.page_setting(name, "", state.one_of(("stages",)))
    st.session_state[fold] = st.session_state[name] == "stages"
    with st.expander(_("Every stage of this layer"), key=fold, on_change=_turned, args=(name, fold)) as folding:
        if folding.open:  # nobody waits for what is folded away
            draw()


def _turned(name: str, fold: str) -> None:
    st.session_state[name] = "stages" if st.session_state[fold] else ""
