"""The formula of a whole stage, as this trace was computed: the symbols are those of the derivations of its cells."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from attention_core.derivation.latex import factor, number
from attention_core.trace import AttentionTrace

__all__ = ["DOTS", "scales", "score_kind", "stage_formula"]

DOTS = ("scaled_dot", "dot", "own_scale")  # the scores whose raw number is the dot product
_CHANGED = r"\tilde{w}_{ij}"  # a weight after dropout, or one that was set by hand


def score_kind(trace: AttentionTrace) -> str:
    """The name of the score function without its temperature."""
    return trace.score_name.split(",")[0]


def scales(trace: AttentionTrace) -> list[tuple[str, str]]:
    r"""What the scores are divided by, each as a symbol and as a number: the root of d_k, the temperature.

    >>> import torch
    >>> from attention_core.modules import MultiHeadAttention
    >>> scales(MultiHeadAttention(8, 2).trace(torch.zeros(1, 3, 8)))
    [('\\sqrt{d_k}', '\\sqrt{4}')]
    """
    scale, d_k = trace.scale, trace.heads.rotated_q.shape[-1]
    root = score_kind(trace) == "scaled_dot"
    if scale is None or score_kind(trace) == "own_scale" or (scale == 1.0 and not (root and d_k == 1)):
        return []
    temperature = 1.0 / (scale * math.sqrt(d_k)) if root else 1.0 / scale
    below = [(r"\sqrt{d_k}", rf"\sqrt{{{d_k}}}")] if root else []
    return [*below, ("T", factor(temperature))] if abs(temperature - 1.0) > 1e-12 else below


def stage_formula(trace: AttentionTrace, stage: str) -> str:
    r"""The formula of a stage in LaTeX, as `trace` was computed; empty where there is nothing to compute.

    `stage` is the name of a score-shaped field, "embedding", "source_embedding", "qkv", "rotated", "context",
    "concat" or "output"; KeyError for any other. Queries are numbered by i, keys by j, numbers of a vector by c. The
    raw scores are those of Vaswani et al. 2017 (dot), Bahdanau et al. 2015 (additive), Luong et al. 2015 (bilinear).
    What came before this layer is h; what the values are made of is x with a hat where it is not x itself.

    >>> import torch
    >>> from attention_core.modules import MultiHeadAttention
    >>> trace = MultiHeadAttention(8, 2, bias=False).trace(torch.zeros(1, 3, 8))
    >>> stage_formula(trace, "scaled_scores")
    's_{ij} = r_{ij} / \\sqrt{d_k}'
    >>> stage_formula(trace, "output")
    'y_i = o_i W_O'
    """
    return _FORMULAS[stage](trace)


def _embedding(trace: AttentionTrace) -> str:
    return _entering("i", trace.origin, trace.normed, trace.token_embedding, trace.position_encoding)


def _source_embedding(trace: AttentionTrace) -> str:
    parts = (trace.source_token_embedding, trace.source_position_encoding)
    return _entering("j", trace.source_origin, trace.source_normed, *parts)


def _entering(place: str, origin: str, normed: bool, token: Tensor | None, position: Tensor | None) -> str:
    made = f"t_{place}" if origin == "tokens" else f"h_{place}"
    if token is not None and position is not None:
        made += f" + p_{place}"
    if normed:
        made = rf"\mathrm{{norm}}({made})"
    if token is None and position is not None:
        return rf"\hat{{x}}_{place} = {made} \qquad x_{place} = \hat{{x}}_{place} + p_{place}"
    return f"x_{place} = {made}" if normed or token is not None else ""


def _qkv(trace: AttentionTrace) -> str:
    weights = trace.projections
    if weights is None:
        return ""
    value = "x_j" if trace.value_embedding is None else r"\hat{x}_j"
    matrices = (weights.w_q, weights.w_k, weights.w_v)
    biases = (weights.b_q, weights.b_k, weights.b_v)
    made = zip(("q_i", "k_j", "v_j"), ("x_i", "x_j", value), "QKV", matrices, biases, strict=True)
    return r" \qquad ".join(
        f"{symbol} = {x} W_{letter}" + (f" + b_{letter}" if bias is not None else "")
        for symbol, x, letter, matrix, bias in made
        if matrix is not None
    )


def _rotated(_trace: AttentionTrace) -> str:
    return r"q'_i = R_i\, q_i \qquad k'_j = R_j\, k_j"


def _raw_scores(trace: AttentionTrace) -> str:
    prime = "'" if trace.heads.rotated_q is not trace.heads.q else ""
    q, k = f"q{prime}_i", f"k{prime}_j"
    dot = rf"r_{{ij}} = \sum_c q{prime}_{{ic}}\, k{prime}_{{jc}}"
    return {
        **dict.fromkeys(DOTS, dot),
        "cosine": rf"r_{{ij}} = \frac{{{q} \cdot {k}}}{{\lVert {q} \rVert\, \lVert {k} \rVert}}",
        "additive": rf"r_{{ij}} = u^{{\top}} \tanh(W_1 {q} + W_2 {k})",
        "bilinear": rf"r_{{ij}} = {{{q}}}^{{\top}}\, W\, {k}",
    }.get(score_kind(trace), rf"r_{{ij}} = f({q}, {k})")


def _scaled_scores(trace: AttentionTrace) -> str:
    if score_kind(trace) == "own_scale" and trace.scale is not None:
        return rf"s_{{ij}} = \alpha\, r_{{ij}} \qquad \alpha = {number(trace.scale)}"
    below = [symbol for symbol, _ in scales(trace)]
    if not below:
        return "s_{ij} = r_{ij}"
    product = r"\, ".join(below)
    return rf"s_{{ij}} = r_{{ij}} / {f'({product})' if len(below) > 1 else product}"


def _modified_scores(trace: AttentionTrace) -> str:
    if trace.cap is None:
        return "z_{ij} = s_{ij} + p_{ij}"
    return rf"z_{{ij}} = C \tanh(s_{{ij}} / C) \qquad C = {number(trace.cap)}"


def _before_mask(trace: AttentionTrace) -> str:
    return "z_{ij}" if trace.heads.modified_scores is not trace.heads.scaled_scores else "s_{ij}"


def _masked_scores(trace: AttentionTrace) -> str:
    return (
        rf"m_{{ij}} = \begin{{cases}} {_before_mask(trace)} & A_{{ij}} = 1 \\ -\infty & A_{{ij}} = 0 \end{{cases}}"
    )


def _context(trace: AttentionTrace) -> str:
    changed = trace.heads.dropped_weights is not trace.heads.weights
    return rf"c_i = \sum_j {_CHANGED if changed else 'w_{ij}'}\, v_j"


def _dropped_weights(trace: AttentionTrace) -> str:
    return "" if trace.by_hand is not None else rf"{_CHANGED} = b_{{ij}}\, w_{{ij}} / (1 - p)"


def _concat(trace: AttentionTrace) -> str:
    heads = trace.heads.q.shape[1]
    parts = [f"c_i^{{{head + 1}}}" for head in range(heads)]
    side_by_side = r";\; ".join([*parts[:2], r"\dots", parts[-1]] if heads > 3 else parts)
    return rf"o_i = [\,{side_by_side}\,]"


def _output(trace: AttentionTrace) -> str:
    weights = trace.projections
    if trace.output is trace.concat:
        return "y_i = o_i"
    if weights is None or weights.w_o is None:
        return ""
    return "y_i = o_i W_O" + (" + b_O" if weights.b_o is not None else "")


_FORMULAS: dict[str, Callable[[AttentionTrace], str]] = {
    "embedding": _embedding,
    "source_embedding": _source_embedding,
    "qkv": _qkv,
    "rotated": _rotated,
    "raw_scores": _raw_scores,
    "scaled_scores": _scaled_scores,
    "modified_scores": _modified_scores,
    "masked_scores": _masked_scores,
    "weights": lambda trace: r"w_{ij} = e^{m_{ij}} / \sum_l e^{m_{il}}",
    "dropped_weights": _dropped_weights,
    "context": _context,
    "concat": _concat,
    "output": _output,
}
