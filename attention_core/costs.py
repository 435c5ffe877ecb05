"""What attention costs: numbers to learn, operations, memory. Whole numbers in and out, no model needed."""

from __future__ import annotations

from attention_core.checks import whole

__all__ = ["flop_count", "kv_cache_size", "parameter_count"]


def _kv_heads(num_heads: int, num_kv_heads: int | None) -> int:
    whole("num_heads", num_heads, 1)
    kv_heads = num_heads if num_kv_heads is None else whole("num_kv_heads", num_kv_heads, 1)
    if num_heads % kv_heads:
        raise ValueError(f"num_kv_heads={kv_heads}: allowed are the divisors of num_heads={num_heads}")
    return kv_heads


def parameter_count(
    d_model: int,
    num_heads: int,
    d_k: int,
    d_v: int,
    num_kv_heads: int | None = None,
    d_source: int | None = None,
    bias: bool = False,
    out_proj: bool = True,
) -> dict[str, int]:
    """How many numbers an attention layer learns, by part; the sum of the values is the whole.

    w_q: d_model * H * d_k,  w_k: d_source * H_kv * d_k,  w_v: d_source * H_kv * d_v,  w_o: H * d_v * d_model,
    and one bias for each column that a matrix puts out. H_kv is H unless num_kv_heads is given, d_source is
    d_model unless given (cross-attention). Parts that are absent count 0. All numbers from 1, H_kv a divisor
    of H, else ValueError.

    >>> parameter_count(512, 8, 64, 64)["w_q"], sum(parameter_count(512, 8, 64, 64, bias=True).values())
    (262144, 1050624)
    """
    kv_heads = _kv_heads(num_heads, num_kv_heads)
    whole("d_model", d_model, 1)
    whole("d_k", d_k, 1)
    whole("d_v", d_v, 1)
    source = d_model if d_source is None else whole("d_source", d_source, 1)
    matrices = {
        "q": (d_model, num_heads * d_k),
        "k": (source, kv_heads * d_k),
        "v": (source, kv_heads * d_v),
        "o": (num_heads * d_v, d_model) if out_proj else (0, 0),
    }
    counts = {f"w_{name}": rows * columns for name, (rows, columns) in matrices.items()}
    return counts | {f"b_{name}": columns if bias else 0 for name, (_, columns) in matrices.items()}


def flop_count(
    queries: int,
    keys: int,
    *,
    d_model: int,
    num_heads: int,
    d_k: int,
    d_v: int,
    num_kv_heads: int | None = None,
    d_source: int | None = None,
    bias: bool = False,
    out_proj: bool = True,
    batch: int = 1,
) -> dict[str, int]:
    """How many floating-point operations one forward pass takes, by part; the sum of the values is the whole.

    A multiply-add is 2 operations, so a product (n, m) by (m, p) takes 2 n m p; a bias adds 1 for each number
    it touches.

    projections: x W_q, y W_k and y W_v, with their biases.
    scores: q k^T, and 1 for each score to scale it.
    softmax: 5 K - 2 for a row of K keys: K - 1 comparisons for the maximum, K subtractions,
    K exponentials (1 each), K - 1 additions and K divisions.
    weighted_sum: the weights times the values.
    output: the concatenated heads times W_o, with its bias.

    Nothing is saved by a mask: every score is computed, then masked. Sharing key/value heads (num_kv_heads)
    saves projections only. All numbers from 1, else ValueError.

    >>> flop_count(10, 10, d_model=512, num_heads=8, d_k=64, d_v=64)["weighted_sum"]
    102400
    """
    weights = parameter_count(d_model, num_heads, d_k, d_v, num_kv_heads, d_source, bias, out_proj)
    whole("queries", queries, 1)
    whole("keys", keys, 1)
    whole("batch", batch, 1)
    from_queries = 2 * weights["w_q"] + weights["b_q"]
    from_keys = 2 * (weights["w_k"] + weights["w_v"]) + weights["b_k"] + weights["b_v"]
    rows = num_heads * queries
    each = {
        "projections": queries * from_queries + keys * from_keys,
        "scores": rows * keys * (2 * d_k + 1),
        "softmax": rows * (5 * keys - 2),
        "weighted_sum": rows * keys * 2 * d_v,
        "output": queries * (2 * weights["w_o"] + weights["b_o"]),
    }
    return {part: batch * count for part, count in each.items()}


def kv_cache_size(
    tokens: int,
    *,
    num_kv_heads: int,
    d_k: int,
    d_v: int,
    layers: int = 1,
    batch: int = 1,
    bytes_per_number: int = 2,
) -> int:
    """How many bytes the keys and values of all past tokens take.

    batch * layers * tokens * H_kv * (d_k + d_v) * bytes_per_number

    bytes_per_number is 2 for float16 and bfloat16, 4 for float32. tokens from 0, all others from 1, else
    ValueError.

    Shazeer 2019, "Fast Transformer decoding: One write-head is all you need".

    >>> kv_cache_size(4096, num_kv_heads=32, d_k=128, d_v=128, layers=32) / 2**30
    2.0
    """
    whole("tokens", tokens, 0)
    named = {
        "num_kv_heads": num_kv_heads,
        "d_k": d_k,
        "d_v": d_v,
        "layers": layers,
        "batch": batch,
        "bytes_per_number": bytes_per_number,
    }
    for name, value in named.items():
        whole(name, value, 1)
    return batch * layers * tokens * num_kv_heads * (d_k + d_v) * bytes_per_number
