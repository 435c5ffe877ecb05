"""Why scores are divided by sqrt(d_k): random queries and keys of every width, and what softmax makes of them.

The dot product of two vectors of d_k independent numbers with mean 0 and variance 1 is a sum of d_k products, each
with mean 0 and variance 1: its variance is d_k (Vaswani et al. 2017, "Attention Is All You Need", footnote 4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from attention_core.metrics import entropy
from attention_core.seeding import seeded

__all__ = [
    "DRAWS",
    "KEYS",
    "WIDTHS",
    "Measures",
    "entropy_by_temperature",
    "gradient",
    "measure",
    "most_gradient",
    "random_scores",
    "weights",
]

WIDTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
DRAWS = 24
QUERIES = KEYS = 16
STUCK = 0.01  # of the most that a row's gradient can be: below this a row learns next to nothing

Drawn = Float[Tensor, "width draw query key"]


@lru_cache(maxsize=16)
def random_scores(seed: int) -> Drawn:
    """Raw scores q . k of 24 draws of 16 random queries and keys at each of WIDTHS, (width, draw, query, key).

    All numbers of q and k are from N(0, 1). The vectors of a smaller width are the beginnings of the wider ones, so
    that moving the width adds terms to the same sums.

    >>> random_scores(0).shape
    torch.Size([20, 24, 16, 16])
    """
    generator = seeded(seed, "scale")
    q = torch.randn((DRAWS, QUERIES, WIDTHS[-1]), generator=generator)  # (draw, query, d_k)
    k = torch.randn((DRAWS, KEYS, WIDTHS[-1]), generator=generator)  # (draw, key, d_k)
    scores, steps, begin = torch.zeros(DRAWS, QUERIES, KEYS), [], 0
    for end in WIDTHS:
        scores = scores + q[..., begin:end] @ k[..., begin:end].mT  # (draw, query, key)
        steps.append(scores)
        begin = end
    return torch.stack(steps)  # (width, draw, query, key)


def weights(raw: Tensor, d_k: int, *, scaled: bool, temperature: float = 1.0) -> Tensor:
    """softmax(raw / (sqrt(d_k) T)), or softmax(raw / T) where it is not scaled, over the last axis.

    >>> weights(torch.tensor([0.0, 2.0]), 4, scaled=True).tolist() == torch.tensor([0.0, 1.0]).softmax(0).tolist()
    True
    """
    if not (temperature > 0 and math.isfinite(temperature)):
        raise ValueError(f"temperature={temperature!r}: allowed are finite numbers above 0")
    return (raw / ((math.sqrt(d_k) if scaled else 1.0) * temperature)).softmax(dim=-1)


def gradient(rows: Tensor) -> Tensor:
    """How much a row of weights answers to its scores: the mean of |d a_i / d s_j| over all i and j, (...,).

    d a_i / d s_j = a_i (1 - a_i) where i = j, else -a_i a_j. The absolute values add up to 2 (1 - sum of a_i^2): 0
    where one key has everything, most where all keys are equal. s is what enters the softmax.

    >>> gradient(torch.tensor([[1.0, 0.0], [0.5, 0.5]])).tolist()
    [0.0, 0.25]
    """
    return 2.0 * (1.0 - rows.square().sum(dim=-1)).clamp(min=0.0) / rows.shape[-1] ** 2


def most_gradient() -> float:
    """The most that `gradient` can be for a row of KEYS keys: all weigh the same.

    >>> round(most_gradient(), 6)
    0.007324
    """
    return 2.0 * (1.0 - 1.0 / KEYS) / KEYS**2


@dataclass(frozen=True, eq=False)
class Measures:
    """What the rows look like at each of WIDTHS; all tuples run over WIDTHS.

    variance  of the scores, in each draw: (width, draw)
    deviation standard deviation of all scores
    top       the mean of the largest weight of a row
    entropy   the mean entropy, in nats
    gradient  the mean of `gradient`
    stuck     the part of the rows whose gradient is below a hundredth of the most that it can be
    """

    variance: Float[Tensor, "width draw"]
    deviation: tuple[float, ...]
    top: tuple[float, ...]
    entropy: tuple[float, ...]
    gradient: tuple[float, ...]
    stuck: tuple[float, ...]


@lru_cache(maxsize=256)
def measure(seed: int, *, scaled: bool, temperature: float = 1.0) -> Measures:
    """Spread, saturation, entropy and gradient at each of WIDTHS, with or without the division by sqrt(d_k).

    >>> plain, divided = measure(0, scaled=False), measure(0, scaled=True)
    >>> plain.entropy[-1] < 0.5 < 2 < divided.entropy[-1]
    True
    """
    raw = random_scores(seed)  # (width, draw, query, key)
    factor = torch.tensor([math.sqrt(width) if scaled else 1.0 for width in WIDTHS])[:, None, None, None]
    scores = raw / factor  # (width, draw, query, key)
    rows = weights(scores, 1, scaled=False, temperature=temperature)  # (width, draw, query, key)
    left = gradient(rows)  # (width, draw, query)

    def mean(values: Tensor) -> tuple[float, ...]:
        return tuple(values.flatten(1).mean(dim=1).tolist())

    return Measures(
        variance=scores.flatten(2).var(dim=2),
        deviation=tuple(scores.flatten(1).std(dim=1).tolist()),
        top=mean(rows.amax(dim=-1)),
        entropy=mean(entropy(rows)),
        gradient=mean(left),
        stuck=mean((left < STUCK * most_gradient()).float()),
    )


@lru_cache(maxsize=256)
def entropy_by_temperature(seed: int, d_k: int, temperatures: tuple[float, ...], *, scaled: bool) -> tuple[float, ...]:
    """The mean entropy at each temperature, for one of WIDTHS; ValueError for another width.

    Dividing by sqrt(d_k) is a temperature: without it the entropy at T sqrt(d_k) is the one that scaled scores have
    at T.

    >>> at_8 = entropy_by_temperature(0, 64, (8.0,), scaled=False)
    >>> at_1 = entropy_by_temperature(0, 64, (1.0,), scaled=True)
    >>> abs(at_8[0] - at_1[0]) < 1e-6
    True
    """
    if d_k not in WIDTHS:
        raise ValueError(f"d_k={d_k}: allowed are {', '.join(map(str, WIDTHS))}")
    raw = random_scores(seed)[WIDTHS.index(d_k)]  # (draw, query, key)
    return tuple(float(entropy(weights(raw, d_k, scaled=scaled, temperature=t)).mean()) for t in temperatures)
