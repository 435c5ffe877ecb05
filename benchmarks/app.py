"""From the key to the picture: `python -m benchmarks.app [--quick] [--rounds N] [--cases 12x16 ...]`.

A step of the temperature's slider, with the keyboard, in Chromium, until the weights are painted (and two animation
frames more, so that they are on the screen). Three apps with the same sidebar run side by side and take turns, so
that a busy machine disturbs all alike:

* ours: the playground, with all its stages and the arithmetic of a cell;
* floor: the same frame and sidebar with one constant heatmap, painted again at every step: nothing is computed;
* chart: the same frame and sidebar with the weights in one `st.plotly_chart`.

Each step is a temperature that nobody has asked for before. Between two steps the page comes to rest. p50 and p95 are
milliseconds; a ratio is the median of the ratios within each round.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page

from attention_core.experiment import Experiment
from benchmarks import paint, trained
from benchmarks.timing import CHART, PANEL, header, machine, p50, p95, painted, ratio, row, until_painted
from tests import serving
from tests.browser.reading import settled

SCRIPTS = serving.ROOT / "benchmarks" / "scripts"
HEADS, TOKENS = (1, 4, 12), (16, 64, 256)
QUICK = ((12, 16), (4, 64), (12, 256))
STEPS = 38  # from 1.0 up to nearly the end of the slider
WIDTH = 48  # of a token: what 1, 4 and 12 heads divide


@dataclass
class Competitor:
    """One app, where it is served, and how to see what it has painted."""

    name: str
    address: str
    look: str


def case(heads: int, tokens: int) -> dict[str, str]:
    """The link that opens an experiment of this size."""
    words = " ".join(f"w{number}" for number in range(tokens))
    return Experiment(words, num_heads=heads, d_model=WIDTH).to_query()


def visit(browser: Browser, competitor: Competitor, query: dict[str, str]) -> Page:
    """Open the app as a new visitor, with the keyboard on the slider."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{competitor.address}/?{urlencode(query)}")
    painted(page, competitor.look)
    page.get_by_text("Position and score").click()
    page.locator(".st-key-c_temperature input[type=range]").focus()
    settled(page)
    return page


def step(page: Page, look: str) -> float:
    """Milliseconds from the key on the slider to the picture."""
    return until_painted(page, look, lambda: page.keyboard.press("ArrowRight"), "keydown")


def measure(
    browser: Browser, competitors: Sequence[Competitor], query: dict[str, str], rounds: int
) -> list[list[float]]:
    """Milliseconds of every step, for each competitor."""
    pages = [visit(browser, competitor, query) for competitor in competitors]
    times: list[list[float]] = [[] for _ in competitors]
    order = list(range(len(competitors)))
    for number in range(rounds + 2):  # two steps to warm up
        for index in order:
            taken = step(pages[index], competitors[index].look)
            settled(pages[index])
            if number >= 2:
                times[index].append(taken)
        order.append(order.pop(0))
    for page in pages:
        page.context.close()
    return times


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer sizes and rounds")
    parser.add_argument("--rounds", type=int, help=f"steps of each app, at most {STEPS - 2}")
    parser.add_argument("--cases", nargs="+", help="heads x tokens, 12x16 for instance")
    chosen = parser.parse_args(arguments)
    rounds = min(chosen.rounds or (6 if chosen.quick else 30), STEPS - 2)
    cases: Sequence[tuple[int, int]] = QUICK if chosen.quick else [(h, t) for t in TOKENS for h in HEADS]
    if chosen.cases:
        cases = [(int(heads), int(tokens)) for heads, tokens in (text.split("x") for text in chosen.cases)]
    root = str(serving.ROOT)
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(serving.serve())
        floor, chart = (
            stack.enter_context(serving.serve(SCRIPTS / "door.py", BENCHMARK_SCRIPT=script, PYTHONPATH=root))
            for script in ("floor.py", "plotly_chart.py")
        )
        browser = stack.enter_context(serving.browser())
        competitors = (
            Competitor("ours", ours, PANEL),
            Competitor("floor", floor, PANEL),
            Competitor("chart", chart, CHART),
        )
        print(f"{machine(browser.version)}; {rounds} rounds\n")
        columns = [f"{one.name} {what}" for one in competitors for what in ("p50", "p95")]
        print(header(["heads", "tokens", *columns, "ours / floor", "ours / chart"]), flush=True)
        for heads, tokens in cases:
            times = measure(browser, competitors, case(heads, tokens), rounds)
            numbers = [f"{what(taken):.0f}" for taken in times for what in (p50, p95)]
            ratios = [f"{ratio(times[0], other):.2f}" for other in times[1:]]
            print(row([heads, tokens, *numbers, *ratios]), flush=True)
        print("\nThe mask lab: from the end of a stroke to the weights painted.\n")
        paint.table(browser, ours, min(rounds, paint.ROUNDS))
        print("\nThe trained models: from a click to a model's first map, and to the answer without a head.\n")
        trained.table(browser, ours, min(rounds, trained.ROUNDS))
    print("\nAims: 12 heads x 16 tokens within 1.5 of the floor; 12 x 256 under 1000 ms;")
    print("a trained model's first map under 1000 ms once it has been asked for, a head's removal under 200 ms.")


if __name__ == "__main__":
    main()
