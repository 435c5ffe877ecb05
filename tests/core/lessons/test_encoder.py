"""What the page on the encoder block says, on numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attention_core.encoder import EncoderBlock
from attention_core.experiment import Experiment
from attention_core.lessons import encoder
from attention_core.lessons.encoder import VARIANTS, Variant
from attention_core.presets import DEFAULT, preset

NORMS = ("pre", "post")
CHOSEN = encoder.setting(DEFAULT.experiment)
RANDOM = encoder.setting(replace(DEFAULT.experiment, weights="random"))
SMALL = encoder.setting(Experiment("one two three four five", num_heads=3, d_model=6, d_k=5, d_v=7, bias=True, seed=2))


def attend(made: EncoderBlock, x: Tensor) -> Tensor:
    return made.attention(x[None])[0]


def feed(made: EncoderBlock, x: Tensor) -> Tensor:
    inside = (x @ made.hidden_weight.T + made.hidden_bias).clamp(min=0)
    return inside @ made.out_weight.T + made.out_bias


def norm(x: Tensor) -> Tensor:
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()


def expected(made: EncoderBlock, x: Tensor, variant: Variant) -> Tensor:
    """The four formulas of the page, written out."""
    pre, keep = made.norm == "pre", 1.0 if variant.residual else 0.0
    a = keep * x + attend(made, norm(x)) if pre else norm(keep * x + attend(made, x))
    if not variant.feed_forward:
        return a
    return keep * a + feed(made, norm(a)) if pre else norm(keep * a + feed(made, a))


@pytest.mark.parametrize("norm_at", NORMS)
@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("layer", [1, 7])
def test_every_variant_computes_its_formula(norm_at: str, name: str, layer: int) -> None:
    made = encoder.block(SMALL, layer, norm_at)
    x = torch.randn(5, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    one = encoder.run_block(made, x, SMALL, VARIANTS[name])
    torch.testing.assert_close(one.output, expected(made, x, VARIANTS[name]))
    torch.testing.assert_close(one.weights.sum(dim=-1), torch.ones(3, 5, dtype=torch.float64))


@pytest.mark.parametrize("norm_at", NORMS)
def test_the_whole_block_is_that_of_the_library(norm_at: str) -> None:
    chosen = encoder.setting(Experiment("one two three four five", num_heads=2, d_model=6, bias=True))
    made = encoder.block(chosen, 2, norm_at)
    where = {"norm_first": norm_at == "pre", "batch_first": True, "dtype": torch.float64}
    theirs = nn.TransformerEncoderLayer(6, 2, 24, 0.0, **where)
    projections = made.attention.projections()
    with torch.no_grad():
        for part, (weight, bias) in enumerate(
            ((projections.w_q, projections.b_q), (projections.w_k, projections.b_k), (projections.w_v, projections.b_v))
        ):
            rows = slice(6 * part, 6 * part + 6)
            theirs.self_attn.in_proj_weight[rows] = weight.permute(0, 2, 1).reshape(6, 6)
            theirs.self_attn.in_proj_bias[rows] = bias.reshape(6)
        theirs.self_attn.out_proj.weight.copy_(projections.w_o.reshape(6, 6).T)
        theirs.self_attn.out_proj.bias.copy_(projections.b_o)
        theirs.linear1.weight.copy_(made.hidden_weight)
        theirs.linear2.weight.copy_(made.out_weight)
        theirs.linear1.bias.copy_(made.hidden_bias)
        theirs.linear2.bias.copy_(made.out_bias)
        x = torch.randn(5, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        torch.testing.assert_close(encoder.run_block(made, x, chosen).output, theirs.eval()(x[None])[0])


@pytest.mark.parametrize("norm_at", NORMS)
def test_the_stages_stand_in_the_order_of_the_formula(norm_at: str) -> None:
    walk = encoder.passes(CHOSEN, norm_at)["whole"]
    for one, following in pairwise(walk):
        s = one.stages
        assert torch.equal(following.stages["input"], one.output)
        torch.testing.assert_close(s["attention_sum"], s["input"] + s["attention"])
        before = s["attention_sum"] if norm_at == "pre" else s["attention_norm"]
        torch.testing.assert_close(s["feed_forward_sum"], before + s["feed_forward"])
        assert one.activated is not None and one.hidden is not None
        assert torch.equal(one.activated, one.hidden.clamp(min=0))
    names = [name.replace("feed_forward", "ff").replace("attention", "attn") for name in walk[0].stages]
    wanted = {
        "pre": ["input", "attn_norm", "attn", "attn_sum", "ff_norm", "ff", "ff_sum"],
        "post": ["input", "attn", "attn_sum", "attn_norm", "ff", "ff_sum", "ff_norm"],
    }
    assert names == wanted[norm_at]


def test_the_first_block_has_the_heads_of_the_experiment_behind_the_sum() -> None:
    """With post-norm its attention sees x itself: it is the attention of the playground."""
    one = encoder.passes(CHOSEN, "post")["whole"][0]
    torch.testing.assert_close(one.weights, CHOSEN.run(torch.float64).heads.weights[0])
    torch.testing.assert_close(one.stages["attention"], CHOSEN.run(torch.float64).output[0])
    second, third = (encoder.block(CHOSEN, layer, "post") for layer in (2, 3))
    assert not torch.equal(second.hidden_weight, third.hidden_weight)


@pytest.mark.parametrize("norm_at", NORMS)
def test_layer_norm_gives_mean_0_variance_1_and_so_the_length(norm_at: str) -> None:
    for one in encoder.passes(CHOSEN, norm_at)["whole"]:
        for name in ("attention_norm", "feed_forward_norm"):
            normed = one.stages[name]
            assert float(normed.mean(dim=-1).abs().max()) < 1e-12
            assert normed.square().mean(dim=-1).tolist() == pytest.approx([1.0] * len(normed), abs=1e-4)
            assert encoder.lengths(normed).tolist() == pytest.approx([math.sqrt(48)] * len(normed), abs=1e-3)


def test_attention_and_layer_norm_are_all_that_is_needed_to_follow_without_a_residual() -> None:
    """What went in is gone: no sum is left among the stages."""
    for norm_at in NORMS:
        assert not any("sum" in name for name in encoder.passes(CHOSEN, norm_at)["no_residual"][0].stages)


def test_the_feed_forward_half_has_two_thirds_of_the_parameters() -> None:
    plain = encoder.block(encoder.setting(Experiment("a b", num_heads=4, d_model=32)), 1, "pre")
    half = plain.hidden_weight.numel() + plain.out_weight.numel()
    attention = sum(parameter.numel() for parameter in plain.attention.parameters())
    assert (half, half + attention) == (8 * 32**2, 12 * 32**2)


@pytest.mark.parametrize("chosen", [CHOSEN, RANDOM], ids=["hand-built", "random"])
def test_pre_norm_adds_as_much_late_as_early_to_a_vector_that_has_grown(chosen: Experiment) -> None:
    walk = encoder.passes(chosen, "pre")["whole"]

    def mean(block: int, stage: str) -> float:
        found = float(walk[block - 1].stages[stage].square().sum(dim=-1).sqrt().mean())
        assert encoder.mean_lengths(walk, stage)[block - 1] == pytest.approx(found)
        return found

    assert mean(12, "feed_forward_sum") > 2.5 * mean(1, "input")
    for part in ("attention", "feed_forward"):
        assert 0.5 < mean(12, part) / mean(1, part) < 2
        early, late = (mean(block, part) / mean(block, "input") for block in (1, 12))
        assert late < 0.6 * early


@pytest.mark.parametrize("chosen", [CHOSEN, RANDOM], ids=["hand-built", "random"])
def test_post_norm_brings_every_output_back_to_the_same_length(chosen: Experiment) -> None:
    for one in encoder.passes(chosen, "post")["whole"]:
        assert encoder.lengths(one.output).tolist() == pytest.approx([math.sqrt(48)] * len(one.output), abs=1e-3)


@pytest.mark.parametrize("chosen", [CHOSEN, RANDOM], ids=["hand-built", "random"])
@pytest.mark.parametrize("norm_at", NORMS)
def test_without_residuals_the_tokens_become_one_and_with_them_they_do_not(chosen: Experiment, norm_at: str) -> None:
    found = encoder.spread_by_depth(chosen, norm_at, "distance")
    cosines = encoder.spread_by_depth(chosen, norm_at, "cosine")
    for bare in ("no_residual", "attention_alone"):  # layer norm and feed-forward do not stop it
        assert found[bare][5] < 1e-12 and cosines[bare][5] > 1 - 1e-12
        rows = encoder.after(encoder.passes(chosen, norm_at)[bare], 12)
        torch.testing.assert_close(rows, rows[:1].expand_as(rows))
    for kept in ("whole", "no_feed_forward"):
        assert found[kept][5] > 0.15 and found[kept][12] > 0.01
        assert found[kept][12] < found[kept][0]  # but attention averages
        assert cosines[kept][5] < 0.95
    assert all(values[0] == found["whole"][0] for values in found.values())


@pytest.mark.parametrize("chosen", [CHOSEN, RANDOM], ids=["hand-built", "random"])
@pytest.mark.parametrize("norm_at", NORMS)
def test_the_number_of_zeros_about_triples_from_block_to_block(chosen: Experiment, norm_at: str) -> None:
    distances = encoder.spread_by_depth(chosen, norm_at, "distance")["no_residual"]
    zeros = [-math.log10(distance) for distance in distances]
    assert [2.3 < zeros[block + 1] / zeros[block] < 3.7 for block in (2, 3)] == [True, True]


@pytest.mark.parametrize("chosen", [CHOSEN, RANDOM], ids=["hand-built", "random"])
def test_post_norm_lets_the_tokens_come_closer_than_pre_norm(chosen: Experiment) -> None:
    pre, post = (encoder.spread_by_depth(chosen, norm_at, "distance")["whole"][12] for norm_at in NORMS)
    assert post < pre / 5


def test_distance_and_cosine_by_hand() -> None:
    x = torch.tensor([[3.0, 0.0], [0.0, 4.0]])  # mean (1.5, 2): both are 2.5 away
    assert encoder.distance_to_mean(x) == pytest.approx(math.sqrt(12.5) / 5)
    assert encoder.distance_to_mean(torch.zeros(2, 2)) == 0.0
    assert encoder.smallest_cosine(torch.tensor([[1.0, 0.0], [1.0, 1.0], [-2.0, 0.0]])) == pytest.approx(-1.0)
    assert encoder.smallest_cosine(torch.tensor([[1.0, 2.0]])) == 1.0
    torch.testing.assert_close(encoder.cosines(x), torch.eye(2))
    assert F.cosine_similarity(x[:1], x[1:]).item() == 0.0


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_sets_weights_to_0_and_makes_the_others_larger(p: float) -> None:
    found = encoder.draws(CHOSEN, "post", 3, p)
    assert torch.equal(found.kept, encoder.passes(CHOSEN, "post")["whole"][0].weights[3])
    ratios = found.dropped / found.kept
    lost = ratios == 0
    torch.testing.assert_close(ratios[~lost], torch.full_like(ratios[~lost], 1 / (1 - p)))
    assert float(lost.double().mean()) == pytest.approx(p, abs=0.01)
    assert not torch.equal(lost[0], lost[1])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_mean_of_the_draws_comes_to_what_evaluation_uses_as_the_theory_says(p: float) -> None:
    found = encoder.draws(CHOSEN, "post", 3, p)
    counts = [1, 4, 16, 64, 256]
    for measured, theory in zip(found.distance(counts), found.expected(counts, p), strict=True):
        assert 0.6 < measured / theory < 1.6
    assert found.expected([4], p)[0] == pytest.approx(found.expected([1], p)[0] / 2)
    variance = found.dropped.var(dim=0)
    torch.testing.assert_close(variance.mean(), (found.kept.square() * p / (1 - p)).mean(), rtol=0.15, atol=0)
    rows = found.dropped.sum(dim=-1)
    assert float((rows - 1).abs().max()) > 0.2 and float(rows.mean()) == pytest.approx(1.0, abs=0.1)


def test_evaluation_draws_nothing_and_training_does() -> None:
    made = encoder.block(SMALL, 1, "pre")
    made.attention.dropout = 0.5
    x = SMALL.inputs(torch.float64).embedding[None]
    assert torch.equal(made.eval()(x), made(x))
    draws = [made.train().trace(x, generator=torch.Generator().manual_seed(seed)).output for seed in (0, 1)]
    assert not torch.equal(draws[0], draws[1])


def test_without_dropout_there_is_nothing_to_average() -> None:
    found = encoder.draws(CHOSEN, "pre", 0, 0.0)
    assert found.distance([1, 256]) == pytest.approx([0.0, 0.0], abs=1e-12)
    assert found.expected([1, 256], 0.0) == [0.0, 0.0]


@pytest.mark.parametrize(
    "wanted",
    [
        preset("base-768").experiment,
        preset("article-cross").experiment,
        preset("paragraph").experiment,
        Experiment("alone", num_heads=1, d_model=1, dropout=0.5),
        Experiment(" ".join(f"w{n}" for n in range(300)), embedding="one_hot", d_model=512),
        Experiment("太阳 ab", tokenizer="byte", num_heads=16, d_model=1024, weights="hand_built"),
        Experiment("one two three", score="additive", num_heads=4, num_kv_heads=2, position="alibi"),
    ],
    ids=lambda experiment: f"{experiment.text[:12]} {experiment.d_model}",
)
def test_any_experiment_can_be_taken(wanted: Experiment) -> None:
    chosen = encoder.setting(wanted)
    tokens = len(encoder.words(chosen))
    assert tokens == min(len(wanted.tokens()), encoder.MOST) and chosen.d_model == min(wanted.d_model, encoder.WIDEST)
    for norm_at in NORMS:
        found = encoder.spread_by_depth(chosen, norm_at, "distance")
        assert all(math.isfinite(value) for values in found.values() for value in values)
        assert encoder.draws(chosen, norm_at, 0, 0.3).dropped.shape == (encoder.DRAWS, tokens, tokens)


def test_wrong_choices_are_named() -> None:
    with pytest.raises(ValueError, match="layer=13: allowed are whole numbers from 1 to 12"):
        encoder.block(SMALL, 13, "pre")
    with pytest.raises(ValueError, match="measure='rank': allowed are distance, cosine"):
        encoder.spread_by_depth(SMALL, "pre", "rank")
    with pytest.raises(ValueError, match=r"p=1\.0"):
        encoder.draws(SMALL, "pre", 0, 1.0)
