"""What a pretrained model does to its queries, keys and scores, as mods of `attention`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attention_core.functional import Mod
from attention_core.shapes import HeadKeys, Heads, Keys, Scores

__all__ = ["AddedBias", "SoftCap", "Turned"]


@dataclass(frozen=True, eq=False)
class Turned(Mod):
    """Queries and keys as the model let them meet, after its own rotation: (q, k) -> (turned q, turned k).

    >>> turned = Turned(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 3, 2))
    >>> turned.on_qk(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 3, 2))[0][0, 0, 0]
    tensor([1., 1.])
    """

    q: Tensor
    k: Tensor

    def on_qk(self, q: Heads, k: Keys) -> tuple[Heads, Keys]:
        """The recorded queries and keys. ValueError where they have another shape."""
        if q.shape != self.q.shape or k.shape != self.k.shape:
            raise ValueError(f"q has shape {tuple(q.shape)}: allowed is {tuple(self.q.shape)}")
        return self.q, self.k


@dataclass(frozen=True, eq=False)
class AddedBias(Mod):
    """A number added to each score, as the model handed it over: scores + bias, bias (batch, head, query, key).

    This is how T5 brings its relative positions in (Raffel et al. 2020, section 2.1).

    >>> q, k = torch.zeros(1, 1, 1, 3), torch.zeros(1, 1, 2, 3)
    >>> AddedBias(torch.ones(1, 1, 1, 2)).on_scores(torch.zeros(1, 1, 1, 2), q, k, 1.0)
    tensor([[[[1., 1.]]]])
    """

    bias: Tensor

    def on_scores(self, scores: Scores, q: Heads, k: HeadKeys, scale: float) -> Scores:
        """Add the bias."""
        return scores + self.bias


@dataclass(frozen=True)
class SoftCap(Mod):
    """Scores kept within a cap: cap * tanh(scores / cap) (Gemma Team 2024, "Gemma 2", section 2).

    >>> SoftCap(2.0).on_scores(torch.full((1, 1, 1, 1), 100.0), *[torch.zeros(1, 1, 1, 1)] * 2, 1.0).item()
    2.0
    """

    cap: float

    def on_scores(self, scores: Scores, q: Heads, k: HeadKeys, scale: float) -> Scores:
        """Squash the scores."""
        return torch.tanh(scores / self.cap) * self.cap
