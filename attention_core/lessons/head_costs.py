"""What heads cost: parameters and operations by their number, the key/value cache, and the table of the first paper."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from attention_core.costs import flop_count, kv_cache_size, parameter_count

__all__ = ["LLAMA_2_70B", "TABLE_3A", "CacheRow", "Cost", "TableRow", "cache_rows", "costs"]


@dataclass(frozen=True)
class TableRow:
    """One row of table 3: heads, their widths, perplexity per wordpiece and BLEU on newstest2013."""

    heads: int
    d_k: int
    d_v: int
    perplexity: float
    bleu: float


# Vaswani et al. 2017, "Attention Is All You Need", table 3, rows (A) and, for 8 heads, the base model; d_model is 512.
TABLE_3A = (
    TableRow(1, 512, 512, 5.29, 24.9),
    TableRow(4, 128, 128, 5.00, 25.5),
    TableRow(8, 64, 64, 4.92, 25.8),
    TableRow(16, 32, 32, 4.91, 25.8),
    TableRow(32, 16, 16, 5.01, 25.4),
)


@dataclass(frozen=True)
class Cost:
    """What one number of heads costs: parameters and operations, by part."""

    heads: int
    d_k: int
    parameters: dict[str, int]
    flops: dict[str, int]


def costs(counts: Iterable[int], *, d_model: int, tokens: int, d_head: int | None = None) -> tuple[Cost, ...]:
    """The cost of each number of heads with d_k = d_v = d_model / heads, or = `d_head` for every head.

    Parameters by W_Q, W_K, W_V, W_O, without biases; operations of one sentence of `tokens` tokens by part, as
    `costs.flop_count` counts them. ValueError where d_model cannot be divided.

    >>> [sum(cost.parameters.values()) for cost in costs((1, 8), d_model=512, tokens=10)]
    [1048576, 1048576]
    >>> [sum(cost.parameters.values()) for cost in costs((1, 8), d_model=512, tokens=10, d_head=64)]
    [131072, 1048576]
    """
    found = []
    for heads in counts:
        if d_head is None and d_model % heads:
            raise ValueError(f"heads={heads}: allowed are divisors of d_model={d_model}")
        width = d_model // heads if d_head is None else d_head
        parameters = parameter_count(d_model, heads, width, width)
        flops = flop_count(tokens, tokens, d_model=d_model, num_heads=heads, d_k=width, d_v=width)
        learned = {name: count for name, count in parameters.items() if name.startswith("w_")}
        found.append(Cost(heads, width, learned, flops))
    return tuple(found)


@dataclass(frozen=True)
class CacheRow:
    """What the keys and values of the past take, in bytes, when `kv_heads` heads keep them."""

    kv_heads: int
    per_token: int
    total: int


# Touvron et al. 2023, "Llama 2", and the published configuration of the 70B model.
LLAMA_2_70B = {"heads": 64, "kv_heads": 8, "d_k": 128, "d_v": 128, "layers": 80}


def cache_rows(*, heads: int, d_k: int, d_v: int, layers: int, tokens: int) -> tuple[CacheRow, ...]:
    """The key/value cache for every number of key/value heads that divides `heads`, in 2-byte numbers.

    The first row is multi-query attention (one head), the last one multi-head attention.

    >>> rows = cache_rows(heads=4, d_k=8, d_v=8, layers=1, tokens=10)
    >>> [(row.kv_heads, row.total) for row in rows]
    [(1, 320), (2, 640), (4, 1280)]
    """
    return tuple(
        CacheRow(
            kv,
            kv_cache_size(1, num_kv_heads=kv, d_k=d_k, d_v=d_v, layers=layers),
            kv_cache_size(tokens, num_kv_heads=kv, d_k=d_k, d_v=d_v, layers=layers),
        )
        for kv in range(1, heads + 1)
        if heads % kv == 0
    )
