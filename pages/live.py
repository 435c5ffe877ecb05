"""Live training: a small model learns in front of the visitor, and its heads form."""

from __future__ import annotations

import streamlit as st

from playground import lesson as lesson_frame
from playground import panel
from playground.lessons import trained_models as models
from playground.live import asked, choices, keep, moving, visits, words

lesson = lesson_frame.begin("live", only=())
plan, problem = choices.choose_plan()
st.markdown(models.about(plan.name))
if problem:
    panel.statement("live_wrong", problem, words.still(), alert=True)
keep.bring_back()

run = visits.current(plan)
asked.follow(run)
moving.choose_step(run)
moving.follow_link(run)
moving.buttons(run)
stands = moving.draw(run)
st.caption(words.honest_label(run))
step = moving.choose_step(run)
if stands:
    keep.take_away(run, step)

lesson.section(plan.name)
lesson.section("terms")
if stands:
    words.stages(run, step)
lesson.close()
