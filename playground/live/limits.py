"""What a visitor may ask the server to train."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache

from attention_core.trained.plan import Plan
from playground.i18n import _
from playground.settings import from_environment


@dataclass(frozen=True)
class TrainingLimits:
    """`ATTENTION_MAX_TRAININGS=4` in the environment lets four runs learn at once; so with the others.

    max_trainings        runs that learn at the same time; the others wait in a queue. One a core
    training_turn        seconds that a run may learn while others wait; then it goes to the end of the queue
    max_training_heads   heads of a layer
    max_training_width   d_model
    max_training_steps   steps of one run
    max_training_memory  MiB of remembered weights, for each of the two runs that a visitor may keep
    """

    max_trainings: int = field(default_factory=lambda: os.cpu_count() or 1)
    training_turn: int = 20
    max_training_heads: int = 8
    max_training_width: int = 128
    max_training_steps: int = 4000
    max_training_memory: int = 16

    def check(self, plan: Plan) -> None:
        """Raise ValueError, in words, where a plan is over a limit."""
        for words, value, most in (
            (_("{value} heads: this server trains with at most {most}."), plan.heads, self.max_training_heads),
            (_("A width of {value}: this server trains with at most {most}."), plan.d_model, self.max_training_width),
            (_("{value} steps: this server trains for at most {most}."), plan.steps, self.max_training_steps),
        ):
            if value > most:
                raise ValueError(words.format(value=value, most=most))


@cache
def training_limits() -> TrainingLimits:
    """The limits in force. Raises ValueError where a variable is not a whole number from 1."""
    return from_environment(TrainingLimits)
