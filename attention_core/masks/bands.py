"""Masks that ask for the distance alone: bands of diagonals, and what becomes of them in a combination."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from attention_core.masks import Blocks, Causal, Dilated, Full, Mask, Not, Padding, Prefix, Window
from attention_core.masks.base import And, Or

__all__ = ["EVERYTHING", "NOTHING", "PAST", "Band", "Bands", "bands_of", "split", "sum_of_products"]


@dataclass(frozen=True, order=True)
class Band:
    """The keys j of query i with least <= j - i <= most; either end may be open."""

    least: float
    most: float


Bands = tuple[Band, ...]  # with gaps between them, in their order

EVERYTHING: Bands = (Band(-inf, inf),)
NOTHING: Bands = ()
PAST = Band(-inf, 0)


def either(first: Bands, second: Bands) -> Bands:
    """What at least one of the two allows."""
    joined: list[Band] = []
    for band in sorted(first + second):
        if joined and band.least <= joined[-1].most + 1:
            joined[-1] = Band(joined[-1].least, max(joined[-1].most, band.most))
        else:
            joined.append(band)
    return tuple(joined)


def others(bands: Bands) -> Bands:
    """What the bands leave out.

    >>> others((Band(-inf, 0),))
    (Band(least=1, most=inf),)
    """
    ends = [-inf, *(end for band in bands for end in (band.least - 1, band.most + 1)), inf]
    gaps = zip(ends[::2], ends[1::2], strict=True)
    return tuple(Band(least, most) for least, most in gaps if least <= most and least < inf and most > -inf)


def both(first: Bands, second: Bands) -> Bands:
    """What both allow."""
    return others(either(others(first), others(second)))


def bands_of(mask: Mask) -> Bands | None:
    """The bands that a mask is which asks for the distance alone; None for another.

    >>> from attention_core.masks import Causal, Window
    >>> bands_of(Causal() & ~Window(3))
    (Band(least=-inf, most=-3),)
    """
    match mask:
        case Full():
            return EVERYTHING
        case Prefix(length=0) | Padding(lengths=(0,)):
            return NOTHING
        case Causal(offset=offset):
            return (Band(-inf, offset),)
        case Dilated(width=1) | Blocks(size=1):
            return (Band(0, 0),)
        case Window(width=width) | Dilated(width=width, step=1):
            return (Band(1 - width, width - 1),)
        case Not(mask=inner):
            found = bands_of(inner)
            return None if found is None else others(found)
        case And(masks=masks) | Or(masks=masks):
            band, rest = split(masks, isinstance(mask, And))
            return None if rest else band
    return None


def split(masks: Iterable[Mask], join_all: bool) -> tuple[Bands | None, list[Mask]]:
    """The bands that those among the masks make together, by and (`join_all`) or by or, and the other masks.

    None where no mask is a band.
    """
    found: Bands | None = None
    rest: list[Mask] = []
    for mask in masks:
        bands = bands_of(mask)
        if bands is None:
            rest.append(mask)
        elif found is None:
            found = bands
        else:
            found = (both if join_all else either)(found, bands)
    return found, list(dict.fromkeys(rest))


def sum_of_products(mask: Mask) -> Mask:
    """The same mask with `Not` before simple masks only (De Morgan), and one `Or` at most, outside.

    >>> from attention_core.masks import Causal, Prefix
    >>> print(sum_of_products(~(Causal() & ~Prefix(1))))
    not causal or prefix 1
    >>> print(sum_of_products(Causal() & (Window(2) | Prefix(1))))
    (causal and window 2) or (causal and prefix 1)
    """
    products = [tuple(dict.fromkeys(product)) for product in _products(mask)]
    whole = [product[0] if len(product) == 1 else And(product) for product in dict.fromkeys(products)]
    return whole[0] if len(whole) == 1 else Or(tuple(whole))


def _products(mask: Mask) -> list[tuple[Mask, ...]]:
    """The mask as an or of ands."""
    match mask:
        case Or(masks=masks):
            return [product for part in masks for product in _products(part)]
        case And(masks=masks):
            found: list[tuple[Mask, ...]] = [()]
            for part in masks:
                found = [(*before, *after) for before in found for after in _products(part)]
            return found
        case Not(mask=Not(mask=inner)):
            return _products(inner)
        case Not(mask=And(masks=masks)):
            return _products(Or(tuple(Not(part) for part in masks)))
        case Not(mask=Or(masks=masks)):
            return _products(And(tuple(Not(part) for part in masks)))
    return [(mask,)]
