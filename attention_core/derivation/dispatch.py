"""From the name of a field to the steps of its cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from attention_core.checks import whole
from attention_core.derivation.cell import Cell
from attention_core.derivation.linear import (
    concat_steps,
    embedding_steps,
    given_steps,
    head_step,
    output_steps,
    projection_steps,
)
from attention_core.derivation.rotation import rotation_steps
from attention_core.derivation.scores import STAGES, context_steps, score_steps
from attention_core.derivation.sentences import sentence_of
from attention_core.derivation.steps import Derivation, Step
from attention_core.derivation.words import note
from attention_core.functional import Mod
from attention_core.scores import Score
from attention_core.trace import AttentionTrace

__all__ = ["derive"]

_HEADS = ("head", "kv_head")


def derive(
    trace: AttentionTrace,
    field: str,
    *,
    head: int = 0,
    row: int,
    col: int,
    batch: int = 0,
    score: Score | None = None,
    mods: Sequence[Mod] = (),
    show: Callable[[str], str] = str,
) -> Derivation:
    r"""The arithmetic of one cell, step by step: formula, numbers substituted, terms, and a sentence.

    For a weight: r = q . k,  s = r / sqrt(d_k),  m = s or -inf,  w = exp(m - max) / sum exp(m - max),
    c = sum w v (Vaswani et al. 2017, eq. 1). `field` is any of `trace.fields()` or `trace.parameters()`.
    `row` and `col` count from 0 in its last two dimensions (a bias has no row), `head` on its head axis; for
    k and v that is the axis of the key/value heads. Fields without heads leave `head` alone.

    `score` and `mods` are those that the trace was made with: scores with weights of their own and position
    schemes then show their parts; without them the number of the trace stands as it is. `show` writes a token
    in labels and sentences. Those are plain text; LaTeX holds symbols and numbers only.

    Raises KeyError for an unknown field, ValueError for an index outside it, and for mods of another trace.

    >>> import torch
    >>> from attention_core.modules import MultiHeadAttention
    >>> attend = MultiHeadAttention(4, 1)
    >>> trace = attend.trace(torch.zeros(1, 2, 4), tokens=("it", "was"), source_tokens=("it", "was"))
    >>> found = derive(trace, "weights", row=0, col=1)
    >>> found.value, found.sentence.text()
    (0.5, "'it' looks 50 % at 'was'.")
    >>> found.step("sum").substituted
    'Z_i = e^{0 - 0} + e^{0 - 0} = 2'
    """
    dims, shape = trace.dims(field), trace.shape(field)  # KeyError names the fields there are
    plane = [dim for dim in dims if dim != "batch" and dim not in _HEADS]
    given = {"batch": batch, "head": head, "kv_head": head}
    given |= zip(plane, (row, col)[-len(plane) :], strict=True)
    said = {"batch": "batch", "head": "head", "kv_head": "head", plane[-1]: "col"}
    for dim, size in zip(dims, shape, strict=True):
        _check(said.get(dim, "row"), given[dim], size, dim)
    if len(plane) == 1:
        _check("row", row, 1, "row")
    has_heads = any(dim in _HEADS for dim in dims)
    cell = Cell(trace, field, batch, head if has_heads else 0, row, col, score, tuple(mods), show)
    steps = tuple(_steps(cell))
    return Derivation(
        field,
        batch,
        head if has_heads else None,
        row,
        col,
        dims,
        cell.value,
        steps,
        sentence_of(cell, steps),
    )


def _check(name: str, value: int, size: int, dim: str) -> None:
    if whole(name, value, 0) >= size:
        raise ValueError(f"{name}={value}: allowed are whole numbers from 0 to {size - 1}, the size of {dim}")


def _steps(cell: Cell) -> list[Step]:
    field = cell.field
    if field in STAGES or field == "allowed":
        return score_steps(cell)
    if field in ("q", "k", "v"):
        return projection_steps(cell, field)
    if field in ("rotated_q", "rotated_k"):
        side = field[-1]
        if cell.rotates:
            return rotation_steps(cell, side)
        return [replace(step, note=note("unrotated")) for step in projection_steps(cell, side)]
    if field in ("embedding", "source_embedding"):
        return embedding_steps(cell)
    if field == "context":
        return context_steps(cell)
    if field == "concat":
        return concat_steps(cell)
    if field == "output":
        return output_steps(cell)
    if field == "head_contributions":
        return [head_step(cell, cell.head)]
    return given_steps(cell, before=field == "value_embedding")
