"""One fixed sample of a task, on which a model is watched while it learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from attention_core.trace import AttentionTrace
from attention_core.trained.batch import Example, collate, draws, split_of
from attention_core.trained.model import Model
from attention_core.trained.task import Task

__all__ = ["Sample", "Seen", "look", "sample_of"]

# Of a task that writes: which of its held-out samples, by the order in which they are drawn.
_NUMBER = {"translation": 1, "dates": 4}


@dataclass(frozen=True)
class Sample:
    """What is read, how the rows of the maps are called, and what the right answer is where the data say so.

    Where the task writes, `right` is written by the data, word by word (teacher forcing): so the rows stay the
    same while the model learns, and each is named after the word that is to be written there.
    """

    tokens: tuple[str, ...]
    rows: tuple[str, ...]
    places: tuple[int, ...]
    right: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class Seen:
    """What a model makes of the sample: its likeliest answer at each place, and the trace of every layer."""

    words: tuple[str, ...]
    chances: tuple[float, ...]
    traces: Mapping[str, AttentionTrace]


def sample_of(task: Task) -> Sample:
    """The sample: a text of the page on trained heads, or, for a task that writes, a held-out one.

    >>> from attention_core.trained.tasks import task
    >>> " ".join(sample_of(task("translation")).rows)
    '孩子 今天 在 市场 买 了 一 张 好 桌子'
    """
    if not task.writes:
        tokens = task.read(task.inputs[0])
        return Sample(tokens, tokens, task.asked(tokens))
    numbers, left = draws(0, f"{task.name} sample"), _NUMBER[task.name] + 1
    while left:
        example, key = task.draw(numbers)
        left -= split_of(task.name, key) == "held_out"
    rows = task.answers.decode(example.target)
    return Sample(task.words.decode(example.source), rows, tuple(range(len(rows))), rows)


def look(task: Task, model: Model, sample: Sample) -> Seen:
    """Let the model answer to the sample, given the right words so far where it writes."""
    source = torch.tensor([task.words.encode(sample.tokens)])  # (1, key)
    written = None
    if sample.right is not None:
        answer = task.answers.encode(sample.right)
        batch = collate([Example(source[0].tolist(), answer, [()] * len(answer))], writes=True)
        assert batch.written is not None
        written = batch.written[:, :-1]  # (1, query), without the row of END
    with torch.no_grad():
        run = model.run(source, written, names=(sample.tokens, sample.rows))
    chances, found = run.logits[0, list(sample.places)].softmax(dim=-1).max(dim=-1)  # (place,)
    return Seen(task.answers.decode(found.tolist()), tuple(chances.tolist()), run.traces)
