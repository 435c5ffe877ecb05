"""Tiny models whose heads mean something: their data, their training, and what they answer.

Each is trained by `python -m attention_core.train <task>` on sentences that are made up here, and every layer of
attention in them gives an `AttentionTrace`.
"""

from __future__ import annotations

from attention_core.trained.change import Change
from attention_core.trained.measure import Answer, Measured, answer, measure
from attention_core.trained.patch import PATTERNS, Patch
from attention_core.trained.shipped import SHIPPED, load_shipped
from attention_core.trained.tasks import TASKS, task
from attention_core.trained.training import Progress, Training

__all__ = [
    "PATTERNS",
    "SHIPPED",
    "TASKS",
    "Answer",
    "Change",
    "Measured",
    "Patch",
    "Progress",
    "Training",
    "answer",
    "load_shipped",
    "measure",
    "task",
]
