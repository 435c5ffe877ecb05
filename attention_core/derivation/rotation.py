"""How a query or key was turned before it entered the score."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from attention_core.derivation.cell import Cell
from attention_core.derivation.latex import equals, factor, products
from attention_core.derivation.steps import Step, product
from attention_core.derivation.words import TITLES, note
from attention_core.positions import RoPE


def rotation_steps(cell: Cell, side: str) -> list[Step]:
    r"""The angle of the plane and the turn: a cos - b sin, or a sin + b cos (see `RoPE`).

    `side` is "q" or "k", `cell.row` the place of the token. The angle is that of the rotary scheme in `mods`,
    else the one that the numbers before and after show. Column c turns with its neighbour or, as many pretrained
    models have it, with column c + d / 2: whichever pair keeps its length.
    """
    heads = cell.trace.heads
    whole, turned = (heads.q, heads.rotated_q) if side == "q" else (heads.k, heads.rotated_k)
    before = cell.numbers(whole[cell.batch, cell.head, cell.row])
    after = cell.numbers(turned[cell.batch, cell.head, cell.row])
    column = cell.batch, cell.head, slice(None), cell.col
    still = not cell.mods and torch.equal(whole[column], turned[column])  # of no token does this column turn
    pair_of = None if still else _pair(cell, before, after)
    if pair_of is None:
        if before[cell.col] != after[cell.col]:
            symbol = rf"{side}'_c"
            unknown = note("turn_unknown")
            given = Step("rotation", TITLES["rotation"], symbol, rf"{symbol} {equals(cell.value)}", cell.value)
            return [replace(given, note=unknown)]
        alone = len(before) % 2 == 1 and cell.col == len(before) - 1
        unpaired = note("no_partner" if alone else "not_turned")
        formula, substituted = rf"{side}'_c = {side}_c", rf"{side}'_c {equals(cell.value)}"
        return [Step("rotation", TITLES["rotation"], formula, substituted, cell.value, note=unpaired)]
    first, second = pair_of
    a, b = before[first], before[second]
    angle, cos, sin = _known_angle(cell, side) or _seen_angle(a, b, after[first], after[second])
    if cell.col == first:
        pairs, formula = ((a, cos), (b, -sin)), r"a \cos\varphi - b \sin\varphi"
        turn = "cos φ, −sin φ"
    else:
        pairs, formula = ((a, sin), (b, cos)), r"a \sin\varphi + b \cos\varphi"
        turn = "sin φ, cos φ"
    return [
        angle,
        Step(
            "rotation",
            TITLES["rotation"],
            rf"{side}'_c = {formula}",
            rf"{side}'_c = {products(pairs)} {equals(cell.value)}",
            cell.value,
            terms=tuple(product(str(c + 1), *pair) for c, pair in zip(pair_of, pairs, strict=True)),
            columns=("a, b", turn, f"{side}′"),
        ),
    ]


def _pair(cell: Cell, before: list[float], after: list[float]) -> tuple[int, int] | None:
    """The two columns that turn together, of which the cell's is one; None where it stays as it is."""
    width, neighbour = len(before), cell.col - cell.col % 2
    pairs = [(neighbour, neighbour + 1)] if neighbour + 1 < width else []
    if any(isinstance(mod, RoPE) for mod in cell.mods):
        return pairs[0] if pairs else None
    for turning in _turning_widths(width):
        half = turning // 2
        if cell.col < turning:
            pairs.append((cell.col % half, cell.col % half + half))
    for first, second in pairs:
        whole = before[first] ** 2 + before[second] ** 2
        if abs(after[first] ** 2 + after[second] ** 2 - whole) <= 1e-5 * (whole + 1e-12):
            return first, second
    return None


def _turning_widths(width: int) -> list[int]:
    """How many of the first columns may turn: all, or some quarters of them (GPT-NeoX turns one)."""
    return [width * quarters // 4 for quarters in (4, 3, 2, 1) if width * quarters // 4 % 2 == 0]


def _known_angle(cell: Cell, side: str) -> tuple[Step, float, float] | None:
    """The angle position * theta of the scheme in `mods`, with its cosine and sine as the trace had them."""
    mod = next((mod for mod in cell.mods if isinstance(mod, RoPE)), None)
    if mod is None:
        return None
    heads = cell.trace.heads
    width, dtype = heads.q.shape[-1], heads.q.dtype
    place = cell.row + (mod.query_offset if side == "q" else mod.key_offset)
    plane, planes = cell.col // 2, width // 2
    angle = mod.angles(1, width, place)[0, plane]
    step = Step(
        "angle",
        TITLES["angle"],
        r"\varphi = p \cdot \theta^{-n/N}",
        rf"\varphi = {place} \cdot {factor(mod.base)}^{{-{plane}/{planes}}} {equals(float(angle))}",
        float(angle),
    )
    return step, float(angle.cos().to(dtype)), float(angle.sin().to(dtype))


def _seen_angle(a: float, b: float, a_after: float, b_after: float) -> tuple[Step, float, float]:
    """The angle from (a, b) to (a_after, b_after); a zero pair shows none, and none is needed."""
    square = a * a + b * b
    cos = (a * a_after + b * b_after) / square if square else 1.0
    sin = (a * b_after - b * a_after) / square if square else 0.0
    angle = math.atan2(sin, cos)
    return Step("angle", TITLES["angle"], r"\varphi", rf"\varphi {equals(angle)}", angle), cos, sin
