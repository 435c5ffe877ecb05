"""A script of this folder as an app: served like the real one, with the same warm-up and the same files."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from playground import one_core  # noqa: F401 - as in app.py
from playground.routes import ROUTES
from playground.warmup import lifespan

app = st.App(str(Path(__file__).parent / os.environ["BENCHMARK_SCRIPT"]), lifespan=lifespan, routes=ROUTES)
