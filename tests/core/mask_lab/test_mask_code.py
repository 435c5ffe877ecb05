"""The rule of a mask as a function in source code."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given

from attention_core.mask_lab.mask_code import mask_function
from attention_core.masks import Causal, Explicit, Mask
from tests.core.mask_examples import BATCH, EXAMPLES, HEADS, KEYS, PAINTED, QUERIES, masks

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")


def assert_same_cells(mask: Mask) -> None:
    names: dict[str, Any] = {"torch": torch}
    exec(mask_function("rule", mask), names)
    sizes = (BATCH, HEADS, QUERIES, KEYS)
    b, h, q, k = (
        torch.arange(size).view([-1 if axis == at else 1 for axis in range(4)]) for at, size in enumerate(sizes)
    )
    assert torch.equal(names["rule"](b, h, q, k).expand(sizes), mask.materialize(*sizes))


@pytest.mark.parametrize("mask", EXAMPLES, ids=str)
def test_the_function_allows_what_the_mask_allows(mask: Mask) -> None:
    assert_same_cells(mask)


@given(masks)
def test_random_combinations(mask: Mask) -> None:
    assert_same_cells(mask)


def test_painted_masks_become_tables_each_once() -> None:
    other = Explicit(("x" * KEYS,) * QUERIES)
    code = mask_function("rule", (PAINTED & Causal()) | ~PAINTED | other)
    assert code.count("painted_1 = ") == code.count("painted_2 = ") == 1
    assert "((painted_1[q, k]) & (k <= q)) | (~(painted_1[q, k])) | (painted_2[q, k])" in code
    assert_same_cells((PAINTED & Causal()) | ~PAINTED | other)
