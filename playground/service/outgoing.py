"""Answers on their way: made piece by piece as they are taken, and counted until they are gone.

Who asks and does not read the answer would otherwise fill the memory with what waits to be sent.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from playground.service import asking, logs, metrics
from playground.service.gate import Busy
from playground.service.line import line
from playground.service.settings import MEBIBYTE, Service, service
from playground.service.work import workers

SHARE = 0.5  # of the room, for all that goes to one address: a class behind one address, and never everybody's


@dataclass(frozen=True, eq=False)
class Content:
    """What is sent: its pieces, and how many bytes are held in memory until the last one is."""

    pieces: Iterable[bytes]
    held: int

    @cached_property
    def body(self) -> bytes:
        """All of it at once."""
        return b"".join(self.pieces)


def whole(body: bytes) -> Content:
    """A content that is there already."""
    return Content([body], len(body))


class Room:
    """What the answers that are on their way may hold together, and how much of it may go to one visitor."""

    def __init__(self, settings: Service) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._under_way: dict[object, tuple[str, int]] = {}

    @property
    def held(self) -> int:
        """The bytes of all that are on their way."""
        with self._lock:
            return sum(size for _, size in self._under_way.values())

    def enter(self, visitor: str, size: int) -> Callable[[], None]:
        """Count an answer until what is given back is called, once or again. Busy where there is no room for it.

        One alone always has room: the limits on numbers bound it.
        """
        with self._lock:
            room = self._settings.answers_mb * MEBIBYTE
            held = sum(held for _, held in self._under_way.values())
            if held and held + size > room:
                raise _refusal("answers_full")
            own = sum(held for who, held in self._under_way.values() if who == visitor)
            if visitor and own and own + size > SHARE * room:
                raise _refusal("too_many_files")
            key = object()
            self._under_way[key] = (visitor, size)

        def leave() -> None:
            with self._lock:
                self._under_way.pop(key, None)

        return leave


def _refusal(reason: str) -> Busy:
    metrics.REFUSALS.labels(reason).inc()
    return Busy(reason)


@cache
def room() -> Room:
    """The room of this server."""
    found = Room(service())
    metrics.ANSWERS.set_function(lambda: found.held)
    return found


def respond(content: Content, *, media_type: str, headers: Mapping[str, str]) -> Response:
    """The answer with this content to who asks now (`asking`). Raises Busy where there is no room for it."""
    visitor = asking.now().visitor
    return Outgoing(content, visitor, room().enter(visitor, content.held), media_type, headers)


class Outgoing(Response):
    """An answer that makes its next piece when the last one was taken, in its visitor's turn among the pages.

    A short one has only one piece and is made already.
    """

    def __init__(
        self, content: Content, visitor: str, leave: Callable[[], None], media_type: str, headers: Mapping[str, str]
    ) -> None:
        self._visitor = visitor
        self._leave = weakref.finalize(self, leave)  # at the latest when nobody will send it any more
        self._leave.atexit = False
        try:
            pieces = iter(content.pieces)
            first, second = next(pieces, b""), next(pieces, b"")
        except BaseException:
            self._leave()
            raise
        super().__init__(first, headers=dict(headers), media_type=media_type)
        self._pieces = chain([first, second], pieces) if second else None
        if second:
            del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and leave the room."""
        try:
            if self._pieces is None or scope["method"] == "HEAD":
                await super().__call__(scope, receive, send)
            else:
                streamed = StreamingResponse(self._made(self._pieces), self.status_code)
                streamed.raw_headers = self.raw_headers
                await streamed(scope, receive, send)
        finally:
            self._leave()

    async def _made(self, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
        started, size, outcome = time.perf_counter(), 0, "broken_off"
        try:
            while piece := await workers().step(lambda: _next(pieces, self._visitor)):
                size += len(piece)
                yield piece
            outcome = "done"
        except Exception as problem:
            outcome = "failed"
            logs.failure("failed", problem, route="sending")
            raise
        finally:
            logs.event("sent", bytes=size, ms=round(1000 * (time.perf_counter() - started), 1), outcome=outcome)


def _next(pieces: Iterator[bytes], visitor: str) -> bytes:
    with line().place(visitor):
        return next(pieces, b"")
