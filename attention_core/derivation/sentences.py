"""One sentence a cell: what its number says about the tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence

from attention_core.derivation.cell import Cell
from attention_core.derivation.latex import plain
from attention_core.derivation.linear import place_in_concat
from attention_core.derivation.scores import STAGES
from attention_core.derivation.steps import Phrase, Step
from attention_core.derivation.words import percent, sentence

_ON_KEYS = ("k", "v", "rotated_k", "source_embedding", "source_token_embedding", "source_position_encoding",
            "value_embedding")  # fmt: skip


def sentence_of(cell: Cell, steps: Sequence[Step]) -> Phrase:
    """The sentence of a cell; `steps` are its derivation."""
    field = cell.field if cell.rotates else cell.field.removeprefix("rotated_")
    if field in STAGES or field == "allowed":
        return _of_pair(cell)
    column, value = str(cell.col + 1), plain(cell.value)
    if field in cell.trace.parameters():
        return sentence("parameter", row=str(cell.row + 1), column=column, value=value)
    token = cell.key_name(cell.row) if field in _ON_KEYS else cell.query_name(cell.row)
    head = cell.head_name(cell.head)
    if field in ("k", "v", "rotated_k"):
        shared = cell.trace.heads.k.shape[1] < cell.trace.heads.q.shape[1]
        head = str(cell.head + 1) if shared else head
    if field in ("q", "k", "v", "rotated_q", "rotated_k", "head_contributions"):
        return sentence(field, column=column, token=token, head=head, value=value)
    if field == "context":
        return _of_context(cell, steps[0], token, column, value)
    if field == "concat" or (field == "output" and cell.trace.output is cell.trace.concat):
        from_head = cell.head_name(place_in_concat(cell)[0])
        return sentence("concat", column=column, token=token, head=from_head, value=value)
    if field == "output" and steps[-1].key == "output":
        amounts = [abs(step.value or 0.0) for step in steps if step.key == "head"]
        if not any(amounts):
            which = "output_bias" if cell.value else "output_zero"
            return sentence(which, column=column, token=token, **({"value": value} if cell.value else {}))
        most = cell.head_name(amounts.index(max(amounts)))
        return sentence("output", column=column, token=token, head=most, value=value)
    which = "encoding" if field.endswith("position_encoding") else "input"
    return sentence(which, column=column, token=token, value=value)


def _of_context(cell: Cell, step: Step, token: str, column: str, value: str) -> Phrase:
    head = cell.head_name(cell.head)
    if not bool(cell.trace.heads.allowed[cell.batch, cell.head, cell.row].any()):
        return sentence("context_empty", token=token, head=head)
    if cell.drops and not cell.by_hand and not any(cell.row_of("dropped_weights")):
        return sentence("context_dropped", token=token, head=head)
    most = max(step.terms, key=lambda term: abs(term.result))
    if most.result == 0.0:
        return sentence("context_zero", column=column, token=token, head=head)
    return sentence("context", column=column, token=token, head=head, value=value, key=most.label)


def _of_pair(cell: Cell) -> Phrase:
    """The sentence of a query and a key."""
    pair = {"query": cell.query_name(cell.row), "key": cell.key_name(cell.col)}
    field, value = cell.field, cell.value
    may = cell.at("allowed") == 1.0
    if field == "allowed":
        return sentence("allowed" if may else "forbidden", **pair)
    if field == "masked_scores" and not may:
        return sentence("masked_scores_forbidden", **pair)
    if field == "modified_scores" and cell.trace.cap is not None:
        return sentence("capped", **pair, value=plain(value), before=plain(cell.at("scaled_scores")))
    if field == "modified_scores":
        added = value - cell.at("scaled_scores")
        which = "modified_scores" if added else "modified_scores_same"
        return sentence(which, **pair, value=plain(value), added=plain(added))
    if field not in ("weights", "dropped_weights"):
        return sentence(field, **pair, value=plain(value))
    before = cell.at("weights")
    if cell.by_hand:
        return sentence("by_hand", **pair, before=plain(before), value=plain(cell.at("dropped_weights")))
    if field == "dropped_weights" and cell.drops and before > 0.0:
        if value == 0.0:
            return sentence("dropped", **pair)
        return sentence("kept", **pair, before=plain(before), value=plain(value))
    return _of_weight(cell, before, may, pair)


def _of_weight(cell: Cell, weight: float, may: bool, pair: dict[str, str]) -> Phrase:
    if not bool(cell.trace.heads.allowed[cell.batch, cell.head, cell.row].any()):
        return sentence("may_look_at_nothing", query=pair["query"])
    if math.isnan(weight):
        return sentence("no_number", **pair)
    if not may:
        return sentence("may_not_look", **pair)
    if weight == 0.0:
        return sentence("too_small", **pair)
    if weight < 0.0001:
        return sentence("looks_little", **pair)
    if 0.9999 < weight < 1.0:
        return sentence("looks_nearly_only", **pair)
    return sentence("looks", **pair, percent=percent(weight))
