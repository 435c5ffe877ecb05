"""The interface for programs: an `Experiment` as JSON in, its trace as JSON or NPZ out. With the pages' limits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from starlette.requests import Request
from starlette.responses import Response

from attention_core.experiment import Experiment
from attention_core.experiment.checks import ExperimentError
from attention_core.experiment.text import QUERY_NAMES
from attention_core.limits import LimitError
from attention_core.trace import AttentionTrace
from attention_viz.export import json_pieces, npz_pieces
from playground import compute
from playground.service import metrics
from playground.service.asking import caller
from playground.service.body import read
from playground.service.outgoing import Content, respond
from playground.service.problem import Problem
from playground.service.settings import service
from playground.service.work import workers
from playground.settings import limits

JSON, NPZ = "application/json", "application/zip"
FORMATS = {"json": JSON, "npz": NPZ}
_ACCEPTED = {JSON: "json", "application/*": "json", "*/*": "json"}
_ACCEPTED |= {NPZ: "npz", "application/x-npz": "npz", "application/octet-stream": "npz"}
FRESH = {"Cache-Control": "no-store"}


@dataclass(frozen=True)
class Wish:
    """What a program wants back: "json" or "npz", and which fields (None: all)."""

    form: str
    fields: tuple[str, ...] | None


async def attention(request: Request) -> Response:
    """POST: the trace of the experiment in the body."""
    wish = wish_of(request)
    body = await read(request, service().api_body_kb * 1024)
    name = "trace." + wish.form
    headers = {**FRESH, "Content-Disposition": f'inline; filename="{name}"', "Vary": "Accept"}

    def work() -> Response:
        return respond(answer(body, wish), headers=headers, media_type=FORMATS[wish.form])

    return await workers().run(work, caller(request))


async def experiment(request: Request) -> Response:
    """GET: the experiment that a link of the app shows, as JSON. What belongs to the page alone is passed over."""
    query = {name: value for name, value in request.query_params.items() if name in QUERY_NAMES}

    def work() -> str:
        try:
            return _checked(Experiment.from_query(query)).to_json()
        except ValueError as problem:
            raise _impossible(problem) from problem

    return Response(await workers().run(work, caller(request)), headers=FRESH, media_type=JSON)


def answer(body: bytes, wish: Wish) -> Content:
    """The trace of the experiment in `body`, written as wished. Raises Problem, and Busy where the machine is full."""
    wanted = _read_experiment(body)
    trace = compute.run(wanted)
    _check_numbers(trace, wish)
    pieces = npz_pieces(trace, wish.fields) if wish.form == "npz" else json_pieces(trace, wanted, wish.fields)
    return Content(pieces, compute.size_of(trace))


def _read_experiment(body: bytes) -> Experiment:
    try:
        return _checked(Experiment.from_json(body.decode()))
    except (json.JSONDecodeError, UnicodeDecodeError) as problem:
        metrics.REFUSALS.labels("wrong_input").inc()
        raise Problem(400, f"the body is no JSON in UTF-8: {problem}") from problem
    except ValueError as problem:
        raise _impossible(problem) from problem


def _checked(wanted: Experiment) -> Experiment:
    limits().check(wanted)
    unused, most = len(wanted.source_text or ""), limits().max_characters
    if unused > most:  # in other modes than cross nothing is made of it, but it is read and given back
        raise LimitError("max_characters", "characters in the source text:", unused, most)
    if not wanted.tokens() or not wanted.source_tokens():
        raise ValueError("text: allowed is a text with at least one token")
    return wanted


def _impossible(problem: ValueError) -> Problem:
    """422, with what is known about the reason."""
    if isinstance(problem, LimitError):
        metrics.REFUSALS.labels("limit").inc()
        return Problem(422, str(problem), limit=problem.limit, value=problem.value, allowed=problem.allowed)
    metrics.REFUSALS.labels("wrong_input").inc()
    if isinstance(problem, ExperimentError):
        return Problem(422, str(problem), fields=list(problem.fields))
    return Problem(422, str(problem))


def _check_numbers(trace: AttentionTrace, wish: Wish) -> None:
    """Problem where a field is unknown, or the answer would hold too many numbers."""
    known = (*trace.fields(), *trace.parameters())
    unknown = [name for name in wish.fields or () if name not in known]
    if unknown:
        raise Problem(422, f"fields={', '.join(unknown)[:60]}: allowed are {', '.join(known)}")
    numbers = sum(prod(trace.shape(name)) for name in wish.fields or known)
    most = service().npz_numbers if wish.form == "npz" else service().json_numbers
    if numbers > most:
        metrics.REFUSALS.labels("limit").inc()
        limit = f"{wish.form}_numbers"
        hint = "name fewer fields" if wish.form == "npz" else "name fewer fields, or ask for format=npz"
        words = f"the answer would hold {numbers:,} numbers: the limit here ({limit}) is {most:,}; {hint}"
        raise Problem(422, words, limit=limit, value=numbers, allowed=most)


def wish_of(request: Request) -> Wish:
    query = request.query_params
    unknown = sorted(set(query) - {"format", "fields"})
    if unknown:
        raise Problem(400, f"unknown parameters {', '.join(unknown)[:60]}: allowed are format, fields")
    if any(len(query.getlist(name)) > 1 for name in query):
        raise Problem(400, "a parameter stands twice: allowed is once, fields=q,k,weights for instance")
    form = query.get("format")
    if form is not None and form not in FORMATS:
        raise Problem(400, f"format={form[:20]}: allowed are {', '.join(FORMATS)}")
    fields = query.get("fields")
    names = None if fields is None else tuple(dict.fromkeys(fields.split(",")))
    return Wish(form or _negotiated(request.headers), names)


def _negotiated(headers: Mapping[str, str]) -> str:
    """The form that the Accept header likes best; JSON where it says nothing."""
    best, form = 0.0, None
    for part in headers.get("accept", "*/*").split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        found, weight = _ACCEPTED.get(name), _weight(parameters)
        if found is not None and weight > best:
            best, form = weight, found
    if form is None:
        raise Problem(406, f"Accept: allowed are {JSON} and {NPZ}")
    return form


def _weight(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
