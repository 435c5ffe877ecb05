"""Circles of objects wait until no page is drawn; nobody waits for them, and they do not wait for ever."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from playground import warmup
from playground.service import garbage
from playground.service.line import Line

SAYS = """
import gc
from playground.warmup import warm_up
collected = []
gc.callbacks.append(lambda phase, info: collected.append(info["generation"]))
warm_up()
print(gc.isenabled(), gc.get_threshold(), gc.get_freeze_count() > 100_000, collected)
"""


class Circle:
    """Refers to itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    line = Line(patience=60.0)
    monkeypatch.setattr(garbage, "line", lambda: line)
    before = gc.get_threshold()
    gc.set_threshold(10**9)  # nobody but the one under test collects
    yield line
    gc.set_threshold(*before)


def old_circle() -> weakref.ref[Circle]:
    """One that has outlived a few collections, and that nobody needs any more."""
    circle = Circle()
    gc.collect()
    return weakref.ref(circle)


def after(seconds: float, every: float, patience: float) -> None:
    """Let it run for so long."""

    async def run() -> None:
        cleaner = asyncio.create_task(garbage.thoroughly(every, patience))
        await asyncio.sleep(seconds)
        cleaner.cancel()

    asyncio.run(run())


def test_the_warm_server_looks_seldom_and_not_at_all_while_it_warms_up() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SAYS], capture_output=True, text=True, check=True, timeout=120
    )
    enabled, rest = done.stdout.splitlines()[-1].split(" ", 1)
    assert enabled == "True"
    # One look through everything, by hand, before what is there is frozen: two calls, at its begin and its end.
    assert rest == f"{(garbage.YOUNG, garbage.MIDDLE, garbage.NEVER)} True [2, 2]"


def test_a_warm_up_that_fails_leaves_the_collector_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        assert not gc.isenabled()
        raise RuntimeError("no room")

    monkeypatch.setattr(warmup, "_prepare", fail)
    with pytest.raises(RuntimeError, match="no room"):
        warmup.warm_up()
    assert gc.isenabled()


def test_an_old_circle_goes_when_nobody_is_served(served: Line) -> None:
    circle = old_circle()
    assert circle() is not None
    after(0.2, every=0.02, patience=60.0)
    assert circle() is None


def test_it_waits_for_the_page_that_is_drawn(served: Line) -> None:
    circle, drawn = old_circle(), threading.Event()
    kept = []

    def page() -> None:
        with served.place("somebody"):
            drawn.wait(20)
            kept.append(circle() is not None)

    thread = threading.Thread(target=page, daemon=True)
    thread.start()
    end = time.monotonic() + 10
    while not served.busy:
        assert time.monotonic() < end
        time.sleep(0.002)
    threading.Timer(0.3, drawn.set).start()
    after(0.6, every=0.01, patience=60.0)
    thread.join()
    assert kept == [True] and circle() is None


def test_but_not_for_ever(served: Line) -> None:
    circle = old_circle()
    with served.place("somebody"):
        after(0.4, every=0.01, patience=0.1)
        assert circle() is None


def test_it_goes_on(served: Line) -> None:
    async def run() -> list[bool]:
        cleaner = asyncio.create_task(garbage.thoroughly(0.02, 60.0))
        gone = []
        for _time in range(3):
            circle = old_circle()
            await asyncio.sleep(0.2)
            gone.append(circle() is None)
        cleaner.cancel()
        return gone

    assert asyncio.run(run()) == [True] * 3


def test_the_server_does_so_as_long_as_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmup.health, "readied_by", lambda *_given: None)
    monkeypatch.setattr(warmup.logs, "install", lambda: None)

    async def tasks() -> tuple[list[str], list[str]]:
        own = asyncio.current_task()

        def others() -> list[str]:
            return [task.get_name() for task in asyncio.all_tasks() if task is not own]

        async with warmup.lifespan(None):
            during = others()
        await asyncio.sleep(0)
        return during, others()

    assert asyncio.run(tasks()) == (["garbage"], [])
