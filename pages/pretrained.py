"""Pretrained models: the true queries, keys and values of every layer and head, and what holds for any model."""

from __future__ import annotations

import streamlit as st

from playground import lesson as lesson_frame
from playground.folded import every_stage
from playground.i18n import _
from playground.pretrained import choose, contexts, facts, measured, pictures

lesson = lesson_frame.begin("pretrained", only=())
loaded = choose.model("pretrained_model", label=_("Model"))
found = choose.text(loaded) if loaded is not None else None
if loaded is None or found is None:
    st.stop()  # the address stays as it is: what it asks for is shown once the model is there
text, reading = found
facts.say(loaded, reading)

lesson.section("overview")
pictures.overview(reading)

lesson.section("head")
layer, head = choose.head(reading)
trace = reading.layers[layer].trace()
left, right = st.columns([1.62, 1], gap="medium")
with left:
    pictures.hero(trace, layer, head)
    pictures.downloads(trace, layer)
    every_stage("pretrained", lambda: facts.walk(trace, head))
    lesson.section("sinks")
    measured.sinks(reading, reading.layers[layer].part)
    lesson.section("findings")
    measured.kinds(loaded)
with right:
    pictures.arithmetic(trace, head)

lesson.section("word")
contexts.word(loaded)
lesson.section("two")
contexts.two(loaded, text, layer, head)
lesson.close()
