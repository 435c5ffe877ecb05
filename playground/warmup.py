"""What the server does once, before it answers its first visitor."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playground.service import garbage, health, logs, settings


def warm_up() -> None:
    """Import and run everything the first picture needs, then freeze what was allocated.

    The health check answers before any script has run, and importing torch takes more than a second: without
    this the first visitor of a class waits for both. Freezing moves the imported modules out of the
    collector's sight, so that no later collection walks through them; nor does one during the imports.
    """
    gc.disable()
    try:
        _prepare()
        gc.collect()
        gc.freeze()
        garbage.seldom()
    finally:
        gc.enable()


def _prepare() -> None:
    # The first optimizer makes torch look for a folder for compiled code, which nothing here compiles: one that exists
    # and stays as it is, so that a full disk or a missing temporary folder stops nobody's training.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path(__file__).parent))
    import torch

    from attention_core.presets import DEFAULT
    from attention_viz import heatmap_spec
    from playground import assets, compute, freed, inspector, stages
    from playground.service import heard, lean_state, messages, theme, untied

    freed.give_back()
    heard.install()
    lean_state.install()
    messages.install()
    theme.install()
    untied.install()

    torch.set_num_threads(1)  # as one_core.py has told OpenMP
    trace = compute.run(DEFAULT.experiment)
    heatmap_spec(trace, "weights")
    assets.served()
    assert inspector and stages


@asynccontextmanager
async def lifespan(_app: Any) -> AsyncIterator[dict[str, Any]]:
    """Warm up in a thread while the server starts to listen: the page's own files load meanwhile."""
    settings.check()
    logs.install()
    worker = threading.Thread(target=health.readied_by, args=[warm_up], name="warm-up", daemon=True)
    worker.start()
    cleaner = asyncio.create_task(garbage.thoroughly(), name="garbage")
    yield {}
    cleaner.cancel()
