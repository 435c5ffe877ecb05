"""How a query and a key make one number: the score functions.

A score has two parts, because both are shown: `raw`, the number itself, and `scale`, the factor that keeps
its size independent of the width. `score(q, k) == score.raw(q, k) * score.scale(d_k)`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from attention_core.shapes import HeadKeys, Heads, Scores


class Score(Protocol):
    """What `attention` needs of a score: a name, the raw number and the factor it is multiplied by."""

    @property
    def name(self) -> str:
        """The name shown to people."""

    def raw(self, q: Heads, k: HeadKeys) -> Scores:
        """(batch, head, query, d_k), (batch, head, key, d_k) -> (batch, head, query, key), unscaled."""

    def scale(self, d_k: int) -> float:
        """The factor between raw and scaled scores."""

    def __call__(self, q: Heads, k: HeadKeys) -> Scores:
        """The scaled score, raw(q, k) * scale(d_k)."""


class _Scaled:
    """The part all scores share: what calling a score means."""

    def raw(self, q: Heads, k: HeadKeys) -> Scores:
        raise AttributeError(f"{type(self).__name__} has no raw score")

    def scale(self, d_k: int) -> float:
        return 1.0

    def __call__(self, q: Heads, k: HeadKeys) -> Scores:
        return self.raw(q, k) * self.scale(q.shape[-1])


@dataclass(frozen=True)
class Dot(_Scaled):
    """The dot product, q . k, unscaled (Luong et al. 2015, "dot").

    Shapes: (batch, head, query, d_k), (batch, head, key, d_k) -> (batch, head, query, key). Range: all reals.

    >>> q, k = torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[3.0, 4.0]]]])
    >>> Dot()(q, k).item()
    11.0
    """

    @property
    def name(self) -> str:
        return "dot"

    def raw(self, q: Heads, k: HeadKeys) -> Scores:
        return torch.matmul(q, k.transpose(-2, -1))  # (batch, head, query, key)


@dataclass(frozen=True)
class ScaledDot(Dot):
    """The scaled dot product, q . k / sqrt(d_k) (Vaswani et al. 2017, "Attention Is All You Need", eq. 1).

    The sum of d_k products of unit-variance numbers has variance d_k; the scale brings it back to 1, which
    keeps the softmax away from its flat ends. Shapes and range as in `Dot`.

    >>> q, k = torch.ones(1, 1, 1, 4), torch.ones(1, 1, 1, 4)
    >>> ScaledDot().raw(q, k).item(), ScaledDot()(q, k).item()
    (4.0, 2.0)
    """

    @property
    def name(self) -> str:
        return "scaled_dot"

    def scale(self, d_k: int) -> float:
        return 1.0 / math.sqrt(d_k) if d_k > 0 else 1.0


@dataclass(frozen=True)
class Cosine(_Scaled):
    """The cosine of the angle, q . k / (|q| |k|) (Graves et al. 2014, "Neural Turing Machines", eq. 6).

    Shapes as in `Dot`. Range: -1..1. A zero vector has no direction: its score is 0.

    >>> q, k = torch.tensor([[[[3.0, 0.0]]]]), torch.tensor([[[[5.0, 0.0], [0.0, 2.0]]]])
    >>> Cosine()(q, k).tolist()
    [[[[1.0, 0.0]]]]
    """

    @property
    def name(self) -> str:
        return "cosine"

    def raw(self, q: Heads, k: HeadKeys) -> Scores:
        tiny = torch.finfo(q.dtype).tiny  # the default 1e-12 of `normalize` is 0 in float16, and 0 / 0 is NaN
        unit_q = F.normalize(q, dim=-1, eps=tiny)  # (batch, head, query, d_k)
        unit_k = F.normalize(k, dim=-1, eps=tiny)  # (batch, head, key, d_k)
        return torch.matmul(unit_q, unit_k.transpose(-2, -1))  # (batch, head, query, key)


@dataclass(frozen=True, eq=False)
class Additive(_Scaled):
    """The additive score, v . tanh(W_q q + W_k k) (Bahdanau et al. 2015, appendix A.1.2).

    w_q, w_k: (head, d_k, d_a); v: (head, d_a). Shapes as in `Dot`. Range: -sum|v|..sum|v| of each head.
    It builds a (batch, head, query, key, d_a) tensor, so it costs d_a times the memory of a dot product.

    Raises ValueError where the three tensors do not fit each other.

    >>> one = torch.ones(1, 1, 1)
    >>> score = Additive(w_q=one, w_k=one, v=torch.tensor([[2.0]]))
    >>> q, k = torch.tensor([[[[0.5]]]]), torch.tensor([[[[-0.5]]]])
    >>> score(q, k).item()
    0.0
    """

    w_q: Tensor
    w_k: Tensor
    v: Tensor

    def __post_init__(self) -> None:
        """Check that the three tensors fit each other."""
        if self.w_q.dim() != 3 or self.w_q.shape != self.w_k.shape:
            raise ValueError(
                f"w_q={tuple(self.w_q.shape)}, w_k={tuple(self.w_k.shape)}: allowed is one (head, d_k, d_a)"
            )
        heads, _, d_a = self.w_q.shape
        if self.v.shape != (heads, d_a):
            raise ValueError(f"v={tuple(self.v.shape)}: allowed is (head, d_a) = ({heads}, {d_a})")

    @property
    def name(self) -> str:
        return "additive"

    def raw(self, q: Heads, k: HeadKeys) -> Scores:
        from_q = torch.matmul(q, self.w_q).unsqueeze(3)  # (batch, head, query, 1, d_a)
        from_k = torch.matmul(k, self.w_k).unsqueeze(2)  # (batch, head, 1, key, d_a)
        hidden = torch.tanh(from_q + from_k)  # (batch, head, query, key, d_a)
        return torch.matmul(hidden, self.v[:, None, :, None]).squeeze(-1)  # (batch, head, query, key)


@dataclass(frozen=True, eq=False)
class Bilinear(_Scaled):
    """The bilinear score, q^T W k (Luong et al. 2015, "general").

    weight: (head, d_k, d_k), one matrix a head. Shapes as in `Dot`. Range: all reals.

    >>> weight = torch.tensor([[[0.0, 1.0], [0.0, 0.0]]])
    >>> q, k = torch.tensor([[[[2.0, 9.0]]]]), torch.tensor([[[[9.0, 3.0]]]])
    >>> Bilinear(weight)(q, k).item()
    6.0
    """

    weight: Tensor

    def __post_init__(self) -> None:
        """Check the shape of the weight."""
        if self.weight.dim() != 3:
            raise ValueError(f"weight={tuple(self.weight.shape)}: allowed is (head, d_k, d_k)")

    @property
    def name(self) -> str:
        return "bilinear"

    def raw(self, q: Heads, k: HeadKeys) -> Scores:
        turned = torch.matmul(q, self.weight)  # (batch, head, query, d_k)
        return torch.matmul(turned, k.transpose(-2, -1))  # (batch, head, query, key)


@dataclass(frozen=True)
class Tempered(_Scaled):
    """Another score divided by a temperature T: scale / T (Hinton et al. 2015, "Distilling the Knowledge").

    T > 1 makes the weights more even, T < 1 sharper; the raw score stays as it is.

    Raises ValueError unless `temperature` is a finite number above 0.

    >>> Tempered(ScaledDot(), temperature=2.0).scale(4)
    0.25
    """

    score: Score
    temperature: float

    def __post_init__(self) -> None:
        """Check the temperature."""
        if not (self.temperature > 0 and math.isfinite(self.temperature)):
            raise ValueError(f"temperature={self.temperature!r}: allowed are finite numbers above 0")

    @property
    def name(self) -> str:
        return f"{self.score.name}, temperature {self.temperature:g}"

    def raw(self, q: Heads, k: HeadKeys) -> Scores:
        return self.score.raw(q, k)

    def scale(self, d_k: int) -> float:
        return self.score.scale(d_k) / self.temperature


@dataclass(frozen=True)
class OwnScale(Dot):
    """The dot product times a number that a model sets itself, whatever its width (as Gemma 2 does).

    Shapes and range as in `Dot`.

    >>> OwnScale(0.25).scale(64)
    0.25
    """

    factor: float

    @property
    def name(self) -> str:
        return "own_scale"

    def scale(self, d_k: int) -> float:
        return self.factor


dot_product = Dot()
scaled_dot_product = ScaledDot()
cosine = Cosine()
