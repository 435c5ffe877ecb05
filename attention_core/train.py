"""Train a tiny model: `python -m attention_core.train <task>` writes <task>.safetensors and its card <task>.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile

import torch

from attention_core.trained.card import card, facts
from attention_core.trained.measure import measure
from attention_core.trained.tasks import TASKS, task
from attention_core.trained.training import Progress, Training
from attention_core.weights_io import save_weights

SAMPLES = 512  # held-out samples behind the numbers of the card
BAR = 24


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m attention_core.train", description=__doc__)
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("--seed", type=int, default=None, help="default: the one of the recipe")
    parser.add_argument("--steps", type=int, default=None, help="default: those of the recipe")
    parser.add_argument("--folder", type=Path, default=Path(), help="where to write; default: here")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)  # such small tensors are no faster on two, and one repeats to the last bit
    try:
        training = Training(task(chosen.task), chosen.seed, chosen.steps)
        _check_folder(chosen.folder)
    except ValueError as problem:
        parser.error(str(problem))
    held_out = training.task.batch("held_out", SAMPLES, training.seed)
    untrained = measure(training.task, training.model, held_out)
    for progress in training.run():
        print(line(progress, training.steps), end="\r" if sys.stdout.isatty() else "\n", flush=True)
    trained = measure(training.task, training.model, held_out)
    file = chosen.folder / f"{chosen.task}.safetensors"
    save_weights(training.model, file, facts(training, trained, SAMPLES))
    words = card(training, trained, untrained, SAMPLES)
    file.with_suffix(".md").write_text(words, encoding="utf-8")
    print(f"\n{file}: accuracy {trained.accuracy:.3f}, alignment {trained.alignment:.3f}")
    return 0


def _check_folder(folder: Path) -> None:
    """Make the folder, and see that a file can be written there, before there is anything to lose."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise ValueError(f"--folder {folder}: nothing can be written there ({problem.strerror})") from problem


def line(progress: Progress, steps: int) -> str:
    """One line of progress.

    >>> line(Progress(50, 0.25, 1.0, 0.9), 100)
    '############............ 50/100  loss 0.250  accuracy 1.000  alignment 0.900'
    """
    done = BAR * progress.step // steps
    bar = "#" * done + "." * (BAR - done)
    return (
        f"{bar} {progress.step}/{steps}  loss {progress.loss:.3f}  "
        f"accuracy {progress.accuracy:.3f}  alignment {progress.alignment:.3f}"
    )


if __name__ == "__main__":
    sys.exit(main())
