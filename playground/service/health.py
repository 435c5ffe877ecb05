"""Is the server alive, is it ready, and what has it counted: for the machine that watches over it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from streamlit.runtime import Runtime

from playground.service import logs, metrics

FRESH = {"Cache-Control": "no-store"}
SESSIONS = "active_sessions"  # what Streamlit's own statistics call them

_ready = threading.Event()
_failed = threading.Event()


def readied_by(warm_up: Callable[[], None]) -> None:
    """Run the warm-up, and be ready after it; never, where it fails."""
    started = time.perf_counter()
    try:
        warm_up()
    except BaseException as problem:
        _failed.set()
        logs.failure("warm_up_failed", problem)
        raise
    _ready.set()
    logs.event("ready", ms=round(1000 * (time.perf_counter() - started), 1))


async def healthz(request: Request) -> Response:
    """The process answers: 200."""
    return JSONResponse({"status": "alive"}, headers=FRESH)


async def readyz(request: Request) -> Response:
    """200 once the warm-up is done, so that no visitor waits for PyTorch; 503 before.

    A full queue does not make it 503: a balancer would take the server away from those who are being served.
    """
    if _ready.is_set():
        return JSONResponse({"status": "ready"}, headers=FRESH)
    status = "failed to warm up" if _failed.is_set() else "warming up"
    return JSONResponse({"status": status}, 503, headers={**FRESH, "Retry-After": "2"})


async def numbers(request: Request) -> Response:
    """All metrics, in Prometheus' text format."""
    metrics.SESSIONS.set(sessions())
    return Response(generate_latest(metrics.REGISTRY), headers={**FRESH, "Content-Type": CONTENT_TYPE_LATEST})


def sessions() -> int:
    """The tabs connected now, from the statistics of Streamlit's session manager; 0 where no server runs."""
    if not Runtime.exists():
        return 0
    found = Runtime.instance().stats_mgr.get_stats([SESSIONS]).get(SESSIONS, ())
    return sum(int(getattr(stat, "value", 0)) for stat in found)
