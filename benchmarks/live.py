"""What it costs to watch a model learn: `python -m benchmarks.live [--tasks reversal induction]`.

For each task, until 95 % of the held-out answers are right, two runs of one plan take turns step by step, so that a
busy machine disturbs both alike:

* alone: the steps of training and nothing else;
* watched: the same steps as the page makes them, measured and remembered every few steps.

Seconds of processor time of one thread, torch on one thread.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence

import torch

from attention_core.trained.plan import LIVE, Plan
from benchmarks.timing import row
from playground.live.run import Run

RIGHT = 0.95


def measure(name: str) -> tuple[object, ...]:
    """A line of the table."""
    plan = Plan.of(name)
    alone, run = plan.training(), Run(plan)
    run.until = plan.steps
    spent = [0.0, 0.0]
    while run.done < plan.steps and run.moments()[-1].accuracy < RIGHT:
        for place, step in enumerate((alone.step, run.advance)):
            before = time.thread_time()
            step()
            spent[place] += time.thread_time() - before
    remembered = run.history.bytes() / 2**20
    return (
        name,
        run.done,
        f"{spent[0]:.2f}",
        f"{spent[1]:.2f}",
        f"{spent[1] / spent[0]:.2f}",
        len(run.moments()),
        f"{remembered:.1f}",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=list(LIVE), choices=LIVE)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    warm = Plan.of("reversal").training()
    warm.step()
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", end="\n\n")
    print(row(("task", "steps to 95 %", "alone, s", "watched, s", "ratio", "pictures", "MiB")))
    print(row(("---", *["---:"] * 6)))
    for name in chosen.tasks:
        print(row(measure(name)), flush=True)


if __name__ == "__main__":
    main()
