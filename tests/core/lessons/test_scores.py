"""Five scores on the same Q and K: lengths, costs counted one by one, and what the page says of them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_core.experiment import Experiment
from attention_core.lessons import scores
from attention_core.presets import DEFAULT

BASE = Experiment("one two three four five", num_heads=2, d_model=14, bias=True, seed=3)
SENTENCE = replace(DEFAULT.experiment, weights="random")


@pytest.mark.parametrize("length", [1.0, 0.25, 3.0])
def test_q_k_and_v_are_the_same_for_all_scores(length: int) -> None:
    plain = BASE.run()
    for name in scores.NAMES:
        trace = scores.with_score(BASE, name, length).run()
        assert trace.score_name == name
        torch.testing.assert_close(trace.heads.q, length * plain.heads.q)
        torch.testing.assert_close(trace.heads.k, length * plain.heads.k)
        assert torch.equal(trace.heads.v, plain.heads.v)


def test_without_a_length_it_is_the_experiment_itself() -> None:
    assert scores.with_score(BASE, "cosine") == replace(BASE, score="cosine")
    long, same = scores.with_score(BASE, "dot", 2.0), scores.with_score(BASE, "dot", 2.0)
    assert long == same and hash(long) == hash(same) and long != scores.with_score(BASE, "dot", 4.0)


@pytest.mark.parametrize("length", [0.0, -1.0, float("inf"), float("nan")])
def test_no_length(length: float) -> None:
    with pytest.raises(ValueError, match="length="):
        scores.with_score(BASE, "dot", length)


def test_an_unknown_score() -> None:
    with pytest.raises(ValueError, match="score='euclid'"):
        scores.with_score(BASE, "euclid")


@pytest.mark.parametrize("length", [0.25, 2.0, 8.0])
def test_dot_products_grow_with_the_square_of_the_length_and_the_cosine_not_at_all(length: float) -> None:
    """Claims of the page."""
    for name in ("dot", "scaled_dot", "bilinear"):
        before = scores.with_score(BASE, name).run().heads.raw_scores
        after = scores.with_score(BASE, name, length).run().heads.raw_scores
        torch.testing.assert_close(after, length**2 * before, rtol=1e-4, atol=1e-4 * length**2)
    before, after = (scores.with_score(BASE, "cosine", c).run() for c in (1.0, length))
    torch.testing.assert_close(after.heads.raw_scores, before.heads.raw_scores, atol=1e-6, rtol=0)
    torch.testing.assert_close(after.heads.weights, before.heads.weights, atol=1e-6, rtol=0)


def test_the_additive_score_stays_within_the_sum_of_v() -> None:
    """Claim of the page."""
    for length in (1.0, 8.0, 1000.0):
        wanted = scores.with_score(BASE, "additive", length)
        bound = wanted.score_function().v.abs().sum(-1)  # type: ignore[attr-defined]
        largest = wanted.run().heads.raw_scores[0].abs().amax((1, 2))
        assert (largest <= bound * (1 + 1e-6)).all()


def test_long_vectors_make_dot_products_decide() -> None:
    """Claim of the page, on its sentence."""
    lengths = (0.25, 1.0, 8.0)
    found = scores.entropy_by_length(SENTENCE, SENTENCE.run(), 1, lengths)
    most = math.log(len(SENTENCE.tokens()))
    for name in ("dot", "scaled_dot", "bilinear"):
        assert found[name][0] > 0.9 * most and found[name][2] < 0.2 * most, name
        assert found[name][0] > found[name][1] > found[name][2]
    assert found["cosine"] == pytest.approx([found["cosine"][0]] * 3, abs=1e-5)
    assert found["additive"][2] > 0.8 * most


def test_entropy_by_length_is_that_of_the_traces() -> None:
    masked = replace(BASE, mode="causal", temperature=0.5)
    found = scores.entropy_by_length(masked, masked.run(), 1, (1.0, 2.0))
    for name in scores.NAMES:
        for place, length in enumerate((1.0, 2.0)):
            reading = scores.read(scores.with_score(masked, name, length).run(), 1)
            assert found[name][place] == pytest.approx(reading.entropy, abs=1e-5)


def test_no_key_weighs_more_than_e_squared_as_much_under_the_cosine() -> None:
    """Claim of the page."""
    assert scores.sharpest_ratio(-1.0, 1.0) == pytest.approx(math.e**2) and math.e**2 == pytest.approx(7.4, abs=0.02)
    for length in (1.0, 8.0):
        weights = scores.with_score(SENTENCE, "cosine", length).run().heads.weights
        assert float((weights.amax(-1) / weights.amin(-1)).max()) <= math.e**2


def test_a_low_temperature_wakes_the_cosine() -> None:
    """Claim of the page."""
    cold = scores.read(scores.with_score(replace(SENTENCE, temperature=0.1), "cosine").run(), 0)
    warm = scores.read(scores.with_score(SENTENCE, "cosine").run(), 0)
    assert cold.entropy < 0.8 * warm.entropy and cold.top > 2 * warm.top


@pytest.mark.parametrize("mode", ["self", "causal"])
def test_a_reading_by_hand(mode: str) -> None:
    trace = replace(BASE, mode=mode).run()
    found = scores.read(trace, 1)
    spreads, tops, entropies = [], [], []
    for query in range(5):
        seen = range(query + 1) if mode == "causal" else range(5)
        row = [float(trace.heads.scaled_scores[0, 1, query, key]) for key in seen]
        mean = sum(row) / len(row)
        spreads.append(math.sqrt(sum((s - mean) ** 2 for s in row) / len(row)))
        powers = [math.exp(s - max(row)) for s in row]
        weights = [power / sum(powers) for power in powers]
        tops.append(max(weights))
        entropies.append(-sum(w * math.log(w) for w in weights))
    assert found.spread == pytest.approx(sum(spreads) / 5, rel=1e-4)
    assert found.top == pytest.approx(sum(tops) / 5, rel=1e-4)
    assert found.entropy == pytest.approx(sum(entropies) / 5, rel=1e-4)


class Tally:
    """A number that counts what is done with it."""

    done = 0

    def work(self, *_: object) -> Tally:
        Tally.done += 1
        return Tally()

    __add__ = __mul__ = __truediv__ = root = tanh = work


def dot(q: list[Tally], k: list[Tally]) -> Tally:
    """A sum that begins at 0, so that a multiplication with its addition counts as 2."""
    total = Tally()
    for a, b in zip(q, k, strict=True):
        total = total + a * b
    return total


def row(width: int) -> list[Tally]:
    return [Tally() for _ in range(width)]


def times(vector: list[Tally], width: int) -> list[Tally]:
    return [dot(vector, row(len(vector))) for _ in range(width)]


def counted(name: str, queries: int, keys: int, d_k: int) -> int:
    """The operations of a score, carried out one by one."""
    Tally.done = 0
    q, k = [row(d_k) for _ in range(queries)], [row(d_k) for _ in range(keys)]
    if name == "bilinear":
        q = [times(one, d_k) for one in q]
    if name == "additive":
        q, k = [times(one, d_k) for one in q], [times(one, d_k) for one in k]
    if name == "cosine":
        for vectors in (q, k):
            for place, one in enumerate(vectors):
                length = dot(one, one).root()
                vectors[place] = [number / length for number in one]
    for one in q:
        for other in k:
            if name == "additive":
                dot([(a + b).tanh() for a, b in zip(one, other, strict=True)], row(d_k))
            elif name == "scaled_dot":
                dot(one, other) / Tally()
            else:
                dot(one, other)
    return Tally.done


@pytest.mark.parametrize("name", scores.NAMES)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5))
def test_the_operations_are_counted_one_by_one(name: str, queries: int, keys: int, d_k: int) -> None:
    assert scores.score_cost(name, queries, keys, d_k).flops == counted(name, queries, keys, d_k)


@pytest.mark.parametrize("name", scores.NAMES)
def test_the_parameters_are_those_of_the_score(name: str) -> None:
    score = replace(BASE, score=name).score_function()
    learned = [value for value in vars(score).values() if isinstance(value, torch.Tensor)]
    each = sum(value[0].numel() for value in learned)
    assert scores.score_cost(name, 3, 4, BASE.widths.d_k).parameters == each


def test_costs_as_the_page_tells_them() -> None:
    found = {name: scores.score_cost(name, 11, 11, 8) for name in scores.NAMES}
    assert found["additive"].numbers == 8 * found["dot"].numbers == 8 * 121
    assert found["dot"].flops < found["scaled_dot"].flops < found["cosine"].flops < found["additive"].flops
    # In a long text the work for each query or key is shared by many pairs; the additive score costs twice as much.
    pair = {name: scores.flops_per_pair(name, 100_000, 8) for name in scores.NAMES}
    assert pair["dot"] == 16 and pair["cosine"] == pytest.approx(16, rel=0.01)
    assert pair["bilinear"] == pytest.approx(16, rel=0.01) and pair["additive"] == pytest.approx(32, rel=0.01)


@pytest.mark.parametrize("arguments", [("euclid", 1, 1, 1), ("dot", 0, 1, 1), ("dot", 1, 1, 0)])
def test_what_has_no_cost(arguments: tuple[str, int, int, int]) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        scores.score_cost(*arguments)


def test_the_end_of_a_scale() -> None:
    trace = BASE.run()
    assert scores.largest(trace, 1) == float(trace.heads.scaled_scores[0, 1].abs().max())
