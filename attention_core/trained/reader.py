"""The tiny model that reads a text and answers at its words."""

from __future__ import annotations

from dataclasses import replace

from torch import Generator, Tensor, nn

from attention_core.masks import Causal
from attention_core.trace import AttentionTrace
from attention_core.trained.change import Change, attend
from attention_core.trained.layers import FeedForward, initialise, linear, table
from attention_core.trained.model import Block, Model, Names, Run, Shape
from attention_core.trained.vocabulary import PAD

__all__ = ["Reader"]


class Reader(Model):
    """Layers of self-attention over a text, and an answer at every word.

    Pre-norm: x <- x + Attn(LN(x)), then the feed-forward network where there is one; at last W LN(x) + b.
    """

    def __init__(self, shape: Shape, generator: Generator) -> None:
        super().__init__()
        self.shape = shape
        width = shape.d_model
        self.word_table = table(shape.words, width)
        self.position_table = table(shape.length, width)
        self.self1 = Block(width, shape.heads)
        self.self2 = Block(width, shape.heads) if shape.layers > 1 else None
        self.feed = nn.ModuleList(
            FeedForward(width, shape.d_ff) for _ in range(shape.layers if shape.d_ff else 0)
        )
        self.norm = nn.LayerNorm(width)
        self.out = linear(width, shape.answers)
        initialise(self, generator)

    def run(
        self,
        source: Tensor,
        written: Tensor | None = None,
        *,
        change: Change | None = None,
        names: Names | None = None,
    ) -> Run:
        """Answer at every word of source (batch, key)."""
        real = source != PAD  # (batch, key)
        places = self.position_table[: source.shape[1]]  # (key, d_model)
        words = self.word_table[source]  # (batch, key, d_model)
        added = self.shape.positions == "added"
        x = words + places if added else words  # (batch, key, d_model)
        own = Causal() if self.shape.causal else None
        blocks = [block for block in (self.self1, self.self2) if block is not None]
        traces: dict[str, AttentionTrace] = {}
        for number, block in enumerate(blocks, 1):
            value = block.norm(x)  # (batch, key, d_model)
            qk = value + places if self.shape.positions == "qk" else value  # (batch, key, d_model)
            trace = attend(
                block.attention,
                f"self{number}",
                qk,
                qk,
                value,
                own=own,
                real=real,
                change=change or Change(),
                names=None if names is None else (names[0], names[0]),
            )
            if names is not None:
                origin, summed = "tokens" if number == 1 else "layer", added and number == 1
                trace = replace(
                    trace,
                    origin=origin,
                    source_origin=origin,
                    normed=True,
                    source_normed=True,
                    token_embedding=words if summed else None,
                    position_encoding=places.expand_as(value) if summed or qk is not value else None,
                )
            traces[f"self{number}"] = trace
            carried = self.shape.carries or number < len(blocks)
            x = x + trace.output if carried else trace.output  # (batch, key, d_model)
            if self.feed:
                x = self.feed[number - 1](x)
        return Run(self.out(self.norm(x)), traces)
