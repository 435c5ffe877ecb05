"""The record of attention: every intermediate, one field a stage."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import torch
from torch import Tensor

from attention_core.record import Record
from attention_core.shapes import (
    AllowedByHead,
    Concat,
    Context,
    Contributions,
    Heads,
    Keys,
    Output,
    QueryEmbedding,
    Scores,
    SourceEmbedding,
    Values,
    Weights,
)

_BY_HEAD: dict[str, tuple[str, ...]] = {
    "q": ("batch", "head", "query", "d_k"),
    "k": ("batch", "kv_head", "key", "d_k"),
    "v": ("batch", "kv_head", "key", "d_v"),
    "rotated_q": ("batch", "head", "query", "d_k"),
    "rotated_k": ("batch", "kv_head", "key", "d_k"),
    "raw_scores": ("batch", "head", "query", "key"),
    "scaled_scores": ("batch", "head", "query", "key"),
    "modified_scores": ("batch", "head", "query", "key"),
    "allowed": ("batch", "head", "query", "key"),
    "masked_scores": ("batch", "head", "query", "key"),
    "weights": ("batch", "head", "query", "key"),
    "dropped_weights": ("batch", "head", "query", "key"),
    "context": ("batch", "head", "query", "d_v"),
}
_INPUTS = (
    "token_embedding",
    "position_encoding",
    "embedding",
    "source_token_embedding",
    "source_position_encoding",
    "source_embedding",
    "value_embedding",
)
_OUTPUTS = ("concat", "output", "head_contributions")
ORIGINS = ("tokens", "layer", "attention", "encoder")
FIELDS = (*_INPUTS, *_BY_HEAD, *_OUTPUTS)  # all that a trace may have, in the order in which they are computed


def _line(name: str, dims: tuple[str, ...], tensor: Tensor) -> str:
    sizes = ", ".join(f"{dim} {size}" for dim, size in zip(dims, tensor.shape, strict=True))
    return f"  {name:<24} ({sizes})  {str(tensor.dtype).removeprefix('torch.')}"


@dataclass(frozen=True, eq=False, repr=False)
class HeadTrace(Record):
    """What happens inside the heads, from the projections to the context.

    context = dropout(softmax(mask(mods(scale * raw(q, k))))) v. Where a stage does nothing its field is the
    very object of the stage before: `scaled_scores is raw_scores` at scale 1, `modified_scores is
    scaled_scores` without mods, `masked_scores is modified_scores` where nothing is forbidden,
    `dropped_weights is weights` without dropout. `k` and `v` keep the key/value heads of grouped attention;
    `allowed` may be a broadcast view, not to be written to.

    >>> from attention_core.functional import attention
    >>> attention(torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 5, 4), torch.zeros(1, 2, 5, 7)).weights.shape
    torch.Size([1, 2, 3, 5])
    """

    q: Heads
    k: Keys
    v: Values
    rotated_q: Heads
    rotated_k: Keys
    raw_scores: Scores
    scaled_scores: Scores
    modified_scores: Scores
    allowed: AllowedByHead
    masked_scores: Scores
    weights: Weights
    dropped_weights: Weights
    context: Context

    def __repr__(self) -> str:
        """One field a line, with named dimensions."""
        return "\n".join(
            ["HeadTrace", *(_line(name, dims, getattr(self, name)) for name, dims in _BY_HEAD.items())]
        )


@dataclass(frozen=True, eq=False)
class Projections:
    """The weights of the projections, one matrix a head: x @ w_q[h] + b_q[h] = q of head h.

    w_q (head, d_in, d_k), w_k (kv_head, d_source, d_k), w_v (kv_head, d_source, d_v), w_o (head, d_v, d_out);
    b_q (head, d_k), b_k (kv_head, d_k), b_v (kv_head, d_v), b_o (d_out,). None where there is no such weight, or
    where it is not known. From a module these are views of its parameters: clone them to keep them over a training
    step.
    """

    w_q: Tensor | None
    w_k: Tensor | None
    w_v: Tensor | None
    w_o: Tensor | None = None
    b_q: Tensor | None = None
    b_k: Tensor | None = None
    b_v: Tensor | None = None
    b_o: Tensor | None = None

    def inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """W_Q, W_K and W_V. ValueError where one of them is not known."""
        if self.w_q is None or self.w_k is None or self.w_v is None:
            raise ValueError("w_q, w_k, w_v: allowed are projections that know all three")
        return self.w_q, self.w_k, self.w_v


_PARAMETERS: dict[str, tuple[str, ...]] = {
    "w_q": ("head", "d_model", "d_k"),
    "w_k": ("kv_head", "d_source", "d_k"),
    "w_v": ("kv_head", "d_source", "d_v"),
    "w_o": ("head", "d_v", "d_model"),
    "b_q": ("head", "d_k"),
    "b_k": ("kv_head", "d_k"),
    "b_v": ("kv_head", "d_v"),
    "b_o": ("d_model",),
}


@dataclass(frozen=True, eq=False, repr=False)
class AttentionTrace(Record):
    """One pass of attention from the embeddings to the output, every tensor kept.

    output = concat(heads) W_O + b_O, or concat itself where there is no W_O. `embedding` is what enters the
    query projection (positions already added), `source_embedding` what enters the key projection,
    `value_embedding` what enters the value projection where that differs. `field(name)` reaches each tensor
    by its flat name.

    `origin` says what `embedding` is made of: "tokens", the vectors of its tokens; "layer", what the layer before gave;
    "attention", what the attention before it in the same layer gave; "encoder", what the encoder gave. `normed` says
    that this was normalised on the way. So embedding = token_embedding + position_encoding where these are known, or
    the norm of that sum. A position_encoding without token_embedding came after the norm, for queries and keys alone:
    embedding = value_embedding + position_encoding. `source_origin` and `source_normed` say the same of
    `source_embedding`.

    `cap` is set where the scaled scores s are kept within it, cap tanh(s / cap), and changed in no other way.

    Raises ValueError where the tokens do not fit the tensors, and for another origin.

    >>> from attention_core.modules import MultiHeadAttention
    >>> trace = MultiHeadAttention(6, 2).trace(torch.zeros(1, 5, 6))
    >>> trace.dims("weights"), trace.shape("weights")
    (('batch', 'head', 'query', 'key'), (1, 2, 5, 5))
    """

    tokens: tuple[str, ...]
    source_tokens: tuple[str, ...]
    embedding: QueryEmbedding
    source_embedding: SourceEmbedding
    heads: HeadTrace
    concat: Concat
    output: Output
    projections: Projections | None = field(
        default_factory=lambda: None
    )  # may come later, so no class attribute
    token_embedding: Tensor | None = None
    position_encoding: Tensor | None = None
    source_token_embedding: Tensor | None = None
    source_position_encoding: Tensor | None = None
    value_embedding: Tensor | None = None
    head_names: tuple[str, ...] = ()
    scale: float | None = None
    score_name: str = ""
    by_hand: Tensor | None = None  # bool (batch, head, query): rows of dropped_weights that were set from outside
    origin: str = "tokens"
    normed: bool = False
    source_origin: str = "tokens"
    source_normed: bool = False
    cap: float | None = None

    def __post_init__(self) -> None:
        """Check that names and tensors have the same length."""
        _, heads, queries, keys = self.heads.weights.shape
        for name, names, size in (
            ("tokens", self.tokens, queries),
            ("source_tokens", self.source_tokens, keys),
            ("head_names", self.head_names or (None,) * heads, heads),
        ):
            if len(names) != size:
                raise ValueError(f"{name} has {len(names)} names: allowed is one each, {size}")
        for name, origin in (("origin", self.origin), ("source_origin", self.source_origin)):
            if origin not in ORIGINS:
                raise ValueError(f"{name}={origin!r}: allowed are {', '.join(ORIGINS)}")

    def head_contributions(self) -> Contributions:
        """What each head adds to the output, context[h] @ w_o[h]; the sum over heads is output - b_o.

        Without W_O each head fills its own slice of the concatenation and is 0 elsewhere.
        Shape: (batch, head, query, d_out).
        """
        context = self.heads.context  # (batch, head, query, d_v)
        heads = context.shape[1]
        if self.projections is not None and self.projections.w_o is not None:
            # What inference mode made has no gradient, though the parameters it meets here may want one.
            with torch.set_grad_enabled(torch.is_grad_enabled() and not context.is_inference()):
                return torch.matmul(context, self.projections.w_o)  # (batch, head, query, d_out)
        if heads == 1:
            return context
        slots = torch.diag_embed(context.permute(0, 2, 3, 1))  # (batch, query, d_v, head, slot)
        return slots.permute(0, 3, 1, 4, 2).flatten(3)  # (batch, head, query, slot * d_v)

    def projected(self, concat: Tensor) -> Tensor:
        """What the output would be of other concatenated heads: concat W_O + b_O; without W_O they themselves.

        Shapes: (batch, query, heads * d_v) -> (batch, query, d_out).

        >>> from attention_core.modules import MultiHeadAttention
        >>> trace = MultiHeadAttention(4, 2).trace(torch.ones(1, 1, 4))
        >>> torch.allclose(trace.projected(trace.concat), trace.output)
        True
        """
        weights = self.projections
        if weights is None or weights.w_o is None:
            return concat
        with torch.set_grad_enabled(torch.is_grad_enabled() and not concat.is_inference()):  # as above
            output = torch.matmul(concat, weights.w_o.flatten(0, 1))  # (batch, query, d_out)
            return output if weights.b_o is None else output + weights.b_o

    def fields(self) -> tuple[str, ...]:
        """The names of all activations of this trace, in the order in which they are computed."""
        inputs = tuple(name for name in _INPUTS if getattr(self, name) is not None)
        return (*inputs, *_BY_HEAD, *_OUTPUTS)

    def parameters(self) -> tuple[str, ...]:
        """The names of the projection weights that this trace knows; `field` reaches these too."""
        if self.projections is None:
            return ()
        return tuple(f.name for f in fields(Projections) if getattr(self.projections, f.name) is not None)

    def field(self, name: str) -> Tensor:
        """The tensor of that name. KeyError names the fields there are."""
        if name in _BY_HEAD:
            tensor = getattr(self.heads, name)
        elif name == "head_contributions":
            return self.head_contributions()
        elif name in _INPUTS or name in _OUTPUTS:
            tensor = getattr(self, name)
        elif name in _PARAMETERS and self.projections is not None:
            tensor = getattr(self.projections, name)
        else:
            tensor = None
        if not isinstance(tensor, Tensor):
            raise KeyError(
                f"{name!r} is no field of this trace; it has {', '.join(self.fields() + self.parameters())}"
            )
        return tensor

    def dims(self, field: str) -> tuple[str, ...]:
        """The names of the dimensions of a field. KeyError names the fields there are."""
        if field in _BY_HEAD:
            return _BY_HEAD[field]
        if field != "head_contributions":
            self.field(field)  # raises for a field that is not there
        d_source = "d_model" if self.source_embedding.shape[-1] == self.embedding.shape[-1] else "d_source"
        value = self.source_embedding if self.value_embedding is None else self.value_embedding
        d_value = d_source if value.shape[-1] == self.source_embedding.shape[-1] else "d_value_source"
        if field in _PARAMETERS:
            names = {"d_source": d_value if field == "w_v" else d_source}
            return tuple(names.get(dim, dim) for dim in _PARAMETERS[field])
        d_out = "heads*d_v" if self.output is self.concat else "d_model"
        return {
            "token_embedding": ("batch", "query", "d_model"),
            "position_encoding": ("batch", "query", "d_model"),
            "embedding": ("batch", "query", "d_model"),
            "source_token_embedding": ("batch", "key", d_source),
            "source_position_encoding": ("batch", "key", d_source),
            "source_embedding": ("batch", "key", d_source),
            "value_embedding": ("batch", "key", d_value),
            "concat": ("batch", "query", "heads*d_v"),
            "output": ("batch", "query", d_out),
            "head_contributions": ("batch", "head", "query", d_out),
        }[field]

    def shape(self, field: str) -> tuple[int, ...]:
        """The sizes of the dimensions of a field. KeyError names the fields there are."""
        if field == "head_contributions":  # known without the multiplication
            batch, heads, queries, _ = self.heads.context.shape
            return (batch, heads, queries, self.output.shape[-1])
        return tuple(self.field(field).shape)

    def __repr__(self) -> str:
        """One field a line, with named dimensions."""
        names = [name for name in self.fields() if name != "head_contributions"]
        lines = [_line(name, self.dims(name), self.field(name)) for name in names]
        scale = "" if self.scale is None else f", scale {self.scale:.6g}"
        return "\n".join(
            [
                f"AttentionTrace: {len(self.tokens)} queries, {len(self.source_tokens)} keys, "
                f"score {self.score_name or 'unnamed'}{scale}",
                *lines,
            ]
        )
