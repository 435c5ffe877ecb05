"""One line a query and the summary of a head, from effects worked out by hand."""

from __future__ import annotations

import math

import pytest

from attention_core.experiment import Experiment
from attention_core.mask_lab.effect import MaskEffect, mask_effect
from attention_core.mask_lab.effect_rows import row_effects, summarise
from attention_core.masks import Causal, Explicit, Full, Mask
from tests.core.mask_lab.small_traces import WEIGHTS, trace_of

SCORES = WEIGHTS.log()


def effect_of(before: Mask, after: Mask) -> MaskEffect:
    return mask_effect(trace_of(SCORES, before), trace_of(SCORES, after))


def test_every_kind_of_row() -> None:
    effect = effect_of(Explicit(("xxx", "...", "xx.")), Explicit(("...", "x..", "xx.")))
    assert [row.status for row in row_effects(effect, 0)] == ["emptied", "filled", "same"]
    effect = effect_of(Explicit(("xxx", "xx.", "xx.")), Explicit(("xx.", "xxx", ".xx")))
    assert [row.status for row in row_effects(effect, 0)] == ["closed", "opened", "both"]
    effect = effect_of(Explicit(("...", "xxx", "xxx")), Explicit(("...", "xxx", "xxx")))
    assert [row.status for row in row_effects(effect, 0)] == ["blind", "same", "same"]


def test_a_row_holds_the_numbers_of_its_query() -> None:
    effect = effect_of(Full(), Explicit(("xxx", "x.x", "xxx")))
    row = row_effects(effect, 0)[1]
    assert (row.query, row.token) == (1, "b")
    assert row.removed == pytest.approx(0.8)
    assert row.gained == pytest.approx(0.8)
    assert row.forbidden_mass == pytest.approx(0.8)
    assert row.opened_mass == 0.0
    assert row.entropy_after == pytest.approx(math.log(2))
    # from 0.1 (1, 0) + 0.8 (0, 1) + 0.1 (2, 2) = (0.3, 1) to 0.5 (1, 0) + 0.5 (2, 2) = (1.5, 1)
    assert row.context_moved == pytest.approx(1.2)
    assert row.output_relative == pytest.approx(1.2 / math.hypot(0.3, 1.0))


def test_the_sentences() -> None:
    effect = effect_of(Explicit(("xxx", "...", "xx.")), Explicit(("xx.", "x..", "xxx")))
    closed, filled, opened = (row.sentence.text() for row in row_effects(effect, 0))
    assert closed == (
        "'a' loses the 50 % of its attention that was on forbidden tokens; the tokens that remain gain it, "
        "each in proportion to what it had."
    )
    assert filled == "'b' could look at nothing before; now its weights sum to 1."
    assert opened == (
        "'c' gives 25 % of its attention to tokens it may now look at; the others lose it, each in "
        "proportion to what it had."
    )
    effect = effect_of(Explicit((".xx", "xxx", "...")), Explicit(("xx.", "...", "...")))
    both, emptied, blind = (row.sentence.text() for row in row_effects(effect, 0))
    assert both == (
        "'a' had 62 % of its attention on tokens that are now forbidden and gives 40 % to tokens that are "
        "now open: 62 % of it changes place."
    )
    assert emptied == "'b' may look at nothing any more: all its weights are 0, and its head output is 0."
    assert blind == "'c' may look at nothing, before and after."


def test_a_sentence_in_another_language() -> None:
    row = row_effects(effect_of(Full(), Full()), 0)[0]
    assert row.sentence.text({"Nothing changes for '{token}'.": "'{token}': rien."}.__getitem__) == "'a': rien."


def test_the_summary_by_hand() -> None:
    effect = effect_of(Explicit(("xxx", "xxx", "...")), Explicit(("xx.", "...", "x..")))
    summary = summarise(effect, 0)
    assert (summary.cells_closed, summary.cells_opened) == (4, 1)
    assert (summary.rows, summary.rows_changed, summary.rows_emptied, summary.rows_filled) == (3, 3, 1, 1)
    assert summary.removed == pytest.approx((0.5 + 1.0 + 0.0) / 3)
    assert summary.removed_most == pytest.approx(1.0)
    assert summary.gained == pytest.approx((0.5 + 0.0 + 1.0) / 3)
    first = -(0.2 * math.log(0.2) + 0.3 * math.log(0.3) + 0.5 * math.log(0.5))
    second = -(0.1 * math.log(0.1) * 2 + 0.8 * math.log(0.8))
    assert summary.entropy_before == pytest.approx((first + second) / 2)  # the blind row has no say
    after = -(0.4 * math.log(0.4) + 0.6 * math.log(0.6))
    assert summary.entropy_after == pytest.approx((after + 0.0) / 2)
    moves = [math.hypot(0.8, 0.7), math.hypot(0.3, 1.0), 1.0]
    assert summary.context_moved == pytest.approx(sum(moves) / 3)
    assert summary.output_moved_most == pytest.approx(max(moves))
    assert summary.output_moved_most_at == 0
    assert summary.conservation_error < 1e-12


def test_all_heads_together_are_the_mean_of_each() -> None:
    def run(mask: Mask) -> Experiment:
        return Experiment("the sun rises in the east", num_heads=3, d_model=12, mask=mask)

    effect = mask_effect(run(Full()).run(), run(Causal()).run())
    whole, heads = summarise(effect), [summarise(effect, head) for head in range(3)]
    assert whole.rows == 18
    assert whole.cells_closed == 45 == sum(head.cells_closed for head in heads)
    for name in ("removed", "gained", "entropy_before", "entropy_after", "context_moved"):
        mean = sum(getattr(head, name) for head in heads) / 3
        assert getattr(whole, name) == pytest.approx(mean), name
    assert whole.removed_most == max(head.removed_most for head in heads)
    assert heads[0].output_moved == whole.output_moved  # the heads make it together
    assert len({head.removed for head in heads}) == 3


def test_a_head_that_is_not_there() -> None:
    with pytest.raises(IndexError):
        summarise(effect_of(Full(), Causal()), 1)
    with pytest.raises(IndexError):
        row_effects(effect_of(Full(), Causal()), 1)
