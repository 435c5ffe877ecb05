"""The arithmetic of sums and matrices: embeddings, projections, concatenation and output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from attention_core.derivation.cell import Cell
from attention_core.derivation.latex import addends, equals, headings, products
from attention_core.derivation.scores import context_steps
from attention_core.derivation.steps import Step, product
from attention_core.derivation.words import TITLES, note

# The letters of what attention starts from; its rows are queries, i, or keys, j.
_LETTERS = {
    "token_embedding": "t_{ic}",
    "position_encoding": "p_{ic}",
    "source_embedding": "x_{jc}",
    "source_token_embedding": "t_{jc}",
    "source_position_encoding": "p_{jc}",
    "value_embedding": r"\hat{x}_{jc}",
}


def given_steps(cell: Cell, before: bool = False) -> list[Step]:
    """A number that attention starts from: nothing in the trace makes it. `before`: a layer before it did."""
    symbol = _LETTERS.get(cell.field, "x_{ic}")
    said = note("from_before") if before else None
    return [Step("given", TITLES["given"], symbol, f"{symbol} {equals(cell.value)}", cell.value, note=said)]


def embedding_steps(cell: Cell) -> list[Step]:
    r"""x = t + p where the trace has both, or its norm; x = \hat{x} + p where the positions came after the norm."""
    trace = cell.trace
    side = "" if trace.source_embedding is trace.embedding else cell.field.removesuffix("embedding")
    origin, normed = (getattr(trace, f"{side}{name}") for name in ("origin", "normed"))
    token, position = (getattr(trace, f"{side}{name}") for name in ("token_embedding", "position_encoding"))
    last = token is None  # positions came after the norm
    first = trace.value_embedding if last else token
    if first is None or position is None:
        return given_steps(cell, before=normed or origin != "tokens")
    whole = trace.field(cell.field)
    one, place = (float(part.expand_as(whole)[_at(cell)].item()) for part in (first, position))
    letter = r"\hat{x}_{ic}" if last else "t_{ic}"
    symbol, value = ("x_{ic}", cell.value) if last or not normed else ("u_{ic}", one + place)
    added = Step(
        "added",
        TITLES["added"],
        f"{symbol} = {letter} + p_{{ic}}",
        rf"{symbol} = {addends((one, place))} {equals(value)}",
        value,
        terms=(product("x̂" if last else "t", one, 1.0), product("p", place, 1.0)),
        columns=("x̂, p" if last else "t, p", "1", symbol[0]),
    )
    if symbol == "x_{ic}":
        return [added]
    formula, found = r"x_i = \mathrm{norm}(u_i)", rf"x_{{ic}} {equals(cell.value)}"
    return [added, Step("normed", TITLES["normed"], formula, found, cell.value, note=note("normed"))]


def _at(cell: Cell) -> tuple[int, int, int]:
    return cell.batch, cell.row, cell.col


def projection_steps(cell: Cell, side: str) -> list[Step]:
    """q, k or v: a row of the embedding times a column of the weight, plus the bias."""
    trace, weights = cell.trace, cell.trace.projections
    head = (cell.batch, cell.head, cell.row, cell.col)
    value = float(getattr(trace.heads, side)[head].item())
    upper, row = side.upper(), "x_{ic}" if side == "q" else "x_{jc}"
    if side == "v" and trace.value_embedding is not None:
        row = _LETTERS["value_embedding"]
    symbol = rf"{side}_{{{'i' if side == 'q' else 'j'}d}}"
    matrix = None if weights is None else {"q": weights.w_q, "k": weights.w_k, "v": weights.w_v}[side]
    if weights is None or matrix is None:
        unknown = note("no_weights")
        return [Step("given", TITLES["given"], symbol, rf"{symbol} {equals(value)}", value, note=unknown)]
    source = {
        "q": trace.embedding,
        "k": trace.source_embedding,
        "v": trace.source_embedding if trace.value_embedding is None else trace.value_embedding,
    }[side]
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
