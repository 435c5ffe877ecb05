"""Pages run one after the other.

Python runs one thread at a time anyway, and threads that take turns every few milliseconds finish together, late: of
twenty pages that want to be drawn at once each would be as slow as the last. One after the other the first is there
after a twentieth of the time, and the last no later than before. It is sooner, in fact: handing on costs time too.

Who was served longest ago comes first. So whoever changes a setting ten times a second takes nothing from the others,
and a run that is given up for a newer change of the same visitor keeps its place.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from playground.service import metrics
from playground.service.settings import service

PATIENCE = 1.0  # seconds after which a run that takes long no longer keeps the others waiting
REMEMBERED = 4096  # visitors; one that is forgotten counts as new


@dataclass(eq=False)
class _Ticket:
    visitor: str
    called: threading.Event = field(default_factory=threading.Event)
    since: float = 0.0


class Line:
    """Lets `many` runs work at once."""

    def __init__(self, many: int = 1, patience: float = PATIENCE) -> None:
        self._many = many
        self._patience = patience
        self._lock = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._working: list[_Ticket] = []
        self._served: OrderedDict[str, float] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether anybody stands in line or is at work."""
        return bool(self._waiting or self._working)

    @contextmanager
    def place(self, visitor: str) -> Iterator[Callable[[], None]]:
        """Run the body when it is its turn. What is given back lets the next one begin at once: for what takes long.

        A run that ends with an exception was not served: it is next again.
        """
        ticket = _Ticket(visitor)
        with self._lock:
            self._waiting.append(ticket)
            self._call_next()
        try:
            while not ticket.called.wait(self._patience):
                with self._lock:
                    self._call_next()
            yield lambda: self._leave(ticket)
            self._remember(visitor)
        finally:
            self._leave(ticket)

    def _call_next(self) -> None:
        now = time.monotonic()
        self._working = [one for one in self._working if now - one.since < self._patience]
        while self._waiting and len(self._working) < self._many:
            first = min(self._waiting, key=lambda one: self._served.get(one.visitor, 0.0))
            self._waiting.remove(first)
            self._working.append(first)
            first.since = now
            first.called.set()

    def _leave(self, ticket: _Ticket) -> None:
        with self._lock:
            for line in (self._waiting, self._working):
                if ticket in line:
                    line.remove(ticket)
            self._call_next()

    def _remember(self, visitor: str) -> None:
        with self._lock:
            self._served[visitor] = time.monotonic()
            self._served.move_to_end(visitor)
            if len(self._served) > REMEMBERED:
                self._served.popitem(last=False)


@cache
def line() -> Line:
    """The line of this server."""
    found = Line(service().pages_at_once)
    metrics.PAGES_WAITING.set_function(lambda: found.waiting)
    return found
