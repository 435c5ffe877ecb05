"""Files written piece by piece: a large one is never in memory as a whole, and others have their turn between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

NUMBERS = 8192  # written at a time: a few milliseconds of work
LEAST = 64 * 2**10  # bytes of a piece, but for the last


def gathered(pieces: Iterable[bytes], least: int = LEAST) -> Iterator[bytes]:
    """The same bytes in pieces of at least `least` bytes, and a last one.

    >>> list(gathered([b"ab", b"", b"c", b"defg", b"h"], 3))
    [b'abc', b'defg', b'h']
    """
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= least:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)
