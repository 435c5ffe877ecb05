"""`Plan` -> a standalone PyTorch script that trains the same model and prints the same numbers."""

from __future__ import annotations

from collections.abc import Iterator

from attention_core.checks import whole
from attention_core.codegen.script import join, titled
from attention_core.codegen.training import blocks
from attention_core.codegen.training.data import data
from attention_core.trained.plan import Plan
from attention_core.trained.task import Task
from attention_core.trained.training import MEASURED

__all__ = ["training_code"]


def training_code(plan: Plan, steps: int | None = None, every: int = 10) -> str:
    """A script of its own, to be read from top to bottom: torch and the standard library, nothing else.

    It draws the same samples, begins with the same weights and prints loss, accuracy and alignment every so many
    `steps`, up to `steps` (those of the plan unless given): the numbers of `plan.training()`, to float32's precision.

    Raises ValueError for steps or every below 1.

    >>> training_code(Plan.of("reversal")).splitlines()[0]
    '"\""Train a tiny model: ten letters are written in the opposite order.'
    """
    last = plan.steps if steps is None else whole("steps", steps, 1)
    task = plan.task()
    sections = [
        _title(task),
        blocks.IMPORTS if plan.name == "dates" else blocks.IMPORTS.replace("import datetime\n", ""),
        _settings(plan, task, last, whole("every", every, 1)),
        *titled("Data: samples that are made up here", data(task)),
        blocks.SAMPLES,
        *titled("Weights", [blocks.WEIGHTS, *_weights(task)]),
        *titled("Model", _model(task)),
        *titled("Training", [_filled(blocks.TRAIN, measured=MEASURED, batch=task.recipe.batch)]),
    ]
    return join(sections)


def _title(task: Task) -> str:
    return (
        f'"""Train a tiny model: {task.about}.\n\n'
        "Made by the attention playground. It needs torch alone, and prints the numbers that the playground\n"
        'shows for the same seed; the last digits may differ with another processor or version of torch.\n"""\n'
    )


def _settings(plan: Plan, task: Task, last: int, every: int) -> str:
    shape, recipe = task.shape, task.recipe
    lines = [
        f"task, seed = {plan.name!r}, {plan.seed}",
        f"d_model, heads, d_ff = {shape.d_model}, {shape.heads}, {shape.d_ff}",
        f"length = {shape.length}  # the longest text",
        f"writes, whole = {task.writes}, {task.whole or task.writes}  # does it write word by word; do only whole "
        "sequences count",
        f"steps, every = {last}, {every}",
        f"planned, warmup, peak = {plan.steps}, {recipe.warmup}, {plan.rate!r}  # of the learning rate",
        f"smoothing = {recipe.smoothing}",
    ]
    if not task.writes:
        lines.insert(2, f"layers = {shape.layers}")
    return "\n".join(lines) + "\n"


def _weights(task: Task) -> Iterator[str]:
    if not task.writes:
        yield blocks.READER_WEIGHTS
        return
    tables = 'table("positions", length)\ntable("answer positions", length)\n'
    yield _filled(blocks.WRITER_WEIGHTS, tables=tables if task.shape.positions == "added" else "")


def _model(task: Task) -> Iterator[str]:
    shape = task.shape
    yield blocks.LAYERS
    if task.writes:
        learned = shape.positions == "added"
        if not learned:
            yield blocks.SINUSOIDS
        yield _filled(
            blocks.WRITER,
            positions='weights["positions"][: source.shape[1]]' if learned else "sinusoids(source.shape[1])",
            answer_positions='weights["answer positions"][: written.shape[1]]'
            if learned
            else "sinusoids(written.shape[1])",
            values="bare" if shape.values == "words" else "encoded",
        )
        return
    carried = "x + update" if shape.carries else "x + update if layer < layers else update"
    yield _filled(
        blocks.READER,
        mask="allowed = allowed & causal(source.shape[1])\n    " if shape.causal else "",
        added=" + positions" if shape.positions == "added" else "",
        looked=" + positions  # queries and keys see them, values do not" if shape.positions == "qk" else "",
        carried=carried,
        feed='x = feed_forward(f"feed {layer}", x)' if shape.d_ff else "",
    )


def _filled(block: str, **places: object) -> str:
    """The places `{name}` filled in; a line that is empty then goes."""
    for name, value in places.items():
        block = block.replace(f"{{{name}}}", str(value))
    return "".join(line for line in block.splitlines(keepends=True) if line.strip() or line == "\n")
