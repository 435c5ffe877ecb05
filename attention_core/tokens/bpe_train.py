"""Learn the merges of a byte pair encoding.

`python -m attention_core.tokens.bpe_train` writes `data/bpe_merges.txt` from `data/bpe_corpus.txt`.

Sennrich, Haddow, Birch (2016), algorithm 1: again and again, the pair of neighbours that is most frequent in
the text becomes one token. Ties go to the pair that comes first in the order of bytes, so the same text gives
the same merges on every machine. One thing is added for the reader: no token ends inside one character and
reaches into another, so each is whole characters or a part of one.
"""

from __future__ import annotations

import functools
import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from attention_core.checks import whole
from attention_core.tokens.bpe import Pair, format_merges, pieces, utf8

__all__ = ["MERGES", "corpus", "main", "train"]

MERGES = 1200
DATA = Path(__file__).resolve().parent.parent / "data"


def train(text: str, count: int) -> tuple[Pair, ...]:
    """The first `count` merges, fewer when no pair comes twice any more.

    ValueError: a count below 0, a lone surrogate.

    >>> train("low lower lowest", 3)
    ((b'l', b'o'), (b'lo', b'w'), (b' ', b'low'))
    """
    whole("count", count, 0)
    utf8(text)
    frequency = Counter(piece.encode() for piece in pieces(text))
    weights = list(frequency.values())
    parts = [[piece[i : i + 1] for i in range(len(piece))] for piece in frequency]
    counts: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[int]] = defaultdict(set)  # pieces that have had the pair
    for index, tokens in enumerate(parts):
        for pair in _candidates(tokens):
            counts[pair] += weights[index]
            where[pair].add(index)
    heap = [(-number, pair) for pair, number in counts.items()]
    heapq.heapify(heap)
    merges: list[Pair] = []
    while heap and len(merges) < count:
        number, best = heapq.heappop(heap)
        if counts[best] != -number:
            continue  # written before the count changed
        if -number < 2:
            break
        merges.append(best)
        changed: set[Pair] = set()
        for index in where.pop(best):
            old = parts[index]
            new = parts[index] = _join(old, best)
            for pairs, sign in ((_candidates(old), -1), (_candidates(new), 1)):
                for pair in pairs:
                    counts[pair] += sign * weights[index]
                    changed.add(pair)
            for pair in _candidates(new):
                where[pair].add(index)
        for pair in changed:
            if counts[pair] > 0:
                heapq.heappush(heap, (-counts[pair], pair))
    return tuple(merges)


def _candidates(tokens: list[bytes]) -> Iterator[Pair]:
    """The neighbours that are whole characters together, or a part of one character."""
    return ((a, b) for a, b in pairwise(tokens) if _readable(a + b))


@functools.cache
def _readable(token: bytes) -> bool:
    try:
        token.decode()
    except UnicodeDecodeError:
        begun = sum(byte & 0xC0 != 0x80 for byte in token)  # 10xxxxxx goes on, others begin
        return begun == 0 or (begun == 1 and token[0] & 0xC0 != 0x80)
    return True


def _join(tokens: list[bytes], pair: Pair) -> list[bytes]:
    """Every occurrence of the pair becomes one token, from the left."""
    joined: list[bytes] = []
    position = 0
    while position < len(tokens):
        if tuple(tokens[position : position + 2]) == pair:
            joined.append(pair[0] + pair[1])
            position += 2
        else:
            joined.append(tokens[position])
            position += 1
    return joined


def corpus() -> str:
    """The text that the shipped vocabulary was learned from, written for it."""
    return (DATA / "bpe_corpus.txt").read_text(encoding="utf-8")


def main() -> None:
    """Write the shipped vocabulary."""
    merges = train(corpus(), MERGES)
    with open(DATA / "bpe_merges.txt", "w", encoding="utf-8", newline="\n") as file:
        file.write(format_merges(merges))


if __name__ == "__main__":
    main()
