"""The page on trained models, from the click to what it changes: `python -m benchmarks.trained [--rounds N]`.

In Chromium, from the button's release until the change is painted (and two animation frames more, so that it is on
the screen):

* model, first: another model is chosen that nobody has asked for since the server started; its first map;
* model, again: the same once it has been asked for before;
* head out: a head of the translation model is taken out or put back, each time a set of heads that nobody has asked
  for before; the answer, its probabilities, or how often it is right.

Two apps take turns, so that a busy machine disturbs both alike: ours, and a floor with the same buttons, one constant
heatmap and one sentence. p50 and p95 are milliseconds; the ratio is the median of the ratios within each round.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Sequence

from playwright.sync_api import Browser, Locator, Page

from attention_core.trained import SHIPPED
from benchmarks.timing import header, machine, p50, p95, painted, ratio, row, until_painted
from playground.lessons import trained_models as models
from tests import serving
from tests.browser.reading import settled

SCRIPTS = serving.ROOT / "benchmarks" / "scripts"
ROUNDS = 16
MAP = "document.querySelector('.st-key-trained_weights .ap-heatmap')?.dataset.painted"
ANSWER = """['answer', 'probabilities', 'measured']
  .map((name) => document.querySelector(`.st-key-trained_${name} .ap`)?.dataset.painted).join(' ')"""


def until_answered(page: Page, look: str, target: Locator) -> float:
    """Milliseconds from a click on `target` until something else than before is on the screen; then wait for rest."""
    measured = until_painted(page, look, target.click, "click")
    settled(page)
    return measured


def visit(browser: Browser, address: str) -> Page:
    """Open the page as a new visitor."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(120_000)
    page.goto(address)
    painted(page, MAP)
    settled(page)
    return page


def choose(model: str) -> Callable[[Page], Locator]:
    """The button of a model."""
    return lambda page: page.get_by_role("radio", name=models.title(model), exact=True)


def toggle(place: int) -> Callable[[Page], Locator]:
    """The button of a head of the translation model."""
    title = models.head_title(*models.heads("translation")[place])
    return lambda page: page.locator("[data-testid=stSidebar]").get_by_role("button", name=title, exact=True)


def measure(pages: Sequence[Page], look: str, clicks: Sequence[Callable[[Page], Locator]]) -> list[list[float]]:
    """Milliseconds of every click, for each app."""
    times: list[list[float]] = [[] for _ in pages]
    order = list(range(len(pages)))
    for click in clicks:
        for index in order:
            times[index].append(until_answered(pages[index], look, click(pages[index])))
        order.append(order.pop(0))
    return times


def table(browser: Browser, ours: str, rounds: int = ROUNDS) -> None:
    """Print what the app at the address `ours` needs, which has to be freshly started, beside the floor."""
    root = str(serving.ROOT)
    with serving.serve(SCRIPTS / "door.py", BENCHMARK_SCRIPT="trained_floor.py", PYTHONPATH=root) as floor:
        pages = [visit(browser, f"{ours}/trained"), visit(browser, floor)]
        others = [*SHIPPED[1:], SHIPPED[0]]  # the first is on the screen already
        # Each step of a Gray code flips one head, and no set of heads comes twice.
        flips = [(step & -step).bit_length() - 1 for step in range(1, rounds + 1)]
        cases = {
            "model, first": (MAP, [choose(name) for name in others[:-1]]),
            "model, again": (MAP, [choose(others[number % len(others) - 1]) for number in range(rounds)]),
            "": (MAP, [choose("translation")]),
            "head out": (ANSWER, [toggle(len(models.heads("translation")) - 1 - flip) for flip in flips]),
        }
        columns = [f"{name} {what}" for name in ("ours", "floor") for what in ("p50", "p95")]
        print(header(["click", *columns, "ours / floor"]), flush=True)
        for name, (look, clicks) in cases.items():
            times = measure(pages, look, clicks)
            if name:
                numbers = [f"{what(taken):.0f}" for taken in times for what in (p50, p95)]
                print(row([name, *numbers, f"{ratio(*times):.2f}"]), flush=True)
        for page in pages:
            page.context.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="clicks of each kind")
    chosen = parser.parse_args(arguments)
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(serving.serve())
        browser = stack.enter_context(serving.browser())
        print(f"{machine(browser.version)}; {chosen.rounds} clicks\n")
        table(browser, ours, chosen.rounds)
    print("\nAims: a model's first map under 1000 ms once it has been asked for; a head's removal under 200 ms.")


if __name__ == "__main__":
    main()
