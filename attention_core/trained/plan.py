"""What is to be trained: a task, and the settings that a visitor may choose for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from attention_core.checks import whole
from attention_core.trained.task import Task
from attention_core.trained.tasks import TASKS, task
from attention_core.trained.training import Training

__all__ = ["LIVE", "Plan"]

LIVE = ("reversal", "induction", "coreference", "translation", "dates", "sorting")
LARGEST_SEED = 2**31 - 1
MOST_HEADS = 16
LARGEST_WIDTH = 256
MOST_STEPS = 20_000


@dataclass(frozen=True)
class Plan:
    """A training run before it begins: the same plan gives the same model, number for number.

    name     the task, one of `LIVE`
    seed     0 to 2147483647
    heads    of every self-attention, 1 to 16, a divisor of the width; cross-attention always has one head
    d_model  the width, 2 to 256, even where the positions are sinusoids
    rate     the learning rate at its highest, above 0, at most 1
    steps    to which the rate's cosine is stretched, 1 to 20000

    Raises ValueError for anything else.

    >>> Plan.of("reversal")
    Plan(name='reversal', seed=0, heads=1, d_model=64, rate=0.003, steps=200)
    >>> Plan("reversal", 0, 3, 64, 0.003, 200)
    Traceback (most recent call last):
    ValueError: heads=3: allowed are whole numbers from 1 to 16 that divide d_model=64
    """

    name: str
    seed: int
    heads: int
    d_model: int
    rate: float
    steps: int

    def __post_init__(self) -> None:
        """Check every field."""
        if self.name not in LIVE:
            raise ValueError(f"task={self.name!r}: allowed are {', '.join(LIVE)}")
        for field, value, least, most in (
            ("seed", self.seed, 0, LARGEST_SEED),
            ("d_model", self.d_model, 2, LARGEST_WIDTH),
            ("steps", self.steps, 1, MOST_STEPS),
        ):
            if whole(field, value, least) > most:
                raise ValueError(f"{field}={value}: allowed are whole numbers from {least} to {most}")
        if whole("heads", self.heads, 1) > MOST_HEADS or self.d_model % self.heads:
            raise ValueError(
                f"heads={self.heads}: allowed are whole numbers from 1 to {MOST_HEADS} that divide "
                f"d_model={self.d_model}"
            )
        if not isinstance(self.rate, float) or not math.isfinite(self.rate) or not 0.0 < self.rate <= 1.0:
            raise ValueError(f"rate={self.rate!r}: allowed are numbers above 0, at most 1")

    @classmethod
    def of(cls, name: str) -> Plan:
        """The recipe of a task as it stands. ValueError for a name outside `LIVE`."""
        if name not in LIVE:
            raise ValueError(f"task={name!r}: allowed are {', '.join(LIVE)}")
        found = TASKS[name]
        recipe, shape = found.recipe, found.shape
        return cls(name, recipe.seed, shape.heads, shape.d_model, recipe.rate, recipe.steps)

    def task(self) -> Task:
        """The task with these sizes."""
        found = task(self.name)
        shape = replace(found.shape, heads=self.heads, d_model=self.d_model)
        recipe = replace(found.recipe, steps=self.steps, rate=self.rate, seed=self.seed)
        return replace(found, shape=shape, recipe=recipe)

    def training(self) -> Training:
        """The run, before its first step.

        >>> Plan("reversal", 3, 2, 16, 0.01, 50).training().model.heads()
        {'self1': 2}
        """
        return Training(self.task())
