"""Where weights come from: distributions, streams that leave each other alone, the article's order."""

from __future__ import annotations

import hashlib
import math

import pytest
import torch

from attention_core.experiment.recipes import SCORES, Widths, article_weights, make_score, random_weights
from attention_core.scores import Tempered

SIZES = Widths(num_heads=6, num_kv_heads=3, d_model=7, d_k=5, d_v=11, bias=True)
NAMES = ("w_q", "w_k", "w_v", "w_o", "b_q", "b_k", "b_v", "b_o")


def test_shapes() -> None:
    weights = random_weights(SIZES, seed=0)
    shapes = {name: tuple(getattr(weights, name).shape) for name in NAMES}
    assert shapes == {
        "w_q": (6, 7, 5),
        "w_k": (3, 7, 5),
        "w_v": (3, 7, 11),
        "w_o": (6, 11, 7),
        "b_q": (6, 5),
        "b_k": (3, 5),
        "b_v": (3, 11),
        "b_o": (7,),
    }


def test_without_biases_and_output_projection_there_are_none() -> None:
    weights = random_weights(Widths(2, 2, 7, 5, 11, out_proj=False), seed=0)
    assert [getattr(weights, name) is None for name in NAMES] == [False] * 3 + [True] * 5
    with_bias = random_weights(Widths(2, 2, 7, 5, 11, bias=True, out_proj=False), seed=0)
    assert with_bias.b_v is not None and with_bias.b_o is None


def test_every_number_of_q_k_v_and_output_has_unit_variance() -> None:
    weights = random_weights(Widths(num_heads=8, num_kv_heads=8, d_model=256, d_k=64, d_v=32), seed=5)
    x = torch.randn(400, 256, generator=torch.Generator().manual_seed(1))
    for matrix in (weights.w_q, weights.w_k, weights.w_v):
        assert (x @ matrix).var().item() == pytest.approx(1.0, rel=0.05)
    assert weights.w_o is not None
    mixed = torch.randn(400, 8 * 32, generator=torch.Generator().manual_seed(2))
    assert (mixed @ weights.w_o.flatten(0, 1)).var().item() == pytest.approx(1.0, rel=0.05)


def test_a_head_keeps_its_weights_when_heads_are_added() -> None:
    few, more = (random_weights(Widths(n, n, 7, 5, 11, bias=True), seed=3) for n in (2, 9))
    for name in ("w_q", "w_k", "w_v", "b_q", "b_k", "b_v"):
        assert torch.equal(getattr(few, name), getattr(more, name)[:2]), name
    assert few.w_o is not None and more.w_o is not None
    torch.testing.assert_close(few.w_o * math.sqrt(2 / 9), more.w_o[:2])  # only the common scale differs


def test_the_width_of_values_does_not_disturb_queries_and_keys() -> None:
    a = random_weights(Widths(3, 3, 7, 5, 11), seed=3)
    b = random_weights(Widths(3, 3, 7, 5, 13), seed=3)
    assert torch.equal(a.w_q, b.w_q) and torch.equal(a.w_k, b.w_k)


def test_no_two_matrices_are_alike() -> None:
    weights = random_weights(Widths(3, 3, 5, 5, 5, bias=True), seed=0)
    assert weights.w_o is not None
    drawn = torch.cat([weights.w_q, weights.w_k, weights.w_v, weights.w_o * math.sqrt(3)]).flatten(1)
    assert torch.cdist(drawn, drawn).add(torch.eye(12) * 9).min() > 0.5
    assert not torch.equal(weights.w_q, random_weights(Widths(3, 3, 5, 5, 5), seed=1).w_q)


def test_the_numbers_are_those_of_the_documented_stream() -> None:
    """Computed on its own: sha256 of the purpose seeds a generator, its numbers are divided by sqrt(d_in)."""
    digest = hashlib.sha256(b"42\x00w_k\x001").digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    expected = torch.randn(7, 5, generator=generator) / math.sqrt(7)
    assert torch.equal(random_weights(SIZES, seed=42).w_k[1], expected)


def test_drawing_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    random_weights(SIZES, seed=0)
    article_weights(SIZES, seed=0)
    make_score("additive", SIZES, seed=0)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_article_draws_from_one_stream_head_by_head() -> None:
    weights, after = article_weights(Widths(4, 2, d_model=3, d_k=2, d_v=5, out_proj=False), seed=9)
    stream = torch.Generator().manual_seed(9)
    for head in range(4):
        assert torch.equal(weights.w_q[head], torch.rand(3, 2, generator=stream))
        if head % 2 == 0:  # two heads share keys and values
            assert torch.equal(weights.w_k[head // 2], torch.rand(3, 2, generator=stream))
            assert torch.equal(weights.w_v[head // 2], torch.rand(3, 5, generator=stream))
    assert torch.equal(torch.rand(4, generator=after), torch.rand(4, generator=stream))
    assert weights.w_o is None and weights.b_q is None


def test_the_article_takes_what_it_lacks_from_the_random_recipe() -> None:
    weights, _ = article_weights(SIZES, seed=9)
    rest = random_weights(SIZES, seed=9)
    for name in ("w_o", "b_q", "b_k", "b_v", "b_o"):
        assert torch.equal(getattr(weights, name), getattr(rest, name))


@pytest.mark.parametrize("name", SCORES)
def test_scores_have_the_shapes_of_the_heads(name: str) -> None:
    score = make_score(name, SIZES, seed=0)
    assert score.name == name
    q, k = torch.ones(2, 6, 3, 5), torch.ones(2, 6, 13, 5)
    assert score(q, k).shape == (2, 6, 3, 13)
    warm = make_score(name, SIZES, seed=0, temperature=4.0)
    assert isinstance(warm, Tempered)
    torch.testing.assert_close(warm(q, k), score(q, k) / 4.0)


@pytest.mark.parametrize("name", ["additive", "bilinear"])
def test_learned_scores_depend_on_the_seed_and_keep_their_heads(name: str) -> None:
    q, k = torch.full((1, 2, 3, 5), 0.5), torch.full((1, 2, 4, 5), -0.25)
    two, four = Widths(2, 2, 7, 5, 11), Widths(4, 4, 7, 5, 11)
    first = make_score(name, two, seed=0)(q, k)
    assert not torch.equal(first, make_score(name, two, seed=1)(q, k))
    more = make_score(name, four, seed=0)(q.repeat(1, 2, 1, 1), k.repeat(1, 2, 1, 1))
    torch.testing.assert_close(more[:, :2], first)


def test_an_unknown_score_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"score='guess': allowed are scaled_dot, dot, cosine, additive, bilinear"):
        make_score("guess", SIZES, seed=0)
