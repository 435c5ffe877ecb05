"""Answers on their way: few large ones a visitor, so many bytes together, each made as it is taken."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import Message

from playground.service import outgoing
from playground.service.asking import Asking, asking
from playground.service.gate import Busy
from playground.service.line import Line
from playground.service.outgoing import Content, Outgoing, Room, respond, whole
from playground.service.settings import MEBIBYTE, Service

SCOPE = {"type": "http", "method": "GET", "asgi": {"spec_version": "2.3"}}


@pytest.fixture
def space(monkeypatch: pytest.MonkeyPatch) -> Room:
    found = Room(Service(answers_mb=4))
    monkeypatch.setattr(outgoing, "room", lambda: found)
    return found


def counted(pieces: int) -> tuple[list[int], Iterator[bytes]]:
    made: list[int] = []

    def make() -> Iterator[bytes]:
        for number in range(pieces):
            made.append(number)
            yield bytes([number]) * 1000

    return made, make()


def answer(content: Content, visitor: str = "a") -> Outgoing:
    with asking(Asking(visitor)):
        found = respond(content, media_type="text/csv", headers={"X-Name": "b"})
    assert isinstance(found, Outgoing)
    return found


class Client:
    """Takes `most` messages, then none; `gone` says that it has left."""

    def __init__(self, most: int = 10**9) -> None:
        self.most = most
        self.gone = asyncio.Event()
        self.taken: list[Any] = []
        self.full = asyncio.Event()

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if len(self.taken) >= self.most:
            self.full.set()
            await asyncio.sleep(3600)
        self.taken.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.taken)


def test_a_short_answer_says_its_length(space: Room) -> None:
    async def ask() -> Client:
        client = Client()
        await answer(whole(b"short"))(SCOPE, client.receive, client.send)
        return client

    client = asyncio.run(ask())
    assert dict(client.taken[0]["headers"])[b"content-length"] == b"5" and client.body == b"short"
    assert space.held == 0


def test_a_long_answer_is_made_as_it_is_taken(space: Room) -> None:
    made, pieces = counted(50)

    async def ask() -> tuple[int, int, int]:
        client = Client(most=6)
        sending = asyncio.create_task(answer(Content(pieces, 2 * MEBIBYTE))(SCOPE, client.receive, client.send))
        await client.full.wait()
        ahead, held = len(made), space.held
        client.gone.set()
        await sending  # ends when the client leaves
        return ahead, held, space.held

    ahead, held, after = asyncio.run(ask())
    assert ahead <= 7  # five were taken, one waits to be, and it looked whether there is a second
    assert (held, after) == (2 * MEBIBYTE, 0)
    assert len(made) == ahead  # nothing more was made for nobody


def test_all_pieces_arrive_in_order(space: Room) -> None:
    _, pieces = counted(40)

    async def ask() -> Client:
        client = Client()
        await answer(Content(pieces, 1))(SCOPE, client.receive, client.send)
        return client

    client = asyncio.run(ask())
    assert client.body == b"".join(bytes([number]) * 1000 for number in range(40))
    headers = dict(client.taken[0]["headers"])
    assert b"content-length" not in headers and headers[b"x-name"] == b"b"


def test_who_asks_for_the_head_alone_costs_no_pieces(space: Room) -> None:
    made, pieces = counted(50)

    async def ask() -> None:
        client = Client()
        await answer(Content(pieces, 5))({**SCOPE, "method": "HEAD"}, client.receive, client.send)

    asyncio.run(ask())
    assert len(made) == 2 and space.held == 0


def test_half_of_the_room_is_the_most_for_one_visitor(space: Room) -> None:
    """Many small ones, as of a class behind one address; more than half goes to nobody but who asks for one alone."""
    kept = [space.enter("a", MEBIBYTE // 4) for _ in range(8)]
    with pytest.raises(Busy, match="to one place") as busy:
        space.enter("a", 1)
    assert busy.value.reason == "too_many_files"
    space.enter("b", 3 * MEBIBYTE // 2)
    kept[0]()
    kept[0]()  # once more changes nothing
    assert space.held == 7 * MEBIBYTE // 4 + 3 * MEBIBYTE // 2
    space.enter("a", MEBIBYTE // 4)
    Room(Service(answers_mb=4)).enter("a", 3 * MEBIBYTE)


def test_they_hold_so_much_together_and_one_alone_may_hold_more(space: Room) -> None:
    leave = space.enter("a", 9 * MEBIBYTE)
    with pytest.raises(Busy, match="sending as many files as it can hold"):
        space.enter("b", 1)
    leave()
    space.enter("b", 3 * MEBIBYTE)
    with pytest.raises(Busy) as busy:
        space.enter("c", MEBIBYTE + 1)
    assert busy.value.reason == "answers_full"
    space.enter("c", MEBIBYTE)
    assert space.held == 4 * MEBIBYTE


def test_an_answer_that_is_never_sent_leaves_too(space: Room) -> None:
    found = answer(whole(b"x" * 100))
    assert space.held == 100
    del found
    gc.collect()
    assert space.held == 0


def test_a_fault_in_the_first_piece_leaves_the_room(space: Room) -> None:
    def broken() -> Iterator[bytes]:
        raise ZeroDivisionError
        yield b""

    with pytest.raises(ZeroDivisionError):
        answer(Content(broken(), 100))
    assert space.held == 0


def test_pieces_stand_in_the_line_of_the_pages(space: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a page is run no piece is made; when it is done the next one is."""
    line = Line(patience=60)
    monkeypatch.setattr(outgoing, "line", lambda: line)
    made, pieces = counted(50)

    async def ask() -> tuple[int, bytes]:
        client = Client()
        found = answer(Content(pieces, 1))
        before = len(made)
        inside, leave = threading.Event(), threading.Event()

        def page() -> None:
            with line.place("page"):
                inside.set()
                leave.wait(60)

        running = threading.Thread(target=page)
        running.start()
        inside.wait(60)
        sending = asyncio.create_task(found(SCOPE, client.receive, client.send))
        while not line.waiting:
            await asyncio.sleep(0.005)
        while_running = len(made) - before
        leave.set()
        await sending
        running.join()
        return while_running, client.body

    while_running, body = asyncio.run(ask())
    assert while_running == 0 and len(body) == 50_000
