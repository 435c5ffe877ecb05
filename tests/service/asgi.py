"""A program that asks the app, in this process: the routes and headers of the real app, without a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.middleware import Middleware

from playground.routes import ROUTES
from playground.service.headers import Headers
from playground.service.pace import Paced

APP = Starlette(routes=ROUTES, middleware=[Middleware(Paced), Middleware(Headers)])


@dataclass(frozen=True)
class Answer:
    """What came back; `pieces_read` says how many pieces of the body were asked for."""

    status: int
    headers: dict[str, str]
    body: bytes
    pieces_read: int

    def json(self) -> Any:
        return json.loads(self.body)


async def send(
    method: str,
    path: str,
    query: Mapping[str, str] | str = "",
    pieces: Sequence[bytes] = (),
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request; its body arrives in `pieces`."""
    started: dict[str, Any] = {}
    body, read = b"", 0
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": (query if isinstance(query, str) else urlencode(query)).encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "client": ("192.0.2.1", 1),
        "server": ("test", 80),
    }

    async def receive() -> dict[str, Any]:
        nonlocal read
        if read >= max(1, len(pieces)):
            await asyncio.sleep(3600)  # the program waits for the answer
        read += 1
        piece = pieces[read - 1] if pieces else b""
        return {"type": "http.request", "body": piece, "more_body": read < len(pieces)}

    async def take(message: Any) -> None:
        nonlocal body
        if message["type"] == "http.response.start":
            started.update(message)
        else:
            body += message.get("body", b"")

    await APP(scope, receive, take)
    found = {name.decode().lower(): value.decode() for name, value in started["headers"]}
    return Answer(started["status"], found, body, read)


def ask(
    method: str,
    path: str,
    query: Mapping[str, str] | str = "",
    pieces: Sequence[bytes] = (),
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """`send`, waited for."""
    return asyncio.run(send(method, path, query, pieces, headers))


def post(content: Any, query: Mapping[str, str] | str = "", **headers: str) -> Answer:
    """POST to the interface: a value as JSON, or bytes as they are."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    given = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return ask("POST", "/api/attention", query, [body], given)
