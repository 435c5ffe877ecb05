"""The routes for programs: the interface, its description, and nothing else below /api."""

from __future__ import annotations

import base64
import hashlib

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from playground.service import api, docs_page, openapi
from playground.service.problem import Problem
from playground.service.served import route
from playground.service.settings import frame_ancestors, service
from playground.settings import limits


async def _openapi(request: Request) -> Response:
    return JSONResponse(openapi.document(limits(), service()), headers=api.FRESH)


async def _docs(request: Request) -> Response:
    style = base64.b64encode(hashlib.sha256(docs_page.STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; "
    headers = {**api.FRESH, "Content-Security-Policy": f"{policy}frame-ancestors {frame_ancestors()}"}
    return HTMLResponse(docs_page.page(openapi.document(limits(), service())), headers=headers)


async def _nothing(request: Request) -> Response:
    raise Problem(404, "there is no such address; /api/docs says what there is")


API_ROUTES = [
    route("/api/attention", api.attention, "POST"),
    route("/api/experiment", api.experiment, "GET"),
    route("/api/openapi.json", _openapi, "GET"),
    route("/api/docs", _docs, "GET"),
    route("/api/{path:path}", _nothing, "GET", "POST"),
]
