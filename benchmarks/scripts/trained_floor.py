"""The floor of the page on trained models: its buttons, one constant heatmap and one sentence; no model is asked."""

from __future__ import annotations

import streamlit as st

from attention_core.presets import DEFAULT
from attention_viz import heatmap_spec
from playground import compute, frame, panel, state
from playground.lessons import trained_models as models


def page() -> None:
    """What the page does, without a model."""
    state.load("trained_floor")
    frame.style()
    model = st.segmented_control("Model", models.models(), key="model", required=True, format_func=models.title)
    with st.sidebar:
        heads = models.heads("translation")
        st.session_state.setdefault("working", heads)
        working = st.pills(
            "Heads",
            heads,
            key="working",
            selection_mode="multi",
            format_func=lambda one: models.head_title(*one),
        )
    panel.statement("trained_answer", f"heads at work: {working}")
    panel.heatmap(
        "trained_weights",
        lambda: heatmap_spec(compute.run(DEFAULT.experiment), "weights", box=(520, 460)),
        cells=0,
        title="A constant heatmap",
        note=f"model {model}",  # new words, so that the panel has something to paint
        height=460,
    )
    state.save(state.experiment())


st.set_page_config(layout="wide")
st.navigation([st.Page(page, default=True)], position="top").run()
