"""Words with more words behind "Why?", in one element of the page.

An expander of Streamlit's is three: at every change the browser takes them all in anew, for each stage of the walk.
"""

from __future__ import annotations

import streamlit as st

from playground.i18n import _


def folded(lead: str, why: str) -> None:
    """Show `lead`, and `why` for those who want to know. Both are ours: no visitor's text may come here.

    This is the one place where Markdown may hold HTML.
    """
    if not why:
        st.markdown(lead)
        return
    # The blank lines make what is folded Markdown again.
    fold = f"<details><summary>{_('Why?')}</summary>\n\n{why}\n\n</details>"
    st.markdown(f"{lead}\n\n{fold}", unsafe_allow_html=True)
