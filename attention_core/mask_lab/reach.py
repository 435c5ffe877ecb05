"""Far sight: what a token can reach when attention with the same mask is stacked, layer on layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from attention_core.checks import whole
from attention_core.masks.base import Mask

__all__ = ["LAYERS", "Reach", "far_sight", "reach"]

LAYERS = 12


@dataclass(frozen=True, eq=False)
class Reach:
    """What each query can know of after 1, 2, ... layers; row n - 1 of each tensor is for n layers.

    layers        whether something of token j can have arrived in token i
    counts        how many tokens each one reaches, itself included
    first_layer   the number of layers at which i first reaches j; 0 where it does not within them
    saturated_at  the number of layers from which on nothing more is reached; None where that is not yet so
    """

    layers: Bool[Tensor, "layer query key"]
    counts: Int[Tensor, "layer query"]
    first_layer: Int[Tensor, "query key"]
    saturated_at: int | None


def reach(allowed: Bool[Tensor, "query key"], layers: int = LAYERS) -> Reach:
    """What a stack of layers with this mask can carry from token j to token i.

    R_1 = M or I,  R_n = R_1 R_(n-1), a product of Boolean matrices: i reaches j through n layers when a path
    of n steps leads there, each along an allowed cell or, by the residual connection, on the spot. It says
    what may arrive, not how much: the weights decide that. allowed is True = may attend, of one head;
    several heads with masks of their own reach what the `or` of them does.

    Raises ValueError when there are not as many queries as keys (in cross attention the keys belong to
    another text, which has no next layer), and for layers other than 1 to 12.

    A sliding window reaches n (w - 1) tokens back: Beltagy et al. 2020, section 3.1, arXiv:2004.05150.

    >>> from attention_core.masks import Causal, Window
    >>> mask = (Causal() & Window(2)).materialize(1, 1, 5, 5)[0, 0]
    >>> seen = reach(mask, 6)
    >>> seen.counts[:, 4].tolist(), seen.saturated_at
    ([2, 3, 4, 5, 5, 5], 4)
    """
    if allowed.dim() != 2 or allowed.dtype != torch.bool:
        raise ValueError(f"allowed is {allowed.dtype} {tuple(allowed.shape)}: allowed is bool (query, key)")
    queries, keys = allowed.shape
    if queries != keys:
        raise ValueError(
            f"queries={queries}, keys={keys}: allowed are as many queries as keys, since the next layer of a "
            "stack looks at the outputs of this one"
        )
    whole("layers", layers, 1)
    if layers > LAYERS:
        raise ValueError(f"layers={layers}: allowed are whole numbers from 1 to {LAYERS}")
    one = allowed | torch.eye(queries, dtype=torch.bool, device=allowed.device)  # (query, key)
    steps = one.float()  # float32 counts the paths of one step more exactly up to 16 million tokens
    powers = [one]
    saturated_at = None
    while saturated_at is None and len(powers) <= layers:
        further = (steps @ powers[-1].float()) > 0  # (query, key)
        if torch.equal(further, powers[-1]):
            saturated_at = len(powers)
        powers.append(further)
    powers = (powers + [powers[-1]] * layers)[:layers]
    stacked = torch.stack(powers)  # (layer, query, key)
    missed = layers - stacked.sum(dim=0)  # (query, key): reached once is reached for good
    return Reach(
        layers=stacked,
        counts=stacked.sum(dim=-1),
        first_layer=torch.where(stacked[-1], missed + 1, 0),
        saturated_at=saturated_at,
    )


def far_sight(mask: Mask, queries: int, keys: int, layers: int = LAYERS, *, batch: int = 1, row: int = 0) -> Reach:
    """`reach` of a mask at a size, in the first head of one batch row.

    ValueError where queries and keys differ, or the mask does not fit; IndexError for a row beyond the batch.

    >>> from attention_core.masks import Full
    >>> far_sight(Full(), 3, 3).saturated_at
    1
    """
    return reach(mask.materialize(batch, 1, queries, keys)[row, 0], layers)
