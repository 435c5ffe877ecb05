"""Attention of many heads with its weights: project, attend, concatenate, project back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Generator, nn
from torch.nn import functional as F

from attention_core.functional import Mod, attention
from attention_core.masking import MaskLike
from attention_core.modules import torch_exchange
from attention_core.modules.head_weights import HeadWeights
from attention_core.scores import Score, scaled_dot_product
from attention_core.shapes import (
    Allowed,
    Concat,
    Context,
    Output,
    QueryEmbedding,
    SourceEmbedding,
    ValueEmbedding,
)
from attention_core.trace import AttentionTrace


class MultiHeadAttention(HeadWeights):
    """Attention of many heads, concat(head_1, ..., head_H) W_O + b_O (Vaswani et al. 2017, 3.2.2).

    query (batch, query, embed_dim), key (batch, key, kdim), value (batch, key, vdim) -> (batch, query,
    embed_dim); without `out_proj` the output is the concatenation, (batch, query, num_heads * value_dim).
    `head_dim` is d_k, embed_dim / num_heads unless given; `value_dim` is d_v, `head_dim` unless given; `kdim`
    and `vdim` are `embed_dim` unless given. With `num_kv_heads` < `num_heads` query heads share key/value
    heads (grouped queries, Ainslie et al. 2023); 1 is multi-query attention (Shazeer 2019). `dropout` acts on
    the weights, in training only, and `trace` then needs a generator. The weights start Xavier-uniform and
    the biases at 0; without a `generator` they come from a fresh one with seed 0, never from the global one.

    Raises ValueError that names the argument, its value and what is allowed.

    >>> attend = MultiHeadAttention(8, 2, num_kv_heads=1)
    >>> attend(torch.zeros(1, 3, 8)).shape
    torch.Size([1, 3, 8])
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        *,
        head_dim: int | None = None,
        value_dim: int | None = None,
        num_kv_heads: int | None = None,
        kdim: int | None = None,
        vdim: int | None = None,
        bias: bool = True,
        score: Score = scaled_dot_product,
        dropout: float = 0.0,
        out_proj: bool = True,
        generator: Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(
            embed_dim,
            num_heads,
            head_dim=head_dim,
            value_dim=value_dim,
            num_kv_heads=num_kv_heads,
            kdim=kdim,
            vdim=vdim,
            bias=bias,
            out_proj=out_proj,
            generator=generator,
            dtype=dtype,
            device=device,
        )
        if not 0.0 <= dropout <= 1.0:
            raise ValueError(f"dropout={dropout!r}: allowed are numbers from 0 to 1")
        self.dropout = float(dropout)
        self.score = score

    @property
    def scale(self) -> float:
        """The factor between raw and scaled scores."""
        return self.score.scale(self.head_dim)

    def trace(
        self,
        query: QueryEmbedding,
        key: SourceEmbedding | None = None,
        value: ValueEmbedding | None = None,
        *,
        mask: MaskLike | Allowed | None = None,
        mods: Sequence[Mod] = (),
        generator: Generator | None = None,
        tokens: Sequence[str] | None = None,
        source_tokens: Sequence[str] | None = None,
    ) -> AttentionTrace:
        """Attend from `query` to `key` and `value`, and keep every stage.

        `key` is `query`, and `value` is `key`, unless given. `mask`, `mods` and `generator` are those of
        `attention`. Without `tokens` the positions are named "0", "1", ... Raises ValueError where shapes do
        not fit or dropout needs a generator.

        >>> trace = MultiHeadAttention(8, 2).trace(torch.zeros(1, 3, 8), torch.zeros(1, 5, 8))
        >>> trace.heads.weights.shape
        torch.Size([1, 2, 3, 5])
        """
        key = query if key is None else key
        value = key if value is None else value
        self._check(query, key, value)
        q, k, v = self._project(query, key, value)
        heads = attention(
            q,  # (batch, head, query, d_k)
            k,  # (batch, kv_head, key, d_k)
            v,  # (batch, kv_head, key, d_v)
            score=self.score,
            mods=mods,
            mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
            generator=generator,
        )
        concat = _concat(heads.context)  # (batch, query, head * d_v)
        w_o = self.out_proj_weight
        output = concat if w_o is None else F.linear(concat, w_o, self.out_proj_bias)  # (batch, query, d_out)
        now = {
            "tokens": _names(query.shape[1]) if tokens is None else tuple(tokens),
            "source_tokens": _names(key.shape[1]) if source_tokens is None else tuple(source_tokens),
            "embedding": query,
            "source_embedding": key,
            "value_embedding": None if value is key else value,
            "heads": heads,
            "concat": concat,
            "output": output,
            "scale": self.scale,
            "score_name": self.score.name,
        }
        return AttentionTrace.partly(now, later={"projections": self.projections})

    def forward(
        self,
        query: QueryEmbedding,
        key: SourceEmbedding | None = None,
        value: ValueEmbedding | None = None,
        *,
        mask: MaskLike | Allowed | None = None,
        mods: Sequence[Mod] = (),
        generator: Generator | None = None,
    ) -> Output:
        """Return `trace(...).output`."""
        return self.trace(query, key, value, mask=mask, mods=mods, generator=generator).output

    @classmethod
    def from_torch(cls, module: nn.MultiheadAttention) -> MultiHeadAttention:
        """A copy of torch's module with the same numbers, batch first whatever `module.batch_first` says.

        Raises ValueError where the module has what this class has not: bias_k, bias_v, add_zero_attn.

        >>> theirs = nn.MultiheadAttention(8, 2, batch_first=True)
        >>> x = torch.ones(1, 3, 8)
        >>> torch.allclose(MultiHeadAttention.from_torch(theirs)(x), theirs(x, x, x)[0])
        True
        """
        return torch_exchange.from_torch(cls, module)

    def to_torch(self) -> nn.MultiheadAttention:
        """A copy as torch's module, batch first, that gives the same numbers.

        Raises ValueError where torch's class cannot express this module: grouped heads, d_k or d_v other than
        embed_dim / num_heads, no output projection, another score than the scaled dot product.

        >>> MultiHeadAttention(8, 2).to_torch().head_dim
        4
        """
        return torch_exchange.to_torch(self)

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults, and the two required ones."""
        given = {
            "head_dim": (self.head_dim, self.embed_dim // self.num_heads),
            "value_dim": (self.value_dim, self.head_dim),
            "num_kv_heads": (self.num_kv_heads, self.num_heads),
            "kdim": (self.kdim, self.embed_dim),
            "vdim": (self.vdim, self.embed_dim),
            "bias": (self.bias, True),
            "dropout": (self.dropout, 0.0),
            "out_proj": (self.out_proj_weight is not None, True),
            "score": (self.score.name, scaled_dot_product.name),
        }
        shown = [f"{name}={value}" for name, (value, default) in given.items() if value != default]
        return ", ".join([str(self.embed_dim), str(self.num_heads), *shown])


def _concat(context: Context) -> Concat:
    """(batch, head, query, d_v) -> (batch, query, head * d_v)."""
    return context.transpose(1, 2).flatten(2)


@lru_cache(maxsize=64)
def _names(length: int) -> tuple[str, ...]:
    return tuple(str(i) for i in range(length))
