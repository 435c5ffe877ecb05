"""The record of one pass through an encoder block."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from attention_core.shapes import Embedding
from attention_core.trace import AttentionTrace

__all__ = ["EncoderTrace"]

_STAGES: dict[str, tuple[str, ...]] = {
    "input": ("batch", "query", "d_model"),
    "attention_input": ("batch", "query", "d_model"),
    "attention_update": ("batch", "query", "d_model"),
    "attention_sum": ("batch", "query", "d_model"),
    "after_attention": ("batch", "query", "d_model"),
    "feed_forward_input": ("batch", "query", "d_model"),
    "hidden": ("batch", "query", "d_ff"),
    "activated": ("batch", "query", "d_ff"),
    "dropped_hidden": ("batch", "query", "d_ff"),
    "feed_forward_output": ("batch", "query", "d_model"),
    "feed_forward_update": ("batch", "query", "d_model"),
    "feed_forward_sum": ("batch", "query", "d_model"),
    "output": ("batch", "query", "d_model"),
    "head_gates": ("batch", "head"),
}
_BEFORE_ATTENTION = ("input", "attention_input")


@dataclass(frozen=True, eq=False, repr=False)
class EncoderTrace:
    """Every stage of an encoder block, one field a stage, in the order in which they are computed.

    attention_update is what attention adds (its output after dropout) and attention_sum the sum with the
    input; after_attention is that sum, normalised when the norm stands behind (post). The feed-forward half
    repeats this. Where a stage changes nothing (dropout in evaluation, the norm that stands elsewhere) its
    field is the tensor before it, the same object. head_gates holds the factor of each head, None where no
    head could be dropped.

    `field`, `dims` and `shape` reach the tensors of `attention` by their own names too ("weights", "q", ...);
    "output" is the output of the block, that of attention is `attention.output`.
    """

    input: Embedding
    attention_input: Embedding
    attention: AttentionTrace
    attention_update: Embedding
    attention_sum: Embedding
    after_attention: Embedding
    feed_forward_input: Embedding
    hidden: Tensor
    activated: Tensor
    dropped_hidden: Tensor
    feed_forward_output: Embedding
    feed_forward_update: Embedding
    feed_forward_sum: Embedding
    output: Embedding
    head_gates: Tensor | None = None

    def fields(self) -> tuple[str, ...]:
        """The names of all stages, those of attention in their place."""
        own = tuple(name for name in _STAGES if getattr(self, name) is not None)
        inner = tuple(name for name in self.attention.fields() if name not in _STAGES)
        before = tuple(name for name in own if name in _BEFORE_ATTENTION)
        return (*before, *inner, *(name for name in own if name not in _BEFORE_ATTENTION))

    def field(self, name: str) -> Tensor:
        """The tensor of that name. KeyError names the fields there are."""
        value = getattr(self, name) if name in _STAGES else None
        if isinstance(value, Tensor):
            return value
        if name in _STAGES or name not in (*self.attention.fields(), *self.attention.parameters()):
            raise KeyError(self._unknown(name))
        return self.attention.field(name)

    def dims(self, field: str) -> tuple[str, ...]:
        """The names of the dimensions of a field. KeyError names the fields there are."""
        if field in _STAGES:
            self.field(field)
            return _STAGES[field]
        if field not in (*self.attention.fields(), *self.attention.parameters()):
            raise KeyError(self._unknown(field))
        return self.attention.dims(field)

    def shape(self, field: str) -> tuple[int, ...]:
        """The sizes of the dimensions of a field. KeyError names the fields there are."""
        if field in _STAGES:
            return tuple(self.field(field).shape)
        self.dims(field)  # KeyError with the fields of this trace
        return self.attention.shape(field)

    def _unknown(self, name: str) -> str:
        names = (*self.fields(), *self.attention.parameters())
        return f"{name!r} is no field of this trace; it has {', '.join(names)}"

    def __repr__(self) -> str:
        """One field a line, with named dimensions."""
        lines = []
        for name in self.fields():
            sizes = ", ".join(
                f"{dim} {size}" for dim, size in zip(self.dims(name), self.shape(name), strict=True)
            )
            lines.append(f"  {name:<24} ({sizes})")
        return "\n".join(["EncoderTrace", *lines])
