"""What a task is: its words, the sizes of its model, how that is trained, and how to draw a sample."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from random import Random

from attention_core.checks import whole
from attention_core.seeding import seeded
from attention_core.trained.batch import SPLITS, Batch, Example, collate, draws, split_of
from attention_core.trained.model import Model, Shape
from attention_core.trained.reader import Reader
from attention_core.trained.vocabulary import Vocabulary
from attention_core.trained.writer import Writer

__all__ = ["Recipe", "Stream", "Task"]

Drawn = tuple[Example, Hashable]  # a sample, and what decides its split


@dataclass(frozen=True)
class Recipe:
    """How a model is trained: AdamW (betas 0.9 and 0.98, no decay), warm-up, then a cosine down to 5 % of `rate`."""

    steps: int
    rate: float
    warmup: int = 0
    smoothing: float = 0.0
    batch: int = 64
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Task:
    """A task. `watched` is the (layer, head) whose weights should find what the answer comes from.

    `draw` makes one sample; `read` cuts what a visitor typed into words and raises ValueError for what the
    model cannot take; `asked` says at which of these words the answer is to be read. `whole` counts a sample as right
    only where every answer is; for a task that `writes` this is always so.
    """

    name: str
    about: str
    words: Vocabulary
    answers: Vocabulary
    shape: Shape
    recipe: Recipe
    watched: tuple[str, int]
    draw: Callable[[Random], Drawn]
    read: Callable[[str], tuple[str, ...]]
    asked: Callable[[tuple[str, ...]], tuple[int, ...]]
    inputs: tuple[str, ...]
    writes: bool = False
    whole: bool = False
    longest: int = 0
    data: str = ""

    def build(self, seed: int) -> Model:
        """A model that has learned nothing yet."""
        kind = Writer if self.writes else Reader
        return kind(self.shape, seeded(seed, "trained", self.name, "weights"))

    def batch(self, split: str, count: int, seed: int = 0) -> Batch:
        """So many samples of a split. The same seed gives the same samples.

        Raises ValueError for a split that there is not, and a count below 1.
        """
        return self.stream(split, seed)(count)

    def stream(self, split: str, seed: int = 0) -> Stream:
        """A source of samples of a split that goes on where it stopped."""
        return Stream(self, split, seed)


class Stream:
    """Samples of one split, in the order that a seed gives; `numbers` is where it has come to.

    Raises ValueError for a split that there is not, and when called for a count below 1.
    """

    def __init__(self, task: Task, split: str, seed: int) -> None:
        if split not in SPLITS:
            raise ValueError(f"split={split!r}: allowed are {', '.join(SPLITS)}")
        self.task, self.split = task, split
        self.numbers = draws(seed, f"{task.name} {split}")

    def __call__(self, count: int) -> Batch:
        """The next so many samples."""
        found: list[Example] = []
        while len(found) < whole("count", count, 1):
            example, key = self.task.draw(self.numbers)
            if split_of(self.task.name, key) == self.split:
                found.append(example)
        return collate(found, writes=self.task.writes)
