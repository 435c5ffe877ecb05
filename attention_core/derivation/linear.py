"""The arithmetic of sums and matrices: embeddings, projections, concatenation and output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from attention_core.derivation.cell import Cell
from attention_core.derivation.latex import addends, equals, headings, products
from attention_core.derivation.scores import context_steps
from attention_core.derivation.steps import Step, product
from attention_core.derivation.words import TITLES, note

_PARTS = {
    "embedding": ("token_embedding", "position_encoding"),
    "source_embedding": ("source_token_embedding", "source_position_encoding"),
}


def given_steps(cell: Cell) -> list[Step]:
    """A number that attention starts from: nothing in the trace makes it."""
    return [Step("given", TITLES["given"], "x_{ic}", rf"x_{{ic}} {equals(cell.value)}", cell.value)]


def embedding_steps(cell: Cell) -> list[Step]:
    """x = token + position, where the trace has both."""
    trace = cell.trace
    names = _PARTS["embedding" if trace.source_embedding is trace.embedding else cell.field]
    parts: list[Tensor | None] = [getattr(trace, name) for name in names]
    present = [part for part in parts if part is not None]
    if len(present) < 2:
        return given_steps(cell)
    token, place = (float(part.expand_as(trace.field(cell.field))[_at(cell)].item()) for part in present)
    return [
        Step(
            "added",
            TITLES["added"],
            "x_{ic} = t_{ic} + p_{ic}",
            rf"x_{{ic}} = {addends((token, place))} {equals(cell.value)}",
            cell.value,
            terms=(product("t", token, 1.0), product("p", place, 1.0)),
            columns=("t, p", "1", "x"),
        )
    ]


def _at(cell: Cell) -> tuple[int, int, int]:
    return cell.batch, cell.row, cell.col


def projection_steps(cell: Cell, side: str) -> list[Step]:
    """q, k or v: a row of the embedding times a column of the weight, plus the bias."""
    trace, weights = cell.trace, cell.trace.projections
    head = (cell.batch, cell.head, cell.row, cell.col)
    value = float(getattr(trace.heads, side)[head].item())
    upper, row = side.upper(), "x_{ic}" if side == "q" else "x_{jc}"
    symbol = rf"{side}_{{{'i' if side == 'q' else 'j'}d}}"
    if weights is None:
        unknown = note("no_weights")
        return [Step("given", TITLES["given"], symbol, rf"{symbol} {equals(value)}", value, note=unknown)]
    source = {
        "q": trace.embedding,
        "k": trace.source_embedding,
        "v": trace.source_embedding if trace.value_embedding is None else trace.value_embedding,
    }[side]
    matrix = {"q": weights.w_q, "k": weights.w_k, "v": weights.w_v}[side]
    bias = {"q": weights.b_q, "k": weights.b_k, "v": weights.b_v}[side]
    pairs = list(
        zip(
            cell.numbers(source[cell.batch, cell.row]),
            cell.numbers(matrix[cell.head, :, cell.col]),
            strict=True,
        )
    )
    extra = None if bias is None else float(bias[cell.head, cell.col].item())
    factors = (row, rf"W^{{{upper}}}_{{cd}}")
    return [_matrix_step("projection", symbol, factors, pairs, extra, f"b^{{{upper}}}_d", value)]


def _matrix_step(
    key: str,
    symbol: str,
    factors: tuple[str, str],
    pairs: Sequence[tuple[float, float]],
    bias: float | None,
    bias_symbol: str,
    value: float,
) -> Step:
    """A row times a column plus a bias; the bias is the last term, times 1."""
    terms = [product(str(c + 1), a, b) for c, (a, b) in enumerate(pairs)]
    left, right = factors
    formula = rf"{symbol} = \sum_c {left}\, {right}"
    substituted = rf"{symbol} = {products(pairs)}"
    if bias is not None:
        terms.append(product("b", bias, 1.0))
        formula += f" + {bias_symbol}"
        substituted += f" + {addends((bias,)) if bias >= 0 else f'({addends((bias,))})'}"
    return Step(
        key,
        TITLES[key],
        formula,
        f"{substituted} {equals(value)}",
        value,
        terms=tuple(terms),
        columns=headings(left, right),
    )


def place_in_concat(cell: Cell) -> tuple[int, int]:
    """The head that a column of the concatenation comes from, and the column there."""
    return divmod(cell.col, cell.trace.heads.context.shape[-1])


def concat_steps(cell: Cell) -> list[Step]:
    """A copy of one number of one head's context, and how that came about."""
    head, column = place_in_concat(cell)
    value = float(cell.trace.concat[_at(cell)].item())
    where = note("from_head", head=cell.head_name(head), column=str(column + 1))
    copy = Step(
        "copy",
        TITLES["copy"],
        r"o_{i,\,h d_v + d} = c^{(h)}_{id}",
        rf"o_{{i,{cell.col + 1}}} = c^{{({head + 1})}}_{{i,{column + 1}}} {equals(value)}",
        value,
        note=where,
    )
    return [copy, *context_steps(replace(cell, head=head, col=column))]


def head_step(cell: Cell, head: int) -> Step:
    """What one head adds to one number of the output: context[h] . w_o[h][:, col]."""
    trace = cell.trace
    weights = trace.projections
    context = cell.numbers(trace.heads.context[cell.batch, head, cell.row])
    symbol = rf"a^{{({head + 1})}}_{{i}}"
    if weights is None or weights.w_o is None:
        own, column = place_in_concat(cell)
        value = context[column] if own == head else 0.0
        said = (
            note("from_head", head=cell.head_name(head), column=str(column + 1))
            if own == head
            else note("other_slice")
        )
        formula = r"a^{(h)}_{i} = c^{(h)}_{id}" if own == head else r"a^{(h)}_{i} = 0"
        return Step(
            "head", TITLES["head"], formula, rf"{symbol} {equals(value)}", value, note=said, head=head
        )
    column_of = cell.numbers(weights.w_o[head, :, cell.col])
    pairs = list(zip(context, column_of, strict=True))
    value = math.fsum(a * b for a, b in pairs)
    step = _matrix_step("head", symbol, ("c^{(h)}_{id}", "W^{O}_{hd}"), pairs, None, "", value)
    return replace(step, formula=r"a^{(h)}_{i} = \sum_d c^{(h)}_{id}\, W^{O}_{hd}", head=head)


def output_steps(cell: Cell) -> list[Step]:
    """What each head adds, and the sum of all heads and the bias; without W_O the concatenation."""
    trace = cell.trace
    weights = trace.projections
    if weights is None or weights.w_o is None:
        return concat_steps(cell) if trace.output is trace.concat else given_steps(cell)
    heads = [head_step(cell, head) for head in range(trace.heads.q.shape[1])]
    value = float(trace.output[_at(cell)].item())
    added = [step.value or 0.0 for step in heads]
    terms = [product(cell.head_name(h), amount, 1.0) for h, amount in enumerate(added)]
    formula = r"y_i = \sum_h a^{(h)}_{i}"
    if weights.b_o is not None:
        bias = float(weights.b_o[cell.col].item())
        terms.append(product("b", bias, 1.0))
        added.append(bias)
        formula += " + b^{O}"
    total = Step(
        "output",
        TITLES["output"],
        formula,
        rf"y_i = {addends(added)} {equals(value)}",
        value,
        terms=tuple(terms),
        columns=("a", "1", "a"),
    )
    return [*heads, total]
