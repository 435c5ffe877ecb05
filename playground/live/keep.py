"""What can be taken away and brought back: the weights as a file, and the code that trains them."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.uploaded_file_manager import DeletedFile

from attention_core.codegen.training import training_code
from attention_core.trained.kept import LARGEST, from_bytes, plan_in
from playground import panel
from playground.i18n import _
from playground.live import asked, choices, moving, visits
from playground.live.limits import training_limits
from playground.live.run import Run
from playground.service import uploads

_REFUSED = "training_refused"


def take_away(run: Run, step: int) -> None:
    """Downloads of the step that is looked at, in a popover."""
    with st.popover(_("Keep it")):
        newest = step == run.nearest(-1)
        st.download_button(
            _("The weights of step {step} (safetensors)").format(step=step),
            lambda: run.file(step),
            file_name=f"{run.plan.name}-{step}.safetensors",
            mime="application/octet-stream",
            on_click="ignore",
            key="live_weights",
        )
        st.caption(
            _("With the optimizer's running means, so that it can go on from here as if it had never stopped.")
            if newest
            else _("The weights alone: the optimizer's running means are kept for the newest step only.")
        )
        st.download_button(
            _("The code that trains this model (Python, torch alone)"),
            lambda: training_code(run.plan).encode(),
            file_name=f"train_{run.plan.name}.py",
            mime="text/x-python",
            on_click="ignore",
            key="live_code",
        )
        st.caption(_("It begins with the same weights, draws the same samples and prints the same numbers."))


def bring_back() -> None:
    """A file that was kept, in the sidebar; one that cannot be taken is refused, and nothing else changes."""
    uploads.expect()
    with st.sidebar:
        st.file_uploader(
            _("Go on from a file"),
            type=["safetensors"],
            key="live_file",
            on_change=_take,
            max_upload_size=LARGEST >> 20,  # MiB
        )
        refused = st.session_state.get(_REFUSED, "")
        if refused:
            still = _("Nothing was changed.")
            panel.statement("live_refused", refused, still, alert=True)


def _take() -> None:
    given = st.session_state["live_file"]
    if isinstance(given, DeletedFile):  # it was read, and is not kept
        return
    st.session_state[_REFUSED] = ""
    if given is None:
        return
    content = uploads.take(given)
    try:
        training_limits().check(plan_in(content, given.name))
        plan, training = from_bytes(content, given.name)
    except ValueError as problem:
        st.session_state[_REFUSED] = str(problem)
        return
    run = visits.put(plan, training)
    asked.note(run, run.done)
    choices.take(plan)
    moving.follow_newest()
