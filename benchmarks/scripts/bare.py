"""The same packages and one heatmap: what a start costs at the least."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
import torch

table = pd.DataFrame(torch.eye(11).numpy())
st.plotly_chart(go.Figure(go.Heatmap(z=table.to_numpy())), key="chart")
