"""Who trains when: a few workers for all visitors, a queue before them, and nobody is trained for who has left."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from playground.live.limits import training_limits
from playground.live.run import Run
from playground.live.visitor import is_here

PATIENCE = 15.0  # seconds without a sign from the page after which its visitor has left it


@dataclass(eq=False)
class _Ticket:
    """A run that is to go on, and whose it is."""

    run: Run
    visitor: str
    heard: float  # when its page was last heard of
    wanted: bool = True
    turn: float = field(default=0.0)  # when its turn began


class Runner:
    """At most `slots` runs learn at once, each step by step in a worker's thread; the others wait in order.

    A run stops at its `until`, when it is paused, and when its visitor is gone: `here` says so of a session, and
    a page that is open but out of sight, or another page, is known by its silence. One that has learned for `turn`
    seconds goes to the end of the queue if others wait.
    """

    def __init__(
        self,
        slots: int,
        *,
        turn: float = 20.0,
        here: Callable[[str], bool] = is_here,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slots, self._turn, self._here, self._clock = slots, turn, here, clock
        self._waiting: deque[_Ticket] = deque()
        self._learning: list[_Ticket] = []
        self._workers: list[threading.Thread] = []
        self._change = threading.Condition()
        self._closed = False

    def start(self, run: Run, until: int, visitor: str) -> None:
        """Let a run go on to the step `until`, as soon as there is a worker for it."""
        with self._change:
            run.until, run.failed, run.left = until, "", False
            ticket = self._ticket(run)
            if ticket is not None:
                ticket.heard, ticket.wanted = self._clock(), True
                return
            self._waiting.append(_Ticket(run, visitor, self._clock()))
            if len(self._workers) < self._slots:
                worker = threading.Thread(target=self._work, name=f"training-{len(self._workers) + 1}", daemon=True)
                self._workers.append(worker)
                worker.start()
            self._change.notify()

    def pause(self, run: Run) -> None:
        """Let a run rest where it is; returns once no worker touches it any more."""
        with self._change:
            self._waiting = deque(ticket for ticket in self._waiting if ticket.run is not run)
            for ticket in self._learning:
                if ticket.run is run:
                    ticket.wanted = False
            self._change.wait_for(lambda: self._ticket(run) is None)

    def hear(self, run: Run) -> None:
        """The page of this run is open and in sight."""
        with self._change:
            ticket = self._ticket(run)
            if ticket is not None:
                ticket.heard = self._clock()

    def is_learning(self, run: Run) -> bool:
        """Whether a worker has it."""
        with self._change:
            return any(ticket.run is run for ticket in self._learning)

    def ahead(self, run: Run) -> int | None:
        """How many runs have to stop before this one begins: 0 where its worker is about to take it; None for a run
        that does not wait.
        """
        with self._change:
            self._forget_the_gone()
            free = self._slots - len(self._learning)
            for place, ticket in enumerate(self._waiting):
                if ticket.run is run:
                    return max(0, place + 1 - free)
            return None

    def busy(self, run: Run) -> bool:
        """Whether it learns or waits to."""
        with self._change:
            return self._ticket(run) is not None

    def close(self) -> None:
        """Stop every run and end the workers."""
        with self._change:
            self._closed = True
            self._waiting.clear()
            for ticket in self._learning:
                ticket.wanted = False
            self._change.notify_all()
        for worker in self._workers:
            worker.join()

    def _ticket(self, run: Run) -> _Ticket | None:
        return next((ticket for ticket in (*self._learning, *self._waiting) if ticket.run is run), None)

    def _forget_the_gone(self) -> None:
        for ticket in self._waiting:
            ticket.run.left = not self._is_awaited(ticket)
        self._waiting = deque(ticket for ticket in self._waiting if not ticket.run.left)

    def _is_awaited(self, ticket: _Ticket) -> bool:
        return self._clock() - ticket.heard < PATIENCE and self._here(ticket.visitor)

    def _goes_on(self, ticket: _Ticket) -> bool:
        with self._change:
            ticket.wanted = ticket.wanted and ticket.run.done < ticket.run.until
            if ticket.wanted and not self._is_awaited(ticket):
                ticket.wanted, ticket.run.left = False, True
            if not ticket.wanted:
                return False
            return not self._waiting or self._clock() - ticket.turn < self._turn

    def _work(self) -> None:
        while True:
            with self._change:
                self._forget_the_gone()
                while not self._waiting and not self._closed:
                    self._change.wait()
                    self._forget_the_gone()
                if self._closed:
                    return
                ticket = self._waiting.popleft()
                ticket.turn = self._clock()
                self._learning.append(ticket)
            try:
                while self._goes_on(ticket):
                    ticket.run.advance()
                if not ticket.wanted:
                    ticket.run.settle()
            except Exception as problem:  # whatever it is, it ends this run and no worker
                logging.getLogger(__name__).warning("a training run failed: %s", problem)
                ticket.run.failed, ticket.wanted = str(problem), False
            with self._change:
                self._learning.remove(ticket)
                if ticket.wanted and not self._closed:
                    self._waiting.append(ticket)
                self._change.notify_all()
            del ticket  # an idle worker keeps nobody's weights


@cache
def runner() -> Runner:
    """The one of this server."""
    limits = training_limits()
    found = Runner(limits.max_trainings, turn=limits.training_turn)
    atexit.register(found.close)  # a thread that is in the middle of a step when Python ends brings the process down
    return found
