"""The mask lab: paint a mask, see what it does to the weights."""

from __future__ import annotations

import streamlit as st

from playground import compute, controls, frame, stages, state, told
from playground.folded import folded
from playground.i18n import _, language
from playground.mask_lab import (
    application,
    changes,
    difference,
    editor,
    empty,
    lengths,
    libraries,
    numbers,
    presets,
    reaching,
)
from playground.prose import prose

CONTROLS = {
    "preset", "text", "mode", "source_text", "num_heads", "weights", "d_model", "position", "score", "temperature",
    "tokenizer", "seed",
}  # fmt: skip

state.load("mask_lab")
changes.without_causal_mode()
words = prose("mask_lab", language())
experiment, problem = state.accept(controls.sidebar(CONTROLS))
trace = compute.run(experiment)

frame.style()
with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    st.markdown(f"# {words['question'].lead}", width="content")
    editor.tools(trace)
frame.messages(problem)
editor.sentence(trace)
presets.draw(*trace.shape("weights")[2:])
left, right = st.columns(2)
with left:
    editor.draw(trace)
with right:
    head = editor.shown_head(trace)
    stages.field_panel(
        trace,
        "weights",
        key="mask_weights",
        head=head,
        width=410,
        height=430,
        title=frame.hero_title(head),
        marks=False,
    )

application.settings()
libraries.settings()
reaching.settings()
numbers.settings(trace.shape("weights")[2])
st.markdown(f"## {_('What the mask changed')}")
numbers.draw(difference.draw(experiment, trace), trace)

titles = {
    "applied": _("Where it is applied"),
    "empty": _("Nothing left to see"),
    "libraries": _("In every library"),
    "far": _("Far sight"),
    "cost": _("Cost"),
    "lengths": _("Different lengths"),
}
st.markdown(f"## {_('More about this mask')}")
state.page_setting("mask_lab_section", "applied", state.one_of(titles))
section = told.segmented_control(
    _("More about this mask"),
    list(titles),
    key="mask_lab_section",
    format_func=titles.__getitem__,
    required=True,
    label_visibility="collapsed",
)
folded(words[section].lead, words[section].why)
match section:
    case "applied":
        application.draw(trace)
    case "empty":
        empty.draw(experiment)
    case "libraries":
        libraries.draw(experiment, trace)
    case "far":
        reaching.far(experiment, trace)
    case "cost":
        reaching.cost(experiment, trace)
    case "lengths":
        lengths.draw(experiment)

state.save(experiment)
