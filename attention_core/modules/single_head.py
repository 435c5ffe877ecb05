"""Attention of a single head, without an output projection: the context is the output."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, nn

from attention_core.checks import whole
from attention_core.functional import Mod
from attention_core.masking import MaskLike, materialize
from attention_core.masks import Causal
from attention_core.modules.multi_head import MultiHeadAttention
from attention_core.scores import Score, scaled_dot_product
from attention_core.shapes import Allowed, Output, QueryEmbedding, SourceEmbedding
from attention_core.trace import AttentionTrace, Projections


class _OneHead(nn.Module):
    """What the three share: a `MultiHeadAttention` of one head without W_O, kept in `attention`."""

    def __init__(
        self,
        d_in: int,
        d_k: int,
        d_v: int | None,
        d_source: int | None,
        bias: bool,
        score: Score,
        dropout: float,
        generator: Generator | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        whole("d_in", d_in, 1)
        whole("d_k", d_k, 1)
        self.attention = MultiHeadAttention(
            d_in,
            1,
            head_dim=d_k,
            value_dim=None if d_v is None else whole("d_v", d_v, 1),
            kdim=None if d_source is None else whole("d_source", d_source, 1),
            vdim=d_source,
            bias=bias,
            score=score,
            dropout=dropout,
            out_proj=False,
            generator=generator,
            dtype=dtype,
        )

    def projections(self) -> Projections:
        """The weights, as views of the parameters, with one head: w_q (1, d_in, d_k) and so on."""
        return self.attention.projections()

    def load_projections(self, projections: Projections) -> None:
        """Copy weights into this module. ValueError says which do not fit, before anything changes."""
        self.attention.load_projections(projections)


class SelfAttention(_OneHead):
    """One head of self-attention, softmax(x W_Q (x W_K)^T / sqrt(d_k)) x W_V (Vaswani et al. 2017, eq. 1).

    x (batch, position, d_in) -> (batch, position, d_v); `d_v` is `d_k` unless given. The other arguments are
    those of `MultiHeadAttention`. Raises ValueError that names the argument, its value and what is allowed.

    >>> SelfAttention(3, 2, 4)(torch.zeros(1, 6, 3)).shape
    torch.Size([1, 6, 4])
    """

    def __init__(
        self,
        d_in: int,
        d_k: int,
        d_v: int | None = None,
        *,
        bias: bool = False,
        score: Score = scaled_dot_product,
        dropout: float = 0.0,
        generator: Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(d_in, d_k, d_v, None, bias, score, dropout, generator, dtype)

    def trace(
        self,
        x: QueryEmbedding,
        *,
        mask: MaskLike | Allowed | None = None,
        mods: Sequence[Mod] = (),
        generator: Generator | None = None,
        tokens: Sequence[str] | None = None,
    ) -> AttentionTrace:
        """Attend from x to x and keep every stage; the arguments are those of `MultiHeadAttention.trace`."""
        return self.attention.trace(
            x, mask=mask, mods=mods, generator=generator, tokens=tokens, source_tokens=tokens
        )

    def forward(
        self,
        x: QueryEmbedding,
        *,
        mask: MaskLike | Allowed | None = None,
        mods: Sequence[Mod] = (),
        generator: Generator | None = None,
    ) -> Output:
        """Return `trace(...).output`."""
        return self.trace(x, mask=mask, mods=mods, generator=generator).output


class CausalSelfAttention(SelfAttention):
    """One head of self-attention in which position i may attend to j <= i only (Vaswani et al. 2017, 3.2.3).

    Arguments and shapes as in `SelfAttention`; a further `mask` forbids more, it never allows what is to
    come.

    >>> CausalSelfAttention(3, 2).trace(torch.zeros(1, 2, 3)).heads.weights.tolist()
    [[[[1.0, 0.0], [0.5, 0.5]]]]
    """

    def trace(
        self,
        x: QueryEmbedding,
        *,
        mask: MaskLike | Allowed | None = None,
        mods: Sequence[Mod] = (),
        generator: Generator | None = None,
        tokens: Sequence[str] | None = None,
    ) -> AttentionTrace:
        """Attend from x to x, nowhere ahead, and keep every stage."""
        batch, length = x.shape[:2]
        allowed = Causal().materialize(1, 1, length, length).to(x.device)  # (1, 1, query, key)
        more = materialize(mask, (batch, 1, length, length), x.device)
        allowed = allowed if more is None else allowed & more
        return super().trace(x, mask=allowed, mods=mods, generator=generator, tokens=tokens)


class CrossAttention(_OneHead):
    """One head that asks from x and reads from a source, softmax(x W_Q (s W_K)^T / sqrt(d_k)) s W_V.

    x (batch, query, d_in), source (batch, key, d_source) -> (batch, query, d_v); `d_v` is `d_k` and
    `d_source` is `d_in` unless given. The other arguments are those of `MultiHeadAttention`. Source: Vaswani
    et al. 2017, 3.2.3. Raises ValueError that names the argument, its value and what is allowed.

    >>> CrossAttention(3, 2, 4, d_source=5)(torch.zeros(1, 6, 3), torch.zeros(1, 7, 5)).shape
    torch.Size([1, 6, 4])
    """

    def __init__(
        self,
        d_in: int,
        d_k: int,
        d_v: int | None = None,
        *,
        d_source: int | None = None,
        bias: bool = False,
        score: Score = scaled_dot_product,
        dropout: float = 0.0,
        generator: Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(d_in, d_k, d_v, d_source, bias, score, dropout, generator, dtype)

    def trace(
        self,
        x: QueryEmbedding,
        source: SourceEmbedding,
        *,
        mask: MaskLike | Allowed | None = None,
        mods: Sequence[Mod] = (),
        generator: Generator | None = None,
        tokens: Sequence[str] | None = None,
        source_tokens: Sequence[str] | None = None,
    ) -> AttentionTrace:
        """Attend from x to the source and keep every stage; arguments as in `MultiHeadAttention.trace`."""
        return self.attention.trace(
            x,
            source,
            mask=mask,
            mods=mods,
            generator=generator,
            tokens=tokens,
            source_tokens=source_tokens,
        )

    def forward(
        self,
        x: QueryEmbedding,
        source: SourceEmbedding,
        *,
        mask: MaskLike | Allowed | None = None,
        mods: Sequence[Mod] = (),
        generator: Generator | None = None,
    ) -> Output:
        """Return `trace(...).output`."""
        return self.trace(x, source, mask=mask, mods=mods, generator=generator).output
