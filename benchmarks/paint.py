"""From the end of a stroke to the weights: `python -m benchmarks.paint [--rounds N] [--cases 12x16 12x64]`.

A stroke of the mouse over four cells of the mask, in Chromium, from the button's release until the weights of every
head are painted (and two animation frames more, so that they are on the screen). Two apps take turns, so that a busy
machine disturbs both alike:

* ours: the mask lab as it opens, with everything below the grid;
* floor: the same frame, sidebar and grid with one constant heatmap, painted again after every stroke.

Each stroke makes a mask that nobody has painted before. p50 and p95 are milliseconds; the ratio is the median of the
ratios within each round. The stroke itself is drawn under the pointer at once, in the browser.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page

from attention_core.experiment import Experiment
from benchmarks.timing import header, machine, p50, p95, painted, ratio, row, until_painted
from tests import serving
from tests.browser.reading import cell_at, settled

SCRIPTS = serving.ROOT / "benchmarks" / "scripts"
CASES = ((12, 16), (12, 64))
ROUNDS = 20
WIDTH = 48
WEIGHTS = "document.querySelector('.st-key-mask_weights .ap-heatmap')?.dataset.painted"


def visit(browser: Browser, address: str, heads: int, tokens: int) -> Page:
    """Open the lab as a new visitor."""
    words = " ".join(f"w{number}" for number in range(tokens))
    query = Experiment(words, num_heads=heads, d_model=WIDTH).to_query()
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{address}?{urlencode(query)}")
    painted(page, WEIGHTS)
    settled(page)
    return page


def stroke(page: Page, number: int, tokens: int) -> float:
    """Paint four cells of a row; milliseconds from the release until other weights are on the screen."""
    first = 4 * (number // tokens)
    for col in range(first, first + 4):
        page.mouse.move(*cell_at(page, "mask_editor", 0, number % tokens, col))
        if col == first:
            page.mouse.down()
    measured = until_painted(page, WEIGHTS, page.mouse.up, "pointerup")
    settled(page)
    return measured


def measure(browser: Browser, addresses: Sequence[str], heads: int, tokens: int, rounds: int) -> list[list[float]]:
    """Milliseconds of every stroke, for each address."""
    pages = [visit(browser, address, heads, tokens) for address in addresses]
    times: list[list[float]] = [[] for _ in pages]
    order = list(range(len(pages)))
    for number in range(rounds + 2):  # two strokes to warm up
        for index in order:
            taken = stroke(pages[index], number, tokens)
            if number >= 2:
                times[index].append(taken)
        order.append(order.pop(0))
    for page in pages:
        page.context.close()
    return times


def table(browser: Browser, ours: str, rounds: int = ROUNDS, cases: Sequence[tuple[int, int]] = CASES) -> None:
    """Print what painting costs in the app at the address `ours`, beside the floor, which is served here."""
    root = str(serving.ROOT)
    with serving.serve(SCRIPTS / "door.py", BENCHMARK_SCRIPT="paint_floor.py", PYTHONPATH=root) as floor:
        columns = [f"{name} {what}" for name in ("ours", "floor") for what in ("p50", "p95")]
        print(header(["heads", "tokens", *columns, "ours / floor"]), flush=True)
        for heads, tokens in cases:
            times = measure(browser, (f"{ours}/mask_lab", f"{floor}/"), heads, tokens, rounds)
            numbers = [f"{what(taken):.0f}" for taken in times for what in (p50, p95)]
            print(row([heads, tokens, *numbers, f"{ratio(*times):.2f}"]), flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="strokes in each app")
    parser.add_argument("--cases", nargs="+", help="heads x tokens, 12x16 for instance")
    chosen = parser.parse_args(arguments)
    cases: Sequence[tuple[int, int]] = CASES
    if chosen.cases:
        cases = [(int(heads), int(tokens)) for heads, tokens in (text.split("x") for text in chosen.cases)]
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(serving.serve())
        browser = stack.enter_context(serving.browser())
        print(f"{machine(browser.version)}; {chosen.rounds} strokes\n")
        table(browser, ours, chosen.rounds, cases)


if __name__ == "__main__":
    main()
