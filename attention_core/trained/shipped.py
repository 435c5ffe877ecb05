"""The trained models that come with the package: weights, and a card that says what they are."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from attention_core.trained.model import Model
from attention_core.trained.tasks import TASKS, task
from attention_core.weights_io import load_into, load_metadata, load_weights

__all__ = ["FOLDER", "SHIPPED", "load_shipped", "model_card", "shipped_facts"]

FOLDER = Path(__file__).parent.parent / "data" / "models"
SHIPPED = tuple(name for name in TASKS if (FOLDER / f"{name}.safetensors").exists())


@cache
def load_shipped(name: str) -> Model:
    """The trained model of a task, read once. It is shared: nobody may change its weights.

    Raises ValueError for a name outside `SHIPPED`.
    """
    _check(name)
    model = task(name).build(0)
    load_into(model, load_weights(FOLDER / f"{name}.safetensors"))
    return model.eval().requires_grad_(False)


def shipped_facts(name: str) -> dict[str, str]:
    """What the weights' file says about itself: task, seed, steps, accuracy, alignment."""
    _check(name)
    return load_metadata((FOLDER / f"{name}.safetensors").read_bytes(), name)


def model_card(name: str) -> str:
    """The model card, Markdown."""
    _check(name)
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def _check(name: str) -> None:
    if name not in SHIPPED:
        raise ValueError(f"model={name!r}: allowed are {', '.join(SHIPPED)}")
