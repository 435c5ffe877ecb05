"""Positions that are added to the embedding: one vector a position."""

from __future__ import annotations

import torch
from torch import Tensor

from attention_core.checks import whole
from attention_core.seeding import seeded

__all__ = ["learned", "sinusoidal", "sinusoids"]


def sinusoids(positions: Tensor, width: int, base: float = 10000.0) -> Tensor:
    """The sinusoid of any positions, negative ones too: (position,) -> (position, width), in float64.

    Column 2 i is sin(position / base^(2 i / width)), column 2 i + 1 the cosine of the same angle. An odd
    width ends in a sine without its cosine.

    >>> sinusoids(torch.tensor([-1, 1]), 2)
    tensor([[-0.8415,  0.5403],
            [ 0.8415,  0.5403]], dtype=torch.float64)
    """
    whole("width", width, 1)
    pair = torch.arange(width, dtype=torch.float64).div(2, rounding_mode="floor")  # (width,), i of the column
    angle = positions.cpu().double()[:, None] * base ** (-2.0 * pair / width)  # (position, width)
    even = torch.arange(width) % 2 == 0  # (width,)
    return torch.where(even, angle.sin(), angle.cos())  # (position, width)


def sinusoidal(
    length: int, width: int, *, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None
) -> Tensor:
    """The sinusoidal position encoding, (length, width), numbers in [-1, 1].

    PE[p, 2 i] = sin(p / 10000^(2 i / width)),  PE[p, 2 i + 1] = cos(p / 10000^(2 i / width)),  p from 0.

    An odd width ends in a sine without its cosine. Angles are computed in float64 and rounded once. length
    from 0, width from 1, else ValueError.

    Vaswani et al. 2017, "Attention is all you need", section 3.5.

    >>> sinusoidal(2, 4)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])
    """
    positions = torch.arange(whole("length", length, 0))  # (length,)
    return sinusoids(positions, width).to(dtype=dtype, device=device)  # (length, width)


def learned(
    length: int,
    width: int,
    seed: int,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Tensor:
    """A table of learned positions before it has learned anything, (length, width), numbers from N(0, 1).

    Row p depends on (seed, width, p) alone, so a longer table begins with the shorter one. N(0, 1) is how
    torch.nn.Embedding starts. length and seed from 0, width from 1, else ValueError.

    Gehring et al. 2017, "Convolutional sequence to sequence learning", section 3.1.

    >>> torch.equal(learned(3, 4, seed=0), learned(5, 4, seed=0)[:3])
    True
    """
    whole("length", length, 0)
    whole("width", width, 1)
    whole("seed", seed, 0)
    table = torch.empty(length, width, dtype=torch.float32)  # (length, width)
    for position in range(length):
        # A generator of its own: torch.randn draws other numbers for the same rows when the table grows.
        generator = seeded(seed, "learned position", position, "width", width)
        table[position] = torch.randn(width, generator=generator, dtype=torch.float32)  # (width,)
    return table.to(dtype=dtype, device=device)  # (length, width)
