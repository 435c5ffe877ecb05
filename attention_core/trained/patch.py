"""Weights that are set by hand in place of those that a head computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from attention_core.shapes import AllowedByHead, Weights
from attention_core.trace import AttentionTrace

__all__ = ["PARTS", "PATTERNS", "Patch", "Row", "overwrite", "patched"]

PATTERNS = ("uniform", "previous", "same", "first")
PARTS = 10_000  # a row's weight is cut into so many equal parts
LARGEST = 255  # queries and keys that a row by hand can name

Row = tuple[int, tuple[int, ...]]  # a query, and the parts that each key gets


@dataclass(frozen=True)
class Patch:
    """What one head is made to look at: a rule for every row, and single rows by hand, which go before the rule.

    w'_ij = p_ij A_ij / sum_j p_ij A_ij, where A is the mask and p comes from the row by hand, else from the pattern:
    "uniform" 1 for every key, "previous" 1 for key i - 1 (the first query looks at itself), "same" 1 for key i,
    "first" 1 for key 0. Where that leaves nothing the query looks nowhere: its weights are 0. A rule holds for any
    text. A row by hand, (query, parts of key 0, key 1, ...), belongs to one: keys beyond its parts get 0.

    Setting activations from outside to see what depends on them: "activation patching" (Vig et al. 2020, section 4).

    Raises ValueError for another pattern, a query or key from 255, a query twice, parts outside 0 to 10000, and a
    row of zeros.

    >>> Patch("self1", 0, rows=((3, (0, 10_000)), (1, (1,)))).rows
    ((1, (1,)), (3, (0, 10000)))
    """

    layer: str
    head: int
    pattern: str = ""
    rows: tuple[Row, ...] = ()

    def __post_init__(self) -> None:
        """Check the fields and sort the rows."""
        if self.pattern not in ("", *PATTERNS):
            raise ValueError(f"pattern={self.pattern!r}: allowed are {', '.join(PATTERNS)}, or nothing")
        rows = tuple(sorted(self.rows))
        for query, parts in rows:
            if not 0 <= query < LARGEST or len(parts) > LARGEST:
                raise ValueError(f"row {query} with {len(parts)} keys: allowed are {LARGEST} queries and keys")
            if not all(0 <= part <= PARTS for part in parts) or not any(parts):
                raise ValueError(f"parts of row {query}: allowed are whole numbers to {PARTS}, not all of them 0")
        if len({query for query, _ in rows}) < len(rows):
            raise ValueError("rows: allowed is each query once")
        object.__setattr__(self, "rows", rows)

    def row(self, query: int) -> tuple[int, ...] | None:
        """The parts of a row by hand; None where there is none."""
        return dict(self.rows).get(query)

    @property
    def empty(self) -> bool:
        """Whether it changes nothing."""
        return not self.pattern and not self.rows


def patched(
    weights: Weights, allowed: AllowedByHead, patches: Sequence[Patch]
) -> tuple[Weights, Tensor]:
    """The weights with patches in their place, and the rows that were set, bool (batch, head, query).

    Patches of heads that there are not are left alone; so are rows beyond the queries.

    >>> own = torch.full((1, 1, 2, 2), 0.5)
    >>> found, rows = patched(own, own > 0, [Patch("self1", 0, rows=((1, (2_500, 7_500)),))])
    >>> found.tolist(), rows.tolist()
    ([[[[0.5, 0.5], [0.25, 0.75]]]], [[[False, True]]])
    """
    _, heads, queries, keys = weights.shape
    found = weights.clone()
    rows = torch.zeros(weights.shape[:3], dtype=torch.bool)  # (batch, head, query)
    for patch in patches:
        if patch.head >= heads:
            continue
        wanted = _pattern(patch.pattern, queries, keys).to(weights)  # (query, key)
        for query, parts in patch.rows:
            if query < queries:
                given = torch.tensor(parts[:keys]).to(weights)  # (key,)
                wanted[query] = 0.0
                wanted[query, : len(given)] = given / PARTS
        chosen = torch.tensor([bool(patch.pattern) or patch.row(query) is not None for query in range(queries)])
        open_to = wanted * allowed[:, patch.head]  # (batch, query, key)
        total = open_to.sum(dim=-1, keepdim=True)  # (batch, query, 1)
        share = torch.where(total > 0, open_to / total.where(total > 0, torch.ones_like(total)), open_to)
        found[:, patch.head] = torch.where(chosen[:, None], share, found[:, patch.head])
        rows[:, patch.head] |= chosen
    return found, rows


def overwrite(trace: AttentionTrace, weights: Weights, rows: Tensor) -> AttentionTrace:
    """The trace as it is when other weights count: context = weights v, output = concat W_O + b_O.

    `weights` go into `dropped_weights`, so that `weights` stay what queries and keys give; `rows`, bool (batch, head,
    query), says which were set.
    """
    context = torch.matmul(weights, trace.heads.v)  # (batch, head, query, d_v)
    concat = context.transpose(1, 2).flatten(2)  # (batch, query, heads * d_v)
    return replace(
        trace,
        heads=replace(trace.heads, dropped_weights=weights, context=context),
        concat=concat,
        output=trace.projected(concat),
        by_hand=rows,
    )


def _pattern(name: str, queries: int, keys: int) -> Tensor:
    """What a rule wants of each key, (query, key)."""
    at, to = torch.arange(queries)[:, None], torch.arange(keys)[None]  # (query, 1), (1, key)
    return {
        "": torch.zeros(queries, keys),
        "uniform": torch.ones(queries, keys),
        "previous": (to == (at - 1).clamp(min=0)).float(),
        "same": (to == at).float(),
        "first": (to == 0).float().expand(queries, keys).clone(),
    }[name]
