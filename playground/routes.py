"""What the server answers beside the pages: the files of the panel, and downloads of an experiment.

A download is a link that carries its `Experiment` in the query, as the address bar does: nothing is kept on the server.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from playground.assets import served
from playground.downloads import Refused, build
from playground.lessons import trained_downloads
from playground.service import health
from playground.service.api_routes import API_ROUTES
from playground.service.asking import caller
from playground.service.gate import Busy
from playground.service.outgoing import respond
from playground.service.served import route
from playground.service.work import workers

# An exercise for a class and no secret: what can be computed from a link can be computed without this word in it.
COVERED = (
    "This link asks the class to predict first (predict=1): what is covered on the page is not handed out as a file. "
    "The page offers its files once the answer is revealed; the same link without predict=1 gives the file."
)
FOREVER = "public, max-age=31536000, immutable"


def asset(request: Request) -> Response:
    """A file of the panel; a name without its current hash is not found."""
    found = served().get("assets/{digest}/{name}".format(**request.path_params))
    if found is None:
        return PlainTextResponse("no such file", status_code=404)
    headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(found.gzipped, media_type=found.media_type, headers=headers)
    return Response(found.body, media_type=found.media_type, headers=headers)


def download(request: Request) -> Response:
    """A file made from the experiment in the query: 400 with the reason in words where that is not possible."""
    name, query = request.path_params["name"], dict(request.query_params)
    try:
        if query.pop("predict", "") == "1":
            raise Refused(COVERED)
        file = (trained_downloads.build if "trained_model" in query else build)(name, query)
        return respond(
            file.content,
            media_type=file.media_type,
            headers={
                "Content-Disposition": f'attachment; filename="{file.name}"',
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
                # A downloaded page never runs with the rights of this server's origin.
                "Content-Security-Policy": "sandbox",
            },
        )
    except Refused as refusal:
        return PlainTextResponse(str(refusal), status_code=400)
    except Busy as busy:
        return PlainTextResponse(str(busy), status_code=503, headers={"Retry-After": "10"})


async def _download(request: Request) -> Response:
    return await workers().run(lambda: download(request), caller(request))


ROUTES = [
    Route("/assets/{digest}/{name}", asset),
    route("/download/{name}", _download, "GET"),
    *API_ROUTES,
    Route("/healthz", health.healthz),
    Route("/readyz", health.readyz),
    Route("/metrics", health.numbers),
]
