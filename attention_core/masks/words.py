"""Masks in words: whole phrases and sentences, translated by `_` before they are filled in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import permutations

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


def sentence(mask: Mask, _: Translator) -> str:
    """One sentence that says who sees whom; one that names the parts, where no better one was written."""
    match mask:
        case Not(mask=inner):
            return _opposite(inner, _) or _(
                "A token sees another exactly where this does not hold: {rule}."
            ).format(rule=phrase(inner, _))
        case And(masks=masks):
            return _together(mask, _) or _(
                "A token sees another where all of these hold: {rules}."
            ).format(rules="; ".join(phrase(part, _) for part in masks))
        case Or(masks=masks):
            return _either(mask, _) or _(
                "A token sees another where at least one of these holds: {rules}."
            ).format(rules="; ".join(phrase(part, _) for part in masks))
    return _simple(mask, _)


def listed(numbers: Iterable[int]) -> str:
    """The numbers with commas, the first dozen of them.

    >>> listed(range(20))
    '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ...'
    """
    words = [str(number) for number in numbers]
    return ", ".join(words if len(words) <= LISTED else [*words[:LISTED], "..."])


def _simple(mask: Mask, _: Translator) -> str:
    """The sentence of a mask that is not a combination."""
    match mask:
        case Full():
            return _("Each token sees every token.")
        case Prefix(length=0) | Padding(lengths=(0,)):
            return _("No token sees any token.")
        case Window(width=1) | Dilated(width=1) | Blocks(size=1):
            return _("Each token sees only itself.")
        case Causal(offset=0):
            return _("Each token sees itself and every token before it.")
        case Causal(offset=1):
            return _("Each token sees itself, every token before it and the next one.")
        case Causal(offset=-1):
            return _("Each token sees every token before it, but not itself.")
        case Causal(offset=offset) if offset > 0:
            return _("Each token sees itself, every token before it and the next {n}.").format(n=offset)
        case Causal(offset=offset):
            return _("Each token sees the tokens that are at least {n} places before it.").format(n=-offset)
        case Window(width=2) | Dilated(width=2, step=1):
            return _("Each token sees itself, the one before it and the one after it.")
        case Window(width=width) | Dilated(width=width, step=1):
            return _("Each token sees itself, the {n} before it and the {n} after it.").format(n=width - 1)
        case Dilated(width=2, step=step):
            return _("Each token sees itself and those {step} places before and after it.").format(step=step)
        case Dilated(width=width, step=step):
            return _(
                "Each token sees itself and, {step} places apart, {n} tokens before it and {n} after it."
            ).format(n=width - 1, step=step)
        case Blocks(size=size):
            return _("Each token sees the tokens of its own block of {n}.").format(n=size)
        case Prefix(length=1):
            return _("Each token sees the first token and no other.")
        case Prefix(length=length):
            return _("Each token sees the first {n} tokens and no others.").format(n=length)
        case Padding(lengths=(1,)):
            return _("Each token sees the first token; the others are padding.")
        case Padding(lengths=(length,)):
            return _("Each token sees the first {n} tokens; the others are padding.").format(n=length)
        case Padding(lengths=lengths):
            return _(
                "Each token sees the tokens of its own text; the texts of the batch have {numbers} tokens, "
                "and the others are padding."
            ).format(numbers=listed(lengths))
        case Documents():
            return _("Each token sees the tokens of its own document.")
        case Global(positions=(position,)):
            return _(
                "Every token sees the one at position {n}, which sees every token; nothing else is seen "
                "(positions count from 0)."
            ).format(n=position)
        case Global(positions=positions):
            return _(
                "Every token sees those at positions {numbers}, which see every token; nothing else is seen "
                "(positions count from 0)."
            ).format(numbers=listed(positions))
        case Explicit(grid=grid):
            return _("Each token sees what was painted: {n} of {cells} cells are open.").format(
                n=sum(map(sum, grid)), cells=len(grid) * len(grid[0])
            )
    return _("A token sees another where this holds: {rule}.").format(rule=phrase(mask, _))


def _together(mask: And, _: Translator) -> str | None:
    """The sentence of two masks joined by and, in either order, where one was written."""
    for pair in _pairs(mask):
        match pair:
            case (Causal(offset=0), Window(width=1) | Dilated(width=1) | Blocks(size=1)):
                return _("Each token sees only itself.")
            case (Causal(offset=0), Window(width=2) | Dilated(width=2, step=1)):
                return _("Each token sees itself and the one before it.")
            case (Causal(offset=0), Window(width=width) | Dilated(width=width, step=1)):
                return _("Each token sees itself and the {n} before it.").format(n=width - 1)
            case (Causal(offset=0), Dilated(width=2, step=step)):
                return _("Each token sees itself and the one {step} places before it.").format(step=step)
            case (Causal(offset=0), Dilated(width=width, step=step)):
                return _("Each token sees itself and, {step} places apart, {n} tokens before it.").format(
                    n=width - 1, step=step
                )
            case (Causal(offset=0), Blocks(size=size)):
                return _("Each token sees itself and those before it in its own block of {n}.").format(n=size)
            case (Causal(offset=0), Documents()):
                return _("Each token sees itself and those before it in its own document.")
            case (Causal(offset=0), Padding(lengths=(length,))) if length > 1:
                return _(
                    "Each token sees itself and every token before it; what comes after the first {n} tokens "
                    "is padding, which no token sees."
                ).format(n=length)
            case (Causal(offset=0), Padding(lengths=lengths)) if len(lengths) > 1:
                return _(
                    "Each token sees itself and every token before it; the texts of the batch have {numbers} "
                    "tokens, and the padding after them is not seen."
                ).format(numbers=listed(lengths))
    return None


def _either(mask: Or, _: Translator) -> str | None:
    """The sentence of two masks joined by or, in either order, where one was written."""
    for pair in _pairs(mask):
        match pair:
            case (Causal(offset=0), Prefix(length=1)):
                return _("Each token sees itself and every token before it; the first token is open to all.")
            case (Causal(offset=0), Prefix(length=length)) if length > 1:
                return _(
                    "Each token sees itself and every token before it; the first {n} tokens are open to all."
                ).format(n=length)
            case (Window(width=width), Global(positions=(position,))) if width > 2:
                return _(
                    "Each token sees itself, the {n} before it and the {n} after it; the one at position "
                    "{position} sees every token and is seen by every token (positions count from 0)."
                ).format(n=width - 1, position=position)
            case (Window(width=width), Global(positions=positions)) if width > 2:
                return _(
                    "Each token sees itself, the {n} before it and the {n} after it; those at positions "
                    "{numbers} see every token and are seen by every token (positions count from 0)."
                ).format(n=width - 1, numbers=listed(positions))
    return None


def _opposite(mask: Mask, _: Translator) -> str | None:
    """The sentence of a forbidden mask, where one was written."""
    match mask:
        case Full():
            return _("No token sees any token.")
        case Causal(offset=0):
            return _("Each token sees only the tokens after it.")
        case Window(width=1):
            return _("Each token sees every token but itself.")
        case Prefix(length=1):
            return _("Each token sees every token but the first.")
        case Prefix(length=length) if length > 1:
            return _("Each token sees every token but the first {n}.").format(n=length)
        case Documents():
            return _("Each token sees the tokens of the other documents.")
    return None


def _pairs(mask: And | Or) -> Iterable[tuple[Mask, ...]]:
    """Both orders of two masks; nothing for three or more."""
    return permutations(mask.masks) if len(mask.masks) == 2 else ()


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
