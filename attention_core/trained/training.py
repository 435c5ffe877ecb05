"""Training, step by step, so that a page or a terminal can watch it, stop it, keep it and take it up again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from attention_core.checks import whole
from attention_core.trained.batch import NOT_ASKED
from attention_core.trained.measure import measure
from attention_core.trained.task import Task
from attention_core.weights_io import load_into

__all__ = ["MEASURED", "Checkpoint", "Progress", "Training", "rate_factor"]

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

    Past the last of the `steps` it stays at 0.05.

    >>> rate_factor(0, 100, 10), rate_factor(9, 100, 0) < 1.0, rate_factor(150, 100, 10)
    (0.1, True, 0.05)
    """
    start = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return start * (0.05 + 0.95 * 0.5 * (1.0 + math.cos(math.pi * min(step, steps) / steps)))


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """All that a training run needs to go on as if it had never stopped.

    step      how many steps were made
    weights   of the model, by name
    means     AdamW's running mean of each gradient, by the name of its weight; empty: AdamW begins anew
    squares   AdamW's running mean of each gradient's square
    updates   how often AdamW has moved the weights since its running means began
    numbers   the state of the source of the samples (`random.Random.getstate`); None: from its beginning
    """

    step: int
    weights: Mapping[str, Tensor]
    means: Mapping[str, Tensor]
    squares: Mapping[str, Tensor]
    updates: int
    numbers: tuple[Any, ...] | None


class Training:
    """One training run: `model` learns with every `step`, or while `run` is walked through.

    All numbers come from `seed`: the same seed, number of steps and torch give the same model. `steps` and the
    learning rate `rate` are those of the recipe unless given; `steps` is also what the rate's cosine is stretched
    to, and one may go on after it. `done` counts the steps made. Raises ValueError for numbers below 1, and for a
    rate outside 0 to 1.

    >>> from attention_core.trained.tasks import task
    >>> [progress.step for progress in Training(task("reversal"), seed=1, steps=4).run(every=2)]
    [2, 4]
    """

    def __init__(
        self, task: Task, seed: int | None = None, steps: int | None = None, *, rate: float | None = None
    ) -> None:
        self.task = task
        self.seed = task.recipe.seed if seed is None else whole("seed", seed, 0)
        self.steps = task.recipe.steps if steps is None else whole("steps", steps, 1)
        self.rate = task.recipe.rate if rate is None else rate
        if not 0.0 < self.rate <= 1.0:
            raise ValueError(f"rate={rate!r}: allowed are numbers above 0, at most 1")
        self.model = task.build(self.seed)
        self.done = 0
        self.loss = math.nan  # of the last batch
        self._samples = task.stream("train", self.seed)
        self._held_out = task.batch("held_out", MEASURED, self.seed)
        self._optimizer = self._new_optimizer()

    def _new_optimizer(self) -> torch.optim.AdamW:
        return torch.optim.AdamW(self.model.parameters(), lr=self.rate, betas=(0.9, 0.98), weight_decay=0.0)

    def step(self) -> float:
        """Learn from one batch; the loss on it, before it was learned from."""
        recipe, model = self.task.recipe, self.model
        for group in self._optimizer.param_groups:
            group["lr"] = self.rate * rate_factor(self.done, self.steps, recipe.warmup)
        batch = self._samples(recipe.batch)
        with torch.enable_grad():
            logits = model.run(batch.source, batch.written).logits  # (batch, query, answer)
            loss = loss_of(logits, batch.target, recipe.smoothing)
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), LARGEST_GRADIENT)
        self._optimizer.step()
        self.done += 1
        self.loss = float(loss.detach())
        return self.loss

    def progress(self) -> Progress:
        """How it goes now, measured on held-out samples."""
        found = measure(self.task, self.model, self._held_out, write=False)
        return Progress(self.done, self.loss, found.accuracy, found.alignment)

    def run(self, every: int = 25) -> Iterator[Progress]:
        """Train to the last step, and say every so many steps, and at the end, how it goes."""
        whole("every", every, 1)
        while self.done < self.steps:
            self.step()
            if self.done % every == 0 or self.done == self.steps:
                yield self.progress()

    def checkpoint(self) -> Checkpoint:
        """What is needed to go on from here; nothing in it changes when this run goes on."""
        found = self._optimizer.state  # by weight
        named = dict(self.model.named_parameters())

        def copies(name: str) -> dict[str, Tensor]:
            return {key: found[weight][name].clone() for key, weight in named.items() if weight in found}

        first = next((found[weight] for weight in named.values() if weight in found), None)
        return Checkpoint(
            step=self.done,
            weights={key: weight.detach().clone() for key, weight in named.items()},
            means=copies("exp_avg"),
            squares=copies("exp_avg_sq"),
            updates=0 if first is None else int(first["step"]),
            numbers=self._samples.numbers.getstate(),
        )

    def restore(self, kept: Checkpoint) -> None:
        """Go back, or on, to where `kept` was taken. ValueError, and nothing changes, where its shapes do not fit."""
        named = dict(self.model.named_parameters())
        for moments in (kept.means, kept.squares):
            wrong = [key for key in moments if key not in named or moments[key].shape != named[key].shape]
            if wrong or (moments and len(moments) != len(named)) or bool(kept.means) != bool(kept.squares):
                names = ", ".join(repr(name[:80]) for name in wrong[:4]) or "there are too few"
                raise ValueError(f"the running means of AdamW do not fit the weights: {names}")
        load_into(self.model, kept.weights)
        self.done, self.loss = kept.step, math.nan
        self._optimizer = self._new_optimizer()
        for key, mean in kept.means.items():
            self._optimizer.state[named[key]] = {
                "step": torch.tensor(float(kept.updates)),
                "exp_avg": mean.clone(),
                "exp_avg_sq": kept.squares[key].clone(),
            }
        self._samples = self.task.stream("train", self.seed)
        if kept.numbers is not None:
            self._samples.numbers.setstate(kept.numbers)


def loss_of(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """The mean cross entropy over the places where an answer is asked for."""
    return F.cross_entropy(
        logits.flatten(0, 1), target.flatten(), ignore_index=NOT_ASKED, label_smoothing=smoothing
    )
