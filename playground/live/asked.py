"""How far a run was asked to learn. The address says so: a page that comes back without its run can tell what it had.

Runs are kept in the server's memory and in no other place. A server that is started anew, or that has forgotten a
visitor who was away, has none of them; what trained them is in the address, and gives the same numbers again.
"""

from __future__ import annotations

import streamlit as st

from attention_core.trained.plan import MOST_STEPS
from playground import state
from playground.live.run import Run
from playground.live.runner import runner

NAME = "live_until"
_PLAN = "training_asked_of"  # the plan that the setting belongs to
_FILE = ".file"  # after the step: the run went on from a file, so its plan alone does not bring it back


def follow(run: Run) -> None:
    """Read the setting, just before it is needed. Another plan, chosen on the page, has a run of its own or none."""
    if NAME not in st.session_state:
        st.session_state[_PLAN] = run.plan  # it is read from the address now, as the plan is
    state.page_setting(NAME, "", _parsed)
    if st.session_state.get(_PLAN) != run.plan:
        note(run, run.done)


def note(run: Run, step: int) -> None:
    """A run is asked to learn up to a step, or rests there."""
    st.session_state[_PLAN] = run.plan
    st.session_state[NAME] = f"{step}{_FILE if run.loaded else ''}" if step else ""


def lost(run: Run) -> tuple[int, bool]:
    """The step that a run which is no longer there had been asked for, and whether it had begun from a file.

    0 where nothing is lost.
    """
    if run.loaded or run.done or runner().busy(run):
        return 0, False
    text = str(st.session_state.get(NAME, ""))
    return int(text.removesuffix(_FILE) or 0), text.endswith(_FILE)


def _parsed(text: str) -> str:
    state.whole(1, MOST_STEPS)(text.removesuffix(_FILE))
    return text
