"""What a mask changed: numbers by hand, in nested loops, and conserved for random masks in every mode."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from attention_core.experiment import Experiment
from attention_core.mask_lab.effect import MaskEffect, mask_effect
from attention_core.masks import Causal, Explicit, Full, Mask, Prefix
from attention_core.trace import AttentionTrace
from tests.core.mask_examples import endless, grids, nested
from tests.core.mask_lab.small_traces import VALUES, WEIGHTS, trace_of

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

TEXT, SOURCE = "the sun rises in the", "east of here and sets in west"  # 5 and 7 tokens
SCORES = WEIGHTS.log()


def effect_of(before: Mask, after: Mask) -> MaskEffect:
    return mask_effect(trace_of(SCORES, before), trace_of(SCORES, after))


# ---- by hand, 3 x 3


def test_closing_a_cell_by_hand() -> None:
    effect = effect_of(Full(), Explicit(("xx.", "xxx", "xxx")))
    assert effect.after[0, 0, 0].tolist() == pytest.approx([0.4, 0.6, 0.0])
    assert effect.difference[0, 0, 0].tolist() == pytest.approx([0.2, 0.3, -0.5])
    assert effect.removed[0, 0].tolist() == pytest.approx([0.5, 0.0, 0.0])
    assert effect.gained[0, 0].tolist() == pytest.approx([0.5, 0.0, 0.0])
    assert effect.forbidden_mass[0, 0].tolist() == pytest.approx([0.5, 0.0, 0.0])
    assert effect.opened_mass[0, 0].tolist() == [0.0, 0.0, 0.0]
    before = -(0.2 * math.log(0.2) + 0.3 * math.log(0.3) + 0.5 * math.log(0.5))
    after = -(0.4 * math.log(0.4) + 0.6 * math.log(0.6))
    assert effect.entropy_before[0, 0, 0].item() == pytest.approx(before)
    assert effect.entropy_after[0, 0, 0].item() == pytest.approx(after)
    # the head output moved from (1.2, 1.3) to (0.4, 0.6)
    assert effect.context_moved[0, 0].tolist() == pytest.approx([math.hypot(0.8, 0.7), 0.0, 0.0])
    relative = math.hypot(0.8, 0.7) / math.hypot(1.2, 1.3)
    assert effect.output_relative[0].tolist() == pytest.approx([relative, 0.0, 0.0])


def test_closing_one_cell_and_opening_another_by_hand() -> None:
    effect = effect_of(Explicit((".xx", "xxx", "xxx")), Explicit(("xx.", "xxx", "xxx")))
    assert effect.before[0, 0, 0].tolist() == pytest.approx([0.0, 0.375, 0.625])
    assert effect.difference[0, 0, 0].tolist() == pytest.approx([0.4, 0.225, -0.625])
    assert effect.removed[0, 0, 0].item() == pytest.approx(0.625)
    assert effect.gained[0, 0, 0].item() == pytest.approx(0.625)
    assert effect.forbidden_mass[0, 0, 0].item() == pytest.approx(0.625)
    assert effect.opened_mass[0, 0, 0].item() == pytest.approx(0.4)
    assert effect.closed[0, 0].tolist() == [[False, False, True], [False] * 3, [False] * 3]
    assert effect.opened[0, 0].tolist() == [[True, False, False], [False] * 3, [False] * 3]


def test_the_forbidden_mass_is_not_all_that_is_removed_where_cells_open_too() -> None:
    # closed: 0.1 of (0.1, 0.8, 0.1); opened in the row below: its others give way
    effect = effect_of(Explicit(("xxx", "xx.", "xxx")), Explicit(("xxx", ".xx", "xxx")))
    assert effect.before[0, 0, 1].tolist() == pytest.approx([1 / 9, 8 / 9, 0.0])
    assert effect.after[0, 0, 1].tolist() == pytest.approx([0.0, 8 / 9, 1 / 9])
    assert effect.removed[0, 0, 1].item() == pytest.approx(1 / 9)
    assert effect.forbidden_mass[0, 0, 1].item() == pytest.approx(1 / 9)
    effect = effect_of(Explicit(("x..", "xxx", "xxx")), Explicit(("x.x", "xxx", "xxx")))
    assert effect.removed[0, 0, 0].item() == pytest.approx(1 - 0.2 / 0.7)
    assert effect.forbidden_mass[0, 0, 0].item() == 0.0
    assert effect.opened_mass[0, 0, 0].item() == pytest.approx(0.5 / 0.7)


def test_a_row_that_is_emptied_or_filled() -> None:
    effect = effect_of(Explicit(("xxx", "...", "...")), Explicit(("...", "xxx", "...")))
    assert effect.emptied[0, 0].tolist() == [True, False, False]
    assert effect.filled[0, 0].tolist() == [False, True, False]
    assert effect.blind_before[0, 0].tolist() == [False, True, True]
    assert effect.blind_after[0, 0].tolist() == [True, False, True]
    assert effect.changed[0, 0].tolist() == [True, True, False]
    assert effect.removed[0, 0].tolist() == pytest.approx([1.0, 0.0, 0.0])
    assert effect.gained[0, 0].tolist() == pytest.approx([0.0, 1.0, 0.0])
    assert effect.conservation_error == 0.0  # no row has something before and after
    assert effect.context_moved[0, 0, 0].item() == pytest.approx(math.hypot(1.2, 1.3))
    assert effect.context_relative[0, 0].tolist() == [pytest.approx(1.0), math.inf, 0.0]


def test_the_mass_goes_to_what_remains_in_proportion() -> None:
    effect = effect_of(Full(), Explicit(("xx.", ".xx", "..x")))
    expected = [[0.4, 0.6, 0.0], [0.0, 8 / 9, 1 / 9], [0.0, 0.0, 1.0]]
    for row, numbers in zip(effect.proportional()[0, 0].tolist(), expected, strict=True):
        assert row == pytest.approx(numbers)
    assert effect.proportional_error < 1e-15


def test_a_row_whose_remains_were_too_small_to_show_is_left_out_of_the_proportion() -> None:
    scores = torch.tensor([[0.0, 1.0, 800.0]], dtype=torch.float64)
    before, after = trace_of(scores), trace_of(scores, Prefix(2))
    effect = mask_effect(before, after)
    assert effect.before[0, 0, 0].tolist() == [0.0, 0.0, 1.0]
    assert effect.proportional()[0, 0, 0].tolist() == [0.0, 0.0, 0.0]
    assert effect.proportional_error == 0.0
    assert effect.conservation_error < 1e-12


# ---- in nested loops


def loops(before: AttentionTrace, after: AttentionTrace, b: int, h: int, i: int) -> dict[str, float]:
    a, c = before.heads.weights[b, h, i].tolist(), after.heads.weights[b, h, i].tolist()
    was, now = before.heads.allowed[b, h, i].tolist(), after.heads.allowed[b, h, i].tolist()
    removed = gained = forbidden = opened = h_before = h_after = 0.0
    for j in range(len(a)):
        if a[j] > c[j]:
            removed += a[j] - c[j]
        else:
            gained += c[j] - a[j]
        if was[j] and not now[j]:
            forbidden += a[j]
        if now[j] and not was[j]:
            opened += c[j]
        h_before -= a[j] * math.log(a[j]) if a[j] else 0.0
        h_after -= c[j] * math.log(c[j]) if c[j] else 0.0
    x, y = before.heads.context[b, h, i].tolist(), after.heads.context[b, h, i].tolist()
    o, p = before.output[b, i].tolist(), after.output[b, i].tolist()
    return {
        "removed": removed,
        "gained": gained,
        "forbidden_mass": forbidden,
        "opened_mass": opened,
        "entropy_before": h_before,
        "entropy_after": h_after,
        "context_moved": math.dist(x, y),
        "output_moved": math.dist(o, p),
    }


def experiment(mode: str, mask: Mask) -> Experiment:
    return Experiment(TEXT, source_text=SOURCE, mode=mode, num_heads=3, d_model=12, mask=mask, seed=3)


MODES = st.sampled_from(["self", "causal", "cross"])


@given(MODES, nested(endless), nested(endless))
def test_every_number_in_nested_loops(mode: str, one: Mask, other: Mask) -> None:
    before, after = experiment(mode, one).run(), experiment(mode, other).run()
    effect = mask_effect(before, after)
    for h in range(3):
        for i in range(5):
            for name, number in loops(before, after, 0, h, i).items():
                ours = getattr(effect, name)
                found = ours[0, i] if name == "output_moved" else ours[0, h, i]
                assert found.item() == pytest.approx(number, rel=1e-4, abs=1e-6), (name, h, i)


# ---- conserved


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, Mask, Mask]:
    """A mode and two painted masks that fit it."""
    mode = draw(MODES)
    keys = 7 if mode == "cross" else 5
    return mode, draw(grids(5, keys)), draw(grids(5, keys))


@given(pairs())
def test_what_is_removed_is_redistributed(case: tuple[str, Mask, Mask]) -> None:
    mode, one, other = case
    effect = mask_effect(experiment(mode, one).run(), experiment(mode, other).run())
    imbalance = effect.removed - effect.gained
    left = effect.before.sum(-1) - effect.after.sum(-1)
    torch.testing.assert_close(imbalance, left, atol=1e-12, rtol=0)  # nothing appears from nowhere
    kept = ~(effect.blind_before | effect.blind_after)
    assert effect.conservation_error <= 1e-6
    assert (imbalance[kept].abs() <= 1e-6).all()
    torch.testing.assert_close(imbalance[effect.emptied], torch.ones_like(imbalance[effect.emptied]), atol=1e-6, rtol=0)
    torch.testing.assert_close(imbalance[effect.filled], -torch.ones_like(imbalance[effect.filled]), atol=1e-6, rtol=0)
    assert (effect.forbidden_mass <= effect.removed + 1e-12).all()
    assert (effect.opened_mass <= effect.gained + 1e-12).all()
    assert effect.proportional_error <= 1e-6


@given(pairs())
def test_closing_only(case: tuple[str, Mask, Mask]) -> None:
    """Where cells are only closed, the forbidden mass is what is removed, and all of it goes to the rest."""
    mode, one, other = case
    effect = mask_effect(experiment(mode, one).run(), experiment(mode, one & other).run())
    torch.testing.assert_close(effect.forbidden_mass, effect.removed, atol=1e-6, rtol=0)
    assert not effect.opened.any()
    assert (effect.opened_mass == 0).all()
    kept = ~effect.blind_after
    torch.testing.assert_close(effect.proportional()[kept], effect.after[kept], atol=1e-6, rtol=0)


@given(pairs())
def test_the_other_way_round(case: tuple[str, Mask, Mask]) -> None:
    mode, one, other = case
    before, after = experiment(mode, one).run(), experiment(mode, other).run()
    there, back = mask_effect(before, after), mask_effect(after, before)
    assert torch.equal(there.removed, back.gained)
    assert torch.equal(there.forbidden_mass, back.opened_mass)
    assert torch.equal(there.entropy_before, back.entropy_after)
    assert torch.equal(there.emptied, back.filled)
    assert torch.equal(there.difference, -back.difference)


@given(pairs())
def test_the_head_outputs_that_moved_are_those_of_sdpa(case: tuple[str, Mask, Mask]) -> None:
    mode, one, other = case
    before, after = experiment(mode, one).run(), experiment(mode, other).run()
    h = before.heads
    theirs = [F.scaled_dot_product_attention(h.q, h.k, h.v, attn_mask=trace.heads.allowed) for trace in (before, after)]
    moved = (theirs[1] - theirs[0]).norm(dim=-1).double()
    torch.testing.assert_close(mask_effect(before, after).context_moved, moved, atol=1e-5, rtol=1e-5)


def test_the_same_mask_changes_nothing() -> None:
    trace = experiment("self", Causal()).run()
    effect = mask_effect(trace, experiment("self", Causal()).run())
    for name in ("removed", "gained", "forbidden_mass", "opened_mass", "context_moved", "output_relative"):
        assert (getattr(effect, name) == 0).all(), name
    assert not effect.changed.any()


def test_traces_made_for_inference_compare_too() -> None:
    with torch.inference_mode():
        effect = mask_effect(experiment("self", Full()).run(), experiment("self", Causal()).run())
    assert effect.conservation_error <= 1e-6


def test_no_input_is_changed() -> None:
    before, after = trace_of(SCORES), trace_of(SCORES, Causal())
    copies = [trace.heads.weights.clone() for trace in (before, after)]
    mask_effect(before, after).proportional()
    assert torch.equal(before.heads.weights, copies[0])
    assert torch.equal(after.heads.weights, copies[1])


# ---- what is refused


def test_traces_of_other_experiments_are_refused() -> None:
    before = experiment("self", Full()).run()
    with pytest.raises(ValueError, match=r"after\.tokens differ"):
        mask_effect(before, Experiment("the sun sets in the", num_heads=3, d_model=12).run())
    with pytest.raises(ValueError, match=r"after\.source_tokens differ"):
        mask_effect(before, experiment("cross", Full()).run())
    with pytest.raises(ValueError, match=r"after\.modified_scores has shape \(1, 2, 5, 5\)"):
        mask_effect(before, Experiment(TEXT, num_heads=2, d_model=12, seed=3).run())
    with pytest.raises(ValueError, match=r"after\.modified_scores differ"):
        mask_effect(before, Experiment(TEXT, num_heads=3, d_model=12, seed=4).run())
    with pytest.raises(ValueError, match=r"after\.modified_scores differ"):
        mask_effect(before, Experiment(TEXT, num_heads=3, d_model=12, seed=3, temperature=2.0).run())
    with pytest.raises(ValueError, match=r"after\.v differ"):
        mask_effect(trace_of(SCORES), trace_of(SCORES, values=2 * VALUES))
