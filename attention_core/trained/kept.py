"""A training run as a safetensors file: the weights, and what it takes to go on from them.

The metadata name the task, the settings and the step. With the weights lie the running means of AdamW, called
"means.<weight>" and "squares.<weight>", and in the metadata the state of the source of the samples: a run that is
loaded goes on as if it had never stopped. A file of `python -m attention_core.train` has the weights alone; from it
one goes on with running means that begin anew, and with the samples from the first.
"""

from __future__ import annotations

import array
import base64
import sys
from collections.abc import Mapping
from random import Random
from typing import Any

from torch import Tensor

from attention_core.trained.plan import LIVE, MOST_STEPS, Plan
from attention_core.trained.tasks import TASKS
from attention_core.trained.training import Checkpoint, Training
from attention_core.weights_io import load_metadata, load_weights, weights_to_bytes

__all__ = ["LARGEST", "from_bytes", "plan_in", "to_bytes"]

LARGEST = 8 * 2**20  # bytes of a file that is taken
_MEANS, _SQUARES = "means.", "squares."
_WORDS = 625  # numbers in the state of Python's Mersenne Twister: 624 words and a position


def to_bytes(plan: Plan, kept: Checkpoint, more: Mapping[str, str] | None = None) -> bytes:
    """The file; `more` are further texts for its metadata, such as what was measured.

    >>> plan = Plan("reversal", 0, 1, 8, 0.003, 10)
    >>> run = plan.training()
    >>> again = from_bytes(to_bytes(plan, run.checkpoint()), "reversal.safetensors")[1]
    >>> run.step() == again.step()
    True
    """
    facts = {
        **(more or {}),
        "task": plan.name,
        "seed": str(plan.seed),
        "heads": str(plan.heads),
        "d_model": str(plan.d_model),
        "rate": repr(plan.rate),
        "steps": str(plan.steps),
        "step": str(kept.step),
    }
    tensors: dict[str, Tensor] = dict(kept.weights)
    if kept.means:
        tensors |= {_MEANS + name: mean for name, mean in kept.means.items()}
        tensors |= {_SQUARES + name: square for name, square in kept.squares.items()}
        facts["updates"] = str(kept.updates)
    if kept.numbers is not None:
        facts["numbers"] = _written(kept.numbers)
    return weights_to_bytes(tensors, facts)


def from_bytes(content: bytes, name: str) -> tuple[Plan, Training]:
    """The plan in a file, and its run at the step at which the file was made.

    Raises ValueError, in words for the person who chose the file, where it is no such file, too large, or its
    weights do not have the shapes that its metadata promise.
    """
    plan = plan_in(content, name)
    facts = load_metadata(content, name)
    state = load_weights(content, name, limit=LARGEST)
    means = {key.removeprefix(_MEANS): state.pop(key) for key in list(state) if key.startswith(_MEANS)}
    squares = {key.removeprefix(_SQUARES): state.pop(key) for key in list(state) if key.startswith(_SQUARES)}
    if any(float(square.min()) < 0.0 for square in squares.values() if square.numel()):
        raise ValueError(f"{name[:80]!r}: a running mean of squares is below 0")
    step = _number(facts, "step", 0, MOST_STEPS, plan.steps)
    state, means, squares = ({key: one.float() for key, one in found.items()} for found in (state, means, squares))
    for tensors in (state, means, squares):
        for key, tensor in tensors.items():
            if not bool(tensor.isfinite().all()):
                raise ValueError(f"{key[:80]!r} holds numbers beyond float32")
    training = plan.training()
    training.restore(
        Checkpoint(
            step=step,
            weights=state,
            means=means,
            squares=squares,
            updates=_number(facts, "updates", 0, MOST_STEPS, 0),
            numbers=_read(facts["numbers"]) if "numbers" in facts else None,
        )
    )
    return plan, training


def plan_in(content: bytes, name: str) -> Plan:
    """The plan that a file's metadata name, before a model is built. ValueError as in `from_bytes`."""
    if not name.lower().endswith(".safetensors"):
        raise ValueError(f"the file name is {name[:80]!r}: allowed are names that end in .safetensors")
    if len(content) > LARGEST:
        raise ValueError(f"{name[:80]!r} has {len(content)} bytes: allowed are {LARGEST}")
    facts = load_metadata(content, name)
    if facts.get("task") not in TASKS:
        raise ValueError(f"{name[:80]!r} does not say for which task it was trained: it is no file of this page")
    if facts["task"] not in LIVE:
        raise ValueError(f"{name[:80]!r} was trained for {TASKS[facts['task']].about}: this page does not train that")
    recipe = Plan.of(facts["task"])
    rate = facts.get("rate", repr(recipe.rate))
    try:
        rate_read = float(rate[:40])
    except ValueError:
        raise ValueError(f"rate={rate[:40]!r}: allowed are numbers above 0, at most 1") from None
    return Plan(
        facts["task"],
        _number(facts, "seed", 0, 2**31 - 1, recipe.seed),
        _number(facts, "heads", 1, 16, recipe.heads),
        _number(facts, "d_model", 2, 256, recipe.d_model),
        rate_read,
        _number(facts, "steps", 1, MOST_STEPS, recipe.steps),
    )


def _number(facts: Mapping[str, str], key: str, least: int, most: int, default: int) -> int:
    text = facts.get(key, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and least <= int(text) <= most):
        raise ValueError(f"{key}={text[:40]!r}: allowed are whole numbers from {least} to {most}")
    return int(text)


def _written(numbers: tuple[Any, ...]) -> str:
    """The state of a `Random` as a text: 625 whole numbers of 4 bytes, little end first."""
    words = array.array("I", numbers[1])
    if sys.byteorder == "big":
        words.byteswap()
    return base64.b64encode(words.tobytes()).decode()


def _read(text: str) -> tuple[Any, ...]:
    wrong = ValueError("numbers: the state of the samples is broken; allowed is what this page writes")
    try:
        packed = base64.b64decode(text, validate=True)
    except ValueError:
        raise wrong from None
    words = array.array("I")
    if len(packed) != _WORDS * words.itemsize:
        raise wrong
    words.frombytes(packed)
    if sys.byteorder == "big":
        words.byteswap()
    state = (3, tuple(words), None)  # 3 is the version of Python's own format
    try:
        Random().setstate(state)
    except ValueError:
        raise wrong from None
    return state
