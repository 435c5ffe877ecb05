"""Masks as short text for links: `causal.and.window-3`, `not.begin.causal.and.window-3.end`.

The text is made of letters, digits, `-`, `_` and `.` alone, the characters that no URL encoder ever
escapes. Words are joined by dots; `not` binds tighter than `and`, `and` tighter than `or`, and `begin` and
`end` are the brackets.

| mask | text |
|---|---|
| Full(), Causal(), Causal(-2), Window(3) | `full`, `causal`, `causal--2`, `window-3` |
| Dilated(3, 2), Blocks(4), Prefix(2) | `dilated-3-2`, `blocks-4`, `prefix-2` |
| Padding((5, 7)), Global((0, 4)) | `padding-5-7`, `global-0-4` |
| Documents((0, 0, 0, 1)) | `documents-0x3-1`: id x how often in a row, from three on |
| Explicit | `explicit-4x4-b...`: the cells row by row as bits in base64url, or `z...`, compressed |
"""

from __future__ import annotations

import base64
import itertools
import re
import zlib
from collections.abc import Callable

from attention_core.masks import Blocks, Causal, Dilated, Full, Prefix, Window
from attention_core.masks.base import MAX_DEPTH, And, Mask, Not, Or
from attention_core.masks.fields import LONGEST, shown
from attention_core.masks.tables import LARGEST_GRID, OPEN, SHUT, Documents, Explicit, Global, Padding

MAX_TEXT = 65_536  # characters; the largest painted mask takes 43,705

_BITS = str.maketrans(OPEN + SHUT, "10")
_NUMBER = re.compile(r"[0-9]{1,7}")
_RUN = re.compile(r"([0-9]{1,7})(?:x([1-9][0-9]{0,6}))?")
_EXPLICIT = re.compile(r"([0-9]{1,3})x([0-9]{1,3})-([bz])([A-Za-z0-9_-]+)")
_ALLOWED = (
    "full, causal, causal-OFFSET, window-WIDTH, dilated-WIDTH-STEP, blocks-SIZE, prefix-LENGTH, "
    "padding-LENGTH-..., documents-ID-..., global-POSITION-..., explicit-ROWSxCOLUMNS-..., "
    "joined by and, or, not, begin, end"
)

_KNOWN = {Full, Causal, Window, Dilated, Blocks, Prefix, Padding, Documents, Global, Explicit, And, Or, Not}


def format_mask(mask: Mask) -> str:
    """The text of a mask, from which `parse_mask` gives the same mask back.

    ValueError when it would be longer than 65536 characters, as two of the largest painted masks are.

    >>> from attention_core.masks import Causal, Prefix, Window
    >>> format_mask(~(Causal() & Window(3)) | Prefix(2))
    'not.begin.causal.and.window-3.end.or.prefix-2'
    """
    text = _text(mask)
    if len(text) > MAX_TEXT:
        raise ValueError(f"the text of the mask has {len(text)} characters: allowed are at most {MAX_TEXT}")
    return text


def parse_mask(text: str) -> Mask:
    """The mask that a text describes; ValueError, in bounded time, for anything else.

    >>> parse_mask("causal.and.window-3")
    And(masks=(Causal(offset=0), Window(width=3)))
    >>> parse_mask("sideways")
    Traceback (most recent call last):
    ValueError: mask='sideways': allowed are full, causal, ...
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"mask={shown(text)} has {len(text)} characters: allowed are at most {MAX_TEXT}")
    reader = _Reader(text.split("."))
    mask = reader.any_of(0)
    if reader.words:
        raise _unknown(reader.words[-1])
    return mask


def _text(mask: Mask) -> str:
    if type(mask) not in _KNOWN:  # nor a class derived from these: it would come back as another mask
        raise ValueError(f"mask={shown(mask)}: allowed are the masks of attention_core.masks")
    match mask:
        case Full():
            return "full"
        case Causal(offset=0):
            return "causal"
        case Causal(offset=number) | Window(width=number) | Blocks(size=number) | Prefix(length=number):
            return f"{type(mask).__name__.lower()}-{number}"
        case Dilated(width=width, step=step):
            return f"dilated-{width}-{step}"
        case Padding(lengths=numbers) | Global(positions=numbers):
            return "-".join([type(mask).__name__.lower(), *map(str, numbers)])
        case Documents(ids=ids):
            return "-".join(["documents", *_runs(ids)])
        case Explicit():
            return _explicit(mask)
        case Not(mask=inner):
            return f"not.{_grouped(inner, And, Or)}"
        case And(masks=masks):
            return ".and.".join(_grouped(part, Or) for part in masks)
        case Or(masks=masks):
            return ".or.".join(map(_text, masks))
    raise AssertionError(mask)


def _grouped(mask: Mask, *looser: type[Mask]) -> str:
    """The text, in brackets when it binds less tightly than what stands around it."""
    return f"begin.{_text(mask)}.end" if isinstance(mask, looser) else _text(mask)


def _runs(ids: tuple[int, ...]) -> list[str]:
    """0, 0, 0, 1, 1 as 0x3, 1, 1."""
    words: list[str] = []
    for number, run in itertools.groupby(ids):
        times = len(list(run))
        words.extend([f"{number}x{times}"] if times > 2 else [str(number)] * times)
    return words


def _explicit(mask: Explicit) -> str:
    """The cells row by row, most significant bit first, padded with zeros to whole bytes."""
    queries, keys = mask.shape
    bits = "".join(mask.lines).translate(_BITS)
    size = (len(bits) + 7) // 8
    packed = int(bits.ljust(8 * size, "0"), 2).to_bytes(size)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)  # without header and checksum
    squeezed = deflate.compress(packed) + deflate.flush()
    kind, payload = ("z", squeezed) if len(squeezed) < len(packed) else ("b", packed)
    return f"explicit-{queries}x{keys}-{kind}{base64.urlsafe_b64encode(payload).decode().rstrip('=')}"


class _Reader:
    """Recursive descent over the words; `depth` bounds the calls inside each other, whatever the text."""

    def __init__(self, words: list[str]) -> None:
        self.words = words[::-1]  # the next word is the last: popping it is cheap

    def any_of(self, depth: int) -> Mask:
        masks = [self.all_of(depth)]
        while self.took("or"):
            masks.append(self.all_of(depth))
        return masks[0] if len(masks) == 1 else Or(tuple(masks))

    def all_of(self, depth: int) -> Mask:
        masks = [self.one(depth)]
        while self.took("and"):
            masks.append(self.one(depth))
        return masks[0] if len(masks) == 1 else And(tuple(masks))

    def one(self, depth: int) -> Mask:
        if depth > 2 * MAX_DEPTH:  # every level of a mask takes at most two: not, begin
            raise ValueError(f"mask nested more than {MAX_DEPTH} deep: allowed are at most {MAX_DEPTH}")
        if self.took("not"):
            return Not(self.one(depth + 1))
        if self.took("begin"):
            mask = self.any_of(depth + 1)
            if not self.took("end"):
                raise ValueError("mask: a begin without its end: allowed are pairs")
            return mask
        return _simple(self.words.pop() if self.words else "")

    def took(self, word: str) -> bool:
        if self.words and self.words[-1] == word:
            self.words.pop()
            return True
        return False


def _simple(word: str) -> Mask:
    name, dash, rest = word.partition("-")
    if name in _READERS and not (dash and not rest):
        try:
            return _READERS[name](rest)
        except _MalformedError:
            pass
    raise _unknown(word)


class _MalformedError(Exception):
    """What stands after the name is not what that mask takes."""


def _unknown(word: str) -> ValueError:
    return ValueError(f"mask={shown(word)}: allowed are {_ALLOWED}")


def _full(rest: str) -> Mask:
    if rest:
        raise _MalformedError
    return Full()


def _causal(rest: str) -> Mask:
    if not rest:
        return Causal()
    (offset,) = _numbers(rest.removeprefix("-"), 1)
    return Causal(-offset if rest.startswith("-") else offset)


def _documents(rest: str) -> Mask:
    ids: list[int] = []
    for word in rest.split("-"):
        match = _RUN.fullmatch(word)
        if match is None:
            raise _MalformedError
        times = int(match[2] or 1)
        if len(ids) + times > LONGEST:  # before it is written out
            raise ValueError(f"ids: {len(ids) + times} or more of them: allowed are at most {LONGEST}")
        ids += [int(match[1])] * times
    return Documents(tuple(ids))


def _painted(rest: str) -> Mask:
    match = _EXPLICIT.fullmatch(rest)
    if match is None:
        raise _MalformedError
    queries, keys = int(match[1]), int(match[2])
    what = f"explicit mask of {queries} by {keys}"
    if not (1 <= queries <= LARGEST_GRID and 1 <= keys <= LARGEST_GRID):
        raise ValueError(f"{what}: allowed are 1 to {LARGEST_GRID} rows and columns")
    size = (queries * keys + 7) // 8
    packed = _decoded(match[4]) if match[3] == "b" else _inflated(_decoded(match[4]), size)
    bits = "".join(f"{byte:08b}" for byte in packed)
    if len(packed) != size or "1" in bits[queries * keys :]:
        raise ValueError(f"{what} in {len(packed)} bytes: allowed are {size}, padded with zero bits")
    return Explicit(tuple(bits[at : at + keys] for at in range(0, queries * keys, keys)))


def _decoded(payload: str) -> bytes:
    """Strict base64url: one text for the same bytes, which the standard library does not insist on."""
    try:
        decoded = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    except ValueError:
        decoded = b""
    if base64.urlsafe_b64encode(decoded).decode().rstrip("=") != payload:
        raise ValueError(f"explicit mask {shown(payload)}: allowed are bytes in base64url")
    return decoded


def _inflated(squeezed: bytes, size: int) -> bytes:
    """What was compressed, at most one byte more than expected: a bomb is not unpacked."""
    inflate = zlib.decompressobj(-15)
    try:
        packed = inflate.decompress(squeezed, size + 1)
    except zlib.error as error:
        raise ValueError(f"explicit mask: the compressed cells are damaged ({error})") from None
    if not inflate.eof or inflate.unused_data:
        raise ValueError(f"explicit mask: the compressed cells do not end after the allowed {size} bytes")
    return packed


def _numbers(rest: str, count: int | None = None) -> tuple[int, ...]:
    words = rest.split("-")
    if not all(map(_NUMBER.fullmatch, words)) or count not in (None, len(words)):
        raise _MalformedError
    return tuple(map(int, words))


_READERS: dict[str, Callable[[str], Mask]] = {
    "full": _full,
    "causal": _causal,
    "window": lambda rest: Window(*_numbers(rest, 1)),
    "dilated": lambda rest: Dilated(*_numbers(rest, 2)),
    "blocks": lambda rest: Blocks(*_numbers(rest, 1)),
    "prefix": lambda rest: Prefix(*_numbers(rest, 1)),
    "padding": lambda rest: Padding(_numbers(rest)),
    "global": lambda rest: Global(_numbers(rest)),
    "documents": _documents,
    "explicit": _painted,
}
