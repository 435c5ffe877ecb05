"""Files made from an experiment: a field's numbers, the whole trace, the code, a page to keep.

Links to them carry the experiment, as the address bar does. So a link works in another browser and after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from urllib.parse import urlencode

from attention_core.experiment import Experiment
from attention_core.trace import AttentionTrace
from attention_viz.export import trace_json, trace_npz
from attention_viz.tables import to_csv
from playground import compute, state
from playground.service import metrics
from playground.service.cost import Cost, trace_numbers, weigh_writing
from playground.service.gate import gate
from playground.service.settings import service
from playground.settings import limits


class Refused(ValueError):
    """The file cannot be made; the message says why, in words."""


@dataclass(frozen=True)
class File:
    """A file to hand over."""

    name: str
    media_type: str
    body: bytes


Maker = Callable[[AttentionTrace, Experiment], bytes]

def _page(trace: AttentionTrace, experiment: Experiment) -> bytes:
    # Its stages link to these files.
    from playground.offline import page

    return page(trace, experiment)


WHOLE: dict[str, tuple[str, Maker]] = {
    "trace.json": ("application/json", trace_json),
    "trace.npz": ("application/octet-stream", lambda trace, experiment: trace_npz(trace)),
    "attention.py": ("text/x-python; charset=utf-8", lambda trace, experiment: experiment.to_code().encode()),
    "attention.html": ("text/html; charset=utf-8", _page),
    "experiment.json": ("application/json", lambda trace, experiment: experiment.to_json().encode()),
}

_FORMS = {"trace.json": "json", "attention.html": "html", "trace.npz": "npz"}  # those that hold every tensor


def link(name: str, experiment: Experiment | None = None) -> str:
    """Where the file `name` of `experiment` is served, relative to the app's root; by default of the one shown."""
    return f"download/{name}?{_address(experiment or state.experiment())}"


@lru_cache(maxsize=256)
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
        trace = compute.run(experiment)
    except ValueError as problem:
        raise Refused(str(problem)) from problem
    if name in WHOLE:
        media_type, make = WHOLE[name]
        with gate().turn(_weigh(name, _FORMS.get(name), trace_numbers(experiment))):
            return File(name, media_type, make(trace, experiment))
    field, dot, kind = name.rpartition(".")
    if dot and kind == "csv" and field in trace.fields():
        with gate().turn(_weigh(name, "csv", prod(trace.shape(field)))):
            return File(name, "text/csv; charset=utf-8", to_csv(trace, field).encode())
    allowed = ", ".join([*WHOLE, *(f"{field}.csv" for field in trace.fields())])
    raise Refused(f"there is no file {name!r}; allowed are {allowed}")


def _weigh(name: str, form: str | None, numbers: int) -> Cost:
    """What writing a file costs; Refused where it would hold more numbers than a file may here."""
    if form is None:
        return Cost(0, 0)
    settings = service()
    limit, most = ("npz_numbers", settings.npz_numbers) if form == "npz" else ("json_numbers", settings.json_numbers)
    if numbers > most:
        metrics.REFUSALS.labels("limit").inc()
        hint = "" if form == "npz" else "; trace.npz holds the same in less"
        raise Refused(f"{name} would hold some {numbers:,} numbers: the limit here ({limit}) is {most:,}{hint}")
    return weigh_writing(numbers, form)
