"""Attention as pure functions: tensors in, the record of every stage out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from attention_core.masking import (
    MaskLike,
    Stages,
    check_mask,
    everything,
    forbid,
    masked,
    materialize,
    softmax,
)
from attention_core.scores import Score, scaled_dot_product
from attention_core.shapes import Allowed, Context, HeadKeys, Heads, Keys, Scores, Values, Weights
from attention_core.trace import HeadTrace


class Mod:
    """Where position enters attention. The base class changes nothing; override one of the two places.

    >>> q = k = torch.ones(1, 1, 2, 3)
    >>> all(a is b for a, b in zip(Mod().on_qk(q, k), (q, k)))
    True
    """

    def on_qk(self, q: Heads, k: Keys) -> tuple[Heads, Keys]:
        """Turn queries (batch, head, query, d_k) and keys (batch, kv_head, key, d_k) before they meet."""
        return q, k

    def on_scores(self, scores: Scores, q: Heads, k: HeadKeys, scale: float) -> Scores:
        """Change the scaled scores; q and k are as they enter the score, a key head for every query head."""
        return scores


def masked_softmax(scores: Tensor, allowed: Allowed | None) -> Tensor:
    """Softmax over the last axis in which a forbidden entry weighs exactly 0.

    w_j = exp(s_j - max) / sum over allowed i of exp(s_i - max), with the maximum of the allowed entries, so
    that no score is too large. `allowed` is None or a bool tensor that broadcasts to `scores`, True = may
    attend. A row sums to 1. A row with nothing allowed is all zeros, as in `F.scaled_dot_product_attention`;
    the bare formula would give NaN. Nothing else is laundered: NaN or +inf at an allowed place makes a row of
    NaN. Works in float16, bfloat16, float32 and float64.

    Raises ValueError where `allowed` is not bool or does not broadcast.

    >>> scores = torch.tensor([[0.0, 0.0, 99.0], [1.0, 2.0, 3.0]])
    >>> allowed = torch.tensor([[True, True, False], [False, False, False]])
    >>> masked_softmax(scores, allowed).tolist()
    [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]
    """
    if allowed is not None:
        check_mask(allowed, tuple(scores.shape))
    forbidden, empty = forbid(allowed)
    return softmax(masked(scores, forbidden), empty)


def attention(
    q: Heads,
    k: Keys,
    v: Values,
    *,
    score: Score = scaled_dot_product,
    mods: Sequence[Mod] = (),
    mask: MaskLike | Allowed | None = None,
    dropout_p: float = 0.0,
    generator: Generator | None = None,
) -> HeadTrace:
    """Attention of every head with all its stages, softmax(mask(score(q, k))) v (Vaswani et al. 2017, eq. 1).

    q (batch, head, query, d_k), k (batch, kv_head, key, d_k), v (batch, kv_head, key, d_v). With fewer
    key/value heads (grouped queries, Ainslie et al. 2023) query head h reads key/value head h // (head //
    kv_head). `mask`: None, a mask value, or a bool tensor that broadcasts to (batch, head, query, key), True
    = may attend. A query that may attend to nothing has weights 0 and context 0. Nothing else is laundered:
    NaN and inf in the inputs stay visible, and 0 times an infinite value is NaN, at a forbidden key too.
    Dropout is inverted (Srivastava et al. 2014): a weight survives with probability 1 - p and is divided by
    it. In `torch.inference_mode()` scaled and masked scores are worked out when first read, to the same bits.

    Raises ValueError where shapes or dtypes do not fit, and for `dropout_p` > 0 without a `generator`.

    >>> q = torch.tensor([[[[1.0, 0.0]]]])
    >>> k = v = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
    >>> attention(q, k, v, mask=torch.tensor([True, False])).weights.tolist()
    [[[[1.0, 0.0]]]]
    """
    groups = _check_heads(q, k, v)
    _check_dropout(dropout_p, generator)
    size = (q.shape[0], q.shape[1], q.shape[2], k.shape[2])
    allowed = materialize(mask, size, q.device)
    forbidden, empty = forbid(allowed)

    rotated_q, rotated_k = q, k
    for mod in mods:
        rotated_q, rotated_k = mod.on_qk(rotated_q, rotated_k)
    keys = _for_every_head(rotated_k, groups)  # (batch, head, key, d_k)
    raw_scores = score.raw(rotated_q, keys)  # (batch, head, query, key)
    if raw_scores.shape != size:
        raise ValueError(f"raw scores have shape {tuple(raw_scores.shape)}: allowed is {size}")
    scale = score.scale(rotated_q.shape[-1])
    stages = Stages(raw_scores, scale, forbidden)

    if torch.is_inference_mode_enabled() and all(type(mod).on_scores is Mod.on_scores for mod in mods):
        weights = stages.weights_in_place(empty)  # (batch, head, query, key)
        now: dict[str, Tensor] = {}
        later: dict[str, Callable[[], Tensor]] = {
            "scaled_scores": lambda: stages.scaled,
            "modified_scores": lambda: stages.scaled,
            "masked_scores": lambda: stages.masked,
        }
    else:
        modified_scores = stages.scaled
        for mod in mods:
            modified_scores = mod.on_scores(modified_scores, rotated_q, keys, scale)
        masked_scores = masked(modified_scores, forbidden)  # (batch, head, query, key)
        weights = softmax(masked_scores, empty)  # (batch, head, query, key)
        now = {
            "scaled_scores": stages.scaled,
            "modified_scores": modified_scores,
            "masked_scores": masked_scores,
        }
        later = {}

    dropped_weights = _dropout(weights, dropout_p, generator)  # (batch, head, query, key)
    context = _weighted_sum(dropped_weights, v, groups)  # (batch, head, query, d_v)
    now |= {
        "q": q,
        "k": k,
        "v": v,
        "rotated_q": rotated_q,
        "rotated_k": rotated_k,
        "raw_scores": raw_scores,
        "weights": weights,
        "dropped_weights": dropped_weights,
        "context": context,
    }
    device = q.device
    later["allowed"] = lambda: everything(size, device) if allowed is None else allowed.expand(size)
    return HeadTrace.partly(now, later)


def _for_every_head(k: Keys, groups: int) -> HeadKeys:
    """Give every query head its key head: (batch, kv_head, key, d) -> (batch, kv_head * groups, key, d)."""
    return k if groups == 1 else k.unsqueeze(2).expand(-1, -1, groups, -1, -1).flatten(1, 2)


def _weighted_sum(weights: Weights, v: Values, groups: int) -> Context:
    """weights @ v, with the query heads of one value head folded into one long query axis."""
    if groups == 1:
        return torch.matmul(weights, v)  # (batch, head, query, d_v)
    batch, heads, queries, keys = weights.shape
    folded = weights.reshape(batch, heads // groups, groups * queries, keys)
    return torch.matmul(folded, v).reshape(batch, heads, queries, v.shape[-1])  # (batch, head, query, d_v)


def _dropout(weights: Weights, p: float, generator: Generator | None) -> Weights:
    if p == 0.0:
        return weights
    if p == 1.0:
        return torch.zeros_like(weights)
    drawn = torch.rand(weights.shape, generator=generator, device=weights.device)
    return weights * (drawn >= p) / (1.0 - p)  # (batch, head, query, key)


def _check_heads(q: Tensor, k: Tensor, v: Tensor) -> int:
    """Raise ValueError where q, k and v do not fit; return how many query heads share a key/value head."""
    for name, tensor in (("q", q), ("k", k), ("v", v)):
        if tensor.dim() != 4:
            raise ValueError(
                f"{name} has shape {tuple(tensor.shape)}: allowed is (batch, head, position, width)"
            )
        if tensor.dtype != q.dtype or not tensor.is_floating_point():
            raise ValueError(f"{name} has dtype {tensor.dtype}: allowed is one floating dtype for q, k and v")
    batch, heads, _, width = q.shape
    if k.shape[:3] != v.shape[:3]:
        raise ValueError(f"v has shape {tuple(v.shape)}: allowed is {(*k.shape[:3], 'd_v')}, as k has")
    if k.shape[0] != batch or k.shape[3] != width:
        raise ValueError(
            f"k has shape {tuple(k.shape)}: allowed is ({batch}, kv_head, key, {width}), as q has"
        )
    kv_heads = k.shape[1]
    if kv_heads == 0 or heads % kv_heads:
        raise ValueError(f"k has {kv_heads} heads: allowed are divisors of {heads}, the heads of q")
    return heads // kv_heads


def _check_dropout(p: float, generator: Generator | None) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout_p={p!r}: allowed are numbers from 0 to 1")
    if p > 0.0 and generator is None:
        raise ValueError(
            f"generator=None with dropout_p={p!r}: allowed is a torch.Generator, so a seed repeats it"
        )
