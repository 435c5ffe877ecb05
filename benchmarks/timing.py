"""What the measurements in the browser share: statistics, tables, and how to know that something has been painted."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version

from playwright.sync_api import Page

# What is painted now, as a text that changes with it; nothing while there is no picture.
PANEL = "document.querySelector('.st-key-hero .ap-heatmap')?.dataset.painted"
CHART = """(() => {
  const plot = document.querySelector('.st-key-chart .js-plotly-plot');
  return plot?.querySelector('.heatmaplayer image') ? `painted ${plot.layout.meta}` : undefined;
})()"""


def p50(milliseconds: Sequence[float]) -> float:
    """The median."""
    return statistics.median(milliseconds)


def p95(milliseconds: Sequence[float]) -> float:
    """What 19 of 20 stay below."""
    ordered = sorted(milliseconds)
    return ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]


def p99(milliseconds: Sequence[float]) -> float:
    """What 99 of 100 stay below."""
    ordered = sorted(milliseconds)
    return ordered[min(len(ordered) - 1, round(0.99 * (len(ordered) - 1)))]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios within each round: what disturbs a round disturbs both."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def row(cells: Iterable[object]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def header(columns: Sequence[str]) -> str:
    """The head of a Markdown table of numbers."""
    return f"{row(columns)}\n|{' ---: |' * len(columns)}"


def machine(browser: str = "") -> str:
    """What was measured on."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("streamlit", "torch", "plotly"))
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    driver = f", Chromium {browser}" if browser else ""
    return f"Python {platform.python_version()}, {packages}{driver}, {os.cpu_count()} cores, load {load:.1f}"


def painted(page: Page, look: str) -> None:
    """Wait until there is a picture, and two frames more: then it is on the screen."""
    page.wait_for_function(f"() => {look}", polling="raf", timeout=120_000)
    page.evaluate("() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")


def until_painted(page: Page, look: str, act: Callable[[], None], event: str) -> float:
    """Milliseconds from `event`, which `act` causes, until another picture is on the screen: painted, and two frames
    more. `look` is JavaScript for what is painted now."""
    page.evaluate(f"() => {{ window.look = () => {look}; }}")  # the policy of the page allows no eval later
    page.evaluate(
        """(event) => {
          const now = window.look;
          const before = now();
          window.measured = new Promise((resolve, reject) => {
            setTimeout(() => reject(new Error("nothing new was painted in 60 s")), 60000);
            addEventListener(event, ({ timeStamp }) => {
              const done = () => resolve(performance.now() - timeStamp);
              const watch = () => {
                const then = now();
                if (then === undefined || then === before) requestAnimationFrame(watch);
                else requestAnimationFrame(() => requestAnimationFrame(done));
              };
              watch();
            }, { once: true, capture: true });
          });
        }""",
        event,
    )
    act()
    measured: float = page.evaluate("() => window.measured")
    return measured
