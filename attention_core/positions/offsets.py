"""Where queries and keys stand and how far apart: what every relative position scheme starts from."""

from __future__ import annotations

import torch
from torch import Tensor

from attention_core.checks import whole

__all__ = ["check_offsets", "relative_positions"]


def check_offsets(query_offset: int, key_offset: int) -> None:
    """ValueError unless both offsets are whole numbers from 0."""
    whole("query_offset", query_offset, 0)
    whole("key_offset", key_offset, 0)


def relative_positions(queries: int, keys: int, query_offset: int = 0, key_offset: int = 0) -> Tensor:
    """i - j for every pair, (query, key): positive where the key lies behind the query.

    The first query stands at query_offset and the first key at key_offset. Both are 0 unless, say, the
    queries are the last tokens of a text whose keys are cached. In cross-attention both texts count from 0.

    >>> relative_positions(2, 3, query_offset=1)
    tensor([[ 1,  0, -1],
            [ 2,  1,  0]])
    """
    i = torch.arange(queries) + query_offset  # (query,)
    j = torch.arange(keys) + key_offset  # (key,)
    return i[:, None] - j[None, :]  # (query, key)
