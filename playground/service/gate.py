"""The gate: what is heavy takes turns, what is small passes at once.

One visitor with 512 tokens must not freeze the others. PyTorch lets other threads run while it multiplies, and Python
switches between threads while it draws, so it is enough that few heavy visitors are served at a time; the others stand
in line, first come, first served.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache

from playground.service import asking, metrics
from playground.service.asking import Asking
from playground.service.cost import Cost
from playground.service.settings import MEBIBYTE, Service, service

TICK = 0.25  # seconds after which someone who waits is told the place again


class Busy(RuntimeError):
    """The machine is full: `reason` is one of WORDS."""

    def __init__(self, reason: str) -> None:
        super().__init__(WORDS[reason])
        self.reason = reason


WORDS = {
    "queue_full": "The machine is full: too many large computations are waiting. Try again in a moment.",
    "waited_too_long": "The machine is full: the turn of this computation did not come in time. Try again in a moment.",
    "too_many_at_once": "Too many large computations at once from one place. Wait for those that are running.",
    "too_many_files": "Too many large files at once to one place. Wait for those that are on their way.",
    "answers_full": "The machine is full: it is sending as many files as it can hold. Try again in a moment.",
}


@dataclass(eq=False)
class _Ticket:
    visitor: str
    memory: int


class Gate:
    """Hands out turns to heavy computations, in order."""

    def __init__(self, settings: Service) -> None:
        self._settings = settings
        self._changed = threading.Condition()
        self._waiting: list[_Ticket] = []
        self._running: list[_Ticket] = []

    @contextmanager
    def turn(self, cost: Cost, *, at_hand: bool = False) -> Iterator[None]:
        """Run the body when it is its turn; at once where it is small, or where who asks has a turn already.

        A rerun of a page keeps its turn to its end. Raises Busy where the queue is full, the wait too long, or the
        visitor has too many turns. A rerun that was refused once is not made to wait again: what is `at_hand` it
        gets at once, so that the screen keeps what it showed, and anything else is refused at once.
        """
        who = asking.now()
        if cost.work < self._settings.heavy_ms * 1_000_000 or who.has_turn:
            yield
            return
        if who.refused:
            if not at_hand:
                raise Busy(who.refused)
            yield
            return
        ticket = _Ticket(who.visitor, cost.memory)
        who.step_aside()
        self._wait(ticket)
        who.has_turn = True
        with ExitStack() as here:
            (who.until_end or here).callback(self._give_back, ticket, who)
            yield

    def _give_back(self, ticket: _Ticket, who: Asking) -> None:
        who.has_turn = False
        self._leave(ticket)

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many have their turn."""
        return len(self._running)

    def _wait(self, ticket: _Ticket) -> None:
        who, started = asking.now(), time.monotonic()
        end = started + self._settings.queue_seconds
        with self._changed:
            self._join(ticket)
        try:
            while True:
                with self._changed:
                    if self._admit(ticket):
                        return
                    place = self._waiting.index(ticket) + 1
                if time.monotonic() >= end:
                    raise self._refusal("waited_too_long")
                who.say_place(place)  # outside the lock: it draws, and may raise to give up
                with self._changed:
                    self._changed.wait_for(lambda: self._fits(ticket), timeout=TICK)
        except BaseException:
            self._leave(ticket)
            raise
        finally:
            who.seconds_waited += time.monotonic() - started

    def _join(self, ticket: _Ticket) -> None:
        own = [other for other in (*self._waiting, *self._running) if other.visitor == ticket.visitor]
        if ticket.visitor and len(own) >= self._settings.turns_each:
            raise self._refusal("too_many_at_once")
        if len(self._waiting) >= self._settings.queue_length:
            raise self._refusal("queue_full")
        self._waiting.append(ticket)

    def _fits(self, ticket: _Ticket) -> bool:
        if self._waiting[0] is not ticket or len(self._running) >= self._settings.heavy_slots:
            return False
        used = sum(other.memory for other in self._running)
        return not self._running or used + ticket.memory <= self._settings.heavy_memory_mb * MEBIBYTE

    def _admit(self, ticket: _Ticket) -> bool:
        if not self._fits(ticket):
            return False
        self._waiting.remove(ticket)
        self._running.append(ticket)
        self._changed.notify_all()  # the next in line may fit too
        return True

    def _leave(self, ticket: _Ticket) -> None:
        with self._changed:
            for line in (self._waiting, self._running):
                if ticket in line:
                    line.remove(ticket)
            self._changed.notify_all()

    def _refusal(self, reason: str) -> Busy:
        metrics.REFUSALS.labels(reason).inc()
        who = asking.now()
        if who.until_end is not None:
            who.refused = reason
        return Busy(reason)


@cache
def gate() -> Gate:
    """The gate of this server."""
    found = Gate(service())
    metrics.QUEUE.set_function(lambda: found.waiting)
    metrics.RUNNING.set_function(lambda: found.running)
    return found
