"""The playground as part of another page: chosen pictures, and no frame round them.

`?embed=true&panels=weights,output&controls=temperature` is for an `<iframe>` in the text of a course: `panels` are
fields of the trace and "arithmetic", `controls` are fields of the experiment. `embed` is Streamlit's own: it leaves
out the header.
"""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.trace import FIELDS, AttentionTrace
from playground import controls, frame, inspector, panel, stages, state
from playground.i18n import _
from playground.teacher import ARITHMETIC, kept, names, panels

HEIGHTS = dict.fromkeys(stages.SCORES, 340)
STYLE = """
<style>
[data-testid="stMainBlockContainer"] { padding: 0.6rem 0.8rem 0.4rem; }
[data-testid="stSidebar"], [data-testid="stExpandSidebarButton"], .st-key-way { display: none; }
</style>
"""


def wanted() -> bool:
    """Whether the link asks for chosen panels."""
    return panels()


def fields() -> dict[str, object]:
    """The controls that the link names, above the pictures, and the fields of the experiment they ask for."""
    place = st.container(horizontal=True, vertical_alignment="bottom", key="embedded_controls")
    return controls.sidebar(names("controls"), place)


def page(experiment: Experiment, trace: AttentionTrace, problem: str | None) -> None:
    """What is wrong, if anything is; the panels in the order of the link; what they mean; the way to all the rest."""
    st.html(STYLE)
    fit = [name for name in names("panels") if name == ARITHMETIC or name in trace.fields()]
    absent = [name for name in names("panels") if name in FIELDS and name not in fit]
    with st.container():
        if absent:
            allowed = ", ".join((*trace.fields(), ARITHMETIC))
            words = _("panels={names}: this experiment has {allowed}").format(names=", ".join(absent), allowed=allowed)
            panel.statement("unknown_panels", words, alert=True)
        frame.messages(problem)
    head = state.view().head
    for name in fit:
        if name == ARITHMETIC:
            inspector.draw(experiment, trace)
        else:
            stages.field_panel(
                trace, name, key=f"embedded_{name}", width=720, height=HEIGHTS.get(name, 250), head=head, csv=False
            )
    st.caption(frame.honest_label(experiment))
    st.caption(f"[{_('Open in the attention playground')}](./?{urlencode(_whole(experiment))})")


def _whole(experiment: Experiment) -> dict[str, str]:
    """The link to the same experiment with all its stages; a teacher's switches stay, where they hide what is asked."""
    dropped = ("panels", "controls", "embed")
    own = {name: value for name, value in kept(st.query_params).items() if name not in dropped}
    return {**state.to_query(experiment, state.view()), **own}
