"""The door: `streamlit run app.py`. What happens before the first visitor, and what is served beside the pages."""

from __future__ import annotations

import streamlit as st
from starlette.middleware import Middleware

from playground import one_core  # noqa: F401 - before whatever brings PyTorch
from playground.routes import ROUTES
from playground.service.frames import Frames
from playground.service.headers import Headers
from playground.service.pace import Paced
from playground.service.uploads import Uploads
from playground.warmup import lifespan

MIDDLEWARE = [Middleware(Paced), Middleware(Headers), Middleware(Uploads), Middleware(Frames)]

app = st.App("playground/main.py", lifespan=lifespan, routes=ROUTES, middleware=MIDDLEWARE)
