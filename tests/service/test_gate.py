"""Turns: what is small never waits, what is heavy runs in order, few at a time, and waits no longer than said."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest

from playground.service import metrics
from playground.service.asking import Asking, asking
from playground.service.cost import Cost
from playground.service.gate import Busy, Gate
from playground.service.settings import MEBIBYTE, Service

HEAVY, SMALL = Cost(10**9, MEBIBYTE), Cost(1000, MEBIBYTE)


VISITORS: list[Visitor] = []


@pytest.fixture(autouse=True)
def everybody_leaves() -> Iterator[None]:
    yield
    for visitor in VISITORS:
        visitor.leave.set()
    while VISITORS:
        VISITORS.pop().thread.join(20)


@dataclass
class Visitor:
    """Asks for a turn in a thread of its own and keeps it until `leave`."""

    gate: Gate
    name: str
    cost: Cost = HEAVY
    places: list[int] = field(default_factory=list)
    outcome: str = "waiting"
    leave: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._visit)
        self.thread.start()
        VISITORS.append(self)

    def _visit(self) -> None:
        try:
            with asking(Asking(self.name, self.places.append)), self.gate.turn(self.cost):
                self.outcome = "running"
                self.leave.wait(20)
            self.outcome = "done"
        except Busy as busy:
            self.outcome = busy.reason

    def end(self) -> None:
        self.leave.set()


@contextmanager
def visitors(gate: Gate, *names: str, cost: Cost = HEAVY) -> Iterator[list[Visitor]]:
    """One after the other, in this order."""
    found: list[Visitor] = []
    try:
        for name in names:
            before = gate.waiting + gate.running
            found.append(Visitor(gate, name, cost))
            until(lambda before=before: gate.waiting + gate.running > before)  # type: ignore[misc]
        yield found
    finally:
        for visitor in found:
            visitor.end()


def until(true: object) -> None:
    end = time.monotonic() + 20
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.002)


def refusals(reason: str) -> float:
    return metrics.REGISTRY.get_sample_value("attention_refusals_total", {"reason": reason}) or 0.0


def test_one_at_a_time_in_order() -> None:
    gate = Gate(Service())
    with visitors(gate, "a", "b", "c") as (a, b, c):
        until(lambda: a.outcome == "running" and b.places and c.places)
        assert (a.outcome, b.outcome, c.outcome) == ("running", "waiting", "waiting")
        assert (b.places[-1], c.places[-1]) == (1, 2) and a.places == []
        a.end()
        until(lambda: b.outcome == "running")
        until(lambda: c.places[-1] == 1)
        assert (gate.running, gate.waiting) == (1, 1) and c.outcome == "waiting"
        b.end()
        until(lambda: c.outcome == "running")
    until(lambda: (gate.running, gate.waiting) == (0, 0))


def test_as_many_at_a_time_as_there_are_slots() -> None:
    gate = Gate(Service(heavy_slots=2))
    with visitors(gate, "a", "b", "c") as found:
        until(lambda: gate.running == 2)
        assert [visitor.outcome for visitor in found] == ["running", "running", "waiting"]


def test_what_is_small_never_waits() -> None:
    gate = Gate(Service())
    with visitors(gate, "a", "b"), gate.turn(SMALL):
        assert (gate.running, gate.waiting) == (1, 1)


def test_the_border_between_small_and_heavy() -> None:
    gate = Gate(Service(heavy_ms=40))
    with asking(Asking("a")):
        with gate.turn(Cost(39_999_999, 0)):
            assert gate.running == 0
        with gate.turn(Cost(40_000_000, 0)):
            assert gate.running == 1


def test_memory_is_shared_out_and_one_alone_may_have_more() -> None:
    gate = Gate(Service(heavy_slots=3, heavy_memory_mb=100))
    with (
        visitors(gate, "large", cost=Cost(10**9, 300 * MEBIBYTE)) as (large,),
        visitors(gate, "next", cost=Cost(10**9, 60 * MEBIBYTE)) as (next_one,),
    ):
        assert (large.outcome, gate.waiting) == ("running", 1)
        large.end()
        until(lambda: next_one.outcome == "running")
        with visitors(gate, "fits", cost=Cost(10**9, 40 * MEBIBYTE)) as (fits,):
            until(lambda: fits.outcome == "running")
            with visitors(gate, "does not", cost=Cost(10**9, MEBIBYTE)):
                assert (gate.running, gate.waiting) == (2, 1)


def test_nobody_overtakes() -> None:
    """The second in line would fit beside the one that runs; it waits for the first in line all the same."""
    gate = Gate(Service(heavy_slots=2, heavy_memory_mb=100))
    with (
        visitors(gate, "runs", cost=Cost(10**9, 60 * MEBIBYTE)),
        visitors(gate, "first", cost=Cost(10**9, 60 * MEBIBYTE)) as (first,),
        visitors(gate, "second", cost=Cost(10**9, 10 * MEBIBYTE)) as (second,),
    ):
        until(lambda: len(second.places) > 2)
        assert (first.outcome, second.outcome, second.places[-1]) == ("waiting", "waiting", 2)


def test_a_wait_ends() -> None:
    gate = Gate(Service(queue_seconds=1))
    before = refusals("waited_too_long")
    with visitors(gate, "a", "b") as (a, b):
        until(lambda: b.outcome == "waited_too_long")
        assert a.outcome == "running" and gate.waiting == 0
    assert refusals("waited_too_long") == before + 1


def test_the_queue_is_bounded() -> None:
    gate = Gate(Service(queue_length=2))
    before = refusals("queue_full")
    with visitors(gate, "a", "b", "c"):
        with pytest.raises(Busy, match="The machine is full") as refused, asking(Asking("d")), gate.turn(HEAVY):
            pass
        assert refused.value.reason == "queue_full" and (gate.running, gate.waiting) == (1, 2)
    assert refusals("queue_full") == before + 1


def test_one_visitor_takes_few_places() -> None:
    gate = Gate(Service(turns_each=2))
    with visitors(gate, "a", "a"):
        with pytest.raises(Busy, match="from one place"), asking(Asking("a")), gate.turn(HEAVY):
            pass
        with visitors(gate, "b"):
            assert gate.waiting == 2


def test_who_has_a_turn_does_not_wait_for_it() -> None:
    gate = Gate(Service())
    with asking(Asking("a")), gate.turn(HEAVY), gate.turn(HEAVY):
        assert gate.running == 1
    assert gate.running == 0
    with gate.turn(HEAVY), gate.turn(HEAVY):  # also where nobody said who asks
        assert gate.running == 1
    assert gate.running == 0


def test_a_rerun_keeps_its_turn_to_its_end() -> None:
    gate = Gate(Service())
    with ExitStack() as end, asking(Asking("a", until_end=end)):
        with gate.turn(HEAVY):
            pass
        assert gate.running == 1
        with gate.turn(HEAVY):
            pass
        assert gate.running == 1
    assert gate.running == 0


class Newer(BaseException):
    """Stands for Streamlit's own: a newer change of the same visitor."""


def test_who_gives_up_leaves_the_queue() -> None:
    gate = Gate(Service())

    def give_up(place: int) -> None:
        raise Newer

    with visitors(gate, "a") as (a,):
        with pytest.raises(Newer), asking(Asking("b", give_up)), gate.turn(HEAVY):
            pass
        assert (a.outcome, gate.waiting, gate.running) == ("running", 0, 1)


def test_a_fault_gives_the_turn_back() -> None:
    gate = Gate(Service())
    with pytest.raises(ZeroDivisionError), asking(Asking("a")), gate.turn(HEAVY):
        raise ZeroDivisionError
    assert gate.running == 0


def test_who_was_refused_is_not_made_to_wait_again() -> None:
    gate = Gate(Service(queue_seconds=1))
    with visitors(gate, "a"), ExitStack() as end, asking(Asking("b", until_end=end)) as who:
        with pytest.raises(Busy), gate.turn(HEAVY):
            pass
        waited = who.seconds_waited
        assert waited >= 1
        with gate.turn(HEAVY, at_hand=True):  # what the screen shows already
            pass
        with pytest.raises(Busy), gate.turn(HEAVY):
            pass
        assert who.seconds_waited == waited and gate.running == 1


def test_the_wait_is_counted() -> None:
    gate = Gate(Service())
    with visitors(gate, "a") as (a,), asking(Asking("b", lambda place: a.leave.set())) as who:
        with gate.turn(HEAVY):
            pass
        assert who.seconds_waited > 0
