"""Heads made by hand: each looks where it says, sharply, at every width, and says so when it cannot."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from attention_core.experiment import Experiment, hand_built
from attention_core.experiment.hand_built import hand_built_weights, head_kinds, lay_content, lay_positions
from attention_core.experiment.recipes import Widths, random_weights

# (d_model, heads): from the narrowest to the widest, odd widths and head counts among them.
WIDE = [
    (8, 2),
    (16, 1),
    (16, 4),
    (17, 1),
    (30, 5),
    (32, 4),
    (32, 8),
    (48, 12),
    (64, 4),
    (96, 8),
    (512, 8),
    (768, 12),
]


def weights_of(words: list[str], width: int, heads: int, **changes: object) -> Tensor:
    settings = {"weights": "hand_built", "d_model": width, "num_heads": heads, **changes}
    trace = Experiment(" ".join(words), **settings).run()  # type: ignore[arg-type]
    assert list(trace.tokens) == words
    return trace.heads.weights[0]  # (head, query, key)


def some_words(count: int) -> list[str]:
    """Every third word is the same, the others differ."""
    return [f"word{i if i % 3 else 0}" for i in range(count)]


def even_split(words: list[str], source: list[str], causal: bool) -> Tensor:
    """What a perfect same-token head would give, by nested loops."""
    rows = []
    for i, word in enumerate(words):
        same = [word == other and not (causal and j > i) for j, other in enumerate(source)]
        rows.append([float(hit) / max(sum(same), 1) for hit in same])
    return torch.tensor(rows)


@pytest.mark.parametrize("mode", ["self", "causal"])
@pytest.mark.parametrize("count", [6, 16, 64])
@pytest.mark.parametrize(("width", "heads"), WIDE)
def test_each_head_looks_where_it_says(width: int, heads: int, count: int, mode: str) -> None:
    words = some_words(count)
    weights = weights_of(words, width, heads, mode=mode)
    assert weights[0].diagonal(-1).min() > 0.9  # previous token
    if mode == "causal":
        assert weights[0, 0, 0] == 1.0
    if heads > 1:
        assert weights[1, :, 0].min() > 0.9  # first token
    if heads > 2:
        torch.testing.assert_close(weights[2], even_split(words, words, mode == "causal"), atol=0.1, rtol=0.0)


def test_the_default_widths_in_long_texts() -> None:
    """Positions stay sharp up to 512; the first token, which has nothing before it, looks at itself most."""
    weights = weights_of([f"w{i % 50}" for i in range(512)], 32, 4)
    assert weights[0].diagonal(-1).min() > 0.9
    assert weights[0, 0, 0] > 0.5
    assert weights[1, :, 0].min() > 0.9
    assert weights_of(some_words(40), 32, 4)[0, 0, 0] > 0.99


@pytest.mark.parametrize("seed", range(5))
def test_any_seed_will_do(seed: int) -> None:
    words = some_words(64)
    weights = weights_of(words, 32, 4, seed=seed)
    torch.testing.assert_close(weights[2], even_split(words, words, False), atol=0.1, rtol=0.0)


def test_equal_words_share_their_row_exactly_evenly() -> None:
    weights = weights_of(["to", "be", "or", "not", "to", "be"], 32, 4)
    assert weights[2, 0, 0] == weights[2, 0, 4] and weights[2, 1, 1] == weights[2, 1, 5]
    assert weights[2, 0, 0].item() == pytest.approx(0.5, abs=0.01)
    assert weights[2, 2, 2] > 0.99


def test_words_that_differ_in_case_are_different_words() -> None:
    weights = weights_of(["The", "cat", "saw", "the", "dog"], 32, 4)
    assert weights[2, 0, 3] < 0.05


def test_in_cross_mode_equal_words_are_found_in_the_source() -> None:
    query, source = (
        ["the", "cat", "and", "the", "dog"],
        ["a", "dog", "saw", "the", "old", "cat", "run", "away"],
    )
    weights = weights_of(query, 32, 4, mode="cross", source_text=" ".join(source))
    assert weights[2, 1, 5] > 0.9 and weights[2, 4, 1] > 0.9
    assert weights[2, 0, 3] > 0.9 and weights[2, 3, 3] > 0.9
    assert weights[0].diagonal(-1).min() > 0.9  # one place earlier in the source
    assert weights[1, :, 0].min() > 0.9


def test_the_fourth_head_is_that_of_the_random_recipe() -> None:
    widths = Widths(5, 5, 40, 8, 8)
    built, drawn = hand_built_weights(widths, seed=3), random_weights(widths, seed=3)
    for name in ("w_q", "w_k", "w_v"):
        assert torch.equal(getattr(built, name)[3:], getattr(drawn, name)[3:]), name
        assert not torch.equal(getattr(built, name)[:3], getattr(drawn, name)[:3]), name
    assert built.w_o is not None and drawn.w_o is not None and torch.equal(built.w_o, drawn.w_o)


def test_a_step_back_is_one_turn_of_each_pair() -> None:
    """By hand, for one pair: W_q takes (sin a, cos a) to gain * (sin(a - w), cos(a - w))."""
    widths = Widths(1, 1, 16, 8, 8)
    gain, pairs = hand_built.position_pairs(widths)
    x = lay_positions(5, 16, torch.float64)
    q = x @ hand_built_weights(widths, seed=0).w_q[0].double()
    k = x @ hand_built_weights(widths, seed=0).w_k[0].double()
    for place, (_, speed) in enumerate(pairs):
        for i in range(5):
            expected = [gain * math.sin((i - 1) * speed), gain * math.cos((i - 1) * speed)]
            assert q[i, 2 * place : 2 * place + 2].tolist() == pytest.approx(expected, abs=1e-5)
    torch.testing.assert_close(q[1:], k[:-1], atol=1e-5, rtol=0.0)  # the query of i is the key of i - 1


def test_values_of_built_heads_are_pieces_of_x() -> None:
    trace = Experiment("a b c d", weights="hand_built", d_model=32, num_heads=4).run()
    x = trace.embedding[0]
    for head in range(3):
        torch.testing.assert_close(trace.heads.v[0, head], x[:, 8 * head : 8 * head + 8])
    assert not torch.allclose(trace.heads.v[0, 3], x[:, 24:])


def test_values_wider_than_the_embedding_go_round() -> None:
    trace = Experiment("a b", weights="hand_built", d_model=8, num_heads=1, d_v=11, d_k=4).run()
    torch.testing.assert_close(trace.heads.v[0, 0], torch.cat([trace.embedding[0], trace.embedding[0, :, :3]], dim=1))


def test_biases_are_there_for_the_constant_query_alone() -> None:
    weights = hand_built_weights(Widths(4, 4, 32, 8, 8), seed=0)
    assert weights.b_q is not None and weights.b_k is not None and weights.b_v is not None
    assert not weights.w_q[1].any() and weights.b_q[1].any()
    assert not weights.b_q[[0, 2, 3]].any() and not weights.b_k.any() and not weights.b_v.any()
    assert weights.b_o is not None and not weights.b_o.any()
    biased = hand_built_weights(Widths(4, 4, 32, 8, 8, bias=True), seed=0)
    assert biased.b_q is not None and biased.b_k is not None and biased.b_o is not None
    assert biased.b_q[3].any() and biased.b_k[3].any() and biased.b_o.any()
    assert torch.equal(biased.b_q[:3], weights.b_q[:3]) and not biased.b_k[:3].any()


@pytest.mark.parametrize(
    ("heads", "kv_heads", "kinds"),
    [
        (4, 4, ("previous token", "first token", "same token", "random")),
        (4, 2, ("previous token", "first token", "same token", "random")),
        (4, 1, ("previous token", "first token", "random", "random")),
        (6, 2, ("previous token", "first token", "random", "random", "random", "random")),
        (2, 2, ("previous token", "first token")),
        (1, 1, ("previous token",)),
    ],
)
def test_heads_that_share_keys(heads: int, kv_heads: int, kinds: tuple[str, ...]) -> None:
    assert head_kinds(Widths(heads, kv_heads, 48, 8, 8)) == kinds
    words = some_words(12)
    weights = weights_of(words, 48, heads, num_kv_heads=kv_heads, d_k=8)
    for head, kind in enumerate(kinds):
        if kind == "previous token":
            assert weights[head].diagonal(-1).min() > 0.9
        elif kind == "first token":
            assert weights[head, :, 0].min() > 0.9
        elif kind == "same token":
            torch.testing.assert_close(weights[head], even_split(words, words, False), atol=0.1, rtol=0.0)


def test_content_comes_in_blocks_of_length_two() -> None:
    laid = lay_content(torch.randn(7, 10, generator=torch.Generator().manual_seed(0)), 19)
    assert laid.shape == (7, 19)
    torch.testing.assert_close(laid[:, :4].norm(dim=1), torch.full((7,), 2.0))
    torch.testing.assert_close(laid[:, 4:8].norm(dim=1), torch.full((7,), 2.0))
    torch.testing.assert_close(laid[:, 8:10].square().mean(dim=1), torch.ones(7))
    assert not laid[:, 10:].any()
    assert not lay_content(torch.zeros(1, 4), 8).any()


def test_positions_take_the_second_half() -> None:
    laid = lay_positions(3, 9, torch.float64)
    assert laid.shape == (3, 9) and not laid[:, :5].any()
    assert laid[2, 5:].tolist() == pytest.approx(
        [math.sin(2.0), math.cos(2.0), math.sin(0.02), math.cos(0.02)], abs=1e-12
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"d_model": 4, "num_heads": 1}, "d_model=4: hand-built heads .* whole numbers from 8"),
        ({"d_model": 32, "num_heads": 16}, "num_heads=16: leaves each head d_k=2 .* at most 8 heads"),
        ({"d_model": 32, "num_heads": 4, "d_k": 3}, "d_k=3: hand-built heads .* whole numbers from 4"),
    ],
)
def test_too_narrow_is_said_in_words(settings: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Experiment("a b", weights="hand_built", **settings)  # type: ignore[arg-type]


def test_too_narrow_is_refused_by_the_recipe_itself() -> None:
    with pytest.raises(ValueError, match="d_model=7"):
        hand_built_weights(Widths(1, 1, 7, 7, 7), seed=0)
    with pytest.raises(ValueError, match="d_k=3"):
        hand_built_weights(Widths(1, 1, 12, 3, 3), seed=0)


def test_names_say_when_a_pattern_was_taken_away() -> None:
    built = Experiment("a b", weights="hand_built", num_heads=3, d_model=24)
    assert built.head_names() == ("previous token", "first token", "same token")
    for changes in (
        {"position": "rope"},
        {"position": "learned"},
        {"score": "additive"},
        {"score": "cosine"},
    ):
        experiment = Experiment("a b", weights="hand_built", num_heads=3, d_model=24, **changes)  # type: ignore[arg-type]
        assert experiment.head_names()[0] == "made for previous token"


@pytest.mark.parametrize("changes", [{"position": "alibi"}, {"position": "t5"}, {"score": "dot"}])
def test_names_that_stay_are_true(changes: dict[str, str]) -> None:
    words = some_words(16)
    weights = weights_of(words, 32, 4, **changes)
    assert Experiment("a", weights="hand_built", **changes).head_names()[0] == "previous token"  # type: ignore[arg-type]
    assert weights[0].diagonal(-1).min() > 0.5
    assert (weights[0, 1:].argmax(dim=-1) == torch.arange(15)).all()
    assert (weights[1].argmax(dim=-1) == 0).all()
