"""The floor of painting: the lab's frame, sidebar and grid, and one constant heatmap, painted again at every stroke."""

from __future__ import annotations

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.presets import DEFAULT
from attention_viz import heatmap_spec
from playground import compute, controls, frame, panel, state
from playground.mask_lab import editor
from playground.mask_lab.changes import EDITOR


def page() -> None:
    """What the mask lab does, without attention: nothing is computed, combined or compared."""
    state.load("mask_lab")
    experiment = Experiment(**controls.sidebar())
    frame.style()
    left, right = st.columns(2)
    with left:
        editor.draw(compute.run(experiment))
    with right:
        panel.heatmap(
            "mask_weights",
            lambda: heatmap_spec(compute.run(DEFAULT.experiment), "weights", box=(410, 430)),
            cells=0,
            title="A constant heatmap",
            note=f"stroke {panel.painted_grid(EDITOR)[0]}",  # new words, so that the panel has something to paint
            height=430,
        )
    state.save(experiment)


st.set_page_config(layout="wide")
st.navigation([st.Page(page, default=True)], position="top").run()
