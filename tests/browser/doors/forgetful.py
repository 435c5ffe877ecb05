"""The app on a server that forgets a visitor one second after the connection broke, not after two minutes."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.runtime.memory_session_storage import MemorySessionStorage

from playground.routes import ROUTES
from playground.warmup import lifespan

MemorySessionStorage.__init__.__defaults__ = (128, 1)

PAGES = Path(__file__).resolve().parents[3] / "playground" / "main.py"
app = st.App(str(PAGES), lifespan=lifespan, routes=ROUTES)
