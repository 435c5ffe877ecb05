"""Files that visitors send: taken only from a tab whose page asks for one, one a tab, and so many bytes together.

Streamlit takes a file from every open page, asked for or not, keeps it as long as the session, and puts one of more
than a megabyte on the disk on the way. Here a file stays in memory until the page has read it, and no longer.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cache

from starlette.formparsers import MultiPartParser
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.runtime import Runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from attention_core.trained.kept import LARGEST
from playground.service import metrics
from playground.service.pace import LEAST
from playground.service.problem import Problem
from playground.service.settings import MEBIBYTE, Service, service

ROUND_IT = 64 * 2**10  # bytes of a request beside the file
UNREAD = 60.0  # seconds after which a file that no page has read may go
REMEMBERED = 4096  # tabs
_ADDRESS = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+$")


class Desk:
    """Who may send a file, and how much is there. `files` are Streamlit's."""

    def __init__(self, settings: Service, files: Callable[[], MemoryUploadedFileManager]) -> None:
        self._settings = settings
        self._files = files
        self._lock = threading.Lock()
        self._asking: OrderedDict[str, float] = OrderedDict()  # tabs, and when they sent their last file
        self._coming: dict[str, int] = {}  # tabs, and the bytes of the file that is on its way

    def expect(self, tab: str) -> None:
        """The page of this tab asks for a file."""
        with self._lock:
            self._asking.setdefault(tab, 0.0)
            self._asking.move_to_end(tab)
            if len(self._asking) > REMEMBERED:
                self._asking.popitem(last=False)

    def leave(self, tab: str) -> None:
        """The tab shows another page: what it has sent goes."""
        with self._lock:
            asked = self._asking.pop(tab, None)
        if asked is not None:
            self._files().remove_session_files(tab)

    def enter(self, tab: str, size: int | None) -> Callable[[], None]:
        """Let a request of `size` bytes in, until what is given back is called. Problem where it may not come in.

        It takes the place of an earlier file of its tab.
        """
        with self._lock:
            if tab not in self._asking:
                raise _refusal(403, "the page in this tab asks for no file")
            if size is None:
                raise _refusal(411, "Content-Length: allowed is a body whose length is said")
            if size > LARGEST + ROUND_IT:
                raise _refusal(413, f"the file is larger than the most that is taken, {LARGEST:,} bytes")
            if tab in self._coming:
                raise _refusal(409, "another file of this tab is on its way: allowed is one at a time")
            self._files().remove_session_files(tab)
            need = 2 * size  # once as it comes, once taken out of its envelope
            if need > self._room():
                self._clear()
            if need > self._room():
                raise _refusal(503, "the server holds as many files as it can: try again in a moment")
            self._coming[tab] = need
            self._asking[tab] = time.monotonic()

        def gone() -> None:
            with self._lock:
                self._coming.pop(tab, None)

        return gone

    def _room(self) -> int:
        there = sum(stat.byte_length for stats in self._files().get_stats().values() for stat in stats)
        return self._settings.uploads_mb * MEBIBYTE - there - sum(self._coming.values())

    def _clear(self) -> None:
        """Let files go that no page has read for long."""
        now = time.monotonic()
        for tab, since in self._asking.items():
            if tab not in self._coming and now - since > UNREAD:
                self._files().remove_session_files(tab)


def _refusal(status: int, words: str) -> Problem:
    metrics.REFUSALS.labels("upload").inc()
    return Problem(status, words, headers={"Connection": "close"})


@cache
def desk() -> Desk:
    """The desk of this server."""
    return Desk(service(), lambda: Runtime.instance().uploaded_file_mgr)  # type: ignore[arg-type, return-value]


def expect() -> None:
    """The page that is being run asks for a file."""
    context = get_script_run_ctx()
    if context is not None:
        desk().expect(context.session_id)


def leave() -> None:
    """The visitor has gone to another page."""
    context = get_script_run_ctx()
    if context is not None:
        desk().leave(context.session_id)


def take(file: UploadedFile) -> bytes:
    """What a file holds, which nobody keeps from now on."""
    content = file.getvalue()
    context = get_script_run_ctx()
    if context is not None:
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)  # type: ignore[attr-defined]
    file.truncate(0)
    return content


class Uploads:
    """ASGI middleware before Streamlit's own address for files."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        MultiPartParser.spool_max_size = LARGEST + ROUND_IT  # up to this size a file stays in memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, but a file only where it was asked for, and one that comes too slowly not to its end."""
        sent = _ADDRESS.search(scope["path"]) if scope["type"] == "http" and scope["method"] == "PUT" else None
        if sent is None:
            await self.app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"")
        try:
            size = int(length) if re.fullmatch(rb"[0-9]{1,18}", length) else None
            gone = desk().enter(sent[1], size)
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        try:
            async with asyncio.timeout(service().answer_seconds + (size or 0) / LEAST):
                await self.app(scope, receive, send)
        except TimeoutError:
            await _refusal(408, "the file came too slowly").response()(scope, receive, send)
        finally:
            gone()
