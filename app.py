"""The door: `streamlit run app.py`. What happens before the first visitor, and what is served beside the pages."""

from __future__ import annotations

import streamlit as st

from playground.routes import ROUTES
from playground.warmup import lifespan

app = st.App("playground/main.py", lifespan=lifespan, routes=ROUTES)
