"""Relative keys: the score of a query and a key gets a learned term that depends on how far apart they are.

Unlike the biases of `score_bias`, these terms also depend on what the query (and, for Transformer-XL, the
key) says.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attention_core.checks import whole
from attention_core.functional import Mod
from attention_core.positions.added import sinusoids
from attention_core.positions.offsets import check_offsets, relative_positions
from attention_core.seeding import seeded
from attention_core.shapes import HeadKeys, Heads, Scores

__all__ = ["Shaw", "TransformerXL"]


def _pick(each: Tensor, where: Tensor) -> Tensor:
    """out[..., i, j] = each[..., i, where[i, j]]: few rows are multiplied, many pairs share them."""
    index = where.to(each.device).expand(*each.shape[:-2], *where.shape)  # (batch, head, query, key)
    return each.gather(-1, index)  # (batch, head, query, key)


@dataclass(frozen=True, eq=False)
class Shaw(Mod):
    """Relative position representations on the keys, shared by all heads.

    score[i, j] = q_i . (k_j + a[clip(j - i, -m, m)]) * scale, so q_i . a[...] * scale is added.

    `table` (2 m + 1, d_k) holds one vector a distance; row r belongs to the distance r - m, and everything
    farther than m shares the last row of its side. Only the keys carry it: the paper's second table, on the
    values, is left out (its table 3 finds no loss without it). ValueError when the table has an even number
    of rows or another width than the queries.

    Shaw, Uszkoreit and Vaswani 2018, "Self-Attention with Relative Position Representations", equations 4 and
    5.

    >>> shaw = Shaw(table=torch.tensor([[5.0], [0.0], [7.0]]))  # behind, here, ahead
    >>> ones = torch.ones(1, 1, 3, 1)
    >>> shaw.on_scores(torch.zeros(1, 1, 3, 3), ones, ones, scale=1.0)[0, 0]
    tensor([[0., 7., 7.],
            [5., 0., 7.],
            [5., 5., 0.]])
    """

    table: Tensor
    query_offset: int = 0
    key_offset: int = 0

    def __post_init__(self) -> None:
        check_offsets(self.query_offset, self.key_offset)
        if self.table.ndim != 2 or self.table.shape[0] % 2 == 0:
            raise ValueError(
                f"table of shape {tuple(self.table.shape)}: allowed is (2 * max_distance + 1, d_k), "
                "an odd number of rows"
            )

    @classmethod
    def random(
        cls, d_k: int, *, seed: int, max_distance: int = 16, query_offset: int = 0, key_offset: int = 0
    ) -> Shaw:
        """A table of N(0, 1) numbers, as strong as unit-variance keys; the same seed gives the same table.

        >>> Shaw.random(4, seed=0, max_distance=2).table.shape
        torch.Size([5, 4])
        """
        rows = 2 * whole("max_distance", max_distance, 0) + 1
        table = torch.randn(rows, whole("d_k", d_k, 1), generator=seeded(seed, "Shaw"), dtype=torch.float32)
        return cls(table, query_offset, key_offset)

    @property
    def max_distance(self) -> int:
        """The distance m from which on all positions look equally far."""
        return self.table.shape[0] // 2

    def rows(self, queries: int, keys: int) -> Tensor:
        """The row of the table that belongs to each pair, (query, key)."""
        ahead = -relative_positions(queries, keys, self.query_offset, self.key_offset)  # (query, key), j - i
        return ahead.clamp(-self.max_distance, self.max_distance) + self.max_distance  # (query, key)

    def on_scores(self, scores: Scores, q: Heads, k: HeadKeys, scale: float) -> Scores:
        """Add q_i . a_ij * scale to the scores (batch, head, query, key)."""
        if q.shape[-1] != self.table.shape[-1]:
            raise ValueError(
                f"queries of width {q.shape[-1]}: allowed is the width of the table, {self.table.shape[-1]}"
            )
        each = q @ self.table.to(q).T  # (batch, head, query, row)
        return (
            scores + _pick(each, self.rows(scores.shape[-2], scores.shape[-1])) * scale
        )  # (batch, head, query, key)


@dataclass(frozen=True, eq=False)
class TransformerXL(Mod):
    """Relative attention with a sinusoid of the distance and two learned biases.

    score[i, j] = ((q_i + u) . k_j  +  (q_i + v) . r[i - j]) * scale,   r[i - j] = R[i - j] W_r

    With q_i . k_j already in the scores, (u . k_j + (q_i + v) . r[i - j]) * scale is added. R[n] is the
    sinusoid of the distance n (`sinusoids`), u and v are (head, d_k), w_r is (head, d_r, d_k) with d_r the
    width of the sinusoid. The distance is i - j: positive for keys behind the query, and negative distances
    work, so that every mask may be used. ValueError when the shapes do not belong together.

    Dai et al. 2019, "Transformer-XL", section 3.3: u . k is its term (c), q . r its term (b), v . r its term
    (d).

    >>> xl = TransformerXL(u=torch.zeros(1, 2), v=torch.tensor([[0.0, 1.0]]), w_r=torch.eye(2)[None])
    >>> zeros = torch.zeros(1, 1, 2, 2)
    >>> xl.on_scores(zeros, zeros, zeros, scale=1.0)[0, 0]  # v picks the cosine of the distance
    tensor([[1.0000, 0.5403],
            [0.5403, 1.0000]])
    """

    u: Tensor
    v: Tensor
    w_r: Tensor
    query_offset: int = 0
    key_offset: int = 0

    def __post_init__(self) -> None:
        check_offsets(self.query_offset, self.key_offset)
        if self.w_r.ndim != 3:
            raise ValueError(f"w_r of shape {tuple(self.w_r.shape)}: allowed is (head, d_r, d_k)")
        expected = (self.w_r.shape[0], self.w_r.shape[2])
        for name, bias in (("u", self.u), ("v", self.v)):
            if tuple(bias.shape) != expected:
                raise ValueError(
                    f"{name} of shape {tuple(bias.shape)}: allowed is (head, d_k), by w_r here {expected}"
                )

    @classmethod
    def random(
        cls,
        num_heads: int,
        d_k: int,
        *,
        seed: int,
        d_r: int | None = None,
        query_offset: int = 0,
        key_offset: int = 0,
    ) -> TransformerXL:
        """u and v are N(0, 1), w_r is N(0, 1 / d_r); d_r is num_heads * d_k unless given.

        >>> TransformerXL.random(3, 4, seed=0).w_r.shape
        torch.Size([3, 12, 4])
        """
        heads, width = whole("num_heads", num_heads, 1), whole("d_k", d_k, 1)
        source = heads * width if d_r is None else whole("d_r", d_r, 1)
        generator = seeded(seed, "Transformer-XL")
        u = torch.randn(heads, width, generator=generator, dtype=torch.float32)
        v = torch.randn(heads, width, generator=generator, dtype=torch.float32)
        w_r = torch.randn(heads, source, width, generator=generator, dtype=torch.float32)
        return cls(u, v, w_r / source**0.5, query_offset, key_offset)

    def relative_keys(self, distances: Tensor) -> Tensor:
        """The projected sinusoid r[n] of each distance n: (distance,) -> (head, distance, d_k), float64."""
        return sinusoids(distances, self.w_r.shape[1]) @ self.w_r.cpu().double()  # (head, distance, d_k)

    def on_scores(self, scores: Scores, q: Heads, k: HeadKeys, scale: float) -> Scores:
        """Add (u . k_j + (q_i + v) . r[i - j]) * scale to the scores (batch, head, query, key)."""
        if (q.shape[1], q.shape[-1]) != tuple(self.u.shape):
            raise ValueError(
                f"queries with {q.shape[1]} heads of width {q.shape[-1]}: allowed are (head, d_k) as in u, "
                f"{tuple(self.u.shape)}"
            )
        queries, keys = scores.shape[-2:]
        distance = relative_positions(queries, keys, self.query_offset, self.key_offset)  # (query, key)
        least = self.query_offset - self.key_offset - keys + 1  # the first query and the last key
        distinct = torch.arange(least, least + queries + keys - 1)  # (distance,), all that occur
        relative = self.relative_keys(distinct).to(q)  # (head, distance, d_k)
        each = (q + self.v.to(q)[:, None]) @ relative.mT  # (batch, head, query, distance)
        content = self.u.to(q)[:, None] @ k.mT  # (batch, head, 1, key)
        return scores + (content + _pick(each, distance - least)) * scale  # (batch, head, query, key)
