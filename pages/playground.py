"""The playground: a sentence in, every tensor of attention on the screen."""

from __future__ import annotations

import streamlit as st

from playground import compare, compute, controls, embedded, frame, inspector, predict, stages, state
from playground.i18n import _

state.load("playground")
fields = embedded.fields() if embedded.wanted() else controls.sidebar()
experiment, problem = state.accept(fields)
trace = compute.run(experiment)

frame.style()
if embedded.wanted():
    if not predict.cover("hero", trace):
        embedded.page(experiment, trace, problem)
else:
    frame.header(experiment, trace, problem)
    head = frame.head_choice(trace)
    if not predict.cover("hero", trace):
        compare.section(trace)
        walk, side = st.columns([1.62, 1], gap="medium")
        with walk:
            title = frame.hero_title(head)
            hint = _("Tap a cell for its arithmetic")
            stages.field_panel(
                trace, "weights", key="hero", width=520, height=500, head=head, title=title, caption=title, hint=hint
            )
        with side:
            opened, its_trace = compare.explained(experiment, trace)
            inspector.draw(opened, its_trace, head or 0, compared=compare.both_values(trace))
        with walk, st.container(key="stages"):
            stages.draw_walk(trace, head)

state.save(experiment)
