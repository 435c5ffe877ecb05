"""The same mask as each library writes it: polarities differ, and a flipped mask fails silently.

| library | type | keep | forbid | shape |
|---|---|---|---|---|
| ours, `F.scaled_dot_product_attention` | bool | True | False | (batch, head, query, key) |
| `nn.MultiheadAttention` `attn_mask` | bool | False | True | (query, key) or (batch * head, query, key) |
| added to the scores | float | 0 | -inf | (batch, head, query, key) |
| Hugging Face `attention_mask` | int64 | 1 | 0 | (batch, key) or (batch, head or 1, query, key) |

A query that may attend to nothing (PyTorch 2.13): `scaled_dot_product_attention` gives zeros for it with
the boolean and the additive mask alike; `nn.MultiheadAttention` gives NaN with `need_weights=True` (the
default), and with `need_weights=False` the output projection's bias while gradients are recorded, NaN while not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from attention_core.masks.base import Mask


def to_sdpa(
    mask: Mask, queries: int, keys: int, *, batch: int = 1, heads: int = 1
) -> Bool[Tensor, "{batch} {heads} {queries} {keys}"]:
    """The `attn_mask` of `torch.nn.functional.scaled_dot_product_attention`: bool, True = keep.

    Its `is_causal=True` is `Causal()`, aligned top-left also when there are more keys than queries.

    >>> from attention_core.masks import Causal
    >>> Causal().to_sdpa(2, 3)
    tensor([[[[ True, False, False],
              [ True,  True, False]]]])
    """
    return mask.materialize(batch, heads, queries, keys)


def to_mha(
    mask: Mask, queries: int, keys: int, *, batch: int = 1, heads: int = 1
) -> Bool[Tensor, "*batch_heads {queries} {keys}"]:
    """The `attn_mask` of `torch.nn.MultiheadAttention`: bool, True = forbid.

    Shape (queries, keys) when the mask is the same for every batch row and head; else (batch * heads,
    queries, keys), where row b * heads + h is head h of batch row b. With padding inside the mask, leave
    `key_padding_mask` alone.

    >>> from attention_core.masks import Causal
    >>> Causal().to_mha(2, 3)
    tensor([[False,  True,  True],
            [False, False,  True]])
    """
    forbidden = ~mask.compact(batch, heads, queries, keys)  # (batch | 1, heads | 1, queries | 1, keys | 1)
    if mask.depends_on.isdisjoint({"b", "h"}):
        return forbidden[0, 0].expand(queries, keys)
    return forbidden.expand(batch, heads, queries, keys).reshape(batch * heads, queries, keys)


def to_additive(
    mask: Mask, queries: int, keys: int, *, batch: int = 1, heads: int = 1, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "{batch} {heads} {queries} {keys}"]:
    """What is added to the scores before the softmax: 0 = keep, minus infinity = forbid.

    For `scaled_dot_product_attention` the dtype has to be that of the queries. Raises ValueError for a
    dtype that cannot hold minus infinity.

    >>> from attention_core.masks import Causal
    >>> Causal().to_additive(2, 3)
    tensor([[[[0., -inf, -inf],
              [0., 0., -inf]]]])
    """
    if not dtype.is_floating_point:
        raise ValueError(f"dtype={dtype}: allowed are floating-point types such as torch.float32")
    allowed = mask.compact(batch, heads, queries, keys)
    added = torch.zeros(allowed.shape, dtype=dtype).masked_fill(~allowed, -torch.inf)
    return added.expand(batch, heads, queries, keys)


def to_hf(mask: Mask, queries: int, keys: int, *, batch: int = 1, heads: int = 1) -> Int[Tensor, "*shape"]:
    """The `attention_mask` of Hugging Face transformers: int64, 1 = keep, 0 = forbid.

    Shape (batch, keys), the form every model takes, when the mask depends on key and batch row alone
    (padding); a causal model adds its own causal part to it. Else (batch, 1, queries, keys), or (batch,
    heads, queries, keys) for a mask that depends on the head. Note that transformers from 4.41 on uses a
    mask of four dimensions as it is, without turning 0 into minus infinity: hand it `.bool()` of this with
    `attn_implementation="sdpa"`, and `to_additive` with `"eager"` (huggingface/transformers#32195).

    >>> from attention_core.masks import Causal, Padding
    >>> Padding((1, 3)).to_hf(4, 4, batch=2)
    tensor([[1, 0, 0, 0],
            [1, 1, 1, 0]])
    >>> Causal().to_hf(2, 3)
    tensor([[[[1, 0, 0],
              [1, 1, 0]]]])
    """
    keep = mask.compact(batch, heads, queries, keys).long()  # (batch | 1, heads | 1, queries | 1, keys | 1)
    if mask.depends_on <= {"b", "k"}:
        return keep[:, 0, 0].expand(batch, keys)
    return keep.expand(batch, keep.shape[1], queries, keys)
