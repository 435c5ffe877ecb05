"""The runs of a page leave nothing that only the collector could find; Streamlit by itself leaves its runners."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.visitor import Visitor
from tests import serving

# The app with one address more: what the collector has found since it was asked for the last time, by name.
PROBE = f"""
import gc, os
from types import FunctionType
import streamlit as st
import app as door
from starlette.responses import JSONResponse
from starlette.routing import Route
from playground.service import untied

if os.environ.get("AS_STREAMLIT_DOES"):
    untied.install = lambda: None

async def left(request):
    gc.collect()
    found = [one.__qualname__ if type(one) is FunctionType else type(one).__name__ for one in gc.garbage]
    gc.garbage.clear()
    gc.set_debug(gc.DEBUG_SAVEALL)  # it keeps in gc.garbage what it would have freed
    return JSONResponse(found)

app = st.App(
    {str(serving.ROOT / "playground" / "main.py")!r},
    lifespan=door.lifespan, routes=[Route("/left", left), *door.ROUTES], middleware=door.MIDDLEWARE,
)
"""


def left_behind(folder: Path, **environment: str) -> Counter[str]:
    """By two visitors with three changes each, one of whom has left."""
    script = folder / "probe.py"
    script.write_text(PROBE)
    with serving.server(script, PYTHONPATH=str(serving.ROOT), **environment) as served:

        def left() -> Counter[str]:
            with urllib.request.urlopen(f"{served.address}/left", timeout=30) as answer:
                return Counter(json.load(answer))

        async def visit(text: str) -> Visitor:
            visitor = Visitor(served.address, {"text": text, "heads": "2", "width": "12"})
            await visitor.open()
            for key, value in (("c_heads", "3"), ("c_text", f"{text} again"), ("c_mask", "Blocks")):
                await visitor.change(key, value)
            assert visitor.picture is not None and len(visitor.picture.weights) == 3
            return visitor

        async def work() -> Counter[str]:
            await visit("warm up")
            await asyncio.to_thread(left)
            await (await visit("one who leaves")).close()
            stays = await visit("one who stays")
            await asyncio.sleep(0.5)
            found = await asyncio.to_thread(left)
            await stays.close()
            return found

        # In a thread of its own: Playwright's loop may run in this one.
        with ThreadPoolExecutor(1) as threads:
            return threads.submit(asyncio.run, work()).result()


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    assert left_behind(tmp_path) == Counter()


def test_streamlit_by_itself_leaves_its_runners(tmp_path: Path) -> None:
    """Should this fail, then Streamlit unties them, and `playground/service/untied.py` has nothing left to do."""
    assert left_behind(tmp_path, AS_STREAMLIT_DOES="1")["ScriptRunner"] >= 6
