"""Reading what a program sends, never more than is allowed."""

from __future__ import annotations

from starlette.requests import Request

from playground.service import metrics
from playground.service.problem import Problem


async def read(request: Request, most: int) -> bytes:
    """The body, at most `most` bytes; read piece by piece, so that a larger one is never held.

    Raises Problem 415 unless it is plain `application/json`, 413 where it is too large.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(415, "Content-Type: allowed is application/json")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem(415, "Content-Encoding: allowed is identity, a body that is not compressed")
    words = f"the body is larger than the limit here (api_body_kb), {most:,} bytes"
    too_large = Problem(413, words, headers={"Connection": "close"}, limit="api_body_kb", allowed=most)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and len(length) < 20 and int(length) > most:
        raise _counted(too_large)
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            raise _counted(too_large)
        pieces.append(piece)
    return b"".join(pieces)


def _counted(problem: Problem) -> Problem:
    metrics.REFUSALS.labels("body_too_large").inc()
    return problem
