"""What stands round every route that programs use: allowed methods, problems as answers, numbers and a log line."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from playground.service import logs, metrics
from playground.service.gate import Busy
from playground.service.problem import Problem

Endpoint = Callable[[Request], Awaitable[Response]]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY")


def route(path: str, endpoint: Endpoint, *methods: str) -> Route:
    """The route `path`: counted and logged under its pattern, never under the address that was asked for."""

    async def served(request: Request) -> Response:
        started = time.perf_counter()
        try:
            response = await _answer(request, endpoint, methods)
        except Exception as problem:
            logs.failure("failed", problem, route=path)
            response = Problem(500, "a fault of the server").response()
        seconds = time.perf_counter() - started
        metrics.REQUESTS.labels(path, str(response.status_code)).inc()
        metrics.REQUEST_SECONDS.labels(path).observe(seconds)
        size = response.headers.get("content-length")  # a long answer, made as it is sent, has a line when it is gone
        logs.event(
            "request",
            route=path,
            status=response.status_code,
            ms=round(1000 * seconds, 1),
            bytes=int(size) if size else None,
        )
        return response

    return Route(path, served, methods=list(METHODS))


async def _answer(request: Request, endpoint: Endpoint, methods: tuple[str, ...]) -> Response:
    allowed = (*methods, "HEAD") if "GET" in methods else methods
    if request.method not in allowed:
        words = ", ".join(allowed)
        return Problem(405, f"allowed here: {words}", headers={"Allow": words}).response()
    try:
        return await endpoint(request)
    except Problem as problem:
        return problem.response()
    except Busy as busy:
        return Problem(503, str(busy), headers={"Retry-After": "10"}, reason=busy.reason).response()
