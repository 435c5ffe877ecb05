"""From nothing to the first picture: `python -m benchmarks.start [--quick] [--rounds N]`.

The time from starting the server's process until the first heatmap is on the screen of a new visitor in Chromium
(painted, and two animation frames more), who comes as soon as the server answers; and the time until it is on the
screen of a second visitor, with an empty browser cache, who comes when the first has it. Against a bare script that
imports the same packages (streamlit, torch, plotly, pandas) and draws one heatmap. They take turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page

from benchmarks.timing import CHART, PANEL, header, machine, p50, p95, painted, ratio, row
from tests import serving

APPS = {
    "ours": (serving.ROOT / "app.py", PANEL),
    "bare": (serving.ROOT / "benchmarks" / "scripts" / "bare.py", CHART),
}


def start(browser: Browser, script: Path, look: str) -> tuple[float, float, float]:
    """Milliseconds until the server answers, until the first heatmap is painted, and a second visitor's own."""
    first, second = (browser.new_context(viewport={"width": 1280, "height": 800}).new_page() for _ in range(2))
    begun = time.perf_counter()
    with serving.serve(script) as address:
        answered = time.perf_counter()
        _look(first, address, look)
        done = time.perf_counter()
        _look(second, address, look)
        again = time.perf_counter()
        first.context.close()
        second.context.close()
    return 1000 * (answered - begun), 1000 * (done - begun), 1000 * (again - done)


def _look(page: Page, address: str, look: str) -> None:
    page.goto(address, timeout=120_000, wait_until="commit")
    painted(page, look)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--rounds", type=int)
    chosen = parser.parse_args(arguments)
    rounds = chosen.rounds or (3 if chosen.quick else 10)
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in APPS}
    with serving.browser() as browser:
        print(f"{machine(browser.version)}; {rounds} rounds\n")
        order = list(APPS)
        for number in range(rounds + 1):  # one to fill the caches of the file system
            for name in order:
                times = start(browser, *APPS[name])
                if number:
                    found[name].append(times)
            order.reverse()
    columns = {name: [list(column) for column in zip(*times, strict=True)] for name, times in found.items()}
    print(header(["app", "server answers p50", "picture p50", "picture p95", "second visitor p50", "p95"]))
    for name, (answers, pictures, again) in columns.items():
        numbers = (p50(answers), p50(pictures), p95(pictures), p50(again), p95(again))
        print(row([name, *(f"{number:.0f}" for number in numbers)]))
    first, second = (ratio(columns["ours"][at], columns["bare"][at]) for at in (1, 2))
    print(f"\nours / bare: {first:.2f} (aim: at most 1.3); second visitor: {second:.2f}")


if __name__ == "__main__":
    main()
