"""Painting: cells, rows, columns, and a history that goes back and forth."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_core.mask_lab.editing import (
    STEPS,
    History,
    clear,
    fill,
    flip_column,
    flip_row,
    invert,
    paint,
    painted,
)
from attention_core.masks import Causal, Explicit, Full, Mask, Padding, Window
from attention_core.masks.text import format_mask
from tests.core.mask_examples import BATCH, EXAMPLES, HEADS, KEYS, QUERIES, grids, masks

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

GRID = Explicit(("x..", "xx."))


# ---- from any mask


@pytest.mark.parametrize("mask", EXAMPLES, ids=str)
def test_the_cells_of_any_mask(mask: Mask) -> None:
    for row in range(BATCH):
        cells = painted(mask, QUERIES, KEYS, batch=BATCH, heads=HEADS, row=row, head=2)
        expected = mask.materialize(BATCH, HEADS, QUERIES, KEYS)[row, 2]
        assert torch.equal(cells.materialize(1, 1, QUERIES, KEYS)[0, 0], expected)


def test_a_painted_mask_stays_itself() -> None:
    assert painted(GRID, 2, 3) is GRID


def test_what_cannot_be_painted_on() -> None:
    with pytest.raises(ValueError, match="queries=513: allowed to paint on are 1 to 512"):
        painted(Full(), 513, 3)
    with pytest.raises(ValueError, match="keys=1000000: allowed to paint on are 1 to 512"):
        painted(Full(), 3, 1_000_000)
    with pytest.raises(ValueError, match="the painted mask has 2 queries and 3 keys"):
        painted(GRID, 3, 3)
    with pytest.raises(ValueError, match="row=1: allowed are whole numbers from 0 to 0"):
        painted(Full(), 3, 3, row=1)
    with pytest.raises(ValueError, match="allowed are as many lengths as batch rows"):
        painted(Padding((1, 2)), 3, 3)
    assert painted(Full(), 512, 512).shape == (512, 512)


# ---- cells


def test_painting_by_hand() -> None:
    assert paint(GRID, [(0, 2), (1, 0)], True) == Explicit(("x.x", "xx."))
    assert paint(GRID, [(0, 2), (1, 0)], False) == Explicit(("x..", ".x."))
    assert paint(GRID, [], True) is GRID
    assert paint(GRID, [(0, 0)], True) is GRID
    assert Explicit(("x..", "xx.")) == GRID


@given(grids(5, 7), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6))), st.booleans())
def test_painting_cell_by_cell(mask: Explicit, cells: list[tuple[int, int]], value: bool) -> None:
    after = paint(mask, cells, value)
    for i in range(5):
        for j in range(7):
            assert after.grid[i][j] == (value if (i, j) in cells else mask.grid[i][j])
    assert paint(after, cells, value) is after


@given(grids(5, 7), st.integers(0, 4), st.integers(0, 6))
def test_flipping(mask: Explicit, row: int, column: int) -> None:
    full = all(mask.grid[row])
    flipped = flip_row(mask, row)
    assert flipped.grid[row] == (not full,) * 7
    assert all(flipped.grid[i] == mask.grid[i] for i in range(5) if i != row)
    assert flip_row(flipped, row).grid[row] == (full,) * 7
    stands = [line[column] for line in mask.grid]
    turned = flip_column(mask, column)
    assert [line[column] for line in turned.grid] == [not all(stands)] * 5
    for i in range(5):
        for j in range(7):
            assert j == column or turned.grid[i][j] == mask.grid[i][j]


@given(grids(5, 7))
def test_the_whole_grid(mask: Explicit) -> None:
    assert invert(mask).grid == tuple(tuple(not cell for cell in row) for row in mask.grid)
    assert invert(invert(mask)) == mask
    assert clear(mask).grid == ((False,) * 7,) * 5
    assert fill(mask).grid == ((True,) * 7,) * 5
    assert invert(clear(mask)) == fill(mask)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([(2, 0)], "row=2: allowed are whole numbers from 0 to 1"),
        ([(0, -1)], "column=-1: allowed are whole numbers from 0 to 2"),
        ([(0, 0), (0, 3)], "column=3: allowed are whole numbers from 0 to 2"),
        ([(True, 0)], "row=True: allowed are whole numbers"),
        ([(0.0, 0)], "row=0.0: allowed are whole numbers"),
        ([(0, 0, 0)], r"cell=\(0, 0, 0\): allowed are pairs"),
        ([7], "cell=7: allowed are pairs"),
    ],
)
def test_cells_that_are_refused(cells: list[tuple[int, int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        paint(GRID, cells, True)


def test_rows_and_columns_that_are_refused() -> None:
    with pytest.raises(ValueError, match="row=2: allowed are whole numbers from 0 to 1"):
        flip_row(GRID, 2)
    with pytest.raises(ValueError, match="column=-1: allowed are whole numbers from 0 to 2"):
        flip_column(GRID, -1)


def test_strokes_on_64_by_64_add_up_and_are_undone() -> None:
    start = mask = painted(Causal(), 64, 64)
    history = History(mask)
    for column in range(20):
        mask = paint(mask, [(row, column) for row in range(64)], column % 2 == 0)
        history = history.do(mask)
    wanted = torch.ones(64, 64).tril().bool()
    wanted[:, :20] = torch.arange(20) % 2 == 0
    assert torch.equal(mask.materialize(1, 1, 64, 64)[0, 0], wanted)
    for _stroke in range(20):
        history = history.undo()
    assert history.present == start


# ---- history


def test_back_and_forth() -> None:
    history = History(Full()).do(GRID).do(invert(GRID))
    assert history.present == invert(GRID)
    back = history.undo()
    assert back.present == GRID
    assert back.can_undo
    assert back.can_redo
    first = back.undo()
    assert first.present == Full()
    assert not first.can_undo
    assert first.undo() is first
    assert first.redo().redo() == history
    assert history.redo() is history


def test_a_new_stroke_forgets_what_was_undone() -> None:
    history = History(Full()).do(GRID).undo().do(Causal())
    assert not history.can_redo
    assert history.undo().present == Full()


def test_no_change_is_no_step() -> None:
    history = History(GRID)
    assert history.do(Explicit(("x..", "xx."))) is history
    back = history.do(Causal()).undo()
    assert back.do(GRID) is back
    assert back.can_redo  # a click that changed nothing loses nothing


def test_a_hundred_steps() -> None:
    history = History(Causal(0))
    for step in range(1, 251):
        history = history.do(Causal(step))
    assert len(history.past) == STEPS == 100
    for step in range(249, 149, -1):
        history = history.undo()
        assert history.present == Causal(step)
    assert history.undo() is history
    for step in range(151, 251):
        history = history.redo()
        assert history.present == Causal(step)
    assert history.redo() is history


@given(st.lists(masks, min_size=1, max_size=8))
def test_any_masks_come_back_as_they_were(strokes: list[Mask]) -> None:
    history = History(Window(1))
    stations = [history]
    for mask in strokes:
        history = history.do(mask)
        if history != stations[-1]:
            stations.append(history)
    for station in reversed(stations[:-1]):
        history = history.undo()
        assert history.present == station.present
        assert history.past == station.past
    for station in stations[1:]:
        history = history.redo()
        assert history.present == station.present
        assert history.past == station.past
    assert history == stations[-1]


def test_it_stays_small() -> None:
    generator = torch.Generator().manual_seed(0)
    history = History(Full())
    for _ in range(3):
        history = history.do(Explicit.from_tensor(torch.rand(64, 64, generator=generator) < 0.5))
    assert max(map(len, history.past)) < 720
    assert len(format_mask(history.present)) < 720


def test_values_not_variables() -> None:
    history = History(GRID)
    history.do(Causal())
    assert history == History(GRID)
    assert hash(history) == hash(History(GRID))
