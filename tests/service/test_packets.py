"""The last packet of a picture does not wait until the browser has acknowledged the one before."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn


@contextmanager
def listening() -> Iterator[socket.socket]:
    """A socket that was made as Streamlit makes the server's: without a protocol's number."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as made:
        made.bind(("127.0.0.1", 0))
        made.listen()
        yield made


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not made for Windows")
def test_the_server_sends_at_once() -> None:
    """asyncio's own loop leaves Nagle's algorithm on for such a socket: the packet could wait up to 40 ms."""

    async def nagle_is_off(listener: socket.socket) -> bool:
        loop = asyncio.get_running_loop()
        found: asyncio.Future[bool] = loop.create_future()

        class Visit(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                own = transport.get_extra_info("socket")
                found.set_result(bool(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))

        server = await loop.create_server(Visit, sock=listener)
        with socket.create_connection(listener.getsockname()):
            off = await asyncio.wait_for(found, 10)
        server.close()
        return off

    with listening() as listener, asyncio.Runner(loop_factory=uvicorn.Config("app:app").get_loop_factory()) as runner:
        assert runner.run(nagle_is_off(listener))
