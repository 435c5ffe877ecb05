"""Position as a number added to each score.

It depends on the head and on how far apart query and key are, on nothing they say.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attention_core.checks import whole
from attention_core.functional import Mod
from attention_core.positions.offsets import check_offsets, relative_positions
from attention_core.seeding import seeded
from attention_core.shapes import HeadKeys, Heads, Scores

__all__ = ["ALiBi", "T5Buckets", "alibi_slopes", "t5_buckets"]


def _check_heads(scores: Tensor, num_heads: int) -> None:
    if scores.shape[1] != num_heads:
        raise ValueError(
            f"scores with {scores.shape[1]} heads: allowed are {num_heads}, the num_heads of the bias"
        )


def alibi_slopes(num_heads: int) -> tuple[float, ...]:
    """One slope a head: 2^(-8 h / n) for h = 1 .. n when n is a power of two.

    For any other count, the slopes of the largest power of two p below it come first, then every second slope
    of 2 p, from its first on, until there are enough.

    Press, Smith and Lewis 2022, "Train short, test long", section 3 and its reference code.

    >>> alibi_slopes(4)
    (0.25, 0.0625, 0.015625, 0.00390625)
    >>> alibi_slopes(3)
    (0.0625, 0.00390625, 0.25)
    """
    whole("num_heads", num_heads, 1)
    power = 1 << (num_heads.bit_length() - 1)
    first = [2.0 ** (-8.0 * h / power) for h in range(1, power + 1)]
    between = [2.0 ** (-4.0 * h / power) for h in range(1, 2 * power + 1, 2)]
    return tuple(first + between[: num_heads - power])


@dataclass(frozen=True)
class ALiBi(Mod):
    """Attention with linear biases: the farther a key, the lower its score, at one slope a head.

    bias[h, i, j] = -slope_h * |i - j|, added after scaling

    The paper defines it for causal attention, where j <= i and the bias is -slope_h (i - j). Where keys ahead
    may be seen too, the distance counts the same on both sides (the symmetric form its authors suggest for
    encoders), so one formula serves both. num_heads from 1, and the scores must have as many heads, else
    ValueError. Slopes: `alibi_slopes`.

    Press, Smith and Lewis 2022, "Train short, test long: Attention with linear biases", equation in section
    3.

    >>> ALiBi(num_heads=8).bias(2, 3)[0]
    tensor([[ 0.0000, -0.5000, -1.0000],
            [-0.5000,  0.0000, -0.5000]], dtype=torch.float64)
    """

    num_heads: int
    query_offset: int = 0
    key_offset: int = 0

    def __post_init__(self) -> None:
        whole("num_heads", self.num_heads, 1)
        check_offsets(self.query_offset, self.key_offset)

    def bias(self, queries: int, keys: int) -> Tensor:
        """What is added to the scores, (head, query, key), in float64."""
        distance = relative_positions(queries, keys, self.query_offset, self.key_offset).abs()  # (query, key)
        slopes = torch.tensor(alibi_slopes(self.num_heads), dtype=torch.float64)  # (head,)
        return slopes[:, None, None] * -distance  # (head, query, key)

    def on_scores(self, scores: Scores, q: Heads, k: HeadKeys, scale: float) -> Scores:
        """Add the bias to the scores (batch, head, query, key)."""
        _check_heads(scores, self.num_heads)
        return scores + self.bias(scores.shape[-2], scores.shape[-1]).to(scores)  # (batch, head, query, key)


def _thresholds(exact: int, rows: int, max_distance: int) -> list[int]:
    """The least distance of each logarithmic bucket after the first.

    The paper's code floors log(n / exact) / log(max_distance / exact) * rows, which rounding may push under a
    whole number. The same comparison without logarithms is n^rows >= exact^(rows - t) * max_distance^t, and
    whole numbers are exact.
    """
    least = []
    for t in range(1, rows):
        target = exact ** (rows - t) * max_distance**t
        low, high = exact, max_distance  # n = max_distance always reaches the target
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if middle**rows >= target else (middle + 1, high)
        least.append(low)
    return least


def t5_buckets(
    relative: Tensor, *, num_buckets: int = 32, max_distance: int = 128, bidirectional: bool = True
) -> Tensor:
    """The bucket of each relative position i - j (query minus key), whole numbers in [0, num_buckets).

    A direction has B buckets. Distances below E = B // 2 have a bucket each; from there to max_distance the
    buckets grow with the logarithm, E + floor(log(n / E) / log(max_distance / E) * (B - E)), and the last one
    takes everything farther. Bidirectional: B = num_buckets / 2, and keys ahead of the query take the upper
    half. Otherwise B = num_buckets and every key ahead falls in bucket 0. ValueError when num_buckets is too
    small (2; bidirectional an even number from 4) or max_distance is not above E.

    Raffel et al. 2020, "Exploring the limits of transfer learning" (T5), section 2.1 and its code.

    >>> t5_buckets(torch.tensor([0, 1, 7, 8, 127, 128, -1, -128]))
    tensor([ 0,  1,  7,  8, 15, 15, 17, 31])
    """
    least = 4 if bidirectional else 2
    whole("num_buckets", num_buckets, least)
    if bidirectional and num_buckets % 2:
        raise ValueError(f"num_buckets={num_buckets}: allowed are even numbers, one half for each direction")
    rows = num_buckets // 2 if bidirectional else num_buckets
    exact = rows // 2
    whole("max_distance", max_distance, exact + 1)
    distance = relative.abs() if bidirectional else relative.clamp(min=0)
    steps = torch.tensor(
        _thresholds(exact, rows - exact, max_distance), dtype=torch.long, device=relative.device
    )
    far = exact + torch.bucketize(distance, steps, right=True)  # thresholds that the distance has reached
    bucket = torch.where(distance < exact, distance, far)
    return bucket + rows * (relative < 0) if bidirectional else bucket


@dataclass(frozen=True, eq=False)
class T5Buckets(Mod):
    """Relative position buckets: each head has one learned number for each range of distances.

    bias[h, i, j] = table[bucket(i - j), h], added after scaling. Buckets: `t5_buckets`.

    `table` (num_buckets, head) may be given; without one it is N(0, 1), drawn from `seed`. The original does
    not divide scores by sqrt(d_k); here the score function decides. Wrong numbers, a table of another shape
    or scores with other heads: ValueError.

    Raffel et al. 2020, "Exploring the limits of transfer learning with a unified text-to-text transformer",
    section 2.1.

    >>> T5Buckets(1, torch.tensor([[0.0], [1.0], [2.0], [3.0]]), num_buckets=4, max_distance=2).bias(3, 3)[0]
    tensor([[0., 3., 3.],
            [1., 0., 3.],
            [1., 1., 0.]])
    """

    num_heads: int
    table: Tensor | None = None
    seed: int = 0
    num_buckets: int = 32
    max_distance: int = 128
    bidirectional: bool = True
    query_offset: int = 0
    key_offset: int = 0

    def __post_init__(self) -> None:
        whole("num_heads", self.num_heads, 1)
        whole("seed", self.seed, 0)
        check_offsets(self.query_offset, self.key_offset)
        self.buckets(1, 1)  # checks num_buckets and max_distance
        expected = (self.num_buckets, self.num_heads)
        if self.table is None:
            generator = seeded(self.seed, "T5 buckets")
            drawn = torch.randn(expected, generator=generator, dtype=torch.float32)  # (bucket, head)
            object.__setattr__(self, "table", drawn)
        elif tuple(self.table.shape) != expected:
            raise ValueError(
                f"table of shape {tuple(self.table.shape)}: allowed is "
                f"(num_buckets, num_heads), here {expected}"
            )

    def buckets(self, queries: int, keys: int) -> Tensor:
        """The bucket of every pair, (query, key)."""
        relative = relative_positions(queries, keys, self.query_offset, self.key_offset)  # (query, key)
        return t5_buckets(
            relative,
            num_buckets=self.num_buckets,
            max_distance=self.max_distance,
            bidirectional=self.bidirectional,
        )  # (query, key)

    def bias(self, queries: int, keys: int) -> Tensor:
        """What is added to the scores, (head, query, key)."""
        assert self.table is not None  # set by __post_init__
        buckets = self.buckets(queries, keys).to(self.table.device)  # (query, key)
        return self.table[buckets].permute(2, 0, 1)  # (head, query, key)

    def on_scores(self, scores: Scores, q: Heads, k: HeadKeys, scale: float) -> Scores:
        """Add the bias to the scores (batch, head, query, key)."""
        _check_heads(scores, self.num_heads)
        return scores + self.bias(scores.shape[-2], scores.shape[-1]).to(scores)  # (batch, head, query, key)
