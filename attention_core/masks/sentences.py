"""A mask in one sentence, as a person would say who sees whom.

`_` translates each message before it is filled in. In cross-attention the one who looks is a query of one text and what
it sees is a key of another, so "itself" would be wrong there: the words for the two are filled in as well.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from attention_core.masks import Blocks, Causal, Dilated, Prefix
from attention_core.masks.bands import EVERYTHING, PAST, Band, Bands, bands_of, others, split, sum_of_products
from attention_core.masks.base import And, Mask, Not, Or, extent
from attention_core.masks.tables import Documents, Explicit, Global, Padding
from attention_core.masks.words import listed, phrase

Translator = Callable[[str], str]

CLAUSES = 3  # parts of a sentence that can be kept in mind
SPELLED_OUT = 5  # simple masks of a combination that a sentence goes through; of more it names the rule


def sentence(mask: Mask, _: Translator, cross: bool = False) -> str:
    """One sentence that says who sees whom; for `cross` the keys are those of another text."""
    say = _Sayer(_, cross)
    if extent(mask)[1] > SPELLED_OUT:
        return _rule(mask, _)
    what, more = say.clause(sum_of_products(mask), alone=True)
    if what is None:
        return say("No {looker} sees any {token}.")
    said = [say("{Each} sees {what}", what=what), *more]
    if "Global" in repr(mask):
        said[-1] = say("{what} (positions count from 0)", what=said[-1])
    return "; ".join(said) + "." if len(said) <= CLAUSES else _rule(mask, _)


def _rule(mask: Mask, _: Translator) -> str:
    return _("A token sees another where this holds: {rule}.").format(rule=phrase(mask, _))


Clause = tuple[str | None, list[str]]  # what each token sees, None for nothing; and what is to be said after it


class _Sayer:
    def __init__(self, translate: Translator, cross: bool) -> None:
        self._ = _ = translate
        self._cross = cross
        self._who = (
            {
                "Each": _("Each query"),
                "looker": _("query"),
                "own": _("the key at its own position"),
                "token": _("key"),
                "tokens": _("keys"),
            }
            if cross
            else {
                "Each": _("Each token"),
                "looker": _("token"),
                "own": _("itself"),
                "token": _("token"),
                "tokens": _("tokens"),
            }
        )

    def __call__(self, message: str, **more: object) -> str:
        return self._(message).format(**self._who, **more)

    def clause(self, mask: Mask, alone: bool = False) -> Clause:
        """What each token sees, and what else there is to say of it, more where it is the whole mask."""
        bands = bands_of(mask)
        if bands is not None:
            return self._alone(bands), []
        match mask:
            case And(masks=masks):
                return self._all(*split(masks, True))
            case Or(masks=masks):
                return self._any(*split(masks, False))
            case Padding(lengths=(length,)) if alone:
                return self._first(length), [self("the others are padding")]
            case Padding(lengths=lengths) if alone:
                said = "the texts of the batch have {numbers} tokens, and the rest is padding"
                return self("the {tokens} of its own text"), [self(said, numbers=listed(lengths))]
            case Prefix(length=length) if alone:
                return self("only {what}", what=self._first(length)), []
            case Global():
                return self("only {what}", what=self._at(mask)), self._globals(mask)
            case Not(mask=Global() as inner):
                said = "what stands at {places} sees nothing and is not seen"
                return self("every {token}"), [self(said, places=self._places(inner))]
        return self._what(mask), []

    # ---- combinations

    def _all(self, bands: Bands | None, masks: list[Mask]) -> Clause:
        """Masks joined by and: what one of them opens, and what the others leave of it."""
        if bands == (Band(0, 0),):  # what a window with gaps or a block allows of a token itself: all
            masks = [mask for mask in masks if not isinstance(mask, Blocks | Dilated)]
            if any(isinstance(mask, Not) and isinstance(mask.mask, Blocks | Dilated) for mask in masks):
                bands = ()
        if bands == ():
            return None, []
        if not masks:
            return self._alone(bands or EVERYTHING), []
        opening = [mask for mask in masks if not isinstance(mask, Not)]
        gap = others(bands) if bands is not None and len(bands) > 1 else ()
        limits: list[str] = []
        if bands is None or bands == EVERYTHING or (opening and len(gap) == 1):
            first = (opening or masks)[0]
            base, more = self.clause(first)
            limits = [self("not {what}", what=self._band(band)) for band in gap]
        else:
            first = masks[0]
            known = self._before(first) if bands == (PAST,) else None
            if known is None and isinstance(first, Prefix) and len(bands) == 1:
                known = self("{what}, but {limits}", what=self._first(first.length), limits=self._bound(bands[0])), []
            base, more = known or (self._bands(bands), [])
            if known is None:
                first = None
        limits += [self._limit(mask) for mask in masks if mask is not first]
        if not limits or base is None:
            return base, more
        own = self(", but not {own}")
        if base.endswith(own):  # one "but" is enough
            base, limits = base.removesuffix(own), [self("not {own}"), *limits]
        joined = self._chain(limits)
        if more:
            return base, [*more, self("of all this {limits}", limits=joined)]
        return self("{what}, but {limits}", what=base, limits=joined), []

    def _chain(self, parts: list[str]) -> str:
        first, *rest = parts
        for part in rest:
            first = self("{first} and {second}", first=first, second=part)
        return first

    def _bound(self, band: Band) -> str:
        """What a band leaves of something else."""
        if band == PAST:
            return self("nothing after {own}")
        if band == Band(0, inf):
            return self("nothing before {own}")
        return self("only {what}", what=self._band(band))

    def _before(self, other: Mask) -> Clause | None:
        """What a causal mask leaves of another one, where it can be said shorter."""
        match other:
            case Dilated(width=2, step=step):
                return self("{own} and the one {step} places before it", step=step), []
            case Dilated(width=width, step=step):
                said = self("{own} and, {step} places apart, {n} {tokens} before it", n=width - 1, step=step)
                return said, []
            case Blocks(size=size):
                return self("{own} and those before it in its own block of {n}", n=size), []
            case Documents():
                return self("{own} and those before it in its own document"), []
            case Padding(lengths=(length,)) if length > 1:
                said = self("what comes after the first {n} {tokens} is padding, which no {looker} sees", n=length)
                return self._band(Band(-inf, 0)), [said]
            case Padding(lengths=lengths) if len(lengths) > 1:
                said = self(
                    "the texts of the batch have {numbers} tokens, and the padding after them is not seen",
                    numbers=listed(lengths),
                )
                return self._band(Band(-inf, 0)), [said]
        return None

    def _any(self, bands: Bands | None, masks: list[Mask]) -> Clause:
        """Masks joined by or: what one of them opens, and what the others add."""
        past = [mask for mask in masks if bands_of(mask) is None]
        if bands == EVERYTHING:
            return self("every {token}"), []
        if bands:
            base: str | None = self._bands(bands)
            more: list[str] = []
        else:
            # What is seen from anywhere is said last, it reads as an addition.
            first = min(past, key=lambda mask: isinstance(mask, Global | Prefix | Padding | Explicit))
            past.remove(first)
            base, more = self.clause(first)
        return base, more + [said for mask in past for said in self._added(mask)]

    def _added(self, mask: Mask) -> list[str]:
        """What a mask joined by or adds."""
        match mask:
            case Prefix(length=1) | Padding(lengths=(1,)):
                return [self("the first {token} is open to all")]
            case Prefix(length=length) | Padding(lengths=(length,)):
                return [self("the first {n} {tokens} are open to all", n=length)]
            case Global():
                return self._globals(mask, seen=True)
            case And(masks=(Causal(offset=0), Global() as tokens) | (Global() as tokens, Causal(offset=0))):
                return [
                    self(
                        "what stands at {places} sees and is seen as well, but backwards only",
                        places=self._places(tokens),
                    )
                ]
            case Explicit(grid=grid):
                return [self("{n} painted cells are open besides", n=sum(map(sum, grid)))]
        what, more = self.clause(mask)
        return [] if what is None else [self("besides it sees {what}", what=what), *more]

    def _limit(self, mask: Mask) -> str:
        """What a mask joined by and leaves: "only in its own block of 3"."""
        match mask:
            case Blocks(size=size):
                return self("only in its own block of {n}", n=size)
            case Documents():
                return self("only in its own document")
            case Padding(lengths=lengths) if len(lengths) > 1:
                return self("no padding (the texts of the batch have {numbers} tokens)", numbers=listed(lengths))
            case Prefix(length=1) | Padding(lengths=(1,)):
                return self("only the first {token}")
            case Prefix(length=length) | Padding(lengths=(length,)):
                return self("only among the first {n} {tokens}", n=length)
            case Dilated(width=width, step=step):
                return self("only every {step} places, at most {n} away", step=step, n=(width - 1) * step)
            case Global():
                return self("only where one of the two stands at {places}", places=self._places(mask))
            case Explicit(grid=grid):
                return self("only where {n} cells were painted open", n=sum(map(sum, grid)))
            case Not(mask=Blocks(size=size)):
                return self("not in its own block of {n}", n=size)
            case Not(mask=Documents()):
                return self("not in its own document")
            case Not(mask=Prefix(length=1) | Padding(lengths=(1,))):
                return self("not the first {token}")
            case Not(mask=Prefix(length=length) | Padding(lengths=(length,))):
                return self("not the first {n} {tokens}", n=length)
            case Not(mask=Global() as inner):
                return self("not where one of the two stands at {places}", places=self._places(inner))
            case Not(mask=Explicit(grid=grid)):
                return self("not where {n} cells were painted", n=sum(map(sum, grid)))
            case Not(mask=inner):
                return self("not {what}", what=self._what(inner))
        return self("only {what}", what=self._what(mask))

    # ---- simple masks

    def _what(self, mask: Mask) -> str:
        """What a simple mask opens, as part of a sentence."""
        match mask:
            case Dilated(width=2, step=step):
                return self("{own} and those {step} places before and after it", step=step)
            case Dilated(width=width, step=step):
                return self(
                    "{own} and, {step} places apart, {n} {tokens} before it and {n} after it", n=width - 1, step=step
                )
            case Blocks(size=size):
                return self("the {tokens} of its own block of {n}", n=size)
            case Prefix(length=length) | Padding(lengths=(length,)):
                return self._first(length)
            case Padding():
                return self("the {tokens} of its own text")
            case Documents():
                return self("the {tokens} of its own document")
            case Global():
                return self._at(mask)
            case Explicit(grid=grid):
                return self(
                    "what was painted: {n} of {cells} cells are open",
                    n=sum(map(sum, grid)),
                    cells=len(grid) * len(grid[0]),
                )
            case Not(mask=Blocks(size=size)):
                return self("the {tokens} of the other blocks of {n}", n=size)
            case Not(mask=Documents()):
                return self("the {tokens} of the other documents")
            case Not(mask=Padding(lengths=(length,))):
                return self("only what comes after the first {n} {tokens}, which is padding", n=length)
            case Not(mask=Explicit(grid=grid)):
                cells = len(grid) * len(grid[0])
                return self(
                    "what was not painted: {n} of {cells} cells are open", n=cells - sum(map(sum, grid)), cells=cells
                )
            case Not(mask=inner):
                return self("every {token} but {what}", what=self._what(inner))
        return phrase(mask, self._)

    def _first(self, length: int) -> str:
        return self("the first {token}") if length == 1 else self("the first {n} {tokens}", n=length)

    def _places(self, mask: Global) -> str:
        several = len(mask.positions) > 1
        message = "positions {numbers}" if several else "position {numbers}"
        return self(message, numbers=listed(mask.positions))

    def _at(self, mask: Global) -> str:
        if len(mask.positions) > 1:
            return self("the {tokens} at {places}", places=self._places(mask))
        return self("the {token} at {places}", places=self._places(mask))

    def _globals(self, mask: Global, seen: bool = False) -> list[str]:
        """What global tokens see, and with `seen` that they are seen."""
        places = self._places(mask)
        if self._cross:
            looks = self("what asks at {places} sees every key", places=places)
            return [looks, self("what stands there is seen by every query")] if seen else [looks]
        several = len(mask.positions) > 1
        if not seen:
            return [self("those see every token") if several else self("that one sees every token")]
        if several:
            return [self("those at {places} see every token and are seen by every token", places=places)]
        return [self("the one at {places} sees every token and is seen by every token", places=places)]

    def _alone(self, bands: Bands) -> str | None:
        """Bands that are the whole mask."""
        if not bands:
            return None
        few = len(bands) == 1 and (bands[0] == Band(0, 0) or bands[0].least > 0)
        return self("only {what}", what=self._bands(bands)) if few else self._bands(bands)

    def _bands(self, bands: Bands) -> str:
        """The tokens of one band or more."""
        if bands == EVERYTHING:
            return self("every {token}")
        gap = others(bands)
        if len(bands) > 1 and len(gap) == 1:
            return self("every {token} but {what}", what=self._band(gap[0]))
        parts = self._chain([self._band(band) for band in bands])
        near = any(band.least <= 1 and band.most >= -1 for band in bands)  # so near that one might think of itself
        if near and not any(band.least <= 0 <= band.most for band in bands) and any(band.most < 0 for band in bands):
            return self("{what}, but not {own}", what=parts)
        return parts

    def _band(self, band: Band) -> str:
        """The tokens of one band."""
        if band.least > 0:
            return self._after(band.least, band.most)
        if band.most < 0:
            return self._behind(-band.most, -band.least)
        parts = [self("{own}")]
        if band.least < 0:
            parts.append(
                self("every {token} before it") if band.least == -inf else self._near("before", -int(band.least))
            )
        if band.most > 0:
            parts.append(self("every {token} after it") if band.most == inf else self._near("after", int(band.most)))
        if band == Band(-inf, 1) or (band.least == -inf and 1 < band.most < inf):
            parts[-1] = self("the next one") if band.most == 1 else self("the next {n}", n=int(band.most))
        if len(parts) == 3:
            return self("{first}, {second} and {third}", first=parts[0], second=parts[1], third=parts[2])
        return parts[0] if len(parts) == 1 else self("{first} and {second}", first=parts[0], second=parts[1])

    def _near(self, side: str, count: int) -> str:
        if side == "before":
            return self("the one before it") if count == 1 else self("the {n} before it", n=count)
        return self("the one after it") if count == 1 else self("the {n} after it", n=count)

    def _behind(self, near: float, far: float) -> str:
        """What lies from `near` to `far` places before a token."""
        if far == inf:
            if near == 1:
                return self("every {token} before it")
            return self("the {tokens} that are at least {n} places before it", n=int(near))
        if near == far:
            return self("the one before it") if near == 1 else self("the one {n} places before it", n=int(near))
        if near == 1:
            return self("the {n} before it", n=int(far))
        return self("those {n} to {m} places before it", n=int(near), m=int(far))

    def _after(self, near: float, far: float) -> str:
        """What lies from `near` to `far` places after a token."""
        if far == inf:
            if near == 1:
                return self("the {tokens} after it")
            return self("the {tokens} that are at least {n} places after it", n=int(near))
        if near == far:
            return self("the one after it") if near == 1 else self("the one {n} places after it", n=int(near))
        if near == 1:
            return self("the {n} after it", n=int(far))
        return self("those {n} to {m} places after it", n=int(near), m=int(far))
