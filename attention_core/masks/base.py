"""What every mask can do, and how masks combine: `&` is And, `|` is Or, `~` is Not.

True = may attend, everywhere in this project; only `mask_conventions` speaks otherwise, for the libraries
that do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attention_core.masks import conventions
from attention_core.masks.fields import shown, whole_number
from attention_core.shapes import Allowed

MAX_DEPTH = 16  # of masks inside masks
MAX_PARTS = 64  # simple masks in one combination

Indices = Int[Tensor, "..."]


def as_written(message: str) -> str:
    """The translator that translates nothing: English is the source."""
    return message


class Mask(ABC):
    """Who may attend to whom: a predicate on (batch, head, query index, key index), True = may attend.

    The parameters are those of FlexAttention's `mask_mod` (Dong et al. 2024, arXiv:2412.05496;
    `torch.nn.attention.flex_attention`), so a mask can be handed to `create_block_mask` as it is.

    >>> from attention_core.masks import Causal, Window
    >>> mask = Causal() & Window(3)
    >>> print(mask)
    causal and window 3
    >>> mask.materialize(1, 1, 4, 4)[0, 0].int()
    tensor([[1, 0, 0, 0],
            [1, 1, 0, 0],
            [1, 1, 1, 0],
            [0, 1, 1, 1]], dtype=torch.int32)
    """

    @property
    @abstractmethod
    def depends_on(self) -> frozenset[str]:
        """Which of "b", "h", "q", "k" the answer may depend on; along the others it is constant."""

    @abstractmethod
    def allows(self, b: Indices, h: Indices, q: Indices, k: Indices) -> Allowed:
        """The rule itself; its shape may be any that broadcasts to that of the four indices together."""

    @abstractmethod
    def expression(self) -> str:
        """The rule as a Python expression over integer tensors b, h, q, k (and `torch`), for generated code.

        It is valid in eager PyTorch and as the body of a FlexAttention `mask_mod`, and gives what
        `materialize` gives (up to broadcasting) for all sizes that `materialize` accepts.

        >>> from attention_core.masks import Causal, Window
        >>> (Causal() & Window(3)).expression()
        '(k <= q) & (abs(q - k) < 3)'
        """

    def __call__(self, b: Indices, h: Indices, q_idx: Indices, kv_idx: Indices) -> Allowed:
        """Whether query `q_idx` may attend to key `kv_idx` in head `h` of batch row `b`.

        Indices are integer tensors from 0 that broadcast together; the answer has their common shape.
        """
        allowed = self.allows(b, h, q_idx, kv_idx)
        shape = torch.broadcast_shapes(b.shape, h.shape, q_idx.shape, kv_idx.shape)  # type: ignore[no-untyped-call]
        return allowed.expand(shape)

    def check_sizes(self, batch: int, heads: int, queries: int, keys: int) -> None:
        """ValueError unless the mask can be laid out at this size."""
        for field, size in (("batch", batch), ("heads", heads), ("queries", queries), ("keys", keys)):
            whole_number(field, size, least=1)

    def compact(
        self, batch: int, heads: int, queries: int, keys: int, *, device: torch.device | str | None = None
    ) -> Bool[Tensor, "batch_or_1 heads_or_1 queries_or_1 keys_or_1"]:
        """`materialize` with size 1 along every axis that the mask does not depend on."""
        self.check_sizes(batch, heads, queries, keys)
        asked = zip("bhqk", (batch, heads, queries, keys), strict=True)
        sizes = [size if name in self.depends_on else 1 for name, size in asked]
        indices = [
            torch.arange(size, device=device).view([-1 if axis == at else 1 for axis in range(4)])
            for at, size in enumerate(sizes)
        ]
        return self.allows(*indices).expand(sizes)  # (batch | 1, heads | 1, queries | 1, keys | 1)

    def materialize(
        self, batch: int, heads: int, queries: int, keys: int, *, device: torch.device | str | None = None
    ) -> Bool[Tensor, "{batch} {heads} {queries} {keys}"]:
        """The mask laid out: element [b, h, i, j] is True where query i may attend to key j.

        An expanded view: an axis that the mask does not depend on costs no memory. `.clone()` it before
        writing. Raises ValueError when a size is below 1, or does not fit what the mask holds (`Explicit`,
        `Padding`).
        """
        return self.compact(batch, heads, queries, keys, device=device).expand(batch, heads, queries, keys)

    def to_sdpa(
        self, queries: int, keys: int, *, batch: int = 1, heads: int = 1
    ) -> Bool[Tensor, "{batch} {heads} {queries} {keys}"]:
        """For `F.scaled_dot_product_attention(attn_mask=...)`; see `conventions.to_sdpa`."""
        return conventions.to_sdpa(self, queries, keys, batch=batch, heads=heads)

    def to_mha(
        self, queries: int, keys: int, *, batch: int = 1, heads: int = 1
    ) -> Bool[Tensor, "*batch_heads {queries} {keys}"]:
        """For `nn.MultiheadAttention(..., attn_mask=...)`; see `conventions.to_mha`."""
        return conventions.to_mha(self, queries, keys, batch=batch, heads=heads)

    def to_additive(
        self, queries: int, keys: int, *, batch: int = 1, heads: int = 1, dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "{batch} {heads} {queries} {keys}"]:
        """To be added to the scores: 0 or minus infinity; see `conventions.to_additive`."""
        return conventions.to_additive(self, queries, keys, batch=batch, heads=heads, dtype=dtype)

    def to_hf(self, queries: int, keys: int, *, batch: int = 1, heads: int = 1) -> Int[Tensor, "*shape"]:
        """For Hugging Face's `attention_mask`: 1 = keep; see `conventions.to_hf`."""
        return conventions.to_hf(self, queries, keys, batch=batch, heads=heads)

    def __and__(self, other: Mask) -> Mask:
        """Allowed where both allow."""
        return And((self, other)) if isinstance(other, Mask) else NotImplemented

    def __or__(self, other: Mask) -> Mask:
        """Allowed where either allows."""
        return Or((self, other)) if isinstance(other, Mask) else NotImplemented

    def __invert__(self) -> Mask:
        """Allowed where this forbids; `~~mask` is `mask` again."""
        return self.mask if isinstance(self, Not) else Not(self)

    def __str__(self) -> str:
        """As a person would say it: "causal and window 3"."""
        return self.phrase()

    def phrase(self, translate: Callable[[str], str] = as_written) -> str:
        """As a person would say it; `translate` maps each English message, as gettext does."""
        from attention_core.masks import words  # they know every kind of mask, so they are imported late

        return words.phrase(self, translate)

    def sentence(self, translate: Callable[[str], str] = as_written, *, cross: bool = False) -> str:
        """One sentence that says who sees whom; `translate` maps each English message.

        In `cross` attention it speaks of queries, and of the keys of another text.

        >>> from attention_core.masks import Causal, Window
        >>> (Causal() & Window(3)).sentence()
        'Each token sees itself and the 2 before it.'
        """
        from attention_core.masks import sentences

        return sentences.sentence(self, translate, cross)


@dataclass(frozen=True)
class Combination(Mask):
    """What And and Or share: two or more masks, in the order given, without nesting of the same kind."""

    masks: tuple[Mask, ...]

    def __post_init__(self) -> None:
        flat: list[Mask] = []
        for mask in self.masks:
            if not isinstance(mask, Mask):
                raise ValueError(f"masks={shown(self.masks)}: allowed are masks")
            # (a & b) & c and a & (b & c) are the same value: compare, hash, print and share alike
            flat.extend(mask.masks if isinstance(mask, Combination) and type(mask) is type(self) else (mask,))
        if len(flat) < 2:
            raise ValueError(f"masks={shown(self.masks)}: allowed are 2 masks or more")
        object.__setattr__(self, "masks", tuple(flat))
        check_extent(self)

    @property
    def depends_on(self) -> frozenset[str]:
        """What any of the masks depends on."""
        return frozenset().union(*(mask.depends_on for mask in self.masks))

    def check_sizes(self, batch: int, heads: int, queries: int, keys: int) -> None:
        """Every mask has to fit."""
        for mask in self.masks:
            mask.check_sizes(batch, heads, queries, keys)


@dataclass(frozen=True)
class And(Combination):
    """Allowed where every one of the masks allows; written `a & b`.

    >>> from attention_core.masks import Blocks, Causal
    >>> print(And((Causal(), Blocks(2))))
    causal and blocks of 2
    """

    def allows(self, b: Indices, h: Indices, q: Indices, k: Indices) -> Allowed:
        """All of them."""
        allowed = self.masks[0].allows(b, h, q, k)
        for mask in self.masks[1:]:
            allowed = allowed & mask.allows(b, h, q, k)
        return allowed

    def expression(self) -> str:
        """`(first) & (second)`."""
        return " & ".join(f"({mask.expression()})" for mask in self.masks)


@dataclass(frozen=True)
class Or(Combination):
    """Allowed where at least one of the masks allows; written `a | b`.

    >>> from attention_core.masks import Causal, Prefix
    >>> print(Or((Causal(), Prefix(2))))
    causal or prefix 2
    """

    def allows(self, b: Indices, h: Indices, q: Indices, k: Indices) -> Allowed:
        """Any of them."""
        allowed = self.masks[0].allows(b, h, q, k)
        for mask in self.masks[1:]:
            allowed = allowed | mask.allows(b, h, q, k)
        return allowed

    def expression(self) -> str:
        """`(first) | (second)`."""
        return " | ".join(f"({mask.expression()})" for mask in self.masks)


@dataclass(frozen=True)
class Not(Mask):
    """Allowed where the mask forbids; written `~a`.

    >>> from attention_core.masks import Causal, Window
    >>> print(Not(Causal() & Window(3)))
    not (causal and window 3)
    """

    mask: Mask

    def __post_init__(self) -> None:
        if not isinstance(self.mask, Mask):
            raise ValueError(f"mask={shown(self.mask)}: allowed are masks")
        check_extent(self)

    @property
    def depends_on(self) -> frozenset[str]:
        """What the mask depends on."""
        return self.mask.depends_on

    def check_sizes(self, batch: int, heads: int, queries: int, keys: int) -> None:
        """The mask has to fit."""
        self.mask.check_sizes(batch, heads, queries, keys)

    def allows(self, b: Indices, h: Indices, q: Indices, k: Indices) -> Allowed:
        """The opposite."""
        return ~self.mask.allows(b, h, q, k)

    def expression(self) -> str:
        """`~(mask)`."""
        return f"~({self.mask.expression()})"


def extent(mask: Mask) -> tuple[int, int]:
    """How deep masks are nested, and how many simple masks there are: (1, 1) for a simple one."""
    if isinstance(mask, Not):
        depth, parts = extent(mask.mask)
        return depth + 1, parts
    if isinstance(mask, Combination):
        inner = [extent(part) for part in mask.masks]
        return 1 + max(depth for depth, _ in inner), sum(parts for _, parts in inner)
    return 1, 1


def check_extent(mask: Mask) -> None:
    """ValueError when a mask is nested deeper than MAX_DEPTH or made of more than MAX_PARTS simple ones."""
    depth, parts = extent(mask)
    if depth > MAX_DEPTH:
        raise ValueError(f"mask nested {depth} deep: allowed are at most {MAX_DEPTH}")
    if parts > MAX_PARTS:
        raise ValueError(f"mask of {parts} parts: allowed are at most {MAX_PARTS}")
