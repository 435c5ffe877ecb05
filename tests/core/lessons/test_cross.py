"""What the page on cross-attention says, on numbers."""

from __future__ import annotations

import pytest
import torch

from attention_core.experiment import Experiment
from attention_core.lessons import cross
from attention_core.masks import Full, Padding, Window
from attention_core.presets import DEFAULT

SOURCE = "The street was wide and the animal was tired"
RANDOM = Experiment("one two three four five", num_heads=2, d_model=22, d_k=7, d_v=3, seed=4)


def test_who_gives_what() -> None:
    trace = cross.setting(RANDOM, "six seven eight").run()
    p = trace.projections
    assert trace.shape("weights") == (1, 2, 5, 3)
    assert (trace.shape("q"), trace.shape("k"), trace.shape("v")) == ((1, 2, 5, 7), (1, 2, 3, 7), (1, 2, 3, 3))
    torch.testing.assert_close(trace.heads.q[0, 1], trace.embedding[0] @ p.w_q[1])
    torch.testing.assert_close(trace.heads.k[0, 1], trace.source_embedding[0] @ p.w_k[1])
    torch.testing.assert_close(trace.heads.v[0, 1], trace.source_embedding[0] @ p.w_v[1])
    assert trace.shape("output")[1] == 5


def test_there_is_one_output_for_each_query_whatever_the_source() -> None:
    for source in ("six", "six seven", SOURCE):
        trace = cross.setting(RANDOM, source).run()
        assert trace.shape("output") == (1, 5, 22)
        torch.testing.assert_close(trace.heads.weights.sum(dim=-1), torch.ones(1, 2, 5))


def test_other_masks_and_modes_are_left_out() -> None:
    odd = Experiment("a b c", mode="causal", mask=Window(1), dropout=0.5)
    found = cross.setting(odd, "d e")
    assert (found.mode, found.dropout, found.mask) == ("cross", 0.0, Full())
    assert cross.setting(odd, "d e", real=1).mask == Padding((1,))
    assert cross.setting(odd, "d e", real=2) == found
    with pytest.raises(ValueError, match="source_text"):
        cross.setting(odd, "  ")


def test_padding_weighs_nothing_and_the_others_grow_by_one_factor() -> None:
    without = cross.setting(RANDOM, SOURCE).run(torch.float64)
    masked = cross.setting(RANDOM, SOURCE, real=6).run(torch.float64)
    for head in range(2):
        effect = cross.padding_effect(without, masked, head)
        before, after = without.heads.weights[0, head], masked.heads.weights[0, head]
        assert torch.equal(after[:, 6:], torch.zeros(5, 3, dtype=torch.float64))
        assert (masked.heads.masked_scores[0, head, :, 6:] == -torch.inf).all()
        torch.testing.assert_close(after.sum(dim=-1), torch.ones(5, dtype=torch.float64))
        torch.testing.assert_close(after[:, :6], before[:, :6] * effect.factor[:, None])
        torch.testing.assert_close(effect.lost, before[:, 6:].sum(dim=-1))
        torch.testing.assert_close(effect.factor, 1 / (1 - effect.lost))
        assert effect.lost[effect.most] == effect.lost.max() > 0.1
        order = before[:, :6].argsort(dim=-1)
        assert torch.equal(order, after[:, :6].argsort(dim=-1))  # nor does their order change


def test_with_nothing_real_left_everything_is_zero() -> None:
    without, masked = cross.setting(RANDOM, SOURCE).run(), cross.setting(RANDOM, SOURCE, real=0).run()
    assert not masked.heads.weights.any() and not masked.heads.context.any()
    effect = cross.padding_effect(without, masked, 0)
    torch.testing.assert_close(effect.lost, torch.ones(5))
    assert torch.equal(effect.factor, torch.zeros(5))


def test_the_masked_part_of_the_source_has_no_say() -> None:
    """Whatever stands in the padding: the output is that of the short source."""
    short = cross.setting(RANDOM, "The street was").run(torch.float64)
    padded = cross.setting(RANDOM, SOURCE, real=3).run(torch.float64)
    torch.testing.assert_close(short.output, padded.output)


def test_what_some_weights_lose_the_others_get() -> None:
    without, masked = cross.setting(RANDOM, SOURCE).run(), cross.setting(RANDOM, SOURCE, real=4).run()
    change = cross.weight_difference(without, masked, None)
    assert change.shape == (2, 5, 9)
    torch.testing.assert_close(change.sum(dim=-1), torch.zeros(2, 5), rtol=0, atol=1e-6)
    assert (change[..., 4:] <= 0).all() and (change[..., :4] >= 0).all()
    assert torch.equal(cross.weight_difference(without, masked, 1)[0], change[1])


def test_the_built_head_finds_equal_words() -> None:
    """The page's first picture: its text and its source."""
    trace = cross.setting(DEFAULT.experiment, SOURCE).run()
    head = trace.head_names.index("same token")
    weights = trace.heads.weights[0, head]
    found = 0
    for i, word in enumerate(trace.tokens):
        same = [j for j, other in enumerate(trace.source_tokens) if other == word]
        if same:
            found += 1
            assert weights[i, same].sum() > 0.9
            torch.testing.assert_close(
                weights[i, same], weights[i, same].mean().expand(len(same)), rtol=1e-4, atol=1e-6
            )
    assert found == 6  # The, animal, the, street, was, tired
    assert [j for j, word in enumerate(trace.source_tokens) if word == "was"] == [2, 7]


def test_the_same_sentence_twice_gives_straight_lines() -> None:
    for order in ((0, 1, 2, 3), (3, 1, 0, 2)):
        words = ("red", "green", "blue", "white")
        source = " ".join(words[place] for place in order)
        trace = cross.setting(Experiment(" ".join(words), weights="hand_built"), source).run()
        looked = [cross.strongest(trace, 2, query) for query in range(4)]
        assert [order[key] for key, _ in looked] == [0, 1, 2, 3]
        assert all(weight > 0.9 for _, weight in looked)


def test_strongest_of_one_head_and_of_the_mean() -> None:
    trace = cross.setting(RANDOM, SOURCE).run()
    weights = trace.heads.weights[0]
    assert cross.strongest(trace, 1, 3) == (int(weights[1, 3].argmax()), pytest.approx(float(weights[1, 3].max())))
    mean = weights.mean(dim=0)[3]
    assert cross.strongest(trace, None, 3) == (int(mean.argmax()), pytest.approx(float(mean.max())))
