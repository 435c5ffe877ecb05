"""One block of a Transformer encoder, with every stage kept.

`forward` is exactly `trace(...).output`: what is shown is what is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from attention_core.checks import whole
from attention_core.encoder_trace import EncoderTrace
from attention_core.functional import Mod
from attention_core.masking import MaskLike
from attention_core.modules import MultiHeadAttention
from attention_core.scores import Score, scaled_dot_product
from attention_core.shapes import Allowed, Embedding
from attention_core.trace import AttentionTrace

__all__ = ["EncoderBlock", "EncoderTrace", "drop_heads"]


class EncoderBlock(nn.Module):
    """Attention, then a feed-forward network, each with a residual connection and a layer norm.

    norm="post" (Vaswani et al. 2017, section 3.1):  a = LN1(x + Attn(x)),  output = LN2(a + FF(a)) norm="pre"
    (Xiong et al. 2020):                  a = x + Attn(LN1(x)),  output = a + FF(LN2(a)) FF(a) = act(a W_1 +
    b_1) W_2 + b_2, with act "relu" or "gelu" (the exact one) and W_1 of width d_ff, 4 * d_model unless given.

    Shapes: (batch, position, d_model) -> the same. In training, `dropout` acts on the weights of attention,
    on both updates before they are added, and on the hidden layer; `drop_head` drops whole heads (see
    `drop_heads`). Both need the `generator` of `trace`; in evaluation nothing is dropped. The weights are
    drawn from `generator`, a fresh one with seed 0 unless given: Xavier-uniform matrices, biases 0, norms at
    1 and 0. With drop_head=0 the block computes what torch.nn.TransformerEncoderLayer computes. ValueError
    names the argument, its value and what is allowed.

    >>> block = EncoderBlock(8, 2)
    >>> block(torch.zeros(1, 3, 8)).shape
    torch.Size([1, 3, 8])
    """

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        *,
        d_ff: int | None = None,
        norm: str = "pre",
        activation: str = "relu",
        dropout: float = 0.0,
        drop_head: float = 0.0,
        head_dim: int | None = None,
        value_dim: int | None = None,
        num_kv_heads: int | None = None,
        bias: bool = True,
        score: Score = scaled_dot_product,
        layer_norm_eps: float = 1e-5,
        generator: Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        if norm not in ("pre", "post"):
            raise ValueError(f"norm={norm!r}: allowed are pre, post")
        if activation not in ("relu", "gelu"):
            raise ValueError(f"activation={activation!r}: allowed are relu, gelu")
        for name, p in (("dropout", dropout), ("drop_head", drop_head)):
            if not 0.0 <= p <= 1.0:
                raise ValueError(f"{name}={p!r}: allowed are numbers from 0 to 1")
        self.norm = norm
        self.activation = activation
        self.dropout = float(dropout)
        self.drop_head = float(drop_head)
        width = 4 * whole("d_model", d_model, 1) if d_ff is None else whole("d_ff", d_ff, 1)
        generator = torch.Generator().manual_seed(0) if generator is None else generator
        self.attention = MultiHeadAttention(
            d_model,
            num_heads,
            head_dim=head_dim,
            value_dim=value_dim,
            num_kv_heads=num_kv_heads,
            bias=bias,
            score=score,
            dropout=dropout,
            generator=generator,
            dtype=dtype,
            device=device,
        )

        def parameter(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape, dtype=dtype, device=device))

        self.hidden_weight = parameter(width, d_model)
        self.hidden_bias = parameter(width) if bias else None
        self.out_weight = parameter(d_model, width)
        self.out_bias = parameter(d_model) if bias else None
        self.norm1 = nn.LayerNorm(d_model, eps=layer_norm_eps, bias=bias, dtype=dtype, device=device)
        self.norm2 = nn.LayerNorm(d_model, eps=layer_norm_eps, bias=bias, dtype=dtype, device=device)
        with torch.no_grad():
            for matrix in (self.hidden_weight, self.out_weight):
                bound = (6.0 / sum(matrix.shape)) ** 0.5
                drawn = torch.rand(matrix.shape, generator=generator, device=generator.device)
                matrix.copy_((2.0 * drawn - 1.0) * bound)
            for vector in (self.hidden_bias, self.out_bias):
                if vector is not None:
                    vector.zero_()

    def trace(
        self,
        x: Embedding,
        *,
        mask: MaskLike | Allowed | None = None,
        mods: Sequence[Mod] = (),
        generator: Generator | None = None,
        tokens: Sequence[str] | None = None,
    ) -> EncoderTrace:
        """Run the block on x (batch, position, d_model) and keep every stage.

        `mask` and `mods` are those of `attention`. ValueError where shapes do not fit, and in training where
        something is dropped without a `generator`.

        >>> trace = EncoderBlock(8, 2).trace(torch.zeros(1, 3, 8))
        >>> trace.shape("hidden"), trace.shape("weights")
        ((1, 3, 32), (1, 2, 3, 3))
        """
        pre = self.norm == "pre"
        drops = self.training and (self.dropout > 0.0 or self.drop_head > 0.0)
        if drops and generator is None:
            raise ValueError(
                f"generator=None with dropout={self.dropout!r} and drop_head={self.drop_head!r} in training: "
                "allowed is a torch.Generator, so that a seed repeats it"
            )

        attention_input = self.norm1(x) if pre else x  # (batch, position, d_model)
        attention = self.attention.trace(
            attention_input, mask=mask, mods=mods, generator=generator, tokens=tokens, source_tokens=tokens
        )
        head_gates = None
        if self.training and self.drop_head > 0.0:
            head_gates = _head_gates(attention, self.drop_head, generator)  # (batch, head)
            attention = drop_heads(attention, head_gates)
        attention_update = self._dropped(attention.output, generator)  # (batch, position, d_model)
        attention_sum = x + attention_update  # (batch, position, d_model)
        after_attention = attention_sum if pre else self.norm1(attention_sum)  # (batch, position, d_model)

        feed_forward_input = (
            self.norm2(after_attention) if pre else after_attention
        )  # (batch, position, d_model)
        hidden = F.linear(feed_forward_input, self.hidden_weight, self.hidden_bias)  # (batch, position, d_ff)
        activated = F.relu(hidden) if self.activation == "relu" else F.gelu(hidden)  # (batch, position, d_ff)
        kept = self._dropped(activated, generator)  # (batch, position, d_ff)
        feed_forward_output = F.linear(kept, self.out_weight, self.out_bias)  # (batch, position, d_model)
        feed_forward_update = self._dropped(feed_forward_output, generator)  # (batch, position, d_model)
        feed_forward_sum = after_attention + feed_forward_update  # (batch, position, d_model)
        return EncoderTrace(
            input=x,
            attention_input=attention_input,
            attention=attention,
            attention_update=attention_update,
            attention_sum=attention_sum,
            after_attention=after_attention,
            feed_forward_input=feed_forward_input,
            hidden=hidden,
            activated=activated,
            dropped_hidden=kept,
            feed_forward_output=feed_forward_output,
            feed_forward_update=feed_forward_update,
            feed_forward_sum=feed_forward_sum,
            output=feed_forward_sum if pre else self.norm2(feed_forward_sum),
            head_gates=head_gates,
        )

    def forward(
        self,
        x: Embedding,
        *,
        mask: MaskLike | Allowed | None = None,
        mods: Sequence[Mod] = (),
        generator: Generator | None = None,
    ) -> Tensor:
        """Return `trace(...).output`."""
        return self.trace(x, mask=mask, mods=mods, generator=generator).output

    def _dropped(self, x: Tensor, generator: Generator | None) -> Tensor:
        """Inverted dropout (Srivastava et al. 2014) in training; the same object where nothing is dropped."""
        p = self.dropout if self.training else 0.0
        if p == 0.0:
            return x
        if p == 1.0:
            return torch.zeros_like(x)
        survives = torch.rand(x.shape, generator=generator, device=x.device) >= p
        return x * survives / (1.0 - p)


def _head_gates(attention: AttentionTrace, p: float, generator: Generator | None) -> Tensor:
    """The factor of each head, (batch, head): 0 with probability p, and H / (number kept) for the others."""
    context = attention.heads.context  # (batch, head, query, d_v)
    kept = torch.rand(context.shape[:2], generator=generator, device=context.device) >= p  # (batch, head)
    share = kept.shape[1] / kept.sum(dim=1, keepdim=True).clamp(min=1)  # (batch, 1)
    return (kept * share).to(context)  # (batch, head)


def drop_heads(attention: AttentionTrace, head_gates: Tensor) -> AttentionTrace:
    """Multiply each head by a factor, in the trace itself: (batch, head) factors, 0 drops the head.

    context[b, h] becomes head_gates[b, h] * context[b, h], as if that stood in the weights, so
    `dropped_weights` changes with it and the trace stays consistent: context = dropped_weights v, output =
    concat W_O + b_O. Training draws the factors: 0 with probability p, and H / (heads kept) for the others,
    so that the sum keeps its size; where chance drops every head of an example, its attention adds b_O alone.
    ValueError for factors of another shape.

    Zhou et al. 2020, "Scheduled DropHead: A regularization method for Transformer models".

    >>> trace = MultiHeadAttention(4, 2).trace(torch.ones(1, 1, 4))
    >>> drop_heads(trace, torch.tensor([[0.0, 2.0]])).heads.dropped_weights.flatten().tolist()
    [0.0, 2.0]
    """
    heads = attention.heads
    if head_gates.shape != heads.context.shape[:2]:
        raise ValueError(
            f"head_gates of shape {tuple(head_gates.shape)}: allowed is (batch, head) "
            f"{tuple(heads.context.shape[:2])}"
        )
    gates = head_gates.to(heads.context)[:, :, None, None]  # (batch, head, 1, 1)
    context = heads.context * gates  # (batch, head, query, d_v)
    concat = context.transpose(1, 2).flatten(2)  # (batch, query, heads * d_v)
    return replace(
        attention,
        heads=replace(heads, dropped_weights=heads.dropped_weights * gates, context=context),
        concat=concat,
        output=attention.projected(concat),
    )
