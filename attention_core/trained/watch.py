"""What one watches while a model learns: how often it is right, and how far its heads have come."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from attention_core.trained.batch import NOT_ASKED, Batch
from attention_core.trained.coreference import ADJECTIVES
from attention_core.trained.measure import accuracy_of, alignment_of
from attention_core.trained.model import Model
from attention_core.trained.task import Task

__all__ = ["Moment", "first_hop", "observe"]


class Moment(NamedTuple):
    """A training run at one step, measured on held-out samples.

    loss       of the last batch that it has learned from; NaN before the first step
    accuracy   share of right answers (of whole sequences, where only these count)
    alignment  weight at the places where the answer comes from, of the watched layer's best head
    first      where a head of layer 1 has to prepare this: the weight at the places that it has to look at,
               again of the best head; else None
    """

    step: int
    loss: float
    accuracy: float
    alignment: float
    first: float | None = None


def first_hop(task: Task, batch: Batch) -> Tensor | None:
    """Where layer 1 has to look so that layer 2 can find the answer: bool (batch, query, key), or None.

    Induction: every word at the one before it (Olsson et al. 2022, the previous-token head). Coreference: "it" at
    the adjective, which alone tells what "it" is.

    >>> from attention_core.trained.tasks import task
    >>> induction = task("induction")
    >>> first_hop(induction, induction.batch("held_out", 1))[0, :3, :3].int().tolist()
    [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    """
    if task.name == "induction":
        length = batch.source.shape[1]
        return torch.eye(length, dtype=torch.bool).roll(-1, dims=1).tril().expand(len(batch), -1, -1)
    if task.name == "coreference":
        adjectives = task.words.encode([word for words in ADJECTIVES.values() for word in words])
        asks = batch.target != NOT_ASKED  # (batch, query): at "it" alone
        tells = torch.isin(batch.source, torch.tensor(adjectives))  # (batch, key)
        return asks[:, :, None] & tells[:, None, :]
    return None


def observe(task: Task, model: Model, batch: Batch, step: int, loss: float) -> Moment:
    """Measure a model on a batch, as `measure` does without writing, and its best heads."""
    with torch.inference_mode():
        run = model.run(batch.source, batch.written)
        layer, _ = task.watched
        prepares = first_hop(task, batch)
        first = None if prepares is None else _best(run.traces["self1"].heads.weights, prepares)
        return Moment(
            step,
            loss,
            accuracy_of(task, run.logits, batch.target),
            _best(run.traces[layer].heads.weights, batch.looks),
            first,
        )


def _best(weights: Tensor, looks: Tensor) -> float:
    """The alignment of the head that has most: (batch, head, query, key), (batch, query, key)."""
    return max(alignment_of(one, looks) for one in weights.unbind(dim=1))
