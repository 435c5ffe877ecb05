"""The name of a mask, as a person would say it: each message translated by `_` before it is filled in."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attention_core.masks import Blocks, Causal, Dilated, Full, Prefix, Window
from attention_core.masks.base import And, Mask, Not, Or
from attention_core.masks.tables import Documents, Explicit, Global, Padding

Translator = Callable[[str], str]

LISTED = 12  # numbers that are named, before "..."


def phrase(mask: Mask, _: Translator) -> str:
    """The name of a mask as a person would say it, without a full stop: "causal and window 3".

    Members of another kind are bracketed: "(causal and window 3) or prefix 2".
    """
    match mask:
        case Full():
            return _("everything visible")
        case Causal(offset=0):
            return _("causal")
        case Causal(offset=offset) if offset > 0:
            return _("causal with {n} ahead").format(n=offset)
        case Causal(offset=offset):
            return _("causal from {n} back").format(n=-offset)
        case Window(width=width):
            return _("window {n}").format(n=width)
        case Dilated(width=width, step=step):
            return _("window {n} with step {step}").format(n=width, step=step)
        case Blocks(size=size):
            return _("blocks of {n}").format(n=size)
        case Prefix(length=length):
            return _("prefix {n}").format(n=length)
        case Padding(lengths=lengths):
            return _("padding after {numbers}").format(numbers=listed(lengths))
        case Documents(ids=ids):
            return _("documents {numbers}").format(numbers=listed(ids))
        case Global(positions=positions):
            return _("global tokens {numbers}").format(numbers=listed(positions))
        case Explicit(shape=(queries, keys)):
            return _("painted {rows} by {columns}").format(rows=queries, columns=keys)
        case Not(mask=inner):
            return _("not {mask}").format(mask=_bracketed(inner, _))
        case And(masks=masks):
            return _chained(_("{first} and {second}"), masks, _)
        case Or(masks=masks):
            return _chained(_("{first} or {second}"), masks, _)
    return repr(mask)


def listed(numbers: Iterable[int]) -> str:
    """The numbers with commas, the first dozen of them.

    >>> listed(range(20))
    '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ...'
    """
    words = [str(number) for number in numbers]
    return ", ".join(words if len(words) <= LISTED else [*words[:LISTED], "..."])


def _bracketed(mask: Mask, _: Translator) -> str:
    """The phrase, in brackets when it is a combination."""
    words = phrase(mask, _)
    return f"({words})" if isinstance(mask, And | Or) else words


def _chained(pattern: str, masks: Iterable[Mask], _: Translator) -> str:
    """The phrases of the masks, joined two by two with the translated pattern."""
    first, *others = (_bracketed(mask, _) for mask in masks)
    for other in others:
        first = pattern.format(first=first, second=other)
    return first
