"""A client that does not read its answer is cut off; one that reads slowly, but reads, is not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from playground.service import metrics, pace
from playground.service.pace import LEAST, SLICE, Paced, TooSlow

BODY = bytes(range(256)) * (10 * SLICE // 256) + b"end"
SCOPE = {"type": "http", "method": "GET"}


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(BODY)(scope, receive, send)


async def nothing() -> Message:
    return {"type": "http.disconnect"}


def cut_off() -> float:
    return metrics.REGISTRY.get_sample_value("attention_refusals_total", {"reason": "too_slow"}) or 0.0


def test_a_body_goes_out_in_slices_and_is_the_same() -> None:
    taken: list[Any] = []

    async def take(message: Message) -> None:
        taken.append(message)

    asyncio.run(Paced(answer, seconds=60)(SCOPE, nothing, take))
    assert taken[0]["type"] == "http.response.start"
    sizes = [len(message["body"]) for message in taken[1:]]
    assert sizes == [SLICE] * 10 + [3]
    assert [message["more_body"] for message in taken[1:-1]] == [True] * 10
    assert not taken[-1].get("more_body", False)
    assert b"".join(message["body"] for message in taken[1:]) == BODY


@pytest.mark.parametrize("size", [0, 1, SLICE - 1, SLICE, SLICE + 1, 2 * SLICE])
def test_a_body_of_any_size(size: int) -> None:
    taken: list[Any] = []

    async def take(message: Message) -> None:
        taken.append(message)

    async def some(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.body", "body": BODY[:size], "more_body": True})
        await send({"type": "http.response.body", "body": b"last"})

    asyncio.run(Paced(some, seconds=60)(SCOPE, nothing, take))
    assert b"".join(message["body"] for message in taken) == BODY[:size] + b"last"
    assert all(len(message["body"]) <= SLICE for message in taken)
    assert [message.get("more_body", False) for message in taken] == [True] * (len(taken) - 1) + [False]


def test_who_does_not_read_is_cut_off() -> None:
    before, taken = cut_off(), 0

    async def take(message: Message) -> None:
        nonlocal taken
        if taken == 3:
            await asyncio.sleep(3600)
        taken += 1

    with pytest.raises(TooSlow):
        asyncio.run(Paced(answer, seconds=0.05)(SCOPE, nothing, take))
    assert taken == 3 and cut_off() == before + 1


def test_every_slice_taken_gives_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """With next to no patience of its own the server waits for a client that takes two seconds' worth each time."""
    passed = 0.0
    monkeypatch.setattr(pace.time, "monotonic", lambda: passed)
    allowed: list[float] = []
    timeout = asyncio.timeout
    monkeypatch.setattr(pace.asyncio, "timeout", lambda delay: allowed.append(delay) or timeout(60))

    async def take(message: Message) -> None:
        nonlocal passed
        passed += 1.0

    asyncio.run(Paced(answer, seconds=5)(SCOPE, nothing, take))
    worth = SLICE / LEAST
    assert allowed == [5.0, *(5.0 - waits + worth * max(0, waits - 1) for waits in range(1, 12))]


def test_a_websocket_is_left_alone() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(send)

    async def take(message: Message) -> None:
        """Nothing comes."""

    asyncio.run(Paced(app)({"type": "websocket"}, nothing, take))
    assert seen == [take]
