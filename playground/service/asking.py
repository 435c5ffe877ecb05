"""Who asks for a computation, in this thread: so that the gate can keep order without each page telling it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from starlette.requests import Request


def _nobody_watches(place: int) -> None:
    """There is no screen to say it on."""


def _nobody_waits() -> None:
    """There is no line of pages."""


@dataclass
class Asking:
    """One rerun of a page or one request: its visitor, how to say the place in the queue, and what it came to.

    `visitor` only has to be the same for the same visitor. `say_place` is called while waiting, about four times a
    second, with 1 for the next one; it may raise to give the wait up. With `until_end` a turn is kept until that
    stack is closed, and a refusal too: drawing what is large costs more than computing it. `step_aside` lets the next
    page begin: what takes long calls it.
    """

    visitor: str = ""
    say_place: Callable[[int], None] = _nobody_watches
    until_end: ExitStack | None = None
    step_aside: Callable[[], None] = _nobody_waits
    has_turn: bool = False
    refused: str | None = None
    computed: int = 0
    from_cache: int = 0
    seconds_waited: float = 0.0


def caller(request: Request) -> str:
    """The visitor that a request without a page comes from: its address, or the network that is one household's.

    Of IPv6 everybody has 2^64 addresses.

    >>> caller(Request({"type": "http", "client": ("2001:db8:1:2:3:4:5:6", 1)}))
    'from 2001:db8:1:2::/64'
    """
    host = request.client.host if request.client else ""
    with suppress(ValueError):
        address = ip_address(host)
        if address.version == 6 and address.ipv4_mapped is None:
            host = str(ip_network((address, 64), strict=False))
    return f"from {host}"


_now: ContextVar[Asking | None] = ContextVar("asking", default=None)


def now() -> Asking:
    """Who asks now; nobody in particular outside `asking`."""
    found = _now.get()
    if found is None:
        found = Asking()
        _now.set(found)
    return found


@contextmanager
def asking(who: Asking) -> Iterator[Asking]:
    """Within this, `now()` is `who`."""
    token = _now.set(who)
    try:
        yield who
    finally:
        _now.reset(token)
