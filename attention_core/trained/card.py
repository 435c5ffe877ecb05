"""The model card: what a file of weights is, written when it is trained."""

from __future__ import annotations

from attention_core.trained.measure import Measured
from attention_core.trained.task import Task
from attention_core.trained.training import Training

__all__ = ["card", "facts"]


def facts(training: Training, held_out: Measured, samples: int) -> dict[str, str]:
    """What the file says about itself, as texts."""
    found = {
        "task": training.task.name,
        "seed": str(training.seed),
        "steps": str(training.steps),
        "samples": str(samples),
        "accuracy": f"{held_out.accuracy:.4f}",
        "alignment": f"{held_out.alignment:.4f}",
    }
    return found if held_out.forced is None else {**found, "teacher forcing": f"{held_out.forced:.4f}"}


def card(training: Training, held_out: Measured, untrained: Measured, samples: int) -> str:
    """The model card in Markdown: task, data, seed, held-out accuracy, alignment, how to train it again."""
    task: Task = training.task
    recipe, shape = task.recipe, task.shape
    layer, head = task.watched
    numbers = sum(weight.numel() for weight in training.model.parameters())
    forced = (
        ""
        if held_out.forced is None
        else f"\n| accuracy with teacher forcing | {held_out.forced:.3f} | {untrained.forced or 0.0:.3f} |"
    )
    steps = "" if training.steps == recipe.steps else f" --steps {training.steps}"
    heads = ", ".join(f"{name}: {count}" for name, count in training.model.heads().items())
    return f"""# {task.name}

**Task.** {_capital(task.about)}.

**Data.** Made up by this package (`attention_core/trained/`): {task.data}.

**Model.** {numbers:,} numbers, d_model {shape.d_model}; heads by layer of attention: {heads}; feed-forward width \
{shape.d_ff or "none"}; positions: {shape.positions}; {"causal" if shape.causal else "no causal mask"}.

**Training.** Seed {training.seed}, {training.steps} steps of {recipe.batch} samples, AdamW, learning rate \
{recipe.rate:g} with {recipe.warmup} steps of warm-up and a cosine, label smoothing {recipe.smoothing:g}.

| on {samples} held-out samples | trained | untrained |
|---|---|---|
| accuracy | {held_out.accuracy:.3f} | {untrained.accuracy:.3f} |{forced}
| alignment ({layer}, head {head + 1}) | {held_out.alignment:.3f} | {untrained.alignment:.3f} |

Accuracy counts {_unit(task)}. Alignment is the weight of that head at the words that the answer comes from, mean \
over all answers for which the data say so.

**Train it again.** `python -m attention_core.train {task.name} --seed {training.seed}{steps}`. The same seed and \
the same version of torch on the same kind of processor give the same weights.

**Limits.** It knows {len(task.words.words)} words and this task alone, and was trained on nothing that anybody wrote.
"""


def _unit(task: Task) -> str:
    if task.writes:
        return "whole sentences that the model writes by itself"
    return "whole sequences" if task.whole else "answers, where one is asked for"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
