"""Patches as short text for links: `self1-0-previous.self2-0-bAQIAAScQ`.

The text is made of letters, digits, `-`, `_` and `.` alone. Patches are joined by dots; each is its layer, its head,
its pattern if it has one, and its rows by hand as bytes in base64url: `b...`, or `z...` where they are compressed. A
row is its query and its number of parts, one byte each, then two bytes a part.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

from attention_core.trained.patch import PATTERNS, Patch, Row

__all__ = ["format_patches", "parse_patches"]

MAX_TEXT = 16_384  # characters; a map of 48 x 48 different weights takes some 6,500
MAX_BYTES = 2 * 256 * 256
MAX_PATCHES = 32


def format_patches(patches: Sequence[Patch]) -> str:
    """The text of patches, from which `parse_patches` gives the same back. Patches that change nothing are left out.

    >>> format_patches([Patch("self1", 0, "first"), Patch("self2", 0, rows=((3, (0, 10_000)),))])
    'self1-0-first.self2-0-bAwIAACcQ'
    """
    found = []
    for patch in patches:
        if not patch.empty:
            parts = [patch.layer, str(patch.head), *([patch.pattern] if patch.pattern else []), *_packed(patch.rows)]
            found.append("-".join(parts))
    return ".".join(found)


def parse_patches(text: str) -> tuple[Patch, ...]:
    """The patches that a text describes; ValueError, in bounded time, for anything else.

    >>> parse_patches("self1-0-first")
    (Patch(layer='self1', head=0, pattern='first', rows=()),)
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"patches={text[:40]!r}... has {len(text)} characters: allowed are at most {MAX_TEXT}")
    words = text.split(".") if text else []
    found = tuple(_parse(word) for word in words)
    if len({(patch.layer, patch.head) for patch in found}) < len(found) or len(found) > MAX_PATCHES:
        raise ValueError(f"patches={text[:40]!r}: allowed is one patch a head, {MAX_PATCHES} at most")
    return found


def _parse(word: str) -> Patch:
    wrong = ValueError(
        f"patches={word[:40]!r}: allowed are layer-head, then {', '.join(PATTERNS)} or nothing, then the rows by hand"
    )
    layer, _, rest = word.partition("-")
    head, _, rest = rest.partition("-")
    if not (layer.isascii() and layer.isalnum() and len(layer) <= 20):
        raise wrong
    if not (head.isascii() and head.isdecimal() and len(head) < 4):
        raise wrong
    pattern, rows = "", rest
    if rest.partition("-")[0] in PATTERNS:
        pattern, _, rows = rest.partition("-")
    if not pattern and not rows:
        raise wrong
    return Patch(layer, int(head), pattern, _unpacked(rows, wrong))


def _packed(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    plain = b""
    for query, parts in rows:
        used = max(place for place, part in enumerate(parts) if part) + 1  # keys beyond the parts get 0 anyway
        plain += struct.pack(f">BB{used}H", query, used, *parts[:used])
    packed = zlib.compress(plain, 9)
    mark, shorter = ("z", packed) if len(packed) < len(plain) else ("b", plain)
    return [mark + base64.urlsafe_b64encode(shorter).decode().rstrip("=")]


def _unpacked(text: str, wrong: ValueError) -> tuple[Row, ...]:
    if not text:
        return ()
    try:
        plain = base64.b64decode(text[1:] + "=" * (-len(text[1:]) % 4), altchars=b"-_", validate=True)
        if text[0] == "z":
            reader = zlib.decompressobj()
            plain = reader.decompress(plain, MAX_BYTES)
            if reader.unconsumed_tail or not reader.eof:
                raise wrong
        elif text[0] != "b":
            raise wrong
        if not plain:
            raise wrong
        rows, at = [], 0
        while at < len(plain):
            query, used = struct.unpack_from(">BB", plain, at)
            rows.append((query, struct.unpack_from(f">{used}H", plain, at + 2)))
            at += 2 + 2 * used
        return tuple(rows)
    except (ValueError, zlib.error, struct.error) as problem:
        raise wrong from problem
