"""Streamlit's own chart: the app's frame, sidebar and address, and the weights in one `st.plotly_chart`."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from attention_viz import heatmap_spec
from playground import compute, controls, frame, state


def page() -> None:
    """The weights of all heads, and nothing else."""
    state.load("playground")
    experiment, _ = state.accept(controls.sidebar())
    spec = heatmap_spec(compute.run(experiment), "weights", box=(520, 520))
    figure = go.Figure(spec["data"], spec["layout"]).update_layout(width=520, height=520, meta=experiment.temperature)
    frame.style()
    wide, _ = st.columns([1.62, 1], gap="medium")
    with wide:
        st.plotly_chart(figure, key="chart")
    state.save(experiment)


st.set_page_config(layout="wide")
st.navigation([st.Page(page, default=True)], position="top").run()
