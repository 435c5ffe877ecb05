"""Costs against what PyTorch counts: parameters of layers, operations of products, bytes of tensors."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from attention_core.costs import flop_count, kv_cache_size, parameter_count

D_MODEL, HEADS, KV_HEADS, D_K, D_V, D_SOURCE = 11, 6, 3, 5, 7, 13
SIZES = {"d_model": D_MODEL, "num_heads": HEADS, "d_k": D_K, "d_v": D_V}


def layers(kv_heads: int, source: int, bias: bool) -> dict[str, nn.Linear]:
    return {
        "q": nn.Linear(D_MODEL, HEADS * D_K, bias=bias),
        "k": nn.Linear(source, kv_heads * D_K, bias=bias),
        "v": nn.Linear(source, kv_heads * D_V, bias=bias),
        "o": nn.Linear(HEADS * D_V, D_MODEL, bias=bias),
    }


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("out_proj", [False, True])
@pytest.mark.parametrize("kv_heads", [None, KV_HEADS, 1])
@pytest.mark.parametrize("source", [None, D_SOURCE])
def test_parameters_of_linear_layers(bias: bool, out_proj: bool, kv_heads: int | None, source: int | None) -> None:
    expected = {}
    for name, layer in layers(kv_heads or HEADS, source or D_MODEL, bias).items():
        there = out_proj or name != "o"
        expected[f"w_{name}"] = layer.weight.numel() if there else 0
        expected[f"b_{name}"] = layer.bias.numel() if bias and there else 0
    assert parameter_count(**SIZES, num_kv_heads=kv_heads, d_source=source, bias=bias, out_proj=out_proj) == expected


@pytest.mark.parametrize("bias", [False, True])
def test_parameters_of_torch_multihead_attention(bias: bool) -> None:
    module = nn.MultiheadAttention(24, 6, bias=bias)
    assert sum(parameter_count(24, 6, 4, 4, bias=bias).values()) == sum(p.numel() for p in module.parameters())
    cross = nn.MultiheadAttention(24, 6, bias=bias, kdim=13, vdim=13)
    counted = parameter_count(24, 6, 4, 4, d_source=13, bias=bias)
    assert sum(counted.values()) == sum(p.numel() for p in cross.parameters())


def test_operations_by_hand() -> None:
    """2 queries, 3 keys, d_model 4, one head, d_k 2, d_v 5."""
    assert flop_count(2, 3, d_model=4, num_heads=1, d_k=2, d_v=5) == {
        "projections": 2 * (2 * 4 * 2 + 3 * 4 * 2 + 3 * 4 * 5),
        "scores": 2 * (2 * 2 * 3) + 6,
        "softmax": 2 * (2 + 3 + 3 + 2 + 3),
        "weighted_sum": 2 * (2 * 3 * 5),
        "output": 2 * (2 * 5 * 4),
    }


@pytest.mark.parametrize("kv_heads", [HEADS, KV_HEADS])
def test_operations_of_real_products(kv_heads: int) -> None:
    """torch counts the multiplications; the rest (scaling, softmax, biases) is added by name."""
    batch, queries, keys = 2, 3, 17
    x, y = torch.zeros(batch, queries, D_MODEL), torch.zeros(batch, keys, D_SOURCE)
    linear = layers(kv_heads, D_SOURCE, bias=False)
    counted = {}

    def count(part: str) -> FlopCounterMode:
        counted[part] = FlopCounterMode(display=False)
        return counted[part]

    with torch.no_grad():
        with count("projections"):
            linear["q"](x), linear["k"](y), linear["v"](y)
        q, k = torch.zeros(batch, HEADS, queries, D_K), torch.zeros(batch, HEADS, keys, D_K)
        with count("scores"):
            scores = q @ k.mT
        with count("weighted_sum"):
            torch.softmax(scores, dim=-1) @ torch.zeros(batch, HEADS, keys, D_V)
        with count("output"):
            linear["o"](torch.zeros(batch, queries, HEADS * D_V))
    flops = flop_count(queries, keys, **SIZES, num_kv_heads=kv_heads, d_source=D_SOURCE, batch=batch)
    flops["scores"] -= scores.numel()  # the scaling
    del flops["softmax"]
    assert flops == {part: counter.get_total_flops() for part, counter in counted.items()}


def test_operations_that_are_no_products() -> None:
    """A bias adds one for each number it touches; without W_O there is no output product."""
    plain = flop_count(3, 17, **SIZES, num_kv_heads=KV_HEADS, batch=2)
    with_bias = flop_count(3, 17, **SIZES, num_kv_heads=KV_HEADS, batch=2, bias=True)
    touched = 2 * (3 * HEADS * D_K + 17 * KV_HEADS * (D_K + D_V))
    assert with_bias["projections"] - plain["projections"] == touched
    assert with_bias["output"] - plain["output"] == 2 * 3 * D_MODEL
    assert flop_count(3, 17, **SIZES, out_proj=False)["output"] == 0
    assert flop_count(3, 1, **SIZES)["softmax"] == HEADS * 3 * 3


def test_bytes_of_real_tensors() -> None:
    for dtype in (torch.float16, torch.float32):
        k, v = torch.zeros(4, 2, 3, 19, 5, dtype=dtype), torch.zeros(4, 2, 3, 19, 7, dtype=dtype)
        size = kv_cache_size(19, num_kv_heads=3, d_k=5, d_v=7, layers=4, batch=2, bytes_per_number=dtype.itemsize)
        assert size == k.nbytes + v.nbytes
    assert kv_cache_size(0, num_kv_heads=3, d_k=5, d_v=7) == 0
    assert kv_cache_size(1, num_kv_heads=1, d_k=1, d_v=1) == 4


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="num_kv_heads=4: allowed are the divisors of num_heads=6"):
        parameter_count(**SIZES, num_kv_heads=4)
    with pytest.raises(ValueError, match="d_source=0: allowed are whole numbers from 1"):
        parameter_count(**SIZES, d_source=0)
    with pytest.raises(ValueError, match="num_heads=0"):
        parameter_count(4, 0, 2, 2)
    with pytest.raises(ValueError, match="keys=0: allowed are whole numbers from 1"):
        flop_count(3, 0, **SIZES)
    with pytest.raises(ValueError, match="tokens=-1: allowed are whole numbers from 0"):
        kv_cache_size(-1, num_kv_heads=3, d_k=5, d_v=7)
    with pytest.raises(ValueError, match="layers=0"):
        kv_cache_size(1, num_kv_heads=3, d_k=5, d_v=7, layers=0)
