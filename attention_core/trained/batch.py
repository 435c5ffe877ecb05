"""What a task hands to a model: numbers of words, what is asked, and where one should look for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import torch
from torch import Tensor

from attention_core.trained.vocabulary import BEGIN, END, PAD

__all__ = ["NOT_ASKED", "SPLITS", "Batch", "Example", "collate", "draws", "split_of"]

NOT_ASKED = -100  # in a target: no answer is asked for here, as torch's cross_entropy ignores it
SPLITS = ("train", "held_out", "test")


class Example(NamedTuple):
    """One sample: the input's numbers, the answer at each place, and the places that each answer comes from.

    For a model that writes, `target` is the sentence to be written; else it is as long as `source`, with
    NOT_ASKED where nothing is asked. `looks[i]` are the input places that answer i comes from, empty where
    nobody can say.
    """

    source: Sequence[int]
    target: Sequence[int]
    looks: Sequence[Collection[int]]


@dataclass(frozen=True, eq=False)
class Batch:
    """Many samples, filled up with padding.

    source (batch, key); target (batch, query), NOT_ASKED where nothing is asked; looks, bool (batch, query,
    key), True where the watched head should look; written (batch, query), what a model that writes has
    written before each answer, else None.
    """

    source: Tensor
    target: Tensor
    looks: Tensor
    written: Tensor | None = None

    def __len__(self) -> int:
        return int(self.source.shape[0])


def collate(examples: Sequence[Example], *, writes: bool) -> Batch:
    """Fill up the examples to one length. With `writes` each answer ends with END and begins after BEGIN.

    >>> batch = collate([Example([5, 6], [7], [{1}]), Example([5], [8], [{0}])], writes=True)
    >>> batch.source.tolist(), batch.target.tolist(), batch.written.tolist()
    ([[5, 6], [5, 0]], [[7, 2], [8, 2]], [[1, 7], [1, 8]])
    """
    answers = [[*example.target, END] if writes else list(example.target) for example in examples]
    keys = max(len(example.source) for example in examples)
    queries = max(len(found) for found in answers)
    source = torch.full((len(examples), keys), PAD)  # (batch, key)
    target = torch.full((len(examples), queries), NOT_ASKED)  # (batch, query)
    looks = torch.zeros(len(examples), queries, keys, dtype=torch.bool)  # (batch, query, key)
    marked: list[tuple[int, int, int]] = []
    for row, (example, found) in enumerate(zip(examples, answers, strict=True)):
        source[row, : len(example.source)] = torch.tensor(list(example.source))
        target[row, : len(found)] = torch.tensor(found)
        marked += [(row, query, place) for query, places in enumerate(example.looks) for place in places]
    if marked:  # all at once: one by one this would take longer than a step of training
        looks[tuple(torch.tensor(marked).t())] = True
    if not writes:
        return Batch(source, target, looks)
    written = torch.full_like(target, PAD)  # (batch, query)
    written[:, 0] = BEGIN
    written[:, 1:] = target[:, :-1].clamp(min=PAD)
    return Batch(source, target, looks, written)


def split_of(*what: object) -> str:
    """To which split a sample belongs, by a checksum of what it is: 80 % train, 10 % held_out, 10 % test.

    So no sample of one split is ever in another, whatever the seed.

    >>> split_of("sun", "east") == split_of("sun", "east")
    True
    """
    import zlib

    place = zlib.crc32("\0".join(str(part) for part in what).encode()) % 10
    return "held_out" if place == 8 else "test" if place == 9 else "train"


def draws(seed: int, purpose: str) -> Random:
    """A source of random numbers of its own, from a seed and what they are for."""
    return Random(f"{seed}/{purpose}")
