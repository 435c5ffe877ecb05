"""The tasks by name."""

from __future__ import annotations

from dataclasses import replace

from attention_core.trained.coreference import coreference
from attention_core.trained.dates import dates
from attention_core.trained.induction import induction
from attention_core.trained.reversal import reversal
from attention_core.trained.sorting import sorting
from attention_core.trained.task import Task
from attention_core.trained.translation import translation

__all__ = ["TASKS", "task"]

# The lesson: the same model and data, but each written word could see the words after it while it was trained.
_unmasked = replace(
    translation,
    name="translation_unmasked",
    about="the same translation, trained without the causal mask",
    shape=replace(translation.shape, causal=False),
)

TASKS: dict[str, Task] = {
    one.name: one for one in (reversal, induction, coreference, translation, dates, _unmasked, sorting)
}


def task(name: str) -> Task:
    """The task of that name. ValueError names those there are.

    >>> task("reversal").shape.length
    10
    """
    if name not in TASKS:
        raise ValueError(f"task={name!r}: allowed are {', '.join(TASKS)}")
    return TASKS[name]
