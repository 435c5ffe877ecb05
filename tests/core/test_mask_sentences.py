"""What a mask says of itself: the bands it is made of, and its sentence where queries and keys are of two texts."""

from __future__ import annotations

from math import inf

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_core.masks import And, Causal, Full, Global, Mask, Not, Or, Padding, Window
from attention_core.masks.bands import EVERYTHING, Band, bands_of, sum_of_products
from attention_core.masks.base import extent
from tests.core.mask_examples import BATCH, HEADS, KEYS, QUERIES, masks

SIZES = (BATCH, HEADS, QUERIES, KEYS)


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (Full(), "Each query sees every key."),
        (Causal(), "Each query sees the key at its own position and every key before it."),
        (~Full(), "No query sees any key."),
        (Padding((5,)), "Each query sees the first 5 keys; the others are padding."),
        (
            Window(2) | Global((0,)),
            "Each query sees the key at its own position, the one before it and the one after it; what asks at "
            "position 0 sees every key; what stands there is seen by every query (positions count from 0).",
        ),
    ],
)
def test_in_cross_attention_queries_see_keys(mask: Mask, sentence: str) -> None:
    """A query of one text never sees "itself" among the keys of another."""
    assert mask.sentence(cross=True) == sentence


@given(masks)
def test_no_query_of_another_text_sees_itself(mask: Mask) -> None:
    assert "itself" not in mask.sentence(cross=True)


@given(masks)
def test_the_sum_of_products_allows_the_same(mask: Mask) -> None:
    if extent(mask)[1] > 5:
        return
    plain = sum_of_products(mask)
    inner = [
        part
        for whole in (plain.masks if isinstance(plain, Or) else (plain,))
        for part in (whole.masks if isinstance(whole, And) else (whole,))
    ]
    assert not any(isinstance(part.mask if isinstance(part, Not) else part, And | Or) for part in inner)
    assert torch.equal(plain.materialize(*SIZES), mask.materialize(*SIZES))


@given(
    st.recursive(
        st.one_of(st.builds(Causal, st.integers(-4, 4)), st.builds(Window, st.integers(1, 4)), st.just(Full())),
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.builds(lambda a, b: a & b, inner, inner),
            st.builds(lambda a, b: a | b, inner, inner),
        ),
        max_leaves=6,
    )
)
def test_bands_are_the_distances_that_are_open(mask: Mask) -> None:
    """The bands against the mask laid out, where every distance from -6 to 6 occurs."""
    bands = bands_of(mask)
    assert bands is not None
    grid = mask.materialize(1, 1, 7, 7)[0, 0]
    for query in range(7):
        for key in range(7):
            inside = any(band.least <= key - query <= band.most for band in bands)
            assert bool(grid[query, key]) is inside


def test_bands_that_touch_are_one() -> None:
    assert bands_of(Causal() | ~Causal()) == EVERYTHING
    assert bands_of(Causal(-2) | ~Causal(0)) == (Band(-inf, -2), Band(1, inf))
    assert (Causal() | ~Causal()).sentence() == "Each token sees every token."
