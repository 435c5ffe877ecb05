"""The arithmetic of a score: from the query and the key to what the weight does, stage by stage."""

from __future__ import annotations

import math

import torch

from attention_core.derivation.cell import Cell
from attention_core.derivation.formulas import scales
from attention_core.derivation.latex import (
    equals,
    exponential,
    exponentials,
    factor,
    headings,
    number,
    products,
    vector,
)
from attention_core.derivation.positions import position_steps
from attention_core.derivation.raw import raw_steps
from attention_core.derivation.steps import Step, Term, product
from attention_core.derivation.words import TITLES, note

STAGES = (
    "raw_scores",
    "scaled_scores",
    "modified_scores",
    "masked_scores",
    "weights",
    "dropped_weights",
)  # "allowed" stands beside them: the mask does not depend on the scores


def score_steps(cell: Cell) -> list[Step]:
    """Every step up to the stage of the cell; for weights also what they bring to the context."""
    if cell.field == "allowed":
        return [_mask_step(cell)]
    heads, last = cell.trace.heads, STAGES.index(cell.field)
    steps = raw_steps(cell)
    if last >= 1:
        steps.append(_scale_step(cell))
    moved = heads.modified_scores is not heads.scaled_scores
    if last == 2 or (last > 2 and moved):
        steps += position_steps(cell, "s_{ij}")
    if last >= 3:
        steps.append(_mask_step(cell, "z_{ij}" if moved else "s_{ij}"))
    if last >= 4:
        steps += _softmax_steps(cell)
        if cell.drops or cell.field == "dropped_weights":
            steps.append(_dropout_step(cell))
        steps += _context_steps(cell)
    return steps


def _scale_step(cell: Cell) -> Step:
    r"""s_ij = r_ij / (sqrt(d_k) T), or r_ij times the scale where the score is of another kind."""
    raw, scaled = cell.at("raw_scores"), cell.at("scaled_scores")
    scale, below = cell.trace.scale, scales(cell.trace)
    if cell.score_kind == "own_scale" and scale is not None:
        return Step(
            "scale",
            TITLES["scale"],
            r"s_{ij} = \alpha\, r_{ij}",
            rf"s_{{ij}} = {products([(scale, raw)])} {equals(scaled)}",
            scaled,
            terms=(product("", scale, raw),),
            columns=("α", "r", "s"),
        )
    if scale is None or not below:
        formula, substituted = r"s_{ij} = r_{ij}", rf"s_{{ij}} {equals(scaled)}"
        return Step("scale", TITLES["scale"], formula, substituted, scaled, note=note("no_scale"))
    symbols, numbers = (r" \cdot ".join(part) for part in zip(*below, strict=True))
    return Step(
        "scale",
        TITLES["scale"],
        rf"s_{{ij}} = \frac{{r_{{ij}}}}{{{symbols}}}",
        rf"s_{{ij}} = \frac{{{number(raw)}}}{{{numbers}}} {equals(scaled)}",
        scaled,
        terms=(product("", raw, scale),),
        columns=("r", "α", "s"),
    )


def _mask_step(cell: Cell, before: str = "z_{ij}") -> Step:
    r"""m_ij is the score where A_ij = 1, and minus infinity where A_ij = 0."""
    may = cell.at("allowed") == 1.0
    verdict = note(
        "may_look" if may else "may_not_look", query=cell.query_name(cell.row), key=cell.key_name(cell.col)
    )
    if cell.field == "allowed":
        symbols, substituted, value = "A_{ij}", f"A_{{ij}} = {int(may)}", float(may)
    else:
        value = cell.at("masked_scores")
        symbols = (
            rf"m_{{ij}} = \begin{{cases}} {before} & A_{{ij}} = 1 \\ -\infty & A_{{ij}} = 0 \end{{cases}}"
        )
        substituted = rf"A_{{ij}} = {int(may)},\quad m_{{ij}} {equals(value)}"
    return Step("mask", TITLES["mask"], symbols, substituted, value, note=verdict)


def _softmax_steps(cell: Cell) -> list[Step]:
    r"""w_ij = exp(m_ij - max) / sum over j of exp(m_ij - max); zeros where nothing is allowed."""
    row, weight = cell.row_of("masked_scores"), cell.at("weights")
    if not bool(cell.trace.heads.allowed[cell.batch, cell.head, cell.row].any()):
        empty = note("empty_row", query=cell.query_name(cell.row))
        return [Step("weight", TITLES["weight"], "w_{ij} = 0", "w_{ij} = 0", weight, note=empty)]
    largest = math.nan if any(math.isnan(x) for x in row) else max(row)
    terms = tuple(
        Term(cell.key_name(j), score, largest, math.exp(score - largest)) for j, score in enumerate(row)
    )
    own = terms[cell.col].result
    total = math.fsum(term.result for term in terms)
    pairs = [(term.a, term.b) for term in terms]
    return [
        Step("max", TITLES["max"], r"\mu_i = \max_j\, m_{ij}", rf"\mu_i {equals(largest)}", largest),
        Step(
            "exp",
            TITLES["exp"],
            r"e_{ij} = e^{m_{ij} - \mu_i}",
            rf"e_{{ij}} = {exponential(row[cell.col], largest)} {equals(own)}",
            own,
        ),
        Step(
            "sum",
            TITLES["sum"],
            r"Z_i = \sum_{j} e^{m_{ij} - \mu_i}",
            rf"Z_i = {exponentials(pairs)} {equals(total)}",
            total,
            terms=terms,
            columns=("m", "μ", "exp(m − μ)"),
        ),
        Step(
            "weight",
            TITLES["weight"],
            r"w_{ij} = \frac{e_{ij}}{Z_i}",
            rf"w_{{ij}} = \frac{{{number(own)}}}{{{number(total)}}} {equals(weight)}",
            weight,
        ),
    ]


def keep_factor(cell: Cell) -> float | None:
    """1 / (1 - p), read from a weight that dropout kept; None where it kept none."""
    heads = cell.trace.heads
    kept = (heads.dropped_weights != 0) & heads.weights.isfinite()
    if not bool(kept.any()):
        return None
    at = torch.where(kept, heads.weights, 0.0).argmax()  # the largest kept weight has the most exact quotient
    before, after = heads.weights.flatten()[at], heads.dropped_weights.flatten()[at]
    return float(after.double().item()) / float(before.double().item())


def _dropout_step(cell: Cell) -> Step:
    r"""A weight survives, b_ij = 1, with probability 1 - p and is divided by it (Srivastava et al. 2014)."""
    before, after = cell.at("weights"), cell.at("dropped_weights")
    if cell.by_hand:
        symbol = r"\tilde{w}_{ij}"
        return Step("by_hand", TITLES["by_hand"], symbol, f"{symbol} {equals(after)}", after, note=note("by_hand"))
    if not cell.drops:
        formula, substituted = r"\tilde{w}_{ij} = w_{ij}", rf"\tilde{{w}}_{{ij}} {equals(after)}"
        return Step("dropout", TITLES["dropout"], formula, substituted, after, note=note("not_dropped"))
    raised, kept = keep_factor(cell), after != 0.0
    formula = r"\tilde{w}_{ij} = \frac{b_{ij}}{1 - p}\, w_{ij}"
    if raised is None or not kept:
        substituted = rf"b_{{ij}} = 0,\quad \tilde{{w}}_{{ij}} {equals(after)}"
        said = note("dropped") if before else None
        return Step("dropout", TITLES["dropout"], formula, substituted, after, note=said)
    return Step(
        "dropout",
        TITLES["dropout"],
        formula,
        rf"b_{{ij}} = 1,\quad \tilde{{w}}_{{ij}} = {number(raised)} \cdot {factor(before)} {equals(after)}",
        after,
        terms=(product("", raised, before),),
        columns=("1 / (1 − p)", "w", "w̃"),
        note=note("kept"),
    )


def _context_steps(cell: Cell) -> list[Step]:
    r"""What this weight contributes, w_ij v_j, and the context that it enters, c_i = sum_j w_ij v_j."""
    heads = cell.trace.heads
    w, letter = (r"\tilde{w}_{ij}", "w̃") if cell.drops else ("w_{ij}", "w")
    weight = cell.at("dropped_weights")
    v = cell.numbers(heads.v[cell.batch, cell.kv_head, cell.col])
    terms = tuple(product(str(c + 1), weight, x) for c, x in enumerate(v))
    part = tuple(term.result for term in terms)
    context = cell.numbers(heads.context[cell.batch, cell.head, cell.row])
    return [
        Step(
            "contribution",
            TITLES["contribution"],
            rf"{w}\, \mathbf{{v}}_j",
            rf"{number(weight)} \cdot {vector(v)} = {vector(part)}",
            vector=part,
            terms=terms,
            columns=headings(letter, "v"),
            note=note(
                "goes_to",
                query=cell.query_name(cell.row),
                head=cell.head_name(cell.head),
                first=str(cell.head * len(v) + 1),
                last=str((cell.head + 1) * len(v)),
            ),
        ),
        Step(
            "context",
            TITLES["context"],
            rf"\mathbf{{c}}_i = \sum_j {w}\, \mathbf{{v}}_j",
            rf"\mathbf{{c}}_i = {vector(context)}",
            vector=tuple(context),
        ),
    ]


def context_steps(cell: Cell) -> list[Step]:
    r"""One number of the context: c_id = sum over keys of w_ij v_jd. `cell.col` is its column in the head."""
    heads = cell.trace.heads
    w, letter = (r"\tilde{w}_{ij}", "w̃") if cell.drops else ("w_{ij}", "w")
    weights = cell.row_of("dropped_weights")
    column = cell.numbers(heads.v[cell.batch, cell.kv_head, :, cell.col])
    pairs = list(zip(weights, column, strict=True))
    value = float(heads.context[cell.batch, cell.head, cell.row, cell.col].item())
    empty = not bool(heads.allowed[cell.batch, cell.head, cell.row].any())
    return [
        Step(
            "context",
            TITLES["context"],
            rf"c_{{id}} = \sum_j {w}\, v_{{jd}}",
            rf"c_{{id}} = {products(pairs)} {equals(value)}",
            value,
            terms=tuple(product(cell.key_name(j), a, b) for j, (a, b) in enumerate(pairs)),
            columns=headings(letter, "v"),
            note=note("empty_row", query=cell.query_name(cell.row)) if empty else None,
        )
    ]
