"""The floor: the app's frame, sidebar and address, and one constant heatmap that is painted again at every change."""

from __future__ import annotations

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.presets import DEFAULT
from attention_viz import heatmap_spec
from playground import compute, controls, frame, panel, state


def page() -> None:
    """What the playground does, without attention."""
    state.load("playground")
    experiment = Experiment(**controls.sidebar())
    frame.style()
    wide, _ = st.columns([1.62, 1], gap="medium")
    with wide:
        panel.heatmap(
            "hero",
            lambda: heatmap_spec(compute.run(DEFAULT.experiment), "weights", box=(520, 520)),
            cells=0,
            title="A constant heatmap",
            note=f"temperature {experiment.temperature}",  # new words, so that the panel has something to paint
            height=520,
        )
    state.save(experiment)


st.set_page_config(layout="wide")
st.navigation([st.Page(page, default=True)], position="top").run()
