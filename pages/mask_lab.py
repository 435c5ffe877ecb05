"""The mask lab: paint a mask, see what it does to the weights."""

from __future__ import annotations

import streamlit as st

from playground import compute, controls, frame, panel, stages, state
from playground.i18n import _, language
from playground.mask_lab import application, difference, editor, libraries, reaching
from playground.prose import prose

CONTROLS = {
    "preset", "text", "source_text", "num_heads", "weights", "d_model", "position", "score", "temperature", "tokenizer",
    "seed",
}  # fmt: skip

state.load("mask_lab")
editor.without_causal_mode()
words = prose("mask_lab", language())
experiment, problem = state.accept(controls.sidebar(CONTROLS))
trace = compute.run(experiment)

frame.style()
st.markdown(f"# {words['question'].lead}")
if not frame.messages(problem):
    panel.statement("mask_sentence", editor.sentence(trace))
editor.tools(trace)
left, right = st.columns(2)
with left:
    editor.draw(trace)
with right:
    stages.field_panel(trace, "weights", key="mask_weights", width=410, height=430, title=_("Weights of every head"))

st.markdown(f"## {_('What the mask changed')}")
difference.draw(experiment, trace)

titles = {
    "applied": _("Where it is applied"),
    "empty": _("Nothing left to see"),
    "libraries": _("In every library"),
    "far": _("Far sight"),
    "cost": _("Cost"),
    "lengths": _("Different lengths"),
}
state.page_setting("mask_lab_section", "applied", state.one_of(titles))
section = st.segmented_control(
    _("More about this mask"), list(titles), key="mask_lab_section", format_func=titles.__getitem__, required=True
)
st.markdown(words[section].lead)
match section:
    case "applied":
        application.draw(trace)
    case "empty":
        libraries.nothing_left(experiment)
    case "libraries":
        libraries.draw(experiment, trace)
    case "far":
        reaching.far(experiment, trace)
    case "cost":
        reaching.cost(experiment, trace)
    case "lengths":
        reaching.lengths(experiment)
if words[section].why:
    with st.expander(_("Why?")):
        st.markdown(words[section].why)

state.save(experiment)
