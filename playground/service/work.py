"""Work off the event loop: a few threads for programs and downloads, so that pages and files never wait for them.

They stand in the line of the pages, for it is the same interpreter: whoever asks a hundred times a second is one
visitor among others there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

import anyio
import anyio.to_thread

from playground.service import metrics
from playground.service.asking import Asking, asking
from playground.service.line import line
from playground.service.problem import Problem
from playground.service.settings import service

Result = TypeVar("Result")


class Workers:
    """As many threads as `ATTENTION_API_REQUESTS`, and a line before them that is bounded in length and time."""

    def __init__(self, threads: int, length: int, seconds: float) -> None:
        self._limiter = anyio.CapacityLimiter(threads)
        self._steps = anyio.CapacityLimiter(threads)  # of their own: an answer goes on while others wait for a turn
        self._free = asyncio.Semaphore(threads)
        self._length = length
        self._seconds = seconds
        self._waiting = 0

    async def run(self, work: Callable[[], Result], visitor: str) -> Result:
        """What `work` returns, done for `visitor` in his turn. Problem 503 where the line is full or the wait too long.
        """
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
            return await anyio.to_thread.run_sync(_in_line, work, visitor, limiter=self._limiter)
        finally:
            self._free.release()

    async def step(self, work: Callable[[], Result]) -> Result:
        """What `work` returns: a step of an answer that has begun, which nobody can refuse any more."""
        return await anyio.to_thread.run_sync(work, limiter=self._steps)

    def _full(self) -> Problem:
        metrics.REFUSALS.labels("api_full").inc()
        return Problem(503, "the server is busy with other requests: try again", headers={"Retry-After": "5"})


def _in_line(work: Callable[[], Result], visitor: str) -> Result:
    with asking(Asking(visitor)) as who, line().place(visitor) as who.step_aside:
        try:
            return work()
        except Exception as problem:  # a refusal is an answer too: who was served it is not the next one again
            refusal = problem
    try:
        raise refusal
    finally:
        del refusal  # or it and this frame would hold each other, and the whole body of the request


_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Workers] = WeakKeyDictionary()


def workers() -> Workers:
    """The workers of this server: those of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _by_loop:
        settings = service()
        _by_loop[loop] = Workers(settings.api_requests, settings.queue_length, settings.queue_seconds)
    return _by_loop[loop]
