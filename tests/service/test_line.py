"""The line of pages: one at a time, whoever waited longest first, and nobody held up by what takes long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from playground.service import asking, line
from playground.service.asking import Asking
from playground.service.cost import Cost
from playground.service.gate import Gate
from playground.service.line import Line
from playground.service.settings import Service

LONG = 60.0  # seconds: patience that no test outlasts


class Visits:
    """Pages of visitors that stand in line; each works until it is told to stop."""

    def __init__(self, served: Line) -> None:
        self.line = served
        self.order: list[str] = []
        self._stop: dict[str, threading.Event] = {}
        self._threads: dict[str, threading.Thread] = {}

    def come(self, visitor: str, work: Callable[[], None] = lambda: None) -> None:
        """Stand in line, and be seen to."""
        stop = self._stop[visitor] = threading.Event()
        before = self.line.waiting + len(self.order)

        def run() -> None:
            with self.line.place(visitor):
                self.order.append(visitor)
                work()
                stop.wait(LONG)

        thread = self._threads[visitor] = threading.Thread(target=run)
        thread.start()
        until(lambda: self.line.waiting + len(self.order) > before)

    def go(self, visitor: str) -> None:
        """End the page of this visitor."""
        self._stop[visitor].set()
        self._threads[visitor].join(LONG)


def until(said: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not said():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.002)


def test_one_at_a_time_in_the_order_of_coming() -> None:
    visits = Visits(Line(patience=LONG))
    for visitor in ("a", "b", "c"):
        visits.come(visitor)
    assert visits.order == ["a"] and visits.line.waiting == 2
    visits.go("a")
    until(lambda: visits.order == ["a", "b"])
    visits.go("b")
    until(lambda: visits.order == ["a", "b", "c"])
    visits.go("c")
    assert visits.line.waiting == 0


def test_who_was_served_longest_ago_comes_first() -> None:
    visits = Visits(Line(patience=LONG))
    for visitor in ("seldom", "often"):
        visits.come(visitor)
        visits.go(visitor)
    visits.come("now")
    visits.come("often")
    visits.come("seldom")
    visits.come("new")
    visits.order.clear()
    for gone, comes in (("now", "new"), ("new", "seldom"), ("seldom", "often")):
        visits.go(gone)
        until(lambda: len(visits.order) > 0)
        assert visits.order.pop() == comes
    visits.go("often")


def test_a_run_that_is_given_up_keeps_its_place() -> None:
    """Streamlit ends a run for a newer change of the same visitor with an exception of its own."""
    visits = Visits(Line(patience=LONG))
    with pytest.raises(KeyboardInterrupt), visits.line.place("quick"):
        raise KeyboardInterrupt
    visits.come("slow")
    visits.go("slow")
    visits.come("at work")
    visits.come("slow")
    visits.come("quick")
    visits.order.clear()
    visits.go("at work")
    until(lambda: visits.order == ["quick"])
    visits.go("quick")
    visits.go("slow")


def test_what_takes_long_keeps_nobody_waiting() -> None:
    visits = Visits(Line(patience=0.05))
    visits.come("long")
    visits.come("short")
    until(lambda: visits.order == ["long", "short"])
    visits.go("short")
    visits.go("long")


def test_a_heavy_computation_steps_aside_while_it_waits_and_works() -> None:
    """The line is of small pages: those that the gate lets in by turns are not part of it."""
    served, gate = Line(patience=LONG), Gate(Service(heavy_ms=1))
    done: list[str] = []
    with served.place("heavy") as step_aside, asking.asking(Asking("heavy", step_aside=step_aside)):
        with gate.turn(Cost(0, 0)):
            small = threading.Thread(target=lambda: _pass(served, done))
            small.start()
            until(lambda: served.waiting == 1)
        with gate.turn(Cost(10**9, 1)):
            small.join(LONG)
            assert done == ["small"] and gate.running == 1


def _pass(served: Line, done: list[str]) -> None:
    with served.place("small"):
        done.append("small")


@pytest.mark.parametrize("many", [1, 3])
def test_never_more_than_so_many_at_once_and_everybody_is_served(many: int) -> None:
    served, inside, most, done = Line(many, patience=LONG), [0], [0], []
    lock = threading.Lock()

    def run(visitor: int) -> None:
        for _ in range(5):
            with served.place(str(visitor % 7)):
                with lock:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                time.sleep(0.001)
                with lock:
                    inside[0] -= 1
                done.append(visitor)

    threads = [threading.Thread(target=run, args=[number]) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert most[0] == many and len(done) == 100 and served.waiting == 0


def test_only_so_many_visitors_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "REMEMBERED", 3)
    served = Line()
    for visitor in range(10):
        with served.place(str(visitor)):
            pass
    assert list(served._served) == ["7", "8", "9"]
