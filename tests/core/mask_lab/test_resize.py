"""A painted mask keeps its cells when the text grows or shrinks."""

from __future__ import annotations

from attention_core.mask_lab import resized
from attention_core.masks import Causal, Explicit, Window


def test_painted_cells_stay_and_new_cells_are_open() -> None:
    mask = Explicit(("x.x", "..x"))
    assert resized(mask, 3, 4) == Explicit(("x.xx", "..xx", "xxxx"))
    assert resized(mask, 1, 2) == Explicit(("x.",))


def test_a_painting_inside_a_combination_is_resized_and_the_rest_left_alone() -> None:
    mask = Causal() & ~Explicit((".x", "x.")) | Window(2)
    grown = resized(mask, 3, 3)
    assert grown == Causal() & ~Explicit((".xx", "x.x", "xxx")) | Window(2)


def test_a_mask_that_fits_is_the_same_object() -> None:
    mask = Explicit(("x.", "xx"))
    assert resized(mask, 2, 2) is mask
