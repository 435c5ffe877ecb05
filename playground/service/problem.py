"""An answer that says what is wrong, as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse, Response

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """Ends a request with `status`; `detail` says in words what is wrong and what is allowed."""

    def __init__(self, status: int, detail: str, *, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.more = more

    def response(self) -> Response:
        """The answer: title, status and detail, and what else is known (the fields or the limit concerned)."""
        content = {"title": HTTPStatus(self.status).phrase, "status": self.status, "detail": self.detail, **self.more}
        return JSONResponse(content, self.status, {"Cache-Control": "no-store", **self.headers}, MEDIA_TYPE)
