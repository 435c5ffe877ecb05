"""What taking turns is worth: `python -m benchmarks.turns [--rounds N]`.

A small visitor among large ones, with turns and without, side by side in one run. Four visitors compute and draw 512
tokens with 12 heads without pause, each time with another seed; one visitor computes and draws 16 tokens with 4 heads.
Printed: how long the small one waits for it.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Sequence
from itertools import count

import torch
from streamlit.logger import set_log_level

from attention_core.experiment import Experiment
from attention_viz import heatmap_spec
from playground.panel.message import pack
from playground.service.asking import Asking, asking
from playground.service.cost import weigh
from playground.service.gate import Gate
from playground.service.settings import Service
from playground.stages import walk

LARGE_VISITORS = 4
ROUNDS = 3
PICTURES = 25  # of the small visitor, in each round
NEVER = 10**6  # milliseconds from which a computation would be heavy
SEEDS = count()


def picture(gate: Gate, visitor: str, tokens: int, heads: int) -> None:
    """What one rerun of the page costs the server: the trace, and the messages of all its panels."""
    words = " ".join(f"w{number}" for number in range(tokens))
    experiment = Experiment(words, num_heads=heads, d_model=8 * heads, seed=next(SEEDS))
    with asking(Asking(visitor)), gate.turn(weigh(experiment)):
        trace = experiment.run()
        for stage in walk(trace):
            for field in stage.fields:
                pack(heatmap_spec(trace, field))


def waits(gate: Gate) -> list[float]:
    """Milliseconds of each picture of the small visitor, while the large ones draw."""
    stop = threading.Event()

    def draw(name: str) -> None:
        while not stop.is_set():
            picture(gate, name, 512, 12)

    others = [threading.Thread(target=draw, args=[f"large {number}"]) for number in range(LARGE_VISITORS)]
    for other in others:
        other.start()
    time.sleep(0.5)
    found = []
    for _ in range(PICTURES):
        started = time.perf_counter()
        picture(gate, "small", 16, 4)
        found.append(1000 * (time.perf_counter() - started))
        time.sleep(0.02)
    stop.set()
    for other in others:
        other.join()
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Both ways in turn, so that a busy machine is busy for both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args(arguments).rounds
    set_log_level("ERROR")  # no page is run here, of which Streamlit would warn with every word
    torch.set_num_threads(1)
    alone = Gate(Service())
    ways = {"with turns": Service(), "without": Service(heavy_ms=NEVER)}
    found: dict[str, list[float]] = {name: [] for name in ("alone", *ways)}
    for _ in range(rounds):
        for _ in range(PICTURES):
            started = time.perf_counter()
            picture(alone, "small", 16, 4)
            found["alone"].append(1000 * (time.perf_counter() - started))
        for name, settings in ways.items():
            found[name] += waits(Gate(settings))
    print("| a small visitor's picture | p50, ms | p95, ms |")
    print("| --- | ---: | ---: |")
    for name, times in found.items():
        p95 = statistics.quantiles(times, n=20)[-1]
        print(f"| {name} | {statistics.median(times):.0f} | {p95:.0f} |")


if __name__ == "__main__":
    main()
