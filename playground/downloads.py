"""Files made from an experiment: a field's numbers, the whole trace, the code, a page to keep.

Links to them carry the experiment, as the address bar does. So a link works in another browser and after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from urllib.parse import urlencode

from attention_core.experiment import Experiment
from attention_core.remembered import remembered
from attention_core.trace import AttentionTrace
from attention_viz.export import json_pieces, npz_pieces
from attention_viz.tables import csv_pieces
from playground import compute, state
from playground.service import metrics
from playground.service.cost import trace_numbers, weigh_page
from playground.service.gate import gate
from playground.service.outgoing import Content, whole
from playground.service.settings import service
from playground.settings import limits


class Refused(ValueError):
    """The file cannot be made; the message says why, in words."""


@dataclass(frozen=True)
class File:
    """A file to hand over."""

    name: str
    media_type: str
    content: Content

    @property
    def body(self) -> bytes:
        """All of it at once: for a small one."""
        return self.content.body


Maker = Callable[[AttentionTrace, Experiment], Content]


def _page(trace: AttentionTrace, experiment: Experiment) -> Content:
    # Its stages link to these files.
    from playground.offline import page_pieces

    with gate().turn(weigh_page(trace_numbers(experiment))):
        pieces = list(page_pieces(trace, experiment))
    return Content(pieces, sum(map(len, pieces)))


WHOLE: dict[str, tuple[str, Maker]] = {
    "trace.json": (
        "application/json",
        lambda trace, experiment: Content(json_pieces(trace, experiment), compute.size_of(trace)),
    ),
    "trace.npz": (
        "application/octet-stream",
        lambda trace, experiment: Content(npz_pieces(trace), compute.size_of(trace)),
    ),
    "attention.py": ("text/x-python; charset=utf-8", lambda trace, experiment: whole(experiment.to_code().encode())),
    "attention.html": ("text/html; charset=utf-8", _page),
    "experiment.json": ("application/json", lambda trace, experiment: whole(experiment.to_json().encode())),
}

_FORMS = {"trace.json": "json", "attention.html": "json", "trace.npz": "npz"}  # those that hold every tensor
FLOAT = 4  # bytes


def link(name: str, experiment: Experiment | None = None) -> str:
    """Where the file `name` of `experiment` is served, relative to the app's root; by default of the one shown."""
    return f"download/{name}?{_address(experiment or state.experiment())}"


@remembered(2**20)
def _address(experiment: Experiment) -> str:
    """The experiment as the query of a link: the same for all files of a page."""
    return urlencode(experiment.to_query())


def build(name: str, query: Mapping[str, str]) -> File:
    """The file `name` for the experiment in `query`: a name of `WHOLE`, or `<field>.csv`.

    Raises Refused where the query is no experiment, is over the limits, or the name is unknown.
    """
    try:
        experiment = Experiment.from_query(query)
        limits().check(experiment)
    except ValueError as problem:
        raise Refused(str(problem)) from problem
    if name in _FORMS:
        numbers = trace_numbers(experiment)
        _check(name, _FORMS[name], numbers, numbers)
    trace = compute.run(experiment)
    if name in WHOLE:
        media_type, make = WHOLE[name]
        return File(name, media_type, make(trace, experiment))
    return csv_file(name, name, trace, WHOLE)


def csv_file(name: str, called: str, trace: AttentionTrace, others: Iterable[str]) -> File:
    """The file `<field>.csv` of a trace, `called` so; Refused for another name, which is none of `others` either."""
    field, dot, kind = name.rpartition(".")
    if not dot or kind != "csv" or field not in trace.fields():
        allowed = ", ".join([*others, *(f"{field}.csv" for field in trace.fields())])
        raise Refused(f"there is no file {name!r}; allowed are {allowed}")
    numbers = prod(trace.shape(field))
    _check(name, "csv", numbers, sum(prod(trace.shape(each)) for each in (*trace.fields(), *trace.parameters())))
    return File(called, "text/csv; charset=utf-8", Content(csv_pieces(trace, field), FLOAT * numbers))


def _check(name: str, form: str, numbers: int, of_all: int) -> None:
    """Refused where a file would hold more numbers than a file of this form may here; `of_all`: in the whole trace."""
    most: int = getattr(service(), f"{form}_numbers")
    if numbers > most:
        metrics.REFUSALS.labels("limit").inc()
        hint = "" if form == "npz" or of_all > service().npz_numbers else "; trace.npz holds the same in less"
        raise Refused(f"{name} would hold some {numbers:,} numbers: the limit here ({form}_numbers) is {most:,}{hint}")
