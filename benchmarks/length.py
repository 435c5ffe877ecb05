"""What long sequences cost: `python -m benchmarks.length [--tokens 128 512 2048] [--heads 1 12]`.

For each size: milliseconds to compute the trace with every intermediate, and to make the message of the weights'
picture; the bytes of the trace; the bytes of that message, and of one that drew every cell; and how many cells are
drawn as one.
Times are medians, and ratios to the first size of the same number of heads, measured in turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

from streamlit.logger import set_log_level

from attention_core.experiment import Experiment
from attention_core.limits import Limits
from attention_core.trace import AttentionTrace
from attention_viz import heatmap_spec
from benchmarks.timing import header, machine, row
from playground.compute import size_of
from playground.panel.message import pack

WIDTH = 48
BOX = (520, 520)


def experiment(tokens: int, heads: int) -> Experiment:
    """A sentence of this many words."""
    return Experiment(" ".join(f"w{number}" for number in range(tokens)), num_heads=heads, d_model=WIDTH)


def message(trace: AttentionTrace, pool: bool = True) -> bytes:
    """What the browser gets for the picture of the weights."""
    spec = heatmap_spec(trace, "weights", box=BOX, pool=pool)
    return pack({"figure": {"data": spec["data"], "layout": spec["layout"]}, "meta": spec["meta"]})


def milliseconds(work: Callable[[], object]) -> float:
    """Of one call."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def mebi(count: int) -> str:
    """Bytes in MiB."""
    return f"{count / 2**20:.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, nargs="+", default=[128, 512, 2048])
    parser.add_argument("--heads", type=int, nargs="+", default=[1, 12])
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args(arguments)
    set_log_level("ERROR")  # no page is run here, of which Streamlit would warn
    print(f"{machine('none')}; width {WIDTH}, float32, {chosen.rounds} rounds\n")
    times = ("trace ms", "ratio", "message ms", "ratio")
    sizes_of = ("trace MiB", "message MiB", "every cell MiB")
    print(header(["heads", "tokens", *times, *sizes_of, "drawn as one", "in the app"]))
    for heads in chosen.heads:
        sizes = [experiment(tokens, heads) for tokens in chosen.tokens]
        computed: list[list[float]] = [[] for _ in sizes]
        packed: list[list[float]] = [[] for _ in sizes]
        for _ in range(chosen.rounds):
            for index, size in enumerate(sizes):
                computed[index].append(milliseconds(size.run))
                trace = size.run()
                packed[index].append(milliseconds(lambda trace=trace: message(trace)))  # type: ignore[misc]
        for index, size in enumerate(sizes):
            trace = size.run()
            rows, cols = heatmap_spec(trace, "weights", box=BOX, pool=True)["meta"]["pool"]
            cells: list[object] = [heads, chosen.tokens[index]]
            for taken in (computed, packed):
                ratio = statistics.median(a / b for a, b in zip(taken[index], taken[0], strict=True))
                cells += [f"{statistics.median(taken[index]):.1f}", f"{ratio:.1f}"]
            cells += [mebi(size_of(trace)), mebi(len(message(trace))), mebi(len(message(trace, pool=False)))]
            cells += [f"{rows} x {cols}" if rows * cols > 1 else "no", _allowed(size)]
            print(row(cells), flush=True)


def _allowed(size: Experiment) -> str:
    try:
        Limits().check(size)
    except ValueError as refusal:
        return f"refused: {refusal}"
    return "yes"


if __name__ == "__main__":
    main()
