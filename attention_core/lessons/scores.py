"""Five ways to compare a query with a key: on the same Q and K, at any length, and what each costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from torch import Tensor

from attention_core.checks import whole
from attention_core.experiment import Experiment
from attention_core.functional import attention
from attention_core.metrics import entropy
from attention_core.trace import AttentionTrace, Projections

__all__ = [
    "NAMES",
    "Longer",
    "Reading",
    "ScoreCost",
    "entropy_by_length",
    "flops_per_pair",
    "largest",
    "read",
    "score_cost",
    "sharpest_ratio",
    "with_score",
]

NAMES = ("dot", "scaled_dot", "cosine", "bilinear", "additive")


@dataclass(frozen=True)
class Longer(Experiment):
    """An experiment whose queries and keys are all `length` times as long; made by `with_score`."""

    length: float = 1.0

    def __post_init__(self) -> None:
        """The checks of `Experiment`, which know its own fields only."""
        length = vars(self).pop("length")
        super().__post_init__()
        object.__setattr__(self, "length", length)

    def projections(self) -> Projections:
        """W_Q, W_K and their biases times `length`, so that q and k are."""
        own = super().projections()
        w_q, w_k, _ = own.inputs()

        def times(weight: Tensor | None) -> Tensor | None:
            return None if weight is None else weight * self.length

        return replace(
            own,
            w_q=w_q * self.length,
            w_k=w_k * self.length,
            b_q=times(own.b_q),
            b_k=times(own.b_k),
        )


def with_score(base: Experiment, name: str, length: float = 1.0) -> Experiment:
    """`base` with another score, and with queries and keys `length` times as long; else the same Q, K and V.

    ValueError for an unknown score, and unless `length` is a number above 0.

    >>> base = Experiment("a b c", num_heads=1, d_model=4)
    >>> short, long = with_score(base, "dot").run(), with_score(base, "dot", 2.0).run()
    >>> bool((long.heads.raw_scores == 4 * short.heads.raw_scores).all())
    True
    """
    if not 0.0 < length < float("inf"):
        raise ValueError(f"length={length!r}: allowed are finite numbers above 0")
    own = {field.name: getattr(base, field.name) for field in fields(Experiment)} | {"score": name}
    return Experiment(**own) if length == 1.0 else Longer(**own, length=length)


@dataclass(frozen=True)
class Reading:
    """What one head does with its scores: all are means over the queries.

    spread   standard deviation of the scores within a row, of those that may be attended to
    top      the largest weight of a row
    entropy  of a row of weights, in nats
    """

    spread: float
    top: float
    entropy: float


def read(trace: AttentionTrace, head: int) -> Reading:
    """How far the scores of a row lie apart, and how decided the weights are that softmax makes of them.

    >>> read(Experiment("a b c", num_heads=1, d_model=4, score="cosine").run(), 0).spread < 1.0
    True
    """
    scores, allowed = trace.heads.modified_scores[0, head], trace.heads.allowed[0, head]  # (query, key)
    count = allowed.sum(dim=-1, keepdim=True).clamp(min=1)  # (query, 1)
    mean = scores.where(allowed, scores.new_zeros(())).sum(dim=-1, keepdim=True) / count  # (query, 1)
    square = ((scores - mean).square() * allowed).sum(dim=-1, keepdim=True) / count  # (query, 1)
    weights = trace.heads.weights[0, head]  # (query, key)
    return Reading(
        spread=float(square.sqrt().mean()),
        top=float(weights.amax(dim=-1).mean()),
        entropy=float(entropy(weights).mean()),
    )


def largest(trace: AttentionTrace, head: int) -> float:
    """The largest magnitude of the scaled scores of one head, 1 where all are 0: the end of its colour scale.

    >>> largest(Experiment("a b c", num_heads=1, d_model=4, score="cosine").run(), 0) <= 1.0
    True
    """
    return float(trace.heads.scaled_scores[0, head].abs().max()) or 1.0


def entropy_by_length(
    base: Experiment, trace: AttentionTrace, head: int, lengths: Sequence[float]
) -> dict[str, tuple[float, ...]]:
    """For each score the mean entropy of the weights of one head, with q and k each of `lengths` times as long.

    `trace` is that of `base` with any score. The numbers are those of `with_score(base, name, length).run()`.

    >>> base = Experiment("a b c", num_heads=1, d_model=4)
    >>> cosine = entropy_by_length(base, base.run(), 0, (1.0, 8.0))["cosine"]
    >>> abs(cosine[0] - cosine[1]) < 1e-6
    True
    """
    heads, found = trace.heads, {}
    for name in NAMES:
        score = with_score(base, name).score_function()
        means = []
        for length in lengths:
            made = attention(
                heads.q * length, heads.k * length, heads.v, score=score, mods=base.mods(), mask=heads.allowed
            )
            means.append(float(entropy(made.weights[0, head]).mean()))
        found[name] = tuple(means)
    return found


def sharpest_ratio(least: float, most: float) -> float:
    """How many times the weight of one key another key can have, where scores lie between `least` and `most`.

    exp(most - least): the cosine, from -1 to 1, never makes one key more than e^2 = 7.39 times as heavy.

    >>> round(sharpest_ratio(-1.0, 1.0), 2)
    7.39
    """
    return math.exp(most - least)


@dataclass(frozen=True)
class ScoreCost:
    """What the score of one head costs: numbers to learn, operations, and the size of the largest tensor it builds."""

    parameters: int
    flops: int
    numbers: int


def score_cost(name: str, queries: int, keys: int, d_k: int) -> ScoreCost:
    """The cost of comparing `queries` queries with `keys` keys of width d_k, in one head.

    A multiply-add is 2 operations, a tanh or a square root 1, as in `costs.flop_count`. With n queries and m keys:

    dot         2 n m d_k
    scaled_dot  2 n m d_k + n m
    cosine      2 n m d_k + (n + m)(3 d_k + 1)          lengths: 2 d_k and a root; d_k divisions
    bilinear    2 n m d_k + 2 n d_k^2                   learns W: d_k^2
    additive    4 n m d_k + 2 (n + m) d_k^2             learns W_q, W_k, v: 2 d_k^2 + d_k; d_a = d_k; for each pair d_k
                sums, d_k tanh, and a dot product with v

    All build a tensor of n m numbers, the additive score one of n m d_k. ValueError for another name, and unless the
    sizes are whole numbers from 1.

    >>> score_cost("dot", 3, 5, 2)
    ScoreCost(parameters=0, flops=60, numbers=15)
    >>> score_cost("additive", 3, 5, 2)
    ScoreCost(parameters=10, flops=184, numbers=30)
    """
    for what, value in (("queries", queries), ("keys", keys), ("d_k", d_k)):
        whole(what, value, 1)
    pairs, dot = queries * keys, 2 * queries * keys * d_k
    known = {
        "dot": (0, dot, pairs),
        "scaled_dot": (0, dot + pairs, pairs),
        "cosine": (0, dot + (queries + keys) * (3 * d_k + 1), pairs),
        "bilinear": (d_k**2, dot + 2 * queries * d_k**2, pairs),
        "additive": (2 * d_k**2 + d_k, 2 * dot + 2 * (queries + keys) * d_k**2, pairs * d_k),
    }
    if name not in known:
        raise ValueError(f"score={name!r}: allowed are {', '.join(NAMES)}")
    return ScoreCost(*known[name])


def flops_per_pair(name: str, tokens: int, d_k: int) -> float:
    """The operations of `score_cost` for `tokens` queries and as many keys, divided by the number of pairs.

    >>> flops_per_pair("dot", 7, 8), flops_per_pair("bilinear", 1, 8)
    (16.0, 144.0)
    """
    return score_cost(name, tokens, tokens, d_k).flops / tokens**2
