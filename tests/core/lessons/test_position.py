"""What the page on positions says, on numbers."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from attention_core.experiment import Experiment
from attention_core.lessons import position, rotation, waves
from attention_core.masks import Causal
from attention_core.positions import alibi_slopes, position_encoding, sinusoidal, sinusoids, t5_buckets

SENTENCE = Experiment(
    "The animal didn't cross the street", num_heads=3, d_model=30, weights="hand_built", mode="causal"
)
ROUNDING = 1e-12


def nested_loops(x: Tensor, experiment: Experiment) -> Tensor:
    """Attention without positions, one number at a time: an oracle that shares no code with the core."""
    p = position.setting(experiment).projections()
    rows, heads = x.shape[0], p.w_q.shape[0]
    total = torch.zeros(rows, p.w_o.shape[-1], dtype=torch.float64)
    for h, i in itertools.product(range(heads), range(rows)):
        q = x[i] @ p.w_q[h].double()
        powers = [math.exp(float(q @ (x[j] @ p.w_k[h].double())) / math.sqrt(q.numel())) for j in range(rows)]
        context = sum(power / sum(powers) * (x[j] @ p.w_v[h].double()) for j, power in enumerate(powers))
        total[i] += context @ p.w_o[h].double()
    return total


def test_the_page_computes_attention() -> None:
    trace = position.traced(SENTENCE, "none")
    torch.testing.assert_close(trace.output[0], nested_loops(trace.token_embedding[0], SENTENCE))


def test_without_positions_the_outputs_are_only_permuted() -> None:
    for draw in range(5):
        found = position.shuffle(SENTENCE, "none", draw)
        assert found.largest < ROUNDING
        torch.testing.assert_close(found.after.output[0], found.before.output[0][list(found.order)], rtol=0, atol=1e-12)
        assert (found.after.output - found.before.output).abs().max() > 0.1  # they did change places


@pytest.mark.parametrize("scheme", position.SCHEMES)
def test_with_positions_they_are_not(scheme: str) -> None:
    assert all(position.shuffle(SENTENCE, scheme, draw).largest > 0.01 for draw in range(5))


def test_the_difference_belongs_to_the_same_word() -> None:
    found = position.shuffle(SENTENCE, "sinusoidal", draw=0)
    for place, origin in enumerate(found.order):
        assert found.after.tokens[place] == found.before.tokens[origin]
        expected = found.after.output[0, place] - found.before.output[0, origin]
        torch.testing.assert_close(found.difference[origin], expected)


def test_a_position_belongs_to_the_place_and_not_to_the_word() -> None:
    order = position.shuffled_order(6, 0)
    before, after = position.traced(SENTENCE, "learned"), position.traced(SENTENCE, "learned", order)
    assert torch.equal(before.position_encoding, after.position_encoding)
    assert torch.equal(after.token_embedding[0], before.token_embedding[0][list(order)])


def test_a_causal_mask_alone_breaks_the_symmetry() -> None:
    """The exception that the page names."""
    module = position.setting(SENTENCE).module(torch.float64)
    x = position.traced(SENTENCE, "none").token_embedding
    order = list(position.shuffled_order(6, 0))
    straight = module.trace(x, mask=Causal()).output[0]
    shuffled = position.back_in_order(module.trace(x[:, order], mask=Causal()).output[0], order)
    assert (shuffled - straight).abs().max() > 0.01


def test_equal_words_are_told_apart_only_by_what_is_added_to_x() -> None:
    same = Experiment("the the the the")
    for scheme in position.POSITIONS:
        output = position.traced(same, scheme).output[0]
        apart = float((output - output[0]).abs().max())
        assert (apart > 0.01) == (position.PLACES.get(scheme) == "x"), scheme


def test_alibi_does_not_tell_before_from_after() -> None:
    two = Experiment("one two")
    assert position.shuffle(two, "alibi", 0).largest < ROUNDING
    assert position.shuffle(two, "t5", 0).largest > 0.01


def test_nothing_but_the_position_differs_between_the_schemes() -> None:
    settings = {position.setting(SENTENCE, scheme) for scheme in position.POSITIONS}
    assert len(settings) == len(position.POSITIONS)
    assert len({position.setting(SENTENCE, "none") for _ in settings}) == 1
    queries = [
        position.traced(SENTENCE, scheme).heads.q for scheme in position.SCHEMES if position.PLACES[scheme] != "x"
    ]
    assert all(torch.equal(q, queries[0]) for q in queries)


@pytest.mark.parametrize("scheme", position.SCHEMES)
def test_each_scheme_enters_at_the_place_that_is_drawn(scheme: str) -> None:
    trace = position.traced(SENTENCE, scheme)
    added = trace.position_encoding is not None
    turned = not torch.equal(trace.heads.rotated_q, trace.heads.q)
    changed = not torch.equal(trace.heads.modified_scores, trace.heads.scaled_scores)
    assert (added, turned, changed) == {
        "x": (True, False, False),
        "qk": (False, True, False),
        "scores": (False, False, True),
    }[position.PLACES[scheme]]
    assert torch.equal(trace.heads.v, position.traced(SENTENCE, "none").heads.v) == (not added)


def test_changes_are_the_scores_with_minus_the_scores_without() -> None:
    found = position.changes(SENTENCE, head=2)
    plain = position.traced(SENTENCE, "none").heads.scaled_scores[0, 2]
    for place, scheme in enumerate(position.SCHEMES):
        heads = position.traced(SENTENCE, scheme).heads
        torch.testing.assert_close(found[place], heads.modified_scores[0, 2] - plain)
        assert found[place].abs().max() > 1e-3


@pytest.mark.parametrize("scheme", ["alibi", "t5", "shaw", "transformer_xl"])
def test_what_is_added_explains_the_scores(scheme: str) -> None:
    trace = position.traced(SENTENCE, scheme)
    added = position.added_to_scores(trace, position.scheme_mod(SENTENCE, scheme))
    torch.testing.assert_close(trace.heads.scaled_scores[0] + added, trace.heads.modified_scores[0])


def test_transformer_xl_adds_two_parts() -> None:
    trace, mod = position.traced(SENTENCE, "transformer_xl"), position.scheme_mod(SENTENCE, "transformer_xl")
    content, offset = position.transformer_xl_terms(trace, mod)
    torch.testing.assert_close(content + offset, position.added_to_scores(trace, mod))
    assert torch.equal(content, content[:, :1].expand_as(content))  # equal rows
    assert (offset - offset[:, :1]).abs().max() > 0.1
    # By hand, one cell: head 1, query 4, key 2.
    u, v, w_r = (tensor.double() for tensor in (mod.u, mod.v, mod.w_r))
    r = sinusoids(torch.tensor([2]), w_r.shape[1])[0] @ w_r[1]
    q, k = trace.heads.q[0, 1, 4], trace.heads.k[0, 1, 2]
    torch.testing.assert_close(content[1, 4, 2], u[1] @ k / math.sqrt(10))
    torch.testing.assert_close(offset[1, 4, 2], (q + v[1]) @ r / math.sqrt(10))


def test_alibi_and_t5_are_constant_along_diagonals_and_shaw_is_not() -> None:
    def spread(scheme: str) -> float:
        added = position.added_to_scores(position.traced(SENTENCE, scheme), position.scheme_mod(SENTENCE, scheme))
        return max(rotation.spread_along_diagonals(head) for head in added)

    assert spread("alibi") == spread("t5") == 0.0
    assert spread("shaw") > 0.1


def test_numbers_of_the_text() -> None:
    eight = Experiment("a b", num_heads=8, d_model=64)
    assert alibi_slopes(8) == tuple(2.0**-h for h in range(1, 9))
    count = {scheme: position.learned_numbers(eight, scheme, 32) for scheme in position.SCHEMES}
    xl = 8 * 64 * 8 + 2 * 8 * 8  # d_model x d_k a head, and u and v
    expected = {"learned": 32 * 64, "t5": 32 * 8, "shaw": 33 * 8, "transformer_xl": xl}
    assert count == {"sinusoidal": 0, "rope": 0, "alibi": 0, **expected}
    mod = position.scheme_mod(eight, "shaw")
    assert mod.max_distance == 16


def test_the_last_bucket_begins_where_the_text_says() -> None:
    for both in (True, False):
        first = position.last_bucket_from(bidirectional=both)
        buckets = t5_buckets(torch.tensor([first - 1, first, 1000]), bidirectional=both).tolist()
        assert buckets[0] + 1 == buckets[1] == buckets[2]


def test_a_long_text_is_cut_and_order_is_checked() -> None:
    long = Experiment(" ".join(f"w{n}" for n in range(40)))
    assert position.words(long) == tuple(f"w{n}" for n in range(position.MOST))
    with pytest.raises(ValueError, match="order="):
        position.traced(SENTENCE, "none", order=(0, 0, 1, 2, 3, 4))


@given(st.integers(1, 30), st.integers(0, 1000))
def test_a_shuffle_is_another_order(length: int, draw: int) -> None:
    order = position.shuffled_order(length, draw)
    assert sorted(order) == list(range(length))
    assert length == 1 or order != tuple(range(length))
    rows = torch.arange(length)[:, None]
    assert torch.equal(position.back_in_order(rows[list(order)], order), rows)


# Rotation


def test_products_depend_on_the_offset_alone() -> None:
    q, k = torch.linspace(-1, 2, 7), torch.linspace(3, -1, 7)  # an odd width: one number has no partner
    turned = rotation.products(q, k, 16)
    assert rotation.spread_along_diagonals(turned) < ROUNDING
    assert turned.max() - turned.min() > 1.0
    plain = rotation.products(q, k, 16, rotate=False)
    assert torch.equal(plain, plain[:1, :1].expand(16, 16))
    torch.testing.assert_close(turned.diagonal(), plain.diagonal())  # at no distance nothing is turned


def test_spread_finds_what_is_not_constant() -> None:
    assert rotation.spread_along_diagonals(torch.tensor([[1.0, 2.0], [3.0, 5.0]])) == 4.0


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 4), st.integers(0, 20))
def test_one_pair_turns_by_its_own_angle(i: int, j: int, pair: int, shift: int) -> None:
    q, k = torch.linspace(-1, 2, 10), torch.linspace(3, -1, 10)
    found = rotation.turned_pair(q, k, pair=pair, query_position=i, key_position=j)
    theta = 10000 ** (-2 * pair / 10)
    assert found.step == pytest.approx(theta)
    as_number = complex(*found.query) * complex(math.cos(i * theta), math.sin(i * theta))
    assert complex(*found.turned_query) == pytest.approx(as_number, abs=1e-9)
    assert math.hypot(*found.turned_key) == pytest.approx(math.hypot(*found.key))  # lengths stay
    moved = rotation.turned_pair(q, k, pair=pair, query_position=i + shift, key_position=j + shift)
    assert moved.product == pytest.approx(found.product, abs=1e-9)


def test_the_pairs_add_up_to_the_product() -> None:
    q, k = torch.linspace(-1, 2, 10), torch.linspace(3, -1, 10)
    parts = [rotation.turned_pair(q, k, pair=p, query_position=7, key_position=3).product for p in range(5)]
    assert sum(parts) == pytest.approx(float(rotation.products(q, k, 8)[7, 3]))
    with pytest.raises(ValueError, match="pair=5: allowed are whole numbers from 0 to 4"):
        rotation.turned_pair(q, k, pair=5, query_position=0, key_position=0)


# Waves


def test_wavelengths_are_where_the_columns_repeat() -> None:
    lengths = waves.wavelengths(8)
    assert lengths[0] == pytest.approx(6.2832, abs=1e-4)
    ratios = [b / a for a, b in itertools.pairwise(lengths)]
    assert ratios == pytest.approx([10.0] * 3)
    at = torch.tensor([3.0], dtype=torch.float64)
    for pair, length in enumerate(lengths):
        columns = slice(2 * pair, 2 * pair + 2)
        torch.testing.assert_close(sinusoids(at, 8)[:, columns], sinusoids(at + length, 8)[:, columns])


def test_sinusoids_are_alike_by_their_distance_and_learned_rows_are_not() -> None:
    alike = waves.likeness(sinusoidal(32, 32, dtype=torch.float64))
    assert rotation.spread_along_diagonals(alike) < ROUNDING
    assert alike[5, 6] > alike[5, 8] > 0
    chance = waves.likeness(position_encoding("learned", 32, 32, seed=0))
    assert rotation.spread_along_diagonals(chance - torch.eye(32)) > 0.5


def test_half_of_a_patch_says_the_row_and_half_the_column() -> None:
    table = waves.sinusoidal_2d(3, 5, 12)
    for row, col in itertools.product(range(3), range(5)):
        assert torch.equal(table[row, col, :6], sinusoidal(3, 6, dtype=torch.float64)[row])
        assert torch.equal(table[row, col, 6:], sinusoidal(5, 6, dtype=torch.float64)[col])
    with pytest.raises(ValueError, match="width=6: allowed are multiples of 4"):
        waves.sinusoidal_2d(3, 5, 6)


@pytest.mark.parametrize("base", [10.0, 100.0, 1000.0, 10000.0])
def test_what_the_page_says_about_patches(base: float) -> None:
    row, col, side = 4, 3, 12
    rows, cols, both, number = waves.patch_likeness(side, side, 32, row, col, base)
    assert torch.equal(rows, rows[:, :1].expand(side, side))  # alike all patches of one height
    assert torch.equal(cols, cols[:1].expand(side, side))
    torch.testing.assert_close(both, (rows + cols) / 2)
    for picture in (rows, cols, both, number):
        assert picture[row, col] == pytest.approx(1.0)
        assert picture.max() <= 1 + 1e-9
    # The neighbour below is as close as the one to the right; numbered line by line it is not.
    torch.testing.assert_close(both[row + 1, col], both[row, col + 1])
    assert number[row + 1, col] < number[row, col + 1] - 0.01
    end = waves.patch_likeness(side, side, 32, row, side - 1, base)[3]
    torch.testing.assert_close(end[row + 1, 0], number[row, col + 1])  # the next line begins next door


def test_a_smaller_base_tells_patches_apart_better() -> None:
    least = [float(waves.patch_likeness(12, 12, 32, 4, 4, base)[2].min()) for base in (100.0, 10000.0)]
    assert least[0] < least[1] - 0.1
