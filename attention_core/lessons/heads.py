"""One head or many: the same weights cut into other heads, and what each head adds to the output."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from attention_core.encoder import drop_heads
from attention_core.experiment import Experiment
from attention_core.lessons.recut import CUTS, Recut, cut, cuts
from attention_core.seeding import seeded
from attention_core.trace import AttentionTrace

__all__ = [
    "CUTS",
    "Recut",
    "change",
    "cut",
    "cuts",
    "draw_gates",
    "grouped_difference",
    "lengths",
    "mean_distance",
    "mean_similarity",
    "movement",
    "one_by_one",
    "residual",
    "scores_add_up",
    "shares",
    "summed_scores",
    "switched",
]

Gates = Float[Tensor, "draw head"]


def summed_scores(trace: AttentionTrace) -> Tensor:
    """The raw scores of all heads added up, (batch, query, key): those of one head as wide as all together.

    q . k = sum over heads of q_h . k_h, because a dot product is a sum and the heads share out its terms. For dot
    products of vectors that are not rotated.

    >>> base = Experiment("a b c", num_heads=4, d_model=8)
    >>> one, four = cut(base, 1).run(), base.run()
    >>> torch.allclose(summed_scores(four), one.heads.raw_scores[:, 0], atol=1e-5)
    True
    """
    return trace.heads.raw_scores.sum(dim=1)  # (batch, query, key)


def scores_add_up(experiment: Experiment) -> bool:
    """Whether the raw scores of its heads add up to those of one wide head: dot products that nothing rotates.

    >>> scores_add_up(Experiment("a b")), scores_add_up(Experiment("a b", score="cosine"))
    (True, False)
    """
    return experiment.score in ("dot", "scaled_dot") and experiment.position != "rope"


def mean_similarity(similarity: Float[Tensor, "head head"]) -> float:
    """The mean over all pairs of different heads; 1 for a single head.

    >>> mean_similarity(torch.tensor([[1.0, 0.2], [0.2, 1.0]]))
    0.2...
    """
    count = len(similarity)
    if count == 1:
        return 1.0
    return float((similarity.sum() - similarity.trace()) / (count * (count - 1)))


def residual(trace: AttentionTrace) -> float:
    """By how much the contributions of the heads, and b_O, miss the output at most: rounding, and nothing else.

    >>> residual(Experiment("a b c", num_heads=2, d_model=8).run()) < 1e-5
    True
    """
    return float((trace.head_contributions().sum(dim=1) - _without_bias(trace)).abs().max())


def shares(trace: AttentionTrace) -> Float[Tensor, " head"]:
    """Each head's part of the output, (head,): they add up to 1.

    share_h = <c_h, o> / <o, o>, with c_h what head h adds, o the output without b_O, and <., .> the sum over all
    tokens and features. Negative where a head works against the others; 0 for all where the output is 0.

    >>> round(float(shares(Experiment("a b c", num_heads=2, d_model=8).run()).sum()), 5)
    1.0
    """
    parts, whole = trace.head_contributions(), _without_bias(trace)  # (batch, head, query, d_out), ...
    size = whole.square().sum()  # ()
    together = (parts * whole[:, None]).sum(dim=(0, 2, 3))  # (head,)
    return together / size if size > 0 else torch.zeros_like(together)


def switched(trace: AttentionTrace, on: Iterable[int]) -> AttentionTrace:
    """The trace with the heads that are not in `on` switched off: their context is 0; itself where all are on.

    >>> trace = Experiment("a b c", num_heads=2, d_model=8).run()
    >>> bool(switched(trace, [1]).heads.context[:, 0].any())
    False
    """
    batch, heads = trace.heads.context.shape[:2]
    kept = set(on)
    if kept >= set(range(heads)):
        return trace
    gates = torch.tensor([float(head in kept) for head in range(heads)])  # (head,)
    return drop_heads(trace, gates.expand(batch, heads))


def movement(trace: AttentionTrace, other: AttentionTrace) -> Float[Tensor, " query"]:
    """How far the output of each token moves from `trace` to `other`, as a part of its length, (query,).

    |o'_i - o_i| / |o_i|, and 0 where both are 0.

    >>> trace = Experiment("a b c", num_heads=2, d_model=8).run()
    >>> movement(trace, trace).tolist()
    [0.0, 0.0, 0.0]
    """
    moved: Tensor = torch.linalg.vector_norm((other.output - trace.output)[0], dim=-1)  # (query,)
    length: Tensor = torch.linalg.vector_norm(trace.output[0], dim=-1)  # (query,)
    return moved / length.clamp(min=torch.finfo(length.dtype).tiny)


def change(trace: AttentionTrace, other: AttentionTrace, field: str) -> Tensor:
    """other - trace of one field, without the batch: (head, row, column) or (row, column).

    >>> trace = Experiment("a b c", num_heads=2, d_model=8).run()
    >>> change(trace, trace, "output").abs().max().item()
    0.0
    """
    return other.field(field)[0] - trace.field(field)[0]


def one_by_one(trace: AttentionTrace) -> Float[Tensor, "head query"]:
    """`movement` of each token when one head is switched off and the others stay, (head, query).

    >>> one_by_one(Experiment("a b c", num_heads=2, d_model=8).run()).shape
    torch.Size([2, 3])
    """
    heads = range(trace.heads.context.shape[1])
    return torch.stack(
        [movement(trace, switched(trace, (other for other in heads if other != head))) for head in heads]
    )


def lengths(trace: AttentionTrace) -> Float[Tensor, "head query"]:
    """The length of what each head adds to each token, (head, query).

    >>> lengths(Experiment("a b c", num_heads=2, d_model=8).run()).shape
    torch.Size([2, 3])
    """
    found: Tensor = torch.linalg.vector_norm(trace.head_contributions()[0], dim=-1)  # (head, query)
    return found


def draw_gates(heads: int, p: float, draws: int, seed: int) -> Gates:
    """Whole-head dropout, (draw, head): 0 with probability p, and heads / (heads kept) for the others.

    The factors of a draw add up to `heads`, unless chance drops them all: then they are 0. So the mean factor of a
    head is 1 - p^heads. Zhou et al. 2020, "Scheduled DropHead", algorithm 1. ValueError for p outside 0..1.

    >>> draw_gates(4, 0.5, 3, seed=0).sum(dim=1).tolist()
    [4.0, 4.0, 4.0]
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"p={p!r}: allowed are numbers from 0 to 1")
    chance = torch.rand((draws, heads), generator=seeded(seed, "drop_head"))  # (draw, head)
    kept = (chance >= p).float()  # (draw, head)
    return kept * heads / kept.sum(dim=1, keepdim=True).clamp(min=1.0)


def mean_distance(trace: AttentionTrace, gates: Gates) -> Float[Tensor, " draw"]:
    """How far the mean output over the first 1, 2, 3 ... draws is from the output without dropout, (draw,).

    |mean of o' - o| / |o| over all tokens, o without b_O. The output is linear in the factors, so the mean output has
    the mean factors.

    >>> trace = Experiment("a b c", num_heads=2, d_model=8).run()
    >>> mean_distance(trace, torch.ones(2, 2)).max().item() < 1e-6
    True
    """
    counts = torch.arange(1, len(gates) + 1, dtype=torch.float64)[:, None]  # (draw, 1)
    off = gates.double().cumsum(dim=0) / counts - 1.0  # (draw, head): mean factor - 1
    parts = trace.head_contributions()[0].flatten(1).double()  # (head, query * d_out)
    products = parts @ parts.mT  # (head, head)
    missed = ((off @ products) * off).sum(dim=1).clamp(min=0.0)  # (draw,), squared
    size = products.sum().clamp(min=torch.finfo(torch.float64).tiny)  # ()
    return (missed / size).sqrt()  # (draw,)


def grouped_difference(multi: AttentionTrace, grouped: AttentionTrace) -> float:
    """How far the weights move when heads share keys: the mean, over the rows, of half the sum of |differences|.

    Total variation distance: 0 for the same weights, 1 where no key keeps its weight.

    >>> base = Experiment("a b c", num_heads=4, d_model=8)
    >>> grouped_difference(base.run(), base.run())
    0.0
    """
    return float((multi.heads.weights - grouped.heads.weights).abs().sum(dim=-1).mean() / 2)


def _without_bias(trace: AttentionTrace) -> Tensor:
    """output - b_O, (batch, query, d_out)."""
    bias = None if trace.projections is None else trace.projections.b_o  # (d_out,)
    return trace.output if bias is None else trace.output - bias
