"""The mosaic: blocks do not touch, nothing is lost, cells are as large as they can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_viz.mosaic import Mosaic, plan

SIZES = st.tuples(st.integers(1, 20), st.integers(1, 40), st.integers(1, 40))
AREAS = st.tuples(st.floats(150, 1400), st.floats(120, 900))


@given(SIZES, AREAS, st.booleans())
def test_every_block_is_whole_and_stands_alone(
    sizes: tuple[int, int, int], area: tuple[float, float], square: bool
) -> None:
    heads, rows, cols = sizes
    mosaic = plan(heads, rows, cols, area, square=square)
    blocks = np.arange(1, heads * rows * cols + 1, dtype=np.float32).reshape(heads, rows, cols)
    picture = mosaic.assemble(blocks)
    for place in range(heads):
        x0, y0 = mosaic.origin(place)
        assert np.array_equal(picture[y0 : y0 + rows, x0 : x0 + cols], blocks[place])
        # A frame of blank paper on every side.
        around = picture[max(y0 - 1, 0) : y0 + rows + 1, max(x0 - 1, 0) : x0 + cols + 1]
        assert np.isfinite(around).sum() == rows * cols
    assert np.isfinite(picture).sum() == heads * rows * cols


@given(SIZES, AREAS, st.booleans())
def test_the_mosaic_fits_and_its_gaps_are_wide_enough(
    sizes: tuple[int, int, int], area: tuple[float, float], square: bool
) -> None:
    mosaic = plan(*sizes, area, square=square, gap=(9, 17))
    assert mosaic.pixels[0] <= area[0] + 1e-6 and mosaic.pixels[1] <= area[1] + 1e-6
    if square:
        assert mosaic.cell[0] == mosaic.cell[1]
    assert mosaic.bands * mosaic.columns >= sizes[0] > (mosaic.bands - 1) * mosaic.columns


@pytest.mark.parametrize("heads", [1, 4, 12, 16])
@pytest.mark.parametrize("area", [(900, 300), (400, 400), (250, 800)])
def test_no_other_full_grid_has_larger_cells(heads: int, area: tuple[float, float]) -> None:
    chosen = plan(heads, 7, 7, area)
    for columns in range(1, heads + 1):
        if heads % columns:
            continue
        other = Mosaic(heads, 7, 7, columns, 1, 1, (1, 1))
        size = min(area[0] / other.shape[1], area[1] / other.shape[0])
        # Up to the part of the gaps, which are whole cells.
        fill = heads / (chosen.bands * chosen.columns)
        assert chosen.cell[0] * (0.7 + 0.3 * fill) >= 0.75 * size


def test_wide_boxes_get_wide_mosaics() -> None:
    assert plan(12, 6, 6, (1200, 200)).columns == 12
    assert plan(12, 6, 6, (200, 1200)).columns < 3
    assert plan(16, 6, 6, (600, 600)).columns == 4


def test_max_columns_is_kept() -> None:
    assert plan(12, 6, 6, (1200, 200), max_columns=3).columns <= 3
    with pytest.raises(ValueError, match="max_columns=0: allowed are whole numbers from 1"):
        plan(12, 6, 6, (1200, 200), max_columns=0)


def test_ticks_repeat_for_each_column_and_row_of_blocks() -> None:
    mosaic = Mosaic(heads=4, rows=2, cols=3, columns=2, gap_rows=2, gap_cols=1, cell=(9, 9))
    assert mosaic.column_ticks(["a", "b", "b"], [0, 1, 2]) == ([0, 1, 2, 4, 5, 6], ["a", "b", "b"] * 2)
    assert mosaic.row_ticks(["x", "y"], [0, 1]) == ([0, 1, 4, 5], ["x", "y"] * 2)
    assert mosaic.column_ticks(["a", "b", "b"], [0, 2]) == ([0, 2, 4, 6], ["a", "b"] * 2)


def test_every_group_begins_a_new_line() -> None:
    mosaic = plan(10, 4, 4, (300, 900), max_columns=3, least_columns=3, group=5)
    origins = [mosaic.origin(place) for place in range(10)]
    assert [x for x, _ in origins[:5]] == [x for x, _ in origins[5:]] and origins[0][0] == origins[3][0] == 0
    lines = [y for _, y in origins]
    assert mosaic.bands == 4 and lines == sorted(lines)
    assert [lines.count(line) for line in sorted(set(lines))] == [3, 2, 3, 2]
    assert mosaic.column_ticks(["a"], [0])[0] == [origins[8][0], origins[9][0]]
    assert mosaic.pixels[0] <= 300 and mosaic.pixels[1] <= 900


def test_no_labels_hang_under_a_block_that_is_not_there() -> None:
    mosaic = Mosaic(heads=5, rows=2, cols=2, columns=3, gap_rows=1, gap_cols=1, cell=(9, 9))
    assert mosaic.column_ticks(["a", "b"], [0, 1])[0] == [0, 1, 3, 4]
