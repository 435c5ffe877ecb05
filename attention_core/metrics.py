"""Numbers about attention weights: how spread out they are, how far they reach, how alike the heads are.

Weights are tensors (..., query, key) whose rows sum to 1, or to 0 where a query may attend to nothing. What
attention costs is in `costs`; its functions can be imported from here too.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from attention_core.costs import flop_count, kv_cache_size, parameter_count
from attention_core.positions.offsets import check_offsets, relative_positions
from attention_core.shapes import Weights

__all__ = [
    "attention_distance",
    "effective_tokens",
    "entropy",
    "flop_count",
    "head_similarity",
    "kv_cache_size",
    "mean_attention_distance",
    "parameter_count",
]

HeadByHead = Float[Tensor, "batch head head"]


def entropy(weights: Tensor, *, unit: str = "nats") -> Tensor:
    """How undecided each query is: (..., query, key) -> (..., query).

    H = -sum over j of w_j log w_j, with 0 log 0 = 0; the logarithm is natural for "nats", of base 2 for
    "bits". From 0 (all weight on one key, or a row of zeros) to log(keys). ValueError for another unit.

    Shannon 1948, "A mathematical theory of communication", section 6.

    >>> entropy(torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]]), unit="bits")
    tensor([0., 1., 0.])
    """
    if unit not in ("nats", "bits"):
        raise ValueError(f"unit={unit!r}: allowed are nats, bits")
    terms: Tensor = torch.special.entr(weights)  # (..., query, key), -w log w
    nats = terms.sum(dim=-1)  # (..., query)
    return nats / math.log(2.0) if unit == "bits" else nats


def effective_tokens(weights: Tensor) -> Tensor:
    """How many keys each query looks at: (..., query, key) -> (..., query), from 1 to the number of keys.

    exp(H), the perplexity of the row: n equal weights give n. A row of zeros looks at none and gives 0.

    >>> effective_tokens(torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]]))
    tensor([1., 2., 0.])
    """
    return entropy(weights).exp() * (weights != 0).any(dim=-1)  # (..., query)


def attention_distance(weights: Tensor, *, query_offset: int = 0, key_offset: int = 0) -> Tensor:
    """How far each query looks, in positions: (..., query, key) -> (..., query).

    d_i = sum over j of w_ij |i - j|, and 0 for a row of zeros. The first query stands at query_offset and the
    first key at key_offset.

    >>> attention_distance(torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.0, 0.5]]))
    tensor([0., 1.])
    """
    check_offsets(query_offset, key_offset)
    queries, keys = weights.shape[-2:]
    distance = relative_positions(queries, keys, query_offset, key_offset).abs().to(weights)  # (query, key)
    return (weights * distance).sum(dim=-1)  # (..., query)


def mean_attention_distance(weights: Tensor, *, query_offset: int = 0, key_offset: int = 0) -> Tensor:
    """How far each head looks on average, in positions: (..., query, key) -> (...).

    D = sum over i, j of w_ij |i - j| / sum over i, j of w_ij. Queries that attend to nothing have no say; 0
    where none attends. In cross-attention positions count from 0 on both sides, and the number tells how far
    the head is from the diagonal.

    Vig and Belinkov 2019, "Analyzing the structure of attention in a Transformer language model".

    >>> mean_attention_distance(torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.0, 0.5], [0.0, 0.0, 0.0]]))
    tensor(0.5000)
    """
    distance = attention_distance(weights, query_offset=query_offset, key_offset=key_offset)  # (..., query)
    total = weights.sum(dim=(-2, -1))  # (...)
    return distance.sum(dim=-1) / torch.where(total == 0, 1.0, total)  # (...)


def head_similarity(weights: Weights, *, measure: str = "cosine") -> HeadByHead:
    """How alike the maps of every two heads are: (batch, head, query, key) -> (batch, head, head), in [0, 1].

    "cosine": the cosine of the two maps, each flattened to one vector; 0 for a map of zeros.
    "jensen_shannon": 1 - JSD of the two rows, averaged over the queries, in bits:
    JSD = H((p + q) / 2) - (H(p) + H(q)) / 2. Queries that attend to nothing in both heads are left out; one
    that does so in one head only counts as 0. The result is 0 where no query is left. 1 means the same map, 0
    means no key in common. Symmetric. ValueError for another measure.

    Lin 1991, "Divergence measures based on the Shannon entropy"; used for heads by Clark et al. 2019, "What
    does BERT look at?", section 6.

    >>> left, right, both = [1.0, 0.0], [0.0, 1.0], [0.5, 0.5]
    >>> head_similarity(torch.tensor([[[left], [right], [both]]]))[0]
    tensor([[1.0000, 0.0000, 0.7071],
            [0.0000, 1.0000, 0.7071],
            [0.7071, 0.7071, 1.0000]])
    """
    if measure == "cosine":
        flat = weights.flatten(-2)  # (batch, head, query * key)
        unit = torch.nn.functional.normalize(flat, dim=-1)  # (batch, head, query * key)
        return (unit @ unit.mT).clamp(0.0, 1.0)  # (batch, head, head)
    if measure != "jensen_shannon":
        raise ValueError(f"measure={measure!r}: allowed are cosine, jensen_shannon")
    own = entropy(weights, unit="bits")  # (batch, head, query)
    attends = (weights != 0).any(dim=-1)  # (batch, head, query)
    rows = []
    for head in range(weights.shape[1]):  # one head against all: the full product of maps would not fit
        one = slice(head, head + 1)
        mixed = entropy((weights[:, one] + weights) / 2, unit="bits")  # (batch, head, query)
        alike = 1.0 - (mixed - (own[:, one] + own) / 2)  # (batch, head, query)
        alike = alike.clamp(0.0, 1.0) * (attends[:, one] & attends)  # (batch, head, query)
        compared = (attends[:, one] | attends).sum(dim=-1)  # (batch, head)
        rows.append(alike.sum(dim=-1) / compared.clamp(min=1))  # (batch, head)
    return torch.stack(rows, dim=1)  # (batch, head, head)
