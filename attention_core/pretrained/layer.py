"""One layer of attention of a pretrained model, as it was recorded, and its trace."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from attention_core.functional import Mod, attention
from attention_core.pretrained.mods import AddedBias, SoftCap, Turned
from attention_core.pretrained.problem import PretrainedError
from attention_core.pretrained.projections import Made
from attention_core.pretrained.recording import Heard
from attention_core.scores import OwnScale, Score, dot_product, scaled_dot_product
from attention_core.trace import AttentionTrace, Projections

__all__ = ["Before", "Layer", "layer_of"]

_FORBIDDEN = -1e30  # a mask writes the lowest number of its dtype, or -inf, where nobody may look
_TOO_FAR = 1e-3  # a weight that differs by more was not made in the way that is shown


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer by its name, "layer1", with the model's own weights (head, query, key) and its trace when asked for.

    `part` is "layer", "encoder", "decoder" or "cross", `number` counts from 1. `allowed` (query, key) is where its
    first head may look. `difference` is the largest difference between the weights of the trace and the model's own.
    """

    part: str
    number: int
    tokens: tuple[str, ...]
    source_tokens: tuple[str, ...]
    weights: Tensor
    allowed: Tensor
    difference: float
    trace: Callable[[], AttentionTrace]

    @property
    def name(self) -> str:
        """The layer's name in a reading."""
        return f"{self.part}{self.number}"


@dataclass(frozen=True, eq=False)
class Before:
    """What stands before a layer's attention: its origin as a trace calls it, and the vectors where they are known.

    vectors (position, width) as the model handed them over; what enters the attention is these, or their norm.
    """

    origin: str
    vectors: Tensor | None = None

    def normed(self, entering: Tensor) -> bool:
        """Whether `entering` (batch, position, width) is something else than the vectors themselves."""
        return self.vectors is None or not _equal(entering[0], self.vectors)


def layer_of(
    part: str,
    number: int,
    heard: Heard,
    tokens: tuple[str, ...],
    source_tokens: tuple[str, ...],
    before: tuple[Before, Before],
) -> Layer:
    """The layer that a recording shows; `before` is what stands before its queries, and before its keys and values.

    Raises PretrainedError where what was recorded does not make the model's weights.
    """
    trace = partial(_trace, heard, tokens, source_tokens, before)
    own = heard.weights[0]  # (head, query, key)
    heads = trace().heads
    difference = float((heads.weights[0] - own).abs().max())
    if not difference <= _TOO_FAR:
        raise PretrainedError(
            f"The attention of this model is more than softmax(q k / scale + bias): recomputed, weights of {part} "
            f"{number} differ by {difference:.2g}. So its stages cannot be shown."
        )
    return Layer(part, number, tokens, source_tokens, own, heads.allowed[0, 0], difference, trace)


def _trace(
    heard: Heard, tokens: tuple[str, ...], source_tokens: tuple[str, ...], before: tuple[Before, Before]
) -> AttentionTrace:
    q, k, v = heard.made
    x = _given(q, v, k, heard.query.shape[2])
    source = _given(k, v, q, heard.key.shape[2])
    allowed, bias = _mask(heard)
    score = _score(heard)
    mods: list[Mod] = []
    queries, keys = heard.query, heard.key
    if q is not None and k is not None and (q.turned or k.turned):
        queries, keys = q.values, k.values
        mods.append(Turned(heard.query, heard.key))
    if heard.cap and bias is not None:
        raise PretrainedError("This model keeps its scores within a cap and adds to them: allowed is one of the two.")
    if heard.cap:
        mods.append(SoftCap(float(heard.cap)))
    if bias is not None:
        mods.append(AddedBias(bias))
    with torch.inference_mode():
        heads = attention(queries, keys, heard.value, score=score, mods=mods, mask=allowed)
        concat = heads.context.transpose(1, 2).flatten(2)  # (batch, query, heads * d_v)
    return AttentionTrace(
        tokens=tokens,
        source_tokens=source_tokens,
        embedding=x,
        source_embedding=x if source is x or (source.shape == x.shape and torch.equal(source, x)) else source,
        heads=heads,
        concat=concat,
        output=concat if heard.after is None else heard.after.gave,
        projections=_projections(heard, q, k, v),
        value_embedding=v.given if v is not None and v.given is not source and not _equal(v.given, source) else None,
        scale=score.scale(heard.query.shape[-1]),
        score_name=score.name,
        origin=before[0].origin,
        normed=before[0].normed(x),
        source_origin=before[1].origin,
        source_normed=before[1].normed(source),
        cap=float(heard.cap) if heard.cap else None,
    )


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a, b)


def _given(own: Made | None, *others: Made | int | None) -> Tensor:
    """What entered a projection: its own input, or where that is not known that of another over the same tokens."""
    *layers, count = others
    for one in (own, *layers):
        if isinstance(one, Made) and one.given.shape[1] == count:
            return one.given
    raise PretrainedError(
        "The inputs of this model's queries, keys and values could not be found among its linear layers."
    )


def _mask(heard: Heard) -> tuple[Tensor | None, Tensor | None]:
    """Where a query may look, (batch, 1 or head, query, key), and what else is added to the scores."""
    bias = heard.bias if heard.bias is not None and bool(heard.bias.any()) else None
    if heard.mask is None:
        return None, bias
    mask = heard.mask[..., : heard.key.shape[-2]]
    if mask.dtype == torch.bool:
        return (None if bool(mask.all()) else mask), bias
    allowed = mask > _FORBIDDEN
    added = torch.where(allowed, mask, 0.0)
    if bool(added.any()):
        bias = added if bias is None else bias + added
    return (None if bool(allowed.all()) else allowed), bias


def _score(heard: Heard) -> Score:
    """The dot product with the model's own scale: 1 / sqrt(d_k), 1, or what else it says."""
    root = heard.query.shape[-1] ** -0.5
    scaling = root if heard.scaling is None else float(heard.scaling)
    if math.isclose(scaling, root, rel_tol=1e-6):
        return scaled_dot_product
    return dot_product if scaling == 1.0 else OwnScale(scaling)


def _projections(heard: Heard, q: Made | None, k: Made | None, v: Made | None) -> Projections | None:
    """The weights by head, as far as they were found."""
    w_o = b_o = None
    if heard.after is not None:
        heads, width = heard.query.shape[1], heard.value.shape[-1]
        w_o = heard.after.weight.reshape(heads, width, -1)  # (head, d_v, d_out)
        b_o = heard.after.bias
    found = [(None, None) if made is None else (made.weight, made.bias) for made in (q, k, v)]
    if w_o is None and all(weight is None for weight, _ in found):
        return None
    (w_q, b_q), (w_k, b_k), (w_v, b_v) = found
    return Projections(w_q=w_q, w_k=w_k, w_v=w_v, w_o=w_o, b_q=b_q, b_k=b_k, b_v=b_v, b_o=b_o)
