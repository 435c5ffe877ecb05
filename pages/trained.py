"""Heads that mean something: small trained models, asked, taken apart and put together again."""

from __future__ import annotations

import streamlit as st

from playground import lesson as lesson_frame
from playground import panel, predict
from playground.i18n import _
from playground.lessons import trained, trained_controls, trained_models, trained_patch
from playground.lessons.trained_models import Setting
from playground.service import messages

PAUSE = 0.12  # seconds

lesson = lesson_frame.begin("trained", only=())
model = trained_controls.choose_model()
st.markdown(trained_models.about(model))
st.caption(trained_models.honest_label(model))
text = trained_controls.choose_text(model)
change = trained_controls.choose_change(model, text)
found = trained.say_answer(model, text, change)
# What is done to the model is seen in its answer first: the pictures follow when that is on the screen. Where the
# temperature moves they do not wait: its slider is pulled, and they move with it.
asked = (model, text, change.temperature)
messages.send_now(PAUSE if st.session_state.get("trained_asked") == asked else 0.0)
st.session_state["trained_asked"] = asked

lesson.section("heads")
layer, head = trained_controls.choose_layer(model, found)
setting = Setting(model, text, change, layer)
shown = trained_patch.shown(found, change, layer)
if not predict.cover("trained", shown, about=setting, head=head, row=trained.asked_row(found, shown)):
    trained.pictures(setting, found, head)

with st.container(key="stages_more"):
    lesson.section("mask")
    panel.table(
        "trained_forcing",
        trained.forcing_rows(),
        head=("", _("right, given the right words so far"), _("right, writing by itself")),
    )
    lesson.section("explanation")
    panel.table(
        "trained_explanation", trained.lesson_rows(("reversal", "sorting")), head=("", _("accuracy"), _("alignment"))
    )
lesson.close()
