"""Encodings added to x, offsets, seeds, and the registry of all schemes."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_core.checks import whole
from attention_core.functional import Mod, attention
from attention_core.positions import (
    POSITIONS,
    ALiBi,
    RoPE,
    Shaw,
    T5Buckets,
    TransformerXL,
    learned,
    position_encoding,
    position_mods,
    sinusoidal,
    sinusoids,
)
from attention_core.positions.offsets import relative_positions
from attention_core.seeding import seeded


def test_sinusoidal_by_hand() -> None:
    """Width 4: angles p and p / 100, each as sine then cosine."""
    table = sinusoidal(3, 4, dtype=torch.float64)
    assert table[0].tolist() == [0.0, 1.0, 0.0, 1.0]
    by_hand = [0.9092974268256817, -0.4161468365471424, 0.01999866669333308, 0.9998000066665778]
    assert table[2].tolist() == pytest.approx(by_hand, abs=1e-15)


@pytest.mark.parametrize("width", [1, 2, 5, 6, 7])
def test_sinusoidal_is_the_formula_of_the_paper(width: int) -> None:
    table = sinusoidal(11, width, dtype=torch.float64)
    for p in range(11):
        for column in range(width):
            angle = p / 10000.0 ** (2 * (column // 2) / width)
            expected = math.cos(angle) if column % 2 else math.sin(angle)
            assert table[p, column].item() == pytest.approx(expected, abs=1e-14)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 6))
def test_the_product_of_two_sinusoids_depends_on_their_distance(p: int, q: int, pairs: int) -> None:
    """Even widths: each pair gives cos(p - q), so a common shift changes nothing."""
    width = 2 * pairs
    here, there = sinusoids(torch.tensor([p, p + 9]), width), sinusoids(torch.tensor([q, q + 9]), width)
    products = (here * there).sum(dim=-1)
    torch.testing.assert_close(products[0], products[1], atol=1e-12, rtol=0)


def test_sinusoids_of_negative_positions_mirror_the_sines() -> None:
    ahead, behind = sinusoids(torch.tensor([-3, 3]), 5)
    assert torch.equal(ahead[0::2], -behind[0::2])
    assert torch.equal(ahead[1::2], behind[1::2])


def test_sinusoidal_is_rounded_once() -> None:
    """Far positions: angles computed in float32 would be off by 1e-3 and more."""
    exact = sinusoidal(5000, 6, dtype=torch.float64)
    assert torch.equal(sinusoidal(5000, 6), exact.float())
    assert sinusoidal(5000, 6, dtype=torch.bfloat16).dtype == torch.bfloat16


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 40), st.integers(0, 2**40))
def test_learned_positions_are_prefix_stable(short: int, more: int, width: int, seed: int) -> None:
    longer = learned(short + more, width, seed)
    assert longer.shape == (short + more, width)
    assert torch.equal(learned(short, width, seed), longer[:short])


def test_learned_positions_differ_by_seed_and_row_and_look_normal() -> None:
    table = learned(211, 101, seed=3)
    assert not torch.equal(table, learned(211, 101, seed=4))
    assert len({tuple(row.tolist()) for row in table}) == 211
    assert abs(table.mean().item()) < 0.02
    assert abs(table.std().item() - 1.0) < 0.02
    assert torch.equal(learned(2, 5, 3, dtype=torch.float64), learned(2, 5, 3).double())


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    learned(5, 7, seed=1)
    for name in POSITIONS:
        position_mods(name, num_heads=3, d_k=5, seed=1)
    assert torch.equal(before, torch.get_rng_state())


def test_seeded_separates_purposes() -> None:
    def draw(*purpose: object) -> list[float]:
        return torch.rand(3, generator=seeded(7, *purpose)).tolist()

    assert draw("a") == draw("a")
    assert draw("a") != draw("b")
    assert draw("a", 12) != draw("a1", 2)
    with pytest.raises(ValueError, match="seed=-1: allowed are whole numbers from 0"):
        seeded(-1)


@pytest.mark.parametrize("value", [0, -2, True, 2.0, "3", None])
def test_whole_refuses_what_is_no_whole_number_in_range(value: object) -> None:
    with pytest.raises(ValueError, match=r"d_k=.*: allowed are whole numbers from 1"):
        whole("d_k", value, 1)


def test_relative_positions_by_hand() -> None:
    assert relative_positions(2, 3).tolist() == [[0, -1, -2], [1, 0, -1]]
    assert relative_positions(2, 3, query_offset=2).tolist() == [[2, 1, 0], [3, 2, 1]]
    assert relative_positions(1, 2, key_offset=5).tolist() == [[-5, -6]]


def test_position_encoding_by_name() -> None:
    encodings = {name: position_encoding(name, 5, 7, seed=2) for name in POSITIONS}
    added = {name: table for name, table in encodings.items() if table is not None}
    assert set(added) == {"sinusoidal", "learned"}
    assert torch.equal(added["sinusoidal"], sinusoidal(5, 7))
    assert torch.equal(added["learned"], learned(5, 7, 2))
    double = position_encoding("learned", 5, 7, seed=2, dtype=torch.float64)
    assert double is not None and double.dtype == torch.float64


def test_position_mods_by_name() -> None:
    kinds = {name: [type(m) for m in position_mods(name, num_heads=3, d_k=5, seed=2)] for name in POSITIONS}
    assert kinds == {
        "none": [],
        "sinusoidal": [],
        "learned": [],
        "rope": [RoPE],
        "alibi": [ALiBi],
        "t5": [T5Buckets],
        "shaw": [Shaw],
        "transformer_xl": [TransformerXL],
    }


@pytest.mark.parametrize(("bidirectional", "ahead"), [(True, 17), (False, 0)])
def test_the_direction_reaches_the_t5_buckets(bidirectional: bool, ahead: int) -> None:
    (mod,) = position_mods("t5", num_heads=2, d_k=3, seed=0, bidirectional=bidirectional)
    assert isinstance(mod, T5Buckets)
    assert mod.buckets(2, 2).tolist() == [[0, ahead], [1, 0]]


def run(mods: tuple[Mod, ...], dtype: torch.dtype = torch.float64, **sizes: int) -> torch.Tensor:
    g = torch.Generator().manual_seed(0)
    queries, keys = sizes.get("queries", 7), sizes.get("keys", 11)
    q = torch.randn(2, 3, queries, 5, generator=g, dtype=torch.float64).to(dtype)
    k = torch.randn(2, 3, keys, 5, generator=g, dtype=torch.float64).to(dtype)
    return attention(q, k, k, mods=mods).modified_scores


@pytest.mark.parametrize("name", ["rope", "alibi", "t5", "shaw", "transformer_xl"])
def test_a_seed_gives_one_scheme(name: str) -> None:
    first, again, other = (run(position_mods(name, num_heads=3, d_k=5, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (name in ("rope", "alibi"))
    assert not torch.equal(first, run(()))


@pytest.mark.parametrize("name", ["rope", "alibi", "t5", "shaw", "transformer_xl"])
def test_offsets_cut_a_window_out_of_the_scores_of_a_longer_text(name: str) -> None:
    """Queries 4.. and keys 2.. of a longer text, told where they stand, score as they do in the whole."""
    g = torch.Generator().manual_seed(5)
    q, k = (torch.randn(2, 3, 11, 5, generator=g, dtype=torch.float64) for _ in range(2))
    whole_text = attention(q, k, k, mods=position_mods(name, num_heads=3, d_k=5, seed=1)).modified_scores
    mods = position_mods(name, num_heads=3, d_k=5, seed=1, query_offset=4, key_offset=2)
    part = attention(q[:, :, 4:], k[:, :, 2:], k[:, :, 2:], mods=mods).modified_scores
    torch.testing.assert_close(part, whole_text[:, :, 4:, 2:], atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", ["rope", "alibi", "t5", "shaw", "transformer_xl"])
def test_a_common_shift_changes_nothing(name: str) -> None:
    def at(offset: int) -> torch.Tensor:
        return run(position_mods(name, num_heads=3, d_k=5, seed=1, query_offset=offset, key_offset=offset))

    torch.testing.assert_close(at(0), at(1009), atol=1e-10, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("name", POSITIONS)
def test_the_dtype_of_the_queries_is_kept(name: str, dtype: torch.dtype) -> None:
    mods = position_mods(name, num_heads=3, d_k=5, seed=1)
    scores, exact = run(mods, dtype), run(mods)
    assert scores.dtype == dtype
    bound = {torch.float16: 2e-2, torch.bfloat16: 2e-1, torch.float32: 2e-5, torch.float64: 0.0}[dtype]
    assert (scores.double() - exact).abs().max().item() <= bound


@pytest.mark.parametrize("name", POSITIONS)
def test_the_device_of_the_queries_is_kept(name: str) -> None:
    """The meta device refuses to meet tensors of another one."""
    q, k, scores = (torch.zeros(s, device="meta") for s in [(1, 3, 3, 5), (1, 3, 7, 5), (1, 3, 3, 7)])
    for mod in position_mods(name, num_heads=3, d_k=5, seed=1):
        changed = (*mod.on_qk(q, k), mod.on_scores(scores, q, k, 0.5))
        assert [tensor.device.type for tensor in changed] == ["meta"] * 3
        assert [tensor.shape for tensor in changed] == [q.shape, k.shape, scores.shape]
    encoding = position_encoding(name, 3, 5, seed=1, device="meta")
    assert encoding is None or encoding.device.type == "meta"


@pytest.mark.parametrize("name", POSITIONS)
def test_inputs_are_left_as_they_were(name: str) -> None:
    q, k, scores = (torch.full(shape, 0.5) for shape in [(1, 2, 3, 4), (1, 2, 5, 4), (1, 2, 3, 5)])
    for mod in position_mods(name, num_heads=2, d_k=4, seed=0):
        mod.on_qk(q, k)
        mod.on_scores(scores, q, k, 0.5)
    assert all(bool((tensor == 0.5).all()) for tensor in (q, k, scores))


@pytest.mark.parametrize("name", ["rope", "alibi", "t5", "shaw", "transformer_xl"])
def test_with_positions_the_order_of_the_keys_matters(name: str) -> None:
    """Without positions, attention gives one context for every order of the keys."""
    g = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 2, 7, 4, generator=g, dtype=torch.float64) for _ in range(3))
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])

    def moved(mods: tuple[Mod, ...]) -> float:
        straight = attention(q, k, v, mods=mods).context
        shuffled = attention(q, k[:, :, order], v[:, :, order], mods=mods).context
        return (straight - shuffled).abs().max().item()

    assert moved(()) < 1e-12
    assert moved(position_mods(name, num_heads=2, d_k=4, seed=0)) > 1e-2


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="position='rotary': allowed are none, sinusoidal, learned, rope"):
        position_encoding("rotary", 3, 4, seed=0)
    with pytest.raises(ValueError, match="position='': allowed are none"):
        position_mods("", num_heads=1, d_k=2, seed=0)
    with pytest.raises(ValueError, match="num_heads=0: allowed are whole numbers from 1"):
        position_mods("none", num_heads=0, d_k=2, seed=0)
    with pytest.raises(ValueError, match="seed=-1: allowed are whole numbers from 0"):
        position_mods("rope", num_heads=1, d_k=2, seed=-1)
    with pytest.raises(ValueError, match="length=-1: allowed are whole numbers from 0"):
        position_encoding("none", -1, 4, seed=0)
    with pytest.raises(ValueError, match="width=0: allowed are whole numbers from 1"):
        sinusoidal(3, 0)
    with pytest.raises(ValueError, match="width=0"):
        learned(3, 0, seed=0)
    with pytest.raises(ValueError, match="query_offset=-1: allowed are whole numbers from 0"):
        position_mods("alibi", num_heads=1, d_k=2, seed=0, query_offset=-1)
