"""Fewer cells than the computation has, where the screen has not the pixels to tell them apart.

A map of 512 by 512 tokens for each of 12 heads has three million cells; drawn 130 pixels wide, sixteen of them share
a pixel. What is drawn then is the largest of each group: a single strong weight stays in sight, which it would not
in a mean.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import max_pool2d

from attention_core.trace import AttentionTrace
from attention_viz.frame import Frame
from attention_viz.panel import Panel, panel

SHARPEST = 0.6  # pixels: cells smaller than this are drawn together

Pool = tuple[int, int]  # rows and columns of cells that are drawn as one


def needed(shown: Panel, frame: Frame) -> Pool:
    """How many rows and columns have to share a cell of the picture for it to be `SHARPEST` pixels; (1, 1) for none.

    Only tokens are drawn together, never the columns of a vector.
    """
    wide, high = frame.mosaic.cell
    rows = math.ceil(SHARPEST / high) if shown.rows_are != "feature" else 1
    cols = math.ceil(SHARPEST / wide) if shown.cols_are != "feature" else 1
    return rows, cols


def pooled(shown: Panel, by: Pool) -> Panel:
    """The panel with `by` rows and columns of cells in one: the one of the largest magnitude, NaN and infinity first.

    A group is forbidden where all of it is. Signs stay; so does the largest magnitude of the panel.
    """
    if by == (1, 1):
        return shown
    strength = torch.from_numpy(_strength(shown.values, shown.forbidden))
    best, places = max_pool2d(strength[None], by, ceil_mode=True, return_indices=True)  # of each group
    blocks = len(shown.values)
    kept = np.take_along_axis(shown.values.reshape(blocks, -1), places[0].reshape(blocks, -1).numpy(), -1)
    closed = None if shown.forbidden is None else (best[0] < 0).numpy()
    return replace(
        shown,
        values=kept.reshape(best.shape[1:]),
        forbidden=closed,
        row_labels=shown.row_labels[:: by[0]],
        col_labels=shown.col_labels[:: by[1]],
        row_spans=_spans(shown.row_labels, by[0]),
        col_spans=_spans(shown.col_labels, by[1]),
    )


def strongest(trace: AttentionTrace, field: str, head: int, row: int, col: int, by: Pool) -> tuple[int, int]:
    """The row and column of the cell that stands for its group in the picture."""
    if by == (1, 1):
        return row, col
    whole = panel(trace, field, head=head)
    rows, cols = slice(row * by[0], (row + 1) * by[0]), slice(col * by[1], (col + 1) * by[1])
    closed = None if whole.forbidden is None else whole.forbidden[0, rows, cols]
    strength = _strength(whole.values[0, rows, cols], closed)
    down, across = np.unravel_index(int(strength.argmax()), strength.shape)
    return rows.start + int(down), cols.start + int(across)


def _strength(values: NDArray[np.float32], forbidden: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """What the cells of a group are compared by: the magnitude; infinite for what is no number, -1 where forbidden."""
    strength = np.abs(values)
    strength[~np.isfinite(strength)] = np.inf
    if forbidden is not None:
        strength[forbidden] = -1.0
    return strength


def _spans(labels: list[str], by: int) -> tuple[str, ...]:
    if by == 1:
        return ()
    groups = [labels[start : start + by] for start in range(0, len(labels), by)]
    return tuple(group[0] if len(group) == 1 else f"{group[0]} … {group[-1]}" for group in groups)
