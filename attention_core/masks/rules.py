"""Masks as values: who may attend to whom, as a predicate on (batch, head, query index, key index).

True = may attend, everywhere, always. A mask compares, hashes, prints and combines with `&`, `|` and `~`; a
prefix language model is `Causal() | Prefix(n)`, and a sliding window over the past is `Causal() &
Window(n)`.

>>> import torch
>>> from torch.nn.functional import scaled_dot_product_attention
>>> mask = Causal() & ~Prefix(1)
>>> mask.sentence()
'Each token sees itself and every token before it, but not the first token.'
>>> q = k = v = torch.ones(1, 1, 3, 2)
>>> scaled_dot_product_attention(q, k, v, attn_mask=mask.to_sdpa(3, 3))[0, 0, :, 0]
tensor([0., 1., 1.])
"""

from __future__ import annotations

from dataclasses import dataclass

from attention_core.masks.base import And, Indices, Mask, Not, Or
from attention_core.masks.fields import LARGEST, whole_number
from attention_core.masks.tables import Documents, Explicit, Global, Padding
from attention_core.shapes import Allowed

__all__ = [
    "And", "Blocks", "Causal", "Dilated", "Documents", "Explicit", "Full", "Global", "Mask", "Not", "Or",
    "Padding", "Prefix", "Window",
]

Q_AND_K = frozenset("qk")


@dataclass(frozen=True)
class Full(Mask):
    """Every query may attend to every key.

    >>> Full().materialize(1, 1, 2, 3)[0, 0].int().tolist()
    [[1, 1, 1], [1, 1, 1]]
    """

    @property
    def depends_on(self) -> frozenset[str]:
        """Nothing."""
        return frozenset()

    def allows(self, b: Indices, h: Indices, q: Indices, k: Indices) -> Allowed:
        """Always."""
        return k >= 0

    def expression(self) -> str:
        """A tensor that is True everywhere, so that it combines like the others."""
        return "k >= 0"


@dataclass(frozen=True)
class Causal(Mask):
    """Key j for query i where j <= i + offset: the past (Vaswani et al. 2017, section 3.2.3).

    `offset` shifts the diagonal: 0 aligns the first query with the first key (top-left, as `is_causal=True`
    of `scaled_dot_product_attention` does), `keys - queries` the last with the last (see `bottom_right`);
    -1 forbids the token itself. Whole numbers from -1000000 to 1000000; else ValueError.

    >>> Causal().materialize(1, 1, 2, 3)[0, 0].int().tolist()
    [[1, 0, 0], [1, 1, 0]]
    """

    offset: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "offset", whole_number("offset", self.offset, -LARGEST))

    @classmethod
    def bottom_right(cls, queries: int, keys: int) -> Causal:
        """The last query sees every key: offset = keys - queries, for queries that continue a cached text.

        It is `torch.nn.attention.bias.causal_lower_right`. With more queries than keys, the first ones see
        nothing.

        >>> Causal.bottom_right(2, 3).materialize(1, 1, 2, 3)[0, 0].int().tolist()
        [[1, 1, 0], [1, 1, 1]]
        """
        return cls(whole_number("keys", keys, least=1) - whole_number("queries", queries, least=1))

    @property
    def depends_on(self) -> frozenset[str]:
        """Query and key."""
        return Q_AND_K

    def allows(self, b: Indices, h: Indices, q: Indices, k: Indices) -> Allowed:
        """j <= i + offset."""
        return k <= q + self.offset

    def expression(self) -> str:
        """`k <= q`, or with the offset."""
        if self.offset == 0:
            return "k <= q"
        return f"k <= q {'+' if self.offset > 0 else '-'} {abs(self.offset)}"


@dataclass(frozen=True)
class Window(Mask):
    """Key j for query i where |i - j| < width: the token itself, width - 1 before it and width - 1 after it.

    The sliding window of Longformer (Beltagy et al. 2020, section 3.1, arXiv:2004.05150), whose w is
    2 (width - 1). `Causal() & Window(3)` is the token itself and the 2 before it. `width` from 1 to 1000000;
    else ValueError.

    >>> Window(2).materialize(1, 1, 3, 3)[0, 0].int().tolist()
    [[1, 1, 0], [1, 1, 1], [0, 1, 1]]
    """

    width: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", whole_number("width", self.width, least=1))

    @property
    def depends_on(self) -> frozenset[str]:
        """Query and key."""
        return Q_AND_K

    def allows(self, b: Indices, h: Indices, q: Indices, k: Indices) -> Allowed:
        """|i - j| < width."""
        return (q - k).abs() < self.width

    def expression(self) -> str:
        """`abs(q - k) < width`."""
        return f"abs(q - k) < {self.width}"


@dataclass(frozen=True)
class Dilated(Mask):
    """Key j for query i where |i - j| is 0, step, 2 step, ..., (width - 1) step: a window with gaps.

    The dilated sliding window of Longformer (Beltagy et al. 2020, section 3.1, arXiv:2004.05150).
    `Dilated(width, 1)` allows what `Window(width)` allows. `width` and `step` from 1 to 1000000; else
    ValueError.

    >>> Dilated(2, 2).materialize(1, 1, 4, 4)[0, 0].int().tolist()
    [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]]
    """

    width: int
    step: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", whole_number("width", self.width, least=1))
        object.__setattr__(self, "step", whole_number("step", self.step, least=1))

    @property
    def depends_on(self) -> frozenset[str]:
        """Query and key."""
        return Q_AND_K

    def allows(self, b: Indices, h: Indices, q: Indices, k: Indices) -> Allowed:
        """|i - j| is a multiple of step, and less than width steps."""
        distance = (q - k).abs()
        return (distance < self.width * self.step) & (distance % self.step == 0)

    def expression(self) -> str:
        """The distance, its bound and its remainder."""
        return f"(abs(q - k) < {self.width * self.step}) & (abs(q - k) % {self.step} == 0)"


@dataclass(frozen=True)
class Blocks(Mask):
    """Key j for query i where floor(i / size) = floor(j / size): each sees its own block and no other.

    The blocks of Qiu et al. 2020 (arXiv:1911.02972) on the diagonal. `size` from 1 to 1000000; else
    ValueError.

    >>> Blocks(2).materialize(1, 1, 3, 3)[0, 0].int().tolist()
    [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    """

    size: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", whole_number("size", self.size, least=1))

    @property
    def depends_on(self) -> frozenset[str]:
        """Query and key."""
        return Q_AND_K

    def allows(self, b: Indices, h: Indices, q: Indices, k: Indices) -> Allowed:
        """The same block."""
        return q // self.size == k // self.size

    def expression(self) -> str:
        """`q // size == k // size`."""
        return f"q // {self.size} == k // {self.size}"


@dataclass(frozen=True)
class Prefix(Mask):
    """Key j for every query where j < length: the first tokens are open to all.

    With `Causal() | Prefix(n)` it is the prefix language model (Raffel et al. 2020, figure 3,
    arXiv:1910.10683). `length` from 0 (nothing is open) to 1000000; else ValueError.

    >>> (Causal() | Prefix(2)).materialize(1, 1, 3, 3)[0, 0].int().tolist()
    [[1, 1, 0], [1, 1, 0], [1, 1, 1]]
    """

    length: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", whole_number("length", self.length, least=0))

    @property
    def depends_on(self) -> frozenset[str]:
        """The key alone."""
        return frozenset("k")

    def allows(self, b: Indices, h: Indices, q: Indices, k: Indices) -> Allowed:
        """j < length."""
        return k < self.length

    def expression(self) -> str:
        """`k < length`."""
        return f"k < {self.length}"
