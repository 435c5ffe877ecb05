"""From nothing to the first picture: `python -m benchmarks.start [--quick] [--rounds N]`.

The time from starting the server's process until the first heatmap is on the screen of a new visitor in Chromium
(painted, and two animation frames more), who comes as soon as the server answers. Against a bare script that imports
the same packages (streamlit, torch, plotly, pandas) and draws one heatmap. They take turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser

from benchmarks.timing import CHART, PANEL, header, machine, p50, p95, painted, ratio, row
from tests import serving

APPS = {
    "ours": (serving.ROOT / "app.py", PANEL),
    "bare": (serving.ROOT / "benchmarks" / "scripts" / "bare.py", CHART),
}


def start(browser: Browser, script: Path, look: str) -> tuple[float, float]:
    """Milliseconds until the server answers, and until the first heatmap is painted."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    begun = time.perf_counter()
    with serving.serve(script) as address:
        answered = time.perf_counter()
        page.goto(address, timeout=120_000, wait_until="commit")
        painted(page, look)
        done = time.perf_counter()
        page.context.close()
    return 1000 * (answered - begun), 1000 * (done - begun)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--rounds", type=int)
    chosen = parser.parse_args(arguments)
    rounds = chosen.rounds or (3 if chosen.quick else 10)
    answers: dict[str, list[float]] = {name: [] for name in APPS}
    pictures: dict[str, list[float]] = {name: [] for name in APPS}
    with serving.browser() as browser:
        print(f"{machine(browser.version)}; {rounds} rounds\n")
        order = list(APPS)
        for number in range(rounds + 1):  # one to fill the caches of the file system
            for name in order:
                answered, drawn = start(browser, *APPS[name])
                if number:
                    answers[name].append(answered)
                    pictures[name].append(drawn)
            order.reverse()
    print(header(["app", "server answers p50", "picture p50", "picture p95"]))
    for name in APPS:
        numbers = (p50(answers[name]), p50(pictures[name]), p95(pictures[name]))
        print(row([name, *(f"{number:.0f}" for number in numbers)]))
    print(f"\nours / bare: {ratio(pictures['ours'], pictures['bare']):.2f} (aim: at most 1.3)")


if __name__ == "__main__":
    main()
