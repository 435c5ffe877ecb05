"""What the page that trains tells its visitors to watch, on numbers: `pages/live.en.md`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from attention_core.trained import load_shipped, task
from attention_core.trained.plan import LIVE, Plan
from attention_core.trained.tasks import TASKS
from attention_core.trained.training import MEASURED, loss_of
from attention_core.trained.watch import Moment, observe
from tests.conftest import ROOT


def watched(plan: Plan, steps: Sequence[int]) -> list[Moment]:
    """The run, measured at these steps."""
    training = plan.training()
    batch = training.task.batch("held_out", MEASURED, plan.seed)
    found = []
    for step in steps:
        while training.done < step:
            training.step()
        found.append(observe(training.task, training.model, batch, step, training.loss))
    return found


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_reversal_alignment_moves_before_accuracy_and_every_seed_at_nearly_the_same_step(seed: int) -> None:
    moments = watched(replace(Plan.of("reversal"), seed=seed), range(0, 81, 5))
    assert moments[0].accuracy == 0.0 and moments[0].alignment == pytest.approx(0.1, abs=0.02)
    third = next(one for one in moments if one.alignment > 1 / 3)
    assert third.accuracy < 0.01
    right = next(one for one in moments if one.accuracy > 0.95)
    assert right.step - third.step <= 25 and right.alignment > 0.9
    assert 40 <= right.step <= 65


def test_a_narrow_reversal_needs_more_steps() -> None:
    wide, narrow = (watched(replace(Plan.of("reversal"), d_model=width), [200])[0] for width in (64, 16))
    assert wide.accuracy == 1.0 and narrow.accuracy < 0.1


def test_induction_both_heads_move_together_after_a_while() -> None:
    start, fifty, hundred, two_hundred = watched(Plan.of("induction"), [0, 50, 100, 200])
    assert fifty.accuracy < 0.1 and fifty.alignment < 0.1
    assert fifty.first is not None and start.first is not None and fifty.first - start.first < 0.05
    assert hundred.first is not None and two_hundred.first is not None
    assert hundred.first > fifty.first + 0.1 and hundred.alignment > fifty.alignment + 0.3
    assert two_hundred.accuracy > 0.95 and two_hundred.first > 0.6 and two_hundred.alignment > 0.8


def test_coreference_hop_one_forms_before_hop_two() -> None:
    [moment] = watched(Plan.of("coreference"), [150])
    assert moment.first is not None and moment.first > 2 * moment.alignment
    assert moment.accuracy > moment.alignment + 0.2


def test_translation_finds_words_before_sentences_and_dates_fields_before_dates() -> None:
    start, early, later = watched(Plan.of("translation"), [0, 50, 150])
    assert start.alignment == pytest.approx(0.16, abs=0.02)
    assert early.alignment > 1 / 3 and early.accuracy == 0.0 and later.accuracy > 0.5
    start, early = watched(Plan.of("dates"), [0, 70])
    assert early.alignment > start.alignment + 0.15 and early.accuracy < 0.1


def test_the_smoothed_loss_of_translation_has_a_floor() -> None:
    one = task("translation")
    words, spread = len(one.answers), one.recipe.smoothing
    assert (words, spread) == (92, 0.1)
    right, other = 1 - spread + spread / words, spread / words  # what counts as right
    floor = -right * math.log(right) - (words - 1) * other * math.log(other)
    batch, model = one.batch("held_out", MEASURED), load_shipped("translation")
    with torch.no_grad():
        logits = model.run(batch.source, batch.written).logits
    smoothed, plain = (float(loss_of(logits, batch.target, how)) for how in (spread, 0.0))
    assert floor == pytest.approx(0.77, abs=0.005) and floor < smoothed < 0.78 and plain < 0.2
    assert all(TASKS[name].recipe.smoothing == 0 for name in LIVE if name != "translation")
    said = (ROOT / "pages" / "live.en.md").read_text(encoding="utf-8")
    assert "The loss ends near 0.77, not near 0." in said and "all 92 words" in said


def test_sorting_gets_right_with_an_alignment_far_below_that_of_reversal() -> None:
    [moment] = watched(Plan.of("sorting"), [500])
    assert moment.accuracy > 0.6 and moment.alignment < 0.5
