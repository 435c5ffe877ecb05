"""Byte pair encoding on bytes, with the small vocabulary that ships with the package.

Sennrich, Haddow, Birch (2016), "Neural machine translation of rare words with subword units"; on bytes rather
than characters: Radford et al. (2019), "Language models are unsupervised multitask learners" (GPT-2).
`attention_core.tokens.bpe_train` made the vocabulary, from a text in this package.
"""

from __future__ import annotations

import functools
import heapq
from collections.abc import Iterable, Iterator
from importlib import resources

import regex

__all__ = ["Bpe", "Pair", "format_merges", "parse_merges", "pieces", "shipped", "utf8"]

Pair = tuple[bytes, bytes]
"""Two neighbouring tokens that become one."""

# No token reaches over the end of a piece. Every character is in one: letters, digits, space, or the rest.
# A piece has at most 64 of them: few words are longer, and a page of Chinese without a comma stays quick.
_PIECE = regex.compile(
    r" ?[\p{L}\p{M}]{1,64}+"  # a word, with the space before it
    r"|(?<=[\p{L}\p{M}])['’][\p{L}\p{M}]{1,64}+"  # and what an apostrophe ties to it: the 't of don't
    r"| ?\p{N}{1,64}+"
    r"| ?[^\s\p{L}\p{M}\p{N}]{1,64}+"
    r"|\s"
)


def utf8(text: str) -> bytes:
    """The bytes of a text in UTF-8; ValueError names a lone surrogate, which has none.

    >>> utf8("né")
    b'n\\xc3\\xa9'
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise ValueError(
            f"text has the lone surrogate U+{code:04X} at character {error.start}: "
            "allowed are characters that UTF-8 can write"
        ) from None


def pieces(text: str) -> Iterator[str]:
    """Cut a text where no merge may reach across; joined again, the pieces are the text.

    >>> list(pieces("I don't know: 42!"))
    ['I', ' don', "'t", ' know', ':', ' 42', '!']
    """
    return (match.group() for match in _PIECE.finditer(text))


class Bpe:
    """A vocabulary of merges, the earliest learned first.

    encode: bytes -> merge, while there is one, the neighbours that were learned first, leftmost first.
    Every byte is a token to begin with, so any text has an encoding, and the tokens joined are its bytes.

    >>> bpe = Bpe([(b"l", b"o"), (b"lo", b"w")])
    >>> bpe.encode("lowlo")
    (b'low', b'lo')
    """

    def __init__(self, merges: Iterable[Pair]) -> None:
        self.merges = tuple(merges)
        self._rank = {pair: rank for rank, pair in enumerate(self.merges)}

    def encode(self, text: str) -> tuple[bytes, ...]:
        """The tokens of a text, as bytes; joined, they are the text in UTF-8. ValueError: lone surrogate."""
        return tuple(self.tokens(text))

    def tokens(self, text: str) -> Iterator[bytes]:
        """The tokens of `encode`, one after the other: who needs the first ones alone pays for no more."""
        utf8(text)
        known: dict[str, list[bytes]] = {}  # words come again and again
        for piece in pieces(text):
            if piece not in known:
                known[piece] = self._merge(piece.encode())
            yield from known[piece]

    def _merge(self, piece: bytes) -> list[bytes]:
        """A linked list of parts and a heap of the merges that may come next: n log n in the length."""
        end = len(piece)
        # None: merged into its left neighbour
        parts: list[bytes | None] = [piece[i : i + 1] for i in range(end)]
        before = list(range(-1, end - 1))
        after = list(range(1, end + 1))
        heap: list[tuple[int, int, int, Pair]] = []

        def consider(left: int) -> None:
            right = after[left] if left >= 0 else end
            if right < end:
                a, b = parts[left], parts[right]
                assert a is not None and b is not None
                rank = self._rank.get((a, b))
                if rank is not None:
                    heapq.heappush(heap, (rank, left, right, (a, b)))

        for left in range(end):
            consider(left)
        while heap:
            _, left, right, pair = heapq.heappop(heap)
            if (parts[left], parts[right]) != pair:
                continue  # one of the two has been merged with another neighbour meanwhile
            parts[left], parts[right] = pair[0] + pair[1], None
            after[left] = after[right]
            if after[left] < end:
                before[after[left]] = left
            consider(before[left])
            consider(left)
        return [part for part in parts if part is not None]


def format_merges(merges: Iterable[Pair]) -> str:
    """One merge a line, in hexadecimal, then what it makes, for the reader of the file.

    >>> print(format_merges([(b" ", b"t"), (b" t", b"he")]), end="")
    20 74	' t'
    2074 6865	' the'
    """
    return "".join(f"{a.hex()} {b.hex()}\t{(a + b).decode(errors='replace')!r}\n" for a, b in merges)


def parse_merges(text: str) -> tuple[Pair, ...]:
    """The inverse of `format_merges`; ValueError names a line that is no merge.

    >>> parse_merges("20 74\\t' t'\\n")
    ((b' ', b't'),)
    """
    merges = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            left, right = (bytes.fromhex(part) for part in line.split("\t")[0].split(" "))
        except ValueError:
            raise ValueError(f"line {number}={line!r}: allowed are two hexadecimal numbers") from None
        merges.append((left, right))
    return tuple(merges)


@functools.cache
def shipped() -> Bpe:
    """The vocabulary in `data/bpe_merges.txt`, English with some Chinese.

    >>> shipped().encode("attention is all")
    (b'attention', b' is', b' all')
    """
    file = resources.files("attention_core") / "data" / "bpe_merges.txt"
    return Bpe(parse_merges(file.read_text(encoding="utf-8")))
