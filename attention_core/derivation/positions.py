"""What each position scheme adds to a score."""

from __future__ import annotations

import math

import torch

from attention_core.derivation.cell import Cell
from attention_core.derivation.latex import addends, equals, factor, number
from attention_core.derivation.raw import dot_step
from attention_core.derivation.steps import Step
from attention_core.derivation.words import TITLES, note
from attention_core.functional import Mod
from attention_core.positions import ALiBi, Shaw, T5Buckets, TransformerXL, alibi_slopes


def added_by_position(cell: Cell) -> float:
    """What all score changes together add to the scaled score of this cell."""
    return cell.at("modified_scores") - cell.at("scaled_scores")


def position_steps(cell: Cell, before: str) -> list[Step]:
    r"""What position adds to the score, p_ij, and the sum z_ij; `before` is the symbol of the scaled score.

    Where the scores are kept within a cap instead, that.

    The scheme's own formula is shown where `mods` holds one scheme that this file knows, otherwise the
    difference of the two stages. Raises ValueError where the scheme gives another number than the trace has.
    """
    scaled, modified, added = cell.at("scaled_scores"), cell.at("modified_scores"), added_by_position(cell)
    if cell.trace.cap is not None:
        return [_cap_step(cell.trace.cap, before, scaled, modified)]
    changing = [mod for mod in cell.mods if type(mod).on_scores is not Mod.on_scores]
    steps = _scheme(cell, changing[0]) if len(changing) == 1 else []
    if steps and not _close(steps[-1].value, added, modified, cell):
        raise ValueError(f"mods={changing}: allowed are those that the trace was made with")
    if not steps:
        steps = [
            Step(
                "position",
                TITLES["position"],
                rf"p_{{ij}} = z_{{ij}} - {before}",
                rf"p_{{ij}} = {number(modified)} - {factor(scaled)} {equals(added)}",
                added,
            )
        ]
    total = Step(
        "modified",
        TITLES["modified"],
        rf"z_{{ij}} = {before} + p_{{ij}}",
        rf"z_{{ij}} = {addends((scaled, added))} {equals(modified)}",
        modified,
        note=None if added else note("no_position"),
    )
    return [*steps, total]


def _cap_step(cap: float, before: str, scaled: float, modified: float) -> Step:
    r"""z_ij = C tanh(s_ij / C)."""
    size = factor(cap)
    return Step(
        "capped",
        TITLES["capped"],
        rf"z_{{ij}} = C \tanh({before} / C)",
        rf"z_{{ij}} = {size} \cdot \tanh({number(scaled)} / {size}) {equals(modified)}",
        modified,
    )


def _close(value: float | None, added: float, modified: float, cell: Cell) -> bool:
    if value is None or not math.isfinite(added):
        return True
    digits = torch.finfo(cell.trace.heads.modified_scores.dtype).eps
    return abs(value - added) <= 64 * digits * max(1.0, abs(modified), abs(added))


def _scheme(cell: Cell, mod: Mod) -> list[Step]:
    if isinstance(mod, ALiBi):
        return _alibi(cell, mod)
    if isinstance(mod, T5Buckets):
        return _t5(cell, mod)
    if isinstance(mod, Shaw):
        return _shaw(cell, mod)
    if isinstance(mod, TransformerXL):
        return _transformer_xl(cell, mod)
    return []


def _places(cell: Cell, mod: ALiBi | T5Buckets | Shaw | TransformerXL) -> tuple[int, int]:
    """Where query and key stand, counted from 1."""
    return cell.row + mod.query_offset + 1, cell.col + mod.key_offset + 1


def _alibi(cell: Cell, mod: ALiBi) -> list[Step]:
    i, j = _places(cell, mod)
    slope = alibi_slopes(mod.num_heads)[cell.head]
    value = -slope * abs(i - j)
    return [
        Step(
            "alibi",
            TITLES["alibi"],
            r"p_{ij} = -m_h\,\lvert i - j \rvert",
            rf"p_{{ij}} = -{factor(slope)} \cdot \lvert {i} - {j} \rvert {equals(value)}",
            value,
        )
    ]


def _t5(cell: Cell, mod: T5Buckets) -> list[Step]:
    i, j = _places(cell, mod)
    assert mod.table is not None  # set when the scheme was made
    queries, keys = cell.trace.shape("weights")[-2:]
    bucket = int(mod.buckets(queries, keys)[cell.row, cell.col].item())
    value = float(mod.table[bucket, cell.head].item())
    return [
        Step(
            "t5",
            TITLES["t5"],
            r"p_{ij} = B_{h,\,b(i - j)}",
            rf"b({i} - {j}) = {bucket},\quad p_{{ij}} {equals(value)}",
            value,
        )
    ]


def _query_and_key(cell: Cell) -> tuple[list[float], list[float]]:
    heads = cell.trace.heads
    return (
        cell.numbers(heads.rotated_q[cell.batch, cell.head, cell.row]),
        cell.numbers(heads.rotated_k[cell.batch, cell.kv_head, cell.col]),
    )


def _scaled_parts(cell: Cell, parts: list[Step]) -> list[Step]:
    """The parts, and their sum times the scale."""
    scale = 1.0 if cell.trace.scale is None else cell.trace.scale
    values = [0.0 if part.value is None else part.value for part in parts]
    symbols = " + ".join(part.formula.split(" = ")[0] for part in parts)
    value = sum(values) * scale
    inner = addends(values) if len(values) == 1 else f"({addends(values)})"
    left = symbols if len(parts) == 1 else f"({symbols})"
    return [
        *parts,
        Step(
            "position",
            TITLES["position"],
            rf"p_{{ij}} = {left} \cdot \alpha",
            rf"p_{{ij}} = {inner} \cdot {number(scale)} {equals(value)}",
            value,
        ),
    ]


def _shaw(cell: Cell, mod: Shaw) -> list[Step]:
    q, _ = _query_and_key(cell)
    queries, keys = cell.trace.shape("weights")[-2:]
    row = int(mod.rows(queries, keys)[cell.row, cell.col].item())
    vector = cell.numbers(mod.table[row].to(cell.trace.heads.q.dtype))
    return _scaled_parts(cell, [dot_step("shaw", "u_{ij}", ("q_{ic}", "a_{j-i,c}"), q, vector)])


def _transformer_xl(cell: Cell, mod: TransformerXL) -> list[Step]:
    q, k = _query_and_key(cell)
    i, j = _places(cell, mod)
    dtype = cell.trace.heads.q.dtype
    relative = cell.numbers(mod.relative_keys(torch.tensor([i - j]))[cell.head, 0].to(dtype))
    u, v = (cell.numbers(bias[cell.head].to(dtype)) for bias in (mod.u, mod.v))
    return _scaled_parts(
        cell,
        [
            dot_step("xl_content", "x_j", ("u_{hc}", "k_{jc}"), u, k),
            dot_step("xl_position", "y_{ij}", ("q_{ic}", "r_{i-j,c}"), q, relative),
            dot_step("xl_bias", "g_{i-j}", ("v_{hc}", "r_{i-j,c}"), v, relative),
        ],
    )
