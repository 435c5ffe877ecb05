"""Tokens of a pretrained tokenizer as text that can be read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

__all__ = ["bytes_of", "is_byte_level", "piece_text", "piece_texts"]

_WORD_BEGINS = "\u2581"  # SentencePiece writes a space as this


@cache
def _byte_of_sign() -> dict[str, int]:
    """The byte that each sign of byte-level BPE stands for (Radford et al. 2019, the code of GPT-2).

    Bytes that print as Latin-1 stand for themselves; the others, in their order, are written from U+0100 on.
    """
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(0x100 + n): byte for n, byte in enumerate(others)}


def bytes_of(piece: str) -> bytes | None:
    """The bytes of a piece of byte-level BPE; None where it is none.

    >>> bytes_of("\u0120the"), bytes_of("ä½ł").decode(), bytes_of("猫")
    (b' the', '你', None)
    """
    table = _byte_of_sign()
    return bytes(table[sign] for sign in piece) if all(sign in table for sign in piece) else None


def piece_text(piece: str, *, byte_level: bool = False) -> str:
    """A piece as it stands in the text: spaces are spaces, whole characters are characters.

    Bytes that make no whole character stand as two hexadecimal digits each.

    >>> piece_text("\u0120bank", byte_level=True), piece_text("\u2581bank"), piece_text("##ing")
    (' bank', ' bank', '##ing')
    >>> piece_text("ä½", byte_level=True)
    '‹E4 BD›'
    """
    raw = bytes_of(piece) if byte_level else None
    if raw is None:
        return piece.replace(_WORD_BEGINS, " ")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "".join(_parts(raw))


def _parts(raw: bytes) -> list[str]:
    """Whole characters, and between them the bytes that make none."""
    found, broken = [], b""
    place = 0
    while place < len(raw):
        for length in (1, 2, 3, 4):
            try:
                character = raw[place : place + length].decode()
            except UnicodeDecodeError:
                continue
            if broken:
                found.append(f"‹{broken.hex(' ').upper()}›")
                broken = b""
            found.append(character)
            place += length
            break
        else:
            broken += raw[place : place + 1]
            place += 1
    return [*found, f"‹{broken.hex(' ').upper()}›"] if broken else found


def is_byte_level(tokenizer: Any) -> bool:
    """Whether the pieces of a tokenizer are bytes written as signs."""
    decoder = getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None)
    if decoder is None:
        return False
    try:
        state = json.loads(decoder.__getstate__())
    except (AttributeError, TypeError, ValueError):
        return False
    kinds = [state.get("type"), *(one.get("type") for one in state.get("decoders", []))]
    return "ByteLevel" in kinds


def piece_texts(tokenizer: Any, numbers: Sequence[int]) -> tuple[str, ...]:
    """The tokens with these numbers as text; special tokens as they are called."""
    byte_level = is_byte_level(tokenizer)
    special = set(tokenizer.all_special_ids)
    pieces = tokenizer.convert_ids_to_tokens(list(numbers))
    return tuple(
        str(piece) if number in special else piece_text(str(piece), byte_level=byte_level)
        for number, piece in zip(numbers, pieces, strict=True)
    )
