"""The sidebar's mask: a kind and at most two numbers. Every other mask (from a link) is kept as "custom"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from attention_core import masks
from attention_core.masks import Mask


@dataclass(frozen=True)
class Number:
    """A number that a kind of mask takes."""

    label: str
    least: int
    most: int
    start: int


@dataclass(frozen=True)
class Kind:
    """A kind of mask: how it is made from its numbers, and how its numbers are read back from a mask."""

    label: str
    numbers: tuple[Number, ...]
    make: Callable[..., Mask]
    read: Callable[[Mask], tuple[int, ...] | None]


def N_(message: str) -> str:
    """Mark for translation what is translated where it is shown."""
    return message


def _prefix_lm(mask: Mask) -> tuple[int, ...] | None:
    match mask:
        case masks.Or((masks.Causal(offset=0), masks.Prefix(length=length))):
            return (length,)
    return None


def _one_global(mask: Mask) -> tuple[int, ...] | None:
    match mask:
        case masks.Or((masks.Window(width=width), masks.Global(positions=(position,)))):
            return (position, width)
    return None


KINDS: dict[str, Kind] = {
    "full": Kind(N_("Everything visible"), (), masks.Full, lambda m: () if m == masks.Full() else None),
    "causal": Kind(
        N_("Causal, shifted"),
        (Number(N_("Offset: how far ahead a query may look"), -64, 64, 1),),
        lambda offset: masks.Causal(offset),
        lambda m: (m.offset,) if isinstance(m, masks.Causal) else None,
    ),
    "window": Kind(
        N_("Sliding window"),
        (Number(N_("Width: itself and so many less one on each side"), 1, 512, 3),),
        masks.Window,
        lambda m: (m.width,) if isinstance(m, masks.Window) else None,
    ),
    "dilated": Kind(
        N_("Dilated window"),
        (Number(N_("Width"), 1, 512, 3), Number(N_("Step"), 1, 64, 2)),
        masks.Dilated,
        lambda m: (m.width, m.step) if isinstance(m, masks.Dilated) else None,
    ),
    "blocks": Kind(
        N_("Blocks"),
        (Number(N_("Size of a block"), 1, 512, 3),),
        masks.Blocks,
        lambda m: (m.size,) if isinstance(m, masks.Blocks) else None,
    ),
    "prefix": Kind(
        N_("Prefix, then causal"),
        (Number(N_("Tokens of the prefix, visible to all"), 0, 512, 2),),
        lambda length: masks.Causal() | masks.Prefix(length),
        _prefix_lm,
    ),
    "padding": Kind(
        N_("Padding"),
        (Number(N_("Keys that are real; the rest is padding"), 0, 512, 4),),
        lambda length: masks.Padding((length,)),
        lambda m: m.lengths if isinstance(m, masks.Padding) and len(m.lengths) == 1 else None,
    ),
    "global": Kind(
        N_("One global token, else a window"),
        (Number(N_("Position of the global token"), 0, 511, 0), Number(N_("Width of the window"), 1, 512, 2)),
        lambda position, width: masks.Window(width) | masks.Global((position,)),
        _one_global,
    ),
}
CUSTOM = "custom"


def kind_of(mask: Mask) -> tuple[str, tuple[int, ...]]:
    """The kind that makes `mask`, with its numbers; `("custom", ())` where none does."""
    for name, kind in KINDS.items():
        numbers = kind.read(mask)
        within = numbers is not None and all(
            number.least <= value <= number.most for number, value in zip(kind.numbers, numbers, strict=True)
        )
        if within and numbers is not None:
            return name, numbers
    return CUSTOM, ()
