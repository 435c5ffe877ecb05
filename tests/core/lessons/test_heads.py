"""One head or many: the same columns in other heads, against loops and torch, and what the page says of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from attention_core.encoder import drop_heads
from attention_core.experiment import Experiment
from attention_core.lessons import heads
from attention_core.metrics import entropy, head_similarity
from attention_core.presets import DEFAULT, PRESETS
from attention_core.trace import AttentionTrace

# 30 columns of queries and keys, 18 of values: d_k and d_v cannot be mistaken for each other.
PRIMES = Experiment("one two three four five", num_heads=3, d_model=7, d_k=10, d_v=6, bias=True, seed=5)
BUILT = DEFAULT.experiment
RANDOM = replace(BUILT, weights="random")


def by_torch(base: Experiment, count: int) -> Tensor:
    """The output with `count` heads, from the matrices of `base` side by side and torch's own attention."""
    own, x = base.projections(), base.inputs().embedding
    assert own.b_q is not None and own.b_k is not None and own.b_v is not None and own.w_o is not None

    def wide(weight: Tensor, bias: Tensor) -> Tensor:
        columns = torch.cat(list(weight), dim=1)
        return x @ columns + bias.flatten()

    q, k, v = (
        torch.stack(wide(weight, bias).chunk(count, dim=1))
        for weight, bias in ((own.w_q, own.b_q), (own.w_k, own.b_k), (own.w_v, own.b_v))
    )
    context = F.scaled_dot_product_attention(q, k, v)
    concat = torch.cat(list(context), dim=1)
    return concat @ torch.cat(list(own.w_o), dim=0) + own.b_o


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_a_cut_is_torchs_attention_on_the_same_columns(count: int) -> None:
    trace = heads.cut(PRIMES, count).run()
    assert trace.shape("q") == (1, count, 5, 30 // count) and trace.shape("v") == (1, count, 5, 18 // count)
    torch.testing.assert_close(trace.output[0], by_torch(PRIMES, count), atol=1e-5, rtol=1e-4)


def test_the_columns_are_the_same_however_they_are_cut() -> None:
    own = PRIMES.projections()
    for count in (1, 2, 6):
        cut = heads.cut(PRIMES, count).projections()
        for name in ("w_q", "w_k", "w_v"):
            assert torch.equal(torch.cat(list(getattr(cut, name)), 1), torch.cat(list(getattr(own, name)), 1))
        for name in ("b_q", "b_k", "b_v"):
            assert torch.equal(getattr(cut, name).flatten(), getattr(own, name).flatten())
        assert cut.w_o is not None and own.w_o is not None
        assert torch.equal(torch.cat(list(cut.w_o)), torch.cat(list(own.w_o)))


def test_a_cut_that_changes_nothing_is_the_experiment() -> None:
    assert heads.cut(PRIMES, 3) is PRIMES
    assert heads.cut(BUILT, 4).head_names() == BUILT.head_names()
    assert not any(heads.cut(BUILT, 2).head_names())


def test_cuts_are_values() -> None:
    one, same = heads.cut(PRIMES, 2), heads.cut(replace(PRIMES), 2)
    assert one == same and hash(one) == hash(same)
    assert one != heads.cut(replace(PRIMES, seed=6), 2) and one != heads.cut(PRIMES, 6)


@pytest.mark.parametrize("count", [0, -1, 4, 7])
def test_columns_that_cannot_be_cut_evenly_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"heads={count}: allowed are divisors of 30"):
        heads.cut(PRIMES, count)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.id)
def test_every_example_can_be_cut(preset: object) -> None:
    base: Experiment = preset.experiment  # type: ignore[attr-defined]
    counts = heads.cuts(base)
    assert {1, base.num_heads} <= set(counts)
    for count in counts:
        trace = heads.cut(base, count).run()
        assert trace.shape("weights")[1] == count
        assert torch.equal(trace.source_embedding, base.run().source_embedding)


def test_every_cut_that_is_offered_can_be_rotated() -> None:
    base = replace(PRIMES, position="rope")
    for count in heads.cuts(base, (1, 2, 5, 6)):
        assert heads.cut(base, count).run().heads.rotated_q.shape[1] == count


def test_no_cut_beyond_the_limit_but_the_own_one() -> None:
    assert heads.cuts(BUILT, most=2) == (1, 2, 4)


@pytest.mark.parametrize("kv_heads", [1, 2, 3])
def test_keys_and_values_of_a_group_are_the_mean_of_its_heads(kv_heads: int) -> None:
    six, shared = heads.cut(PRIMES, 6).projections(), heads.cut(PRIMES, 6, kv_heads).projections()
    size = 6 // kv_heads
    for name in ("w_k", "w_v", "b_k", "b_v"):
        every, mean = getattr(six, name), getattr(shared, name)
        assert len(mean) == kv_heads
        for group in range(kv_heads):
            members = [every[head] for head in range(group * size, (group + 1) * size)]
            torch.testing.assert_close(mean[group], sum(members) / size)
    assert torch.equal(six.w_q, shared.w_q)


def test_heads_that_share_keys_already_are_cut_as_what_they_read() -> None:
    grouped = Experiment("a b c", num_heads=4, d_model=8, num_kv_heads=2)
    own, cut = grouped.projections(), heads.cut(grouped, 4, 4).projections()
    assert torch.equal(cut.w_k, own.w_k[[0, 0, 1, 1]])
    torch.testing.assert_close(heads.cut(grouped, 4, 4).run().output, grouped.run().output)


@given(st.integers(0, 2**31), st.sampled_from(["dot", "scaled_dot"]), st.sampled_from([2, 3, 6]))
def test_the_raw_scores_of_the_heads_add_up_to_those_of_one(seed: int, score: str, count: int) -> None:
    base = replace(PRIMES, seed=seed, score=score)
    one = heads.cut(base, 1).run().heads.raw_scores[:, 0]
    assert heads.scores_add_up(base)
    torch.testing.assert_close(heads.summed_scores(heads.cut(base, count).run()), one, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("change", [{"score": "cosine"}, {"score": "additive"}, {"position": "rope"}])
def test_other_scores_do_not_add_up_and_the_page_does_not_say_so(change: dict[str, str]) -> None:
    base = replace(RANDOM, **change)
    assert not heads.scores_add_up(base)
    one, four = heads.cut(base, 1).run().heads.raw_scores[:, 0], heads.summed_scores(base.run())
    assert not torch.allclose(one, four, atol=0.01)


def previous(trace: AttentionTrace, head: int) -> float:
    """The mean weight of the token before, over all tokens that have one."""
    return float(trace.heads.weights[0, head].diagonal(-1).mean())


def test_in_one_head_the_patterns_drown_each_other() -> None:
    """Claim of the page: built heads see three patterns, one head of the same weights does not."""
    four, two, one = (heads.cut(BUILT, count).run() for count in (4, 2, 1))
    assert previous(four, 0) > 0.9 and four.heads.weights[0, 1, :, 0].min() > 0.9
    assert four.heads.weights[0, 2].diagonal().min() > 0.9
    assert previous(one, 0) < 0.1 and one.heads.weights[0, 0, 1:, 0].max() < 0.1
    # Two heads: the first is a compromise of "previous" and "first" and finds neither.
    assert previous(two, 0) < 0.5 and two.heads.weights[0, 0, 2:, 0].mean() < 0.5


def test_random_heads_have_no_pattern_and_are_fairly_alike() -> None:
    """Claims of the page."""
    trace = RANDOM.run()
    assert entropy(trace.heads.weights).mean() > 0.6 * np.log(len(trace.tokens))
    alike = heads.mean_similarity(head_similarity(trace.heads.weights)[0])
    built = heads.mean_similarity(head_similarity(BUILT.run().heads.weights)[0])
    assert 0.4 < alike < 0.9 and built < 0.5 * alike


def test_mean_similarity_leaves_the_diagonal_out() -> None:
    alike = torch.tensor([[1.0, 0.1, 0.2], [0.1, 1.0, 0.6], [0.2, 0.6, 1.0]])
    assert heads.mean_similarity(alike) == pytest.approx(0.3)
    assert heads.mean_similarity(torch.ones(1, 1)) == 1.0


@pytest.mark.parametrize("base", [PRIMES, BUILT, RANDOM, replace(BUILT, mode="causal")])
def test_contributions_add_up_to_the_output(base: Experiment) -> None:
    for count in heads.cuts(base):
        trace = heads.cut(base, count).run()
        assert heads.residual(trace) < 1e-5 * max(1.0, float(trace.output.abs().max()))
        assert float(heads.shares(trace).sum()) == pytest.approx(1.0, abs=1e-5)


def test_a_residual_is_seen() -> None:
    trace = BUILT.run()
    wrong = replace(trace, output=trace.output + torch.eye(*trace.output.shape[1:])[None])
    assert heads.residual(wrong) == pytest.approx(1.0, abs=1e-5)


def test_shares_by_hand() -> None:
    """Two heads, one token, contributions (3, 0) and (1, 4): o = (4, 4), shares 12/32 and 20/32."""
    trace = Experiment("a", num_heads=2, d_model=2).run()
    projections = trace.projections
    assert projections is not None
    wanted = torch.tensor([[3.0, 0.0], [1.0, 4.0]])
    context = trace.heads.context[0, :, 0, :]  # (head, 1)
    w_o = wanted[:, None] / context[:, :, None]
    trace = replace(trace, projections=replace(projections, w_o=w_o, b_o=None), output=wanted.sum(0)[None, None])
    torch.testing.assert_close(heads.shares(trace), torch.tensor([0.375, 0.625]))
    torch.testing.assert_close(heads.lengths(trace), torch.tensor([[3.0], [17.0**0.5]]))


def test_a_head_that_is_off_takes_its_contribution_with_it() -> None:
    trace = heads.cut(PRIMES, 6).run()
    left = heads.switched(trace, [0, 2, 5])
    gone = trace.head_contributions()[:, [1, 3, 4]].sum(1)
    torch.testing.assert_close(left.output, trace.output - gone)
    assert torch.equal(left.heads.weights, trace.heads.weights), "no share goes to other heads"
    torch.testing.assert_close(heads.change(trace, left, "output"), -gone[0])
    moved = heads.movement(trace, left)
    for token in range(5):
        wanted = gone[0, token].norm() / trace.output[0, token].norm()
        assert float(moved[token]) == pytest.approx(float(wanted), rel=1e-4)
    one = heads.one_by_one(trace)
    for head in range(6):
        others = [other for other in range(6) if other != head]
        torch.testing.assert_close(one[head], heads.movement(trace, heads.switched(trace, others)))


def test_all_heads_on_is_the_trace_and_all_off_leaves_the_bias() -> None:
    trace = PRIMES.run()
    assert heads.switched(trace, range(3)) is trace
    assert trace.projections is not None
    bias = trace.projections.b_o
    assert bias is not None
    torch.testing.assert_close(heads.switched(trace, []).output, bias.expand(1, 5, 7))


@given(st.integers(1, 9), st.floats(0.0, 0.9), st.integers(0, 1000))
def test_the_factors_of_a_draw_add_up_to_the_heads(count: int, p: float, seed: int) -> None:
    gates = heads.draw_gates(count, p, 20, seed)
    for total, row in zip(gates.sum(1).tolist(), gates.tolist(), strict=True):
        assert total == pytest.approx(count, abs=1e-4) or not any(row)
        assert len({value for value in row if value}) <= 1
    assert torch.equal(gates, heads.draw_gates(count, p, 20, seed))


def test_the_mean_factor_is_one_but_for_the_draws_that_drop_all() -> None:
    gates = heads.draw_gates(3, 0.5, 40_000, seed=1)
    torch.testing.assert_close(gates.mean(0), torch.full((3,), 1 - 0.5**3), atol=0.02, rtol=0)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_no_probability(p: float) -> None:
    with pytest.raises(ValueError, match="p="):
        heads.draw_gates(2, p, 3, seed=0)


def test_the_distance_of_the_mean_by_dropping_heads_for_real() -> None:
    trace = replace(PRIMES, bias=False).run()
    gates = heads.draw_gates(3, 0.4, 11, seed=2)
    outputs = [drop_heads(trace, row[None]).output for row in gates]
    found = heads.mean_distance(trace, gates)
    for draws in range(1, 12):
        mean = torch.stack(outputs[:draws]).mean(0)
        wanted = (mean - trace.output).norm() / trace.output.norm()
        assert float(found[draws - 1]) == pytest.approx(float(wanted), rel=1e-3, abs=1e-6)


def test_the_mean_comes_back_to_the_output_but_for_p_to_the_heads() -> None:
    """Claim of the page."""
    trace = BUILT.run()
    for p in (0.25, 0.5, 0.75):
        far = heads.mean_distance(trace, heads.draw_gates(4, p, 20_000, seed=0))
        assert float(far[-1]) == pytest.approx(p**4, abs=0.03)
        assert float(far[:4].mean()) > 2 * p**4


def test_sharing_keys_moves_weight() -> None:
    trace = BUILT.run()
    moved = [heads.grouped_difference(trace, heads.cut(BUILT, 4, kv).run()) for kv in (1, 2, 4)]
    assert moved[0] > moved[1] > moved[2] == 0.0
    shared = heads.cut(BUILT, 4, 1).run()
    by_hand = [
        sum(abs(a - b) for a, b in zip(one, other, strict=True)) / 2
        for one_head, other_head in zip(trace.heads.weights[0].tolist(), shared.heads.weights[0].tolist(), strict=True)
        for one, other in zip(one_head, other_head, strict=True)
    ]
    assert moved[0] == pytest.approx(sum(by_hand) / len(by_hand), abs=1e-5)
