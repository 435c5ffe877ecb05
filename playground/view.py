"""What is looked at, beside the experiment itself, and how a link says it."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

from attention_core.experiment import Experiment
from attention_core.trace import FIELDS, AttentionTrace
from playground.i18n import _
from playground.panel import Cell
from playground.settings import limits

_FIRST = ("weights", "masked_scores", "scaled_scores", "raw_scores", "q", "k", "v", "context", "concat", "output")
_NEVER = ("value_embedding",)  # no experiment makes its values of other vectors than its keys
STAGES = (*_FIRST, *(name for name in FIELDS if name not in (*_FIRST, *_NEVER)))  # that can be compared
OF_A = "a."  # before the cell in a link, where it is one of A
MAX_PINNED = 200_000  # characters of the pinned experiment's query, unpacked


@dataclass(frozen=True)
class View:
    """One head or all, the open cell, the experiment pinned as A, the stage in which it is compared.

    `of_a` says that the open cell is one of A.
    """

    head: int | None = None
    cell: Cell | None = None
    pinned: Experiment | None = None
    stage: str = "weights"
    of_a: bool = False

    @property
    def opens_a(self) -> bool:
        """Whether the open cell is one of A, and there is an A."""
        return self.of_a and self.cell is not None and self.pinned is not None

    def to_query(self) -> dict[str, str]:
        """The view's part of a link; defaults are left out."""
        query = {}
        if self.head is not None:
            query["head"] = str(self.head + 1)
        if self.cell is not None:
            place = f"{self.cell.field}.{self.cell.head}.{self.cell.row}.{self.cell.col}"
            query["cell"] = f"{OF_A}{place}" if self.opens_a else place
        if self.pinned is not None:
            query["a"] = _squeeze(urlencode(self.pinned.to_query()))
            if self.stage != View.stage:
                query["stage"] = self.stage
        return query


def read_view(query: Mapping[str, str], notes: list[str]) -> View:
    """The view that a link asks for; what it says wrongly is named in `notes` and left out."""
    return View(
        _read_head(query, notes),
        _read_cell(query, notes),
        _read_pinned(query, notes),
        _read_stage(query, notes),
        query.get("cell", "").startswith(OF_A),
    )


def fitting(view: View, trace: AttentionTrace, notes: list[str], pinned: AttentionTrace | None = None) -> View:
    """The view without a head or a cell that there is not in `trace`, or in that of the `pinned` experiment.

    What is left out is named in `notes`.
    """
    heads = trace.shape("weights")[1]
    if view.head is not None and view.head >= heads:
        notes.append(
            _("head={value}: this experiment has the heads 1 to {heads}").format(value=view.head + 1, heads=heads)
        )
        view = replace(view, head=None)
    if view.stage not in trace.fields():
        words = _("stage={value}: this experiment has {fields}")
        notes.append(words.format(value=repr(view.stage), fields=", ".join(trace.fields())))
        view = replace(view, stage=View.stage)
    its_trace = pinned if pinned is not None and view.opens_a else trace
    if view.cell is not None and not has_cell(its_trace, view.cell):
        place = view.to_query()["cell"]
        words = _("cell={value}: there is no such cell; allowed is field.head.row.column, each counted from 0")
        notes.append(words.format(value=repr(place)))
        view = replace(view, cell=None)
    return view


def has_cell(trace: AttentionTrace, cell: Cell) -> bool:
    """Whether the trace has this cell: a link, or another sentence, may leave it behind."""
    if cell.field not in trace.fields():
        return False
    sizes: tuple[int, ...] = trace.shape(cell.field)
    head, (rows, cols) = (sizes[1] if len(sizes) == 4 else 1), sizes[-2:]
    return cell.head < head and cell.row < rows and cell.col < cols


def _read_stage(query: Mapping[str, str], notes: list[str]) -> str:
    text = query.get("stage", View.stage)
    if text in STAGES:
        return text
    notes.append(_("stage={value}: allowed are {stages}").format(value=repr(text[:40]), stages=", ".join(STAGES)))
    return View.stage


def _read_head(query: Mapping[str, str], notes: list[str]) -> int | None:
    text = query.get("head")
    if text is None:
        return None
    if text.isdecimal() and len(text) < 5 and int(text) >= 1:
        return int(text) - 1
    notes.append(_("head={value}: allowed are whole numbers from 1").format(value=repr(text[:40])))
    return None


def _read_cell(query: Mapping[str, str], notes: list[str]) -> Cell | None:
    text = query.get("cell")
    if text is None:
        return None
    parts = text.removeprefix(OF_A).split(".")
    if len(parts) == 4 and all(part.isdecimal() and len(part) < 7 for part in parts[1:]):
        return Cell(parts[0][:40], *(int(part) for part in parts[1:]))
    notes.append(_("cell={value}: allowed is field.head.row.column").format(value=repr(text[:60])))
    return None


def _read_pinned(query: Mapping[str, str], notes: list[str]) -> Experiment | None:
    if "a" not in query:
        return None
    try:
        pinned = Experiment.from_query(dict(parse_qsl(_unsqueeze(query["a"]), keep_blank_values=True)))
        limits().check(pinned)
        return pinned
    except ValueError as problem:
        notes.append(_("The pinned experiment in the link cannot be read: {problem}").format(problem=problem))
        return None


def _squeeze(text: str) -> str:
    return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")


def _unsqueeze(text: str) -> str:
    try:
        # A text that has other letters too is refused by encode, in words that are not ours.
        packed = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        reader = zlib.decompressobj()
        plain = reader.decompress(packed, MAX_PINNED)
        if reader.unconsumed_tail:
            raise ValueError(_("it is longer than a link may be"))
        if not reader.eof:
            raise ValueError(_("it is damaged"))
        return plain.decode()
    except (zlib.error, binascii.Error, UnicodeError) as problem:
        raise ValueError(_("it is damaged")) from problem
