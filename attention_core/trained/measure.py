"""How often a model is right, how much of a head's weight lies where it should, and what it answers to a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from attention_core.masks import Causal, Full
from attention_core.trace import AttentionTrace
from attention_core.trained.batch import NOT_ASKED, Batch
from attention_core.trained.change import Change
from attention_core.trained.model import Model
from attention_core.trained.task import Task
from attention_core.trained.vocabulary import BEGIN
from attention_core.trained.writer import Writer

__all__ = [
    "Answer",
    "Measured",
    "accuracy_of",
    "alignment_of",
    "answer",
    "as_written",
    "measure",
    "previous_token_score",
]


@dataclass(frozen=True)
class Measured:
    """What was measured on a batch.

    accuracy    share of right answers. Of a model that writes, and of reversal, only a whole sentence counts;
                a model that writes gets its own words to go on from, not the right ones
    alignment   weight of the watched head at the places where the answer comes from, mean over the answers
    forced      of a model that writes: the accuracy when it is given the right words to go on from (teacher
                forcing); else None
    """

    accuracy: float
    alignment: float
    forced: float | None = None


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model answers to one text.

    tokens      what it read; rows: what stands at the rows of the maps where it writes (the words that are
                being written), else the same tokens. Each row of a model that writes is as it was when its word was
                chosen: nothing later had been written yet
    places      the rows at which the answer is read; words and probabilities (place, answer) belong to these
    """

    tokens: tuple[str, ...]
    rows: tuple[str, ...]
    places: tuple[int, ...]
    words: tuple[str, ...]
    probabilities: Tensor
    traces: Mapping[str, AttentionTrace]


def measure(
    task: Task, model: Model, batch: Batch, change: Change | None = None, *, write: bool = True
) -> Measured:
    """Accuracy and alignment of a model on a batch, under a change.

    With `write` False a model that was trained without the causal mask is measured by teacher forcing alone.
    """
    with torch.inference_mode():
        run = model.run(batch.source, batch.written, change=change)
        share = accuracy_of(task, run.logits, batch.target)
        layer, head = task.watched
        alignment = alignment_of(run.traces[layer].heads.dropped_weights[:, head], batch.looks)
        if not isinstance(model, Writer):
            return Measured(share, alignment)
        # Where no word sees a later one, a sentence is written right if and only if each of its words is, given the
        # right words before it. So writing it word after word would find out nothing new, in ten times the time.
        writing = as_written(model, change or Change())
        if writing == (change or Change()) or not write:
            return Measured(share, alignment, share)
        logits = model.run(batch.source, batch.written, change=writing).logits  # (batch, query, answer)
        return Measured(accuracy_of(task, logits, batch.target), alignment, share)


def as_written(model: Writer, change: Change) -> Change:
    """The change as it acts while the model writes: later words are not there yet, whatever the mask allows.

    So with one layer the rows that each word was chosen by are those of one pass in which no word sees a later one.

    >>> from attention_core.masks import Full
    >>> from attention_core.trained.tasks import task
    >>> as_written(task("dates").build(0), Change(masks=(("decoder1", Full()),))).masks
    (('decoder1', And(masks=(Full(), Causal(offset=0)))),)
    """
    masks = dict(change.masks)
    mask = masks.get("decoder1", None if model.shape.causal else Full())
    if mask is None:
        return change
    masks["decoder1"] = mask & Causal()
    return replace(change, masks=tuple(masks.items()))


def accuracy_of(task: Task, logits: Tensor, target: Tensor) -> float:
    """The share of right answers; of whole samples where only these count: (batch, query, answer), (batch, query)."""
    asked = target != NOT_ASKED  # (batch, query)
    right = (logits.argmax(dim=-1) == target) | ~asked  # (batch, query)
    share = right.all(dim=1) if task.whole or task.writes else right[asked]
    return float(share.float().mean())


def alignment_of(weights: Tensor, looks: Tensor) -> float:
    """The weight at the marked places, mean over the rows that have one: (batch, query, key) each.

    >>> alignment_of(torch.tensor([[[0.25, 0.75]]]), torch.tensor([[[False, True]]]))
    0.75
    """
    rows = looks.any(dim=-1)  # (batch, query)
    return float((weights * looks).sum(dim=-1)[rows].mean())


def previous_token_score(weights: Tensor) -> float:
    """The mean weight on the word before, over all words but the first: (batch, query, key).

    >>> previous_token_score(torch.tensor([[[1.0, 0.0], [0.5, 0.5]]]))
    0.5
    """
    return float(weights.diagonal(offset=-1, dim1=1, dim2=2).mean())


def answer(task: Task, model: Model, text: str, change: Change | None = None) -> Answer:
    """What the model answers to a text, with its probabilities and every trace.

    Raises ValueError where the model cannot take the text, `UnknownWords` where it does not know a word.
    """
    tokens = task.read(text)
    source = torch.tensor([task.words.encode(tokens)])  # (1, key)
    with torch.no_grad():
        if not isinstance(model, Writer):
            run = model.run(source, change=change, names=(tokens, tokens))
            places, rows, logits = task.asked(tokens), tokens, run.logits
        else:
            with torch.inference_mode():  # nothing of it is kept, and it is the longest part
                written, logits = model.write(source, task.longest, change)  # (1, query), (1, query, answer)
            begun = torch.cat([torch.full((1, 1), BEGIN), written[:, :-1]], dim=1)  # (1, query)
            # The rows are named after the word that is being written there, not after the one before it.
            rows = task.answers.decode(written[0].tolist())
            run = model.run(source, begun, change=as_written(model, change or Change()), names=(tokens, rows))
            places = tuple(range(len(rows)))
    probabilities = logits[0, list(places)].softmax(dim=-1)  # (place, answer)
    words = task.answers.decode(probabilities.argmax(dim=-1).tolist())
    return Answer(tokens, rows, places, words, probabilities, run.traces)
