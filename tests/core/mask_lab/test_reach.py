"""Far sight: closed forms, a search along the edges of the graph, and its size."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_core.mask_lab.reach import LAYERS, far_sight, reach
from attention_core.masks import Blocks, Causal, Dilated, Explicit, Full, Global, Padding, Prefix, Window
from tests.core.mask_examples import grids

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")


def walked(grid: list[list[bool]], start: int, steps: int) -> set[int]:
    """The tokens that `start` can have heard of: breadth first, and staying costs a step like going."""
    reached = {start}
    for _ in range(steps):
        reached |= {j for i in reached for j, is_open in enumerate(grid[i]) if is_open}
    return reached


@given(st.integers(1, 7).flatmap(lambda size: grids(size, size)))
def test_a_search_along_the_edges(mask: Explicit) -> None:
    size = mask.shape[0]
    seen = far_sight(mask, size, size)
    grid = [list(row) for row in mask.grid]
    for i in range(size):
        for n in range(1, LAYERS + 1):
            expected = walked(grid, i, n)
            assert set(seen.layers[n - 1, i].nonzero().flatten().tolist()) == expected
            assert seen.counts[n - 1, i] == len(expected)
        for j in range(size):
            first = next((n for n in range(1, LAYERS + 1) if j in walked(grid, i, n)), 0)
            assert seen.first_layer[i, j] == first
    every = [[walked(grid, i, n) for i in range(size)] for n in range(1, LAYERS + 2)]
    saturated = next((n for n in range(1, LAYERS + 1) if every[n - 1] == every[n]), None)
    assert seen.saturated_at == saturated


@pytest.mark.parametrize("width", [1, 2, 3, 5])
@pytest.mark.parametrize("layers", [1, 4, 12])
def test_a_causal_window_reaches_n_times_w_minus_1_back(width: int, layers: int) -> None:
    size = 61
    seen = far_sight(Causal() & Window(width), size, size, layers)
    for n in range(1, layers + 1):
        for i in range(size):
            first = max(0, i - n * (width - 1))
            assert seen.layers[n - 1, i].nonzero().flatten().tolist() == list(range(first, i + 1))
            assert seen.counts[n - 1, i] == i - first + 1


def test_a_window_reaches_as_far_ahead() -> None:
    seen = far_sight(Window(3), 23, 23, 4)
    assert seen.layers[2, 11].nonzero().flatten().tolist() == list(range(5, 18))  # 3 layers, 2 each way


def test_a_dilated_window_keeps_its_step() -> None:
    seen = far_sight(Causal() & Dilated(2, 3), 20, 20, 3)
    assert seen.layers[2, 13].nonzero().flatten().tolist() == [4, 7, 10, 13]


def test_what_is_saturated_at_once() -> None:
    assert far_sight(Full(), 5, 5).saturated_at == 1
    assert far_sight(Causal(), 5, 5).saturated_at == 1
    assert far_sight(Blocks(2), 5, 5).saturated_at == 1
    assert far_sight(Causal(-1), 5, 5).saturated_at == 1  # the residual connection is the diagonal
    assert far_sight(Window(2) | Global((0,)), 9, 9).saturated_at == 2  # all through the global token
    assert far_sight(Causal() & Window(2), 13, 13).saturated_at == 12
    assert far_sight(Causal() & Window(2), 14, 14).saturated_at is None


def test_nothing_allowed_leaves_each_token_itself() -> None:
    seen = far_sight(Prefix(0), 3, 3)
    assert torch.equal(seen.layers, torch.eye(3).bool().expand(LAYERS, 3, 3))
    assert seen.counts.unique().tolist() == [1]
    assert seen.first_layer.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_the_direction() -> None:
    """Token 2 sees 1 and 1 sees 0: 2 learns of 0 in two layers, and 0 never of 2."""
    seen = far_sight(Explicit(("...", "x..", ".x.")), 3, 3)
    assert seen.first_layer.tolist() == [[1, 0, 0], [1, 1, 0], [2, 1, 1]]


def test_a_row_of_a_batch() -> None:
    first = far_sight(Causal() & Padding((1, 3)), 3, 3, batch=2)
    second = far_sight(Causal() & Padding((1, 3)), 3, 3, batch=2, row=1)
    assert first.counts[0].tolist() == [1, 2, 2]
    assert second.counts[0].tolist() == [1, 2, 3]


def test_512_tokens() -> None:
    seen = reach((Causal() & Window(3)).materialize(1, 1, 512, 512)[0, 0])
    assert seen.counts[-1, -1] == 25
    assert seen.saturated_at is None


def test_nothing_is_written_to() -> None:
    allowed = torch.ones(4, 4).tril(-1).bool()
    copy = allowed.clone()
    reach(allowed)
    assert torch.equal(allowed, copy)


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="queries=3, keys=4: allowed are as many queries as keys"):
        far_sight(Full(), 3, 4)
    with pytest.raises(ValueError, match="layers=0: allowed are whole numbers from 1"):
        far_sight(Full(), 3, 3, 0)
    with pytest.raises(ValueError, match="layers=13: allowed are whole numbers from 1 to 12"):
        far_sight(Full(), 3, 3, 13)
