"""Position vectors as such: wavelengths of the sinusoids, likeness of positions, and positions in two dimensions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from attention_core.checks import whole
from attention_core.positions.added import sinusoids

__all__ = ["likeness", "patch_likeness", "sinusoidal_2d", "wavelengths"]


def wavelengths(width: int, base: float = 10000.0) -> list[float]:
    """After how many positions each (sine, cosine) pair repeats: 2 pi base^(2 i / width).

    From 2 pi = 6.28 for the first pair they grow by the same factor from pair to pair, towards 2 pi base. An odd width
    ends in a sine without its cosine. Vaswani et al. 2017, section 3.5.

    >>> [round(length, 1) for length in wavelengths(4)]
    [6.3, 628.3]
    """
    pairs = -(-whole("width", width, 1) // 2)
    return [2 * math.pi * base ** (2 * pair / width) for pair in range(pairs)]


def likeness(table: Tensor) -> Tensor:
    """The cosine between every two rows of a table, (row, row): 1 where they point the same way.

    >>> likeness(torch.tensor([[3.0, 0.0], [0.0, 2.0]]))
    tensor([[1., 0.],
            [0., 1.]])
    """
    rows = torch.nn.functional.normalize(table, dim=-1)  # (row, width)
    return rows @ rows.mT  # (row, row)


def sinusoidal_2d(rows: int, cols: int, width: int, base: float = 10000.0) -> Tensor:
    """Sinusoids of places in a grid, (row, column, width): half the width says the row, half the column.

    PE[r, c] = [PE(r); PE(c)], each of width / 2 (`sinusoids`), in float64. width is a multiple of 4, so that each half
    consists of whole (sine, cosine) pairs; else ValueError.

    Carion et al. 2020, "End-to-end object detection with transformers", appendix A.4; Chen, Xie and He 2021 use it
    for the patches of vision transformers.

    >>> sinusoidal_2d(2, 3, 4)[1, 2]  # sin 1, cos 1, sin 2, cos 2
    tensor([ 0.8415,  0.5403,  0.9093, -0.4161], dtype=torch.float64)
    """
    whole("rows", rows, 1)
    whole("cols", cols, 1)
    if whole("width", width, 4) % 4:
        raise ValueError(f"width={width}: allowed are multiples of 4")
    down = sinusoids(torch.arange(rows), width // 2, base)[:, None].expand(-1, cols, -1)  # (row, column, width / 2)
    across = sinusoids(torch.arange(cols), width // 2, base)[None].expand(rows, -1, -1)  # (row, column, width / 2)
    return torch.cat((down, across), dim=-1)  # (row, column, width)


def patch_likeness(rows: int, cols: int, width: int, row: int, col: int, base: float = 10000.0) -> Tensor:
    """How alike the position of one patch is to that of every other: cosines, (4, row, column).

    Four pictures: by the half for rows alone, by the half for columns alone, by both (the mean of the two), and, for
    comparison, by `sinusoids` that number the patches 0, 1, 2 ... line by line. ValueError where the patch
    lies outside the grid.

    >>> patch_likeness(3, 5, 8, row=1, col=2)[:, 1, 2]
    tensor([1.0000, 1.0000, 1.0000, 1.0000], dtype=torch.float64)
    """
    for name, value, count in (("row", row, rows), ("col", col, cols)):
        if not 0 <= value < count:
            raise ValueError(f"{name}={value}: allowed are whole numbers from 0 to {count - 1}")
    both = sinusoidal_2d(rows, cols, width, base)  # (row, column, width)
    by_number = sinusoids(torch.arange(rows * cols), width, base).view(rows, cols, width)  # (row, column, width)
    parts = (both[..., : width // 2], both[..., width // 2 :], both, by_number)
    return torch.stack(
        [torch.cosine_similarity(part, part[row, col].expand_as(part), dim=-1) for part in parts]
    )  # (picture, row, column)
