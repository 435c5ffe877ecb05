"""Tokens -> vectors, without training: the same word always has the same vector.

They stand in for an embedding layer that has learned nothing yet: the mechanism is real, the meaning is not.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from attention_core.checks import whole
from attention_core.seeding import seeded

__all__ = ["ARTICLE_ROWS", "EMBEDDINGS", "Vectors", "embed", "hashed", "one_hot", "sorted_vocabulary"]

EMBEDDINGS = ("hashed", "sorted_vocabulary", "one_hot")
ARTICLE_ROWS = 50_000
"""The rows of the embedding layer in the `sorted_vocabulary` recipe."""

Vectors = Float[Tensor, "word width"]


def hashed(words: Sequence[str], width: int, seed: int = 0, *, dtype: torch.dtype = torch.float32) -> Vectors:
    """A random vector for each word: x_i ~ N(0, 1), drawn from (seed, width, word) and nothing else.

    Returns (word, width). Changing one word leaves the vectors of the others as they are; equal words have
    equal vectors, whatever stands around them. Any string is a word. width from 1, seed from 0, else
    ValueError.

    The generator is that of `seeding.seeded` (SHA-256). The numbers are drawn in float64 and rounded to
    float32: torch draws 16 or more float32 numbers with the vector instructions of the processor, and
    processors differ in the last bit. A wider dtype holds the same numbers.

    >>> a, b = hashed(["the", "cat"], 3), hashed(["a", "cat"], 3)
    >>> torch.equal(a[1], b[1]), torch.equal(a[0], b[0])
    (True, False)
    """
    _check(words, width)
    whole("seed", seed, 0)
    rows = {word: row for row, word in enumerate(dict.fromkeys(words))}
    table = torch.empty(len(rows), width)  # (distinct word, width)
    for word, row in rows.items():
        name = word.encode("utf-8", "surrogatepass").hex()
        generator = seeded(seed, "hashed embedding", width, name)
        table[row] = torch.randn(width, generator=generator, dtype=torch.float64)
    return table[[rows[word] for word in words]].to(dtype)  # (word, width)


def sorted_vocabulary(
    words: Sequence[str], width: int, seed: int = 123, *, dtype: torch.dtype = torch.float32
) -> Vectors:
    """The recipe of many tutorials: a word's place in the alphabet is its row in a random table.

    vocabulary = {word: index for index, word in enumerate(sorted(words))}; torch.manual_seed(seed);
    nn.Embedding(50_000, width). Returns (word, width), the same numbers; the global generator is not touched.

    The order is that of code points (capitals first), and a word that comes twice takes the place of its last
    copy, as in that line of code. So changing one word can move the vectors of the others: `hashed` does not.
    At most 50,000 words; width from 1; seed from 0 to 2**64 - 1, else ValueError.

    >>> sorted_vocabulary(["Life", "is", "short"], 3)[0]
    tensor([ 0.3374, -0.1778, -0.3035])
    """
    _check(words, width)
    if whole("seed", seed, 0) >= 2**64:
        raise ValueError(f"seed={seed!r}: allowed are whole numbers from 0 to 2**64 - 1")
    if len(words) > ARTICLE_ROWS:
        raise ValueError(f"words={len(words):,} of them: allowed are at most {ARTICLE_ROWS:,}")
    place = {word: index for index, word in enumerate(sorted(words))}
    # torch draws normal numbers in blocks of 16, and 50,000 rows are whole blocks at any width, so the rows
    # in use can be drawn without the rest: a wide table takes hundreds of megabytes.
    blocks = max(1, -(-len(words) * width // 16))
    drawn = torch.randn(16 * blocks, generator=torch.Generator().manual_seed(seed))
    table = drawn[: len(words) * width].view(len(words), width)  # (place, width)
    return table[[place[word] for word in words]].to(dtype)  # (word, width)


def one_hot(words: Sequence[str], width: int, *, dtype: torch.dtype = torch.float32) -> Vectors:
    """A 1 at the word's place among the distinct words in alphabetical order, zeros elsewhere.

    Returns (word, width). Every word is at right angles to every other. width from the number of distinct
    words, else ValueError.

    >>> one_hot(["to", "be", "to"], 3)
    tensor([[0., 1., 0.],
            [1., 0., 0.],
            [0., 1., 0.]])
    """
    _check(words, width)
    place = {word: index for index, word in enumerate(sorted(set(words)))}
    if width < len(place):
        raise ValueError(
            f"width={width}: allowed are whole numbers from {len(place)}, the number of distinct words"
        )
    vectors = torch.zeros(len(words), width, dtype=dtype)  # (word, width)
    vectors[range(len(words)), [place[word] for word in words]] = 1
    return vectors


def embed(
    words: Sequence[str],
    width: int,
    *,
    recipe: str = "hashed",
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Vectors:
    """The vectors of words by the recipe of that name, one of EMBEDDINGS; "one_hot" needs no seed.

    Returns (word, width). ValueError: an unknown recipe, and what the recipe refuses.

    >>> embed(["to", "be"], 2, recipe="one_hot")
    tensor([[0., 1.],
            [1., 0.]])
    """
    match recipe:
        case "hashed":
            return hashed(words, width, seed, dtype=dtype)
        case "sorted_vocabulary":
            return sorted_vocabulary(words, width, seed, dtype=dtype)
        case "one_hot":
            return one_hot(words, width, dtype=dtype)
    raise ValueError(f"recipe={recipe!r}: allowed are {', '.join(map(repr, EMBEDDINGS))}")


def _check(words: Sequence[str], width: int) -> None:
    whole("width", width, 1)
    if isinstance(words, str):  # a sequence of strings too, but not what was meant
        raise ValueError(f"words={words!r}: allowed is a sequence of words, not one string")
