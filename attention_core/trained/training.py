"""Training as a loop that hands over after every few steps, so that a page or a terminal can watch it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from attention_core.checks import whole
from attention_core.trained.batch import NOT_ASKED
from attention_core.trained.measure import measure
from attention_core.trained.task import Task

__all__ = ["Progress", "Training", "rate_factor"]

LARGEST_GRADIENT = 1.0
MEASURED = 128  # held-out samples behind each accuracy on the way


class Progress(NamedTuple):
    """Where a training run is: the loss of the last batch, accuracy and alignment on held-out samples."""

    step: int
    loss: float
    accuracy: float
    alignment: float


def rate_factor(step: int, steps: int, warmup: int) -> float:
    """By what the learning rate is multiplied at a step, from 0: a linear start, then a cosine from 1 to 0.05.

    >>> rate_factor(0, 100, 10), rate_factor(9, 100, 0) < 1.0
    (0.1, True)
    """
    start = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return start * (0.05 + 0.95 * 0.5 * (1.0 + math.cos(math.pi * step / steps)))


class Training:
    """One training run: `model` learns while `run` is walked through.

    All numbers come from `seed`: the same seed, number of steps and torch give the same model. `steps` is that
    of the recipe unless given. Raises ValueError for numbers below 1.

    >>> from attention_core.trained.tasks import task
    >>> [progress.step for progress in Training(task("reversal"), seed=1, steps=4).run(every=2)]
    [2, 4]
    """

    def __init__(self, task: Task, seed: int | None = None, steps: int | None = None) -> None:
        self.task = task
        self.seed = task.recipe.seed if seed is None else whole("seed", seed, 0)
        self.steps = task.recipe.steps if steps is None else whole("steps", steps, 1)
        self.model = task.build(self.seed)

    def run(self, every: int = 25) -> Iterator[Progress]:
        """Train, and say every so many steps, and at the end, how it goes."""
        whole("every", every, 1)
        recipe, model = self.task.recipe, self.model
        more = self.task.stream("train", self.seed)
        held_out = self.task.batch("held_out", MEASURED, self.seed)
        optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.rate, betas=(0.9, 0.98), weight_decay=0.0)
        for step in range(self.steps):
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate * rate_factor(step, self.steps, recipe.warmup)
            batch = more(recipe.batch)
            with torch.enable_grad():
                logits = model.run(batch.source, batch.written).logits  # (batch, query, answer)
                loss = loss_of(logits, batch.target, recipe.smoothing)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), LARGEST_GRADIENT)
            optimizer.step()
            if (step + 1) % every == 0 or step + 1 == self.steps:
                found = measure(self.task, model, held_out, write=False)
                yield Progress(step + 1, float(loss.detach()), found.accuracy, found.alignment)


def loss_of(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """The mean cross entropy over the places where an answer is asked for."""
    return F.cross_entropy(
        logits.flatten(0, 1), target.flatten(), ignore_index=NOT_ASKED, label_smoothing=smoothing
    )
