"""The arithmetic of a raw score: a query, a key, and the number that the score function makes of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from attention_core.derivation.cell import Cell
from attention_core.derivation.formulas import DOTS
from attention_core.derivation.latex import equals, factor, headings, number, products, vector
from attention_core.derivation.steps import Step, Term, product
from attention_core.derivation.words import TITLES, note
from attention_core.scores import Additive, Bilinear


def raw_steps(cell: Cell) -> list[Step]:
    """The two vectors as they enter the score, and r_ij."""
    heads = cell.trace.heads
    q = cell.numbers(heads.rotated_q[cell.batch, cell.head, cell.row])
    k = cell.numbers(heads.rotated_k[cell.batch, cell.kv_head, cell.col])
    score, kind = cell.base_score, cell.score_kind
    steps = [_vector_step(cell, "query", q), _vector_step(cell, "key", k)]
    if kind in DOTS:
        factors = (f"q{cell.prime}_{{ic}}", f"k{cell.prime}_{{jc}}")
        return [*steps, dot_step("raw", "r_{ij}", factors, q, k, cell.at("raw_scores"))]
    if kind == "cosine":
        return [*steps, *_cosine_steps(cell, q, k)]
    if isinstance(score, Additive):
        return [*steps, *_additive_steps(cell, score, q, k)]
    if isinstance(score, Bilinear):
        return [*steps, *_bilinear_steps(cell, score, q, k)]
    raw = cell.at("raw_scores")
    formula = {
        "additive": r"r_{ij} = \mathbf{u}^{\top} \tanh(W_1 \mathbf{q}_i + W_2 \mathbf{k}_j)",
        "bilinear": r"r_{ij} = \mathbf{q}_i^{\top} W \mathbf{k}_j",
    }.get(kind, r"r_{ij} = f(\mathbf{q}_i, \mathbf{k}_j)")
    unknown = note("score_unknown")
    return [*steps, Step("raw", TITLES["raw"], formula, rf"r_{{ij}} {equals(raw)}", raw, note=unknown)]


def _vector_step(cell: Cell, key: str, values: Sequence[float]) -> Step:
    letter, index = ("q", "i") if key == "query" else ("k", "j")
    symbol = rf"\mathbf{{{letter}}}{cell.prime}_{index}"
    source = r"\mathbf{x}_i W_Q" if key == "query" else r"\mathbf{x}_j W_K"
    weights = cell.trace.projections
    matrix, bias = (None, None) if weights is None else (getattr(weights, f"{part}_{letter}") for part in "wb")
    made = f"{symbol} = {source}" if bias is None else f"{symbol} = {source} + b_{letter.upper()}"
    said = None
    if matrix is None:
        made, said = symbol, note("as_it_enters")
    elif cell.rotates:
        made = f"{symbol} = R_{index}({made.partition(' = ')[2]})"
        said = note("rotated")
    elif key == "key" and cell.trace.heads.k.shape[1] < cell.trace.heads.q.shape[1]:
        said = note("shared_key", kv_head=str(cell.kv_head + 1))
    return Step(
        key,
        TITLES[key],
        made,
        f"{symbol} = {vector(values)}",
        vector=tuple(values),
        note=said,
    )


def dot_step(
    key: str,
    total: str,
    factors: tuple[str, str],
    a: Sequence[float],
    b: Sequence[float],
    value: float | None = None,
) -> Step:
    """A sum of products, one column a term; `total` and `factors` are the symbols."""
    pairs = list(zip(a, b, strict=True))
    terms = tuple(product(str(c + 1), x, y) for c, (x, y) in enumerate(pairs))
    value = math.fsum(term.result for term in terms) if value is None else value
    left, right = factors
    return Step(
        key,
        TITLES[key],
        rf"{total} = \sum_c {left}\, {right}",
        rf"{total} = {products(pairs)} {equals(value)}",
        value,
        terms=terms,
        columns=headings(left, right),
    )


def _cosine_steps(cell: Cell, q: Sequence[float], k: Sequence[float]) -> list[Step]:
    r"""r_ij = q . k / (|q| |k|); a zero vector has no direction and scores 0."""
    norms = []
    for key, symbol, values in (("norm_q", "q_{ic}", q), ("norm_k", "k_{jc}", k)):
        length = math.sqrt(math.fsum(x * x for x in values))
        name = r"\lVert \mathbf{q}_i \rVert" if key == "norm_q" else r"\lVert \mathbf{k}_j \rVert"
        root = rf"\sqrt{{{products([(x, x) for x in values])}}}"
        norms.append(
            Step(
                key,
                TITLES[key],
                rf"{name} = \sqrt{{\sum_c {symbol}^2}}",
                rf"{name} = {root} {equals(length)}",
                length,
            )
        )
    dot = dot_step("dot", r"\mathbf{q}_i \cdot \mathbf{k}_j", ("q_{ic}", "k_{jc}"), q, k)
    raw = cell.at("raw_scores")
    lengths = rf"{factor(norms[0].value or 0.0)} \cdot {factor(norms[1].value or 0.0)}"
    below = r"\lVert \mathbf{q}_i \rVert \, \lVert \mathbf{k}_j \rVert"
    formula = rf"r_{{ij}} = \frac{{\mathbf{{q}}_i \cdot \mathbf{{k}}_j}}{{{below}}}"
    substituted = rf"r_{{ij}} = \frac{{{number(dot.value or 0.0)}}}{{{lengths}}} {equals(raw)}"
    said = None if norms[0].value and norms[1].value else note("no_direction")
    return [*norms, dot, Step("raw", TITLES["raw"], formula, substituted, raw, note=said)]


def _additive_steps(cell: Cell, score: Additive, q: Sequence[float], k: Sequence[float]) -> list[Step]:
    r"""r_ij = u . tanh(W_1 q + W_2 k) (Bahdanau et al. 2015), the tanh as a step of its own."""
    dtype = cell.trace.heads.q.dtype
    from_q = _times(q, score.w_q[cell.head].to(dtype).tolist())
    from_k = _times(k, score.w_k[cell.head].to(dtype).tolist())
    hidden = tuple(
        Term(str(n + 1), a, b, math.tanh(a + b)) for n, (a, b) in enumerate(zip(from_q, from_k, strict=True))
    )
    values = [term.result for term in hidden]
    symbol = r"\mathbf{h}_{ij}"
    return [
        Step(
            "hidden",
            TITLES["hidden"],
            rf"{symbol} = \tanh(W_1 \mathbf{{q}}_i + W_2 \mathbf{{k}}_j)",
            rf"{symbol} = \tanh\left({vector(from_q)} + {vector(from_k)}\right) = {vector(values)}",
            vector=tuple(values),
            terms=hidden,
            columns=("W₁ q", "W₂ k", "h = tanh(W₁ q + W₂ k)"),
        ),
        dot_step(
            "raw",
            "r_{ij}",
            ("u_n", "h_{ijn}"),
            cell.numbers(score.v[cell.head].to(dtype)),
            values,
            cell.at("raw_scores"),
        ),
    ]


def _bilinear_steps(cell: Cell, score: Bilinear, q: Sequence[float], k: Sequence[float]) -> list[Step]:
    r"""r_ij = (W^T q) . k (Luong et al. 2015)."""
    turned = _times(q, score.weight[cell.head].to(cell.trace.heads.q.dtype).tolist())
    symbol = r"\mathbf{t}_i"
    return [
        Step(
            "turned",
            TITLES["turned"],
            rf"{symbol} = W^{{\top}} \mathbf{{q}}_i",
            f"{symbol} = {vector(turned)}",
            vector=tuple(turned),
        ),
        dot_step("raw", "r_{ij}", ("t_{ic}", "k_{jc}"), turned, k, cell.at("raw_scores")),
    ]


def _times(row: Sequence[float], matrix: Sequence[Sequence[float]]) -> list[float]:
    """A row times a matrix."""
    return [
        math.fsum(x * y for x, y in zip(row, column, strict=True)) for column in zip(*matrix, strict=True)
    ]
