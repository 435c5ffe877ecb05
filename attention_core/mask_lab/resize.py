"""A painted mask for a text that has become longer or shorter."""

from __future__ import annotations

from attention_core.masks.base import And, Mask, Not, Or
from attention_core.masks.tables import OPEN, Explicit

__all__ = ["resized"]


def resized(mask: Mask, queries: int, keys: int) -> Mask:
    """The mask for another number of queries and keys: painted cells stay where they are, new cells are open.

    Painted parts inside combinations are resized alike; every other mask fits any size and stays what it is.

    >>> resized(Explicit(("x.", "xx")), 3, 3)
    Explicit(rows=('x.x', 'xxx', 'xxx'))
    >>> resized(Explicit(("x.", "xx")), 1, 1)
    Explicit(rows=('x',))
    """
    match mask:
        case Explicit() if mask.shape != (queries, keys):
            kept = tuple(line[:keys].ljust(keys, OPEN) for line in mask.lines[:queries])
            return Explicit((*kept, *[OPEN * keys] * (queries - len(kept))))
        case Not():
            return Not(resized(mask.mask, queries, keys))
        case And():
            return And(tuple(resized(part, queries, keys) for part in mask.masks))
        case Or():
            return Or(tuple(resized(part, queries, keys) for part in mask.masks))
    return mask
