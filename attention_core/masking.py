"""From a mask and raw scores to weights: what is forbidden, and the softmax that leaves it out."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from attention_core.shapes import Allowed, Scores, Weights

FEW = 16_384  # scores, see Stages


class MaskLike(Protocol):
    """What `attention` needs of a mask value: the bool tensor of a given size, True = may attend."""

    def materialize(self, batch: int, heads: int, queries: int, keys: int, /) -> Tensor:
        """Bool (batch, heads, queries, keys), or a shape that broadcasts to it."""


def materialize(
    mask: MaskLike | Allowed | None, size: tuple[int, int, int, int], device: torch.device
) -> Allowed | None:
    """The bool tensor of any mask that `attention` takes; None stays None.

    `size` is (batch, head, query, key); the result broadcasts to it and may be smaller.
    Raises ValueError where the mask is not bool or does not broadcast.

    >>> materialize(torch.tensor([True, False]), (1, 1, 3, 2), torch.device("cpu"))
    tensor([ True, False])
    """
    if mask is None:
        return None
    allowed = mask if isinstance(mask, Tensor) else mask.materialize(*size)
    check_mask(allowed, size)
    return allowed.to(device)


def check_mask(allowed: Tensor, size: tuple[int, ...]) -> None:
    """Raise ValueError unless the tensor is bool and broadcasts to the size."""
    if allowed.dtype != torch.bool:
        raise ValueError(f"the mask has dtype {allowed.dtype}: allowed is torch.bool, True = may attend")
    shape = tuple(allowed.shape)
    tail = size[len(size) - len(shape) :] if len(shape) <= len(size) else ()
    if len(tail) != len(shape) or any(a not in (1, b) for a, b in zip(shape, tail, strict=True)):
        raise ValueError(f"the mask has shape {shape}: allowed are shapes that broadcast to {size}")


def forbid(allowed: Allowed | None) -> tuple[Allowed | None, Allowed | None]:
    """What is forbidden, and the rows in which everything is; None where there is no such place."""
    if allowed is None:
        return None, None
    if 0 in allowed.stride():
        # An axis that was only expanded shrinks to 1: a causal mask is then (1, 1, query, key).
        allowed = allowed[tuple(slice(0, 1) if step == 0 else slice(None) for step in allowed.stride())]
    if bool(allowed.all()):
        return None, None
    filled = allowed.any(dim=-1, keepdim=True)
    return ~allowed, None if bool(filled.all()) else ~filled


def masked(scores: Tensor, forbidden: Allowed | None) -> Tensor:
    """-inf at the forbidden places; the very scores where nothing is forbidden."""
    return scores if forbidden is None else scores.masked_fill(forbidden, float("-inf"))


def softmax(scores: Tensor, empty: Allowed | None) -> Tensor:
    """The softmax of masked scores; the rows in `empty`, all -inf, become 0."""
    if empty is None:
        return torch.softmax(scores, dim=-1)
    # The softmax of a row of -inf is NaN, in its gradient too: it goes in as zeros and is then erased.
    return torch.softmax(scores.masked_fill(empty, 0.0), dim=-1).masked_fill(empty, 0.0)


def everything(size: tuple[int, ...], device: torch.device) -> Allowed:
    """The mask that forbids nothing."""
    return torch.ones((), dtype=torch.bool, device=device).expand(size)  # one byte, whatever the size


class Stages:
    """The scores between the raw ones and the weights, each worked out once, when it is asked for."""

    def __init__(self, raw: Scores, scale: float, forbidden: Allowed | None) -> None:
        self.raw, self.scale, self.forbidden = raw, scale, forbidden

    @cached_property
    def scaled(self) -> Scores:
        """raw * scale."""
        return self.raw if self.scale == 1.0 else self.raw * self.scale

    @cached_property
    def masked(self) -> Scores:
        """The scaled scores with -inf at the forbidden places."""
        return masked(self.scaled, self.forbidden)

    def weights_in_place(self, empty: Allowed | None) -> Weights:
        """The weights, with the scaled and masked scores held in their memory on the way.

        Fresh memory is what large scores cost most, so it is taken once. The same operations in the same
        order give the same bits as `softmax(self.masked, empty)`. Autograd could not look back: for inference
        only.
        """
        if self.forbidden is None:
            work = self.raw * self.scale
        elif self._may_add_infinity():
            # Adding 0 or -inf then does what `masked` does, in one pass with the scale.
            bias = self.raw.new_zeros(self.forbidden.shape).masked_fill_(self.forbidden, float("-inf"))
            work = torch.add(bias, self.raw, alpha=self.scale)
        else:
            work = (self.raw * self.scale).masked_fill_(self.forbidden, float("-inf"))
        work = work.contiguous()
        if empty is None:
            return torch.softmax(work, dim=-1, out=work)
        work.masked_fill_(empty, 0.0)
        return torch.softmax(work, dim=-1, out=work).masked_fill_(empty, 0.0)

    def _may_add_infinity(self) -> bool:
        """Whether no score is NaN or infinite, in a dtype whose sums do not round `alpha` first.

        For few scores the question takes longer than the pass over them that it saves.
        """
        exact = self.raw.dtype in (torch.float32, torch.float64) and abs(self.scale) <= 1.0
        return exact and self.raw.numel() > FEW and bool(self.raw.sum().isfinite())
