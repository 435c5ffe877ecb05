"""What the tiny models share: their sizes, their layers of attention, and what one pass of them gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from attention_core.modules import MultiHeadAttention
from attention_core.trace import AttentionTrace
from attention_core.trained.change import Change

__all__ = ["Block", "Model", "Names", "Run", "Shape"]

Names = tuple[tuple[str, ...], tuple[str, ...]]  # what the source's words, and the written ones, are called


@dataclass(frozen=True)
class Shape:
    """The sizes of a model: words it reads, words it answers with, and the longest text it can place.

    `positions` is "added" (learned, added to the words), "qk" (learned, seen by queries and keys only) or
    "sinusoidal". `carries` False: the last attention has no skip connection around it. `values` of
    cross-attention are "encoded" or the bare "words" of the source. `causal`: no word that is written, or
    read by a causal reader, sees a later one.
    """

    words: int
    answers: int
    length: int
    layers: int = 1
    heads: int = 1
    d_model: int = 64
    d_ff: int = 0
    positions: str = "added"
    carries: bool = True
    values: str = "encoded"
    causal: bool = False


@dataclass(frozen=True, eq=False)
class Run:
    """One pass: the logits (batch, query, answer), and the trace of every layer of attention, by its name."""

    logits: Tensor
    traces: Mapping[str, AttentionTrace]


class Block(nn.Module):
    """Attention with its norm; what comes after the skip connection is the caller's."""

    def __init__(self, d_model: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(d_model)
        self.attention = MultiHeadAttention(d_model, heads)


class Model(nn.Module):
    """What both kinds share: the layers' names with their number of heads."""

    shape: Shape

    def heads(self) -> dict[str, int]:
        """The layers of attention in the order of the computation, with how many heads each has."""
        return {
            name.replace(".", ""): block.attention.num_heads
            for name, block in self.named_modules()
            if isinstance(block, Block)
        }

    def run(
        self,
        source: Tensor,
        written: Tensor | None = None,
        *,
        change: Change | None = None,
        names: Names | None = None,
    ) -> Run:
        """Answer for source (batch, key), numbers of words; `written` is for a model that writes."""
        raise NotImplementedError
