"""The three places where position can enter attention, by name.

Added to x:            "sinusoidal", "learned"                       -> `position_encoding`
A rotation of q and k: "rope"                                        -> `position_mods`
A change of the scores: "alibi", "t5", "shaw", "transformer_xl"      -> `position_mods`

"none" enters nowhere: attention then sees a bag of tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor

from attention_core.checks import whole
from attention_core.functional import Mod
from attention_core.positions.added import learned, sinusoidal, sinusoids
from attention_core.positions.offsets import relative_positions
from attention_core.positions.relative import Shaw, TransformerXL
from attention_core.positions.rotary import RoPE
from attention_core.positions.score_bias import ALiBi, T5Buckets, alibi_slopes, t5_buckets

__all__ = [
    "POSITIONS",
    "ALiBi",
    "RoPE",
    "Shaw",
    "T5Buckets",
    "TransformerXL",
    "alibi_slopes",
    "learned",
    "position_encoding",
    "position_mods",
    "relative_positions",
    "sinusoidal",
    "sinusoids",
    "t5_buckets",
]

POSITIONS = ("none", "sinusoidal", "learned", "rope", "alibi", "t5", "shaw", "transformer_xl")


def _check_name(name: str) -> None:
    if name not in POSITIONS:
        raise ValueError(f"position={name!r}: allowed are {', '.join(POSITIONS)}")


def position_encoding(
    name: str,
    length: int,
    width: int,
    seed: int,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Tensor | None:
    """What is added to the embeddings, (length, width), or None for a scheme that adds nothing to them.

    ValueError for a name outside POSITIONS, and for wrong lengths, widths and seeds under every name.

    >>> position_encoding("sinusoidal", 3, 4, seed=0).shape
    torch.Size([3, 4])
    >>> position_encoding("rope", 3, 4, seed=0) is None
    True
    """
    _check_name(name)
    whole("length", length, 0)
    whole("width", width, 1)
    whole("seed", seed, 0)
    if name == "sinusoidal":
        return sinusoidal(length, width, dtype=dtype, device=device)
    if name == "learned":
        return learned(length, width, seed, dtype=dtype, device=device)
    return None


def position_mods(
    name: str,
    *,
    num_heads: int,
    d_k: int,
    seed: int,
    bidirectional: bool = True,
    query_offset: int = 0,
    key_offset: int = 0,
) -> tuple[Mod, ...]:
    """What changes the queries and keys or the scores: a tuple for `attention(mods=...)`.

    Empty for a scheme that changes neither.

    `bidirectional` is for T5, whose buckets differ: False where no query sees a key ahead of it (a causal
    mask). The others have one formula for both. ValueError for a name outside POSITIONS or numbers out of
    range, under every name.

    >>> position_mods("alibi", num_heads=2, d_k=4, seed=0)
    (ALiBi(num_heads=2, query_offset=0, key_offset=0),)
    >>> position_mods("sinusoidal", num_heads=2, d_k=4, seed=0)
    ()
    """
    _check_name(name)
    whole("num_heads", num_heads, 1)
    whole("d_k", d_k, 1)
    whole("seed", seed, 0)
    if name == "rope":
        return (RoPE(query_offset=query_offset, key_offset=key_offset),)
    if name == "alibi":
        return (ALiBi(num_heads, query_offset, key_offset),)
    if name == "t5":
        return (
            T5Buckets(
                num_heads,
                seed=seed,
                bidirectional=bidirectional,
                query_offset=query_offset,
                key_offset=key_offset,
            ),
        )
    if name == "shaw":
        return (Shaw.random(d_k, seed=seed, query_offset=query_offset, key_offset=key_offset),)
    if name == "transformer_xl":
        return (
            TransformerXL.random(num_heads, d_k, seed=seed, query_offset=query_offset, key_offset=key_offset),
        )
    return ()
