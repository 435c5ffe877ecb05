"""How long a client may let an answer wait.

A server that writes into a connection nobody reads keeps what it writes. So every answer goes out in slices, each when
the one before has been taken, and a client that takes next to nothing is cut off.
"""

from __future__ import annotations

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.service import logs, metrics
from playground.service.settings import service

SLICE = 64 * 2**10  # bytes
LEAST = 32 * 2**10  # bytes a second, beside the seconds that everybody has


class TooSlow(Exception):
    """The client takes its answer too slowly, or not at all."""


class Paced:
    """ASGI middleware: whoever has let the server wait for longer than `answer_seconds`, and a second for each
    `LEAST` bytes taken, is cut off."""

    def __init__(self, app: ASGIApp, seconds: float | None = None) -> None:
        self.app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; of an HTTP answer, in slices."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        seconds = service().answer_seconds if self._seconds is None else self._seconds
        waited, sent = 0.0, 0

        async def within(message: Message) -> None:
            nonlocal waited
            started = time.monotonic()
            try:
                async with asyncio.timeout(max(0.0, seconds + sent / LEAST - waited)):
                    await send(message)
            except TimeoutError:
                metrics.REFUSALS.labels("too_slow").inc()
                logs.event("cut_off", bytes=sent)
                raise TooSlow from None
            waited += time.monotonic() - started

        async def paced(message: Message) -> None:
            nonlocal sent
            body = message.get("body", b"")
            last = max(0, len(body) - 1) // SLICE * SLICE
            for start in range(0, last, SLICE):
                await within({**message, "body": body[start : start + SLICE], "more_body": True})
                sent += SLICE
            await within({**message, "body": body[last:]} if last else message)
            sent += len(body) - last

        await self.app(scope, receive, paced)
