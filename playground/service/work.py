"""Work off the event loop: a few threads for programs and downloads, so that pages and files never wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

import anyio
import anyio.to_thread

from playground.service import metrics
from playground.service.problem import Problem
from playground.service.settings import service

Result = TypeVar("Result")


class Workers:
    """As many threads as `ATTENTION_API_REQUESTS`, and a line before them that is bounded in length and time."""

    def __init__(self, threads: int, length: int, seconds: float) -> None:
        self._limiter = anyio.CapacityLimiter(threads)
        self._free = asyncio.Semaphore(threads)
        self._length = length
        self._seconds = seconds
        self._waiting = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """What `work` returns. Problem 503 where the line is full or the wait too long."""
        if self._waiting >= self._length:
            raise self._full()
        self._waiting += 1
        try:
            await asyncio.wait_for(self._free.acquire(), self._seconds)
        except TimeoutError:
            raise self._full() from None
        finally:
            self._waiting -= 1
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._limiter)
        finally:
            self._free.release()

    def _full(self) -> Problem:
        metrics.REFUSALS.labels("api_full").inc()
        return Problem(503, "the server is busy with other requests: try again", headers={"Retry-After": "5"})


_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Workers] = WeakKeyDictionary()


def workers() -> Workers:
    """The workers of this server: those of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _by_loop:
        settings = service()
        _by_loop[loop] = Workers(settings.api_requests, settings.queue_length, settings.queue_seconds)
    return _by_loop[loop]
