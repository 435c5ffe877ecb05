"""What gathers in a session's queue goes out in one go, in an order that spares the browser work."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from playground.service.messages import gathering, sending
from playground.service.messages.order import running_last
from playground.service.messages.sending import AT_ONCE, Sleep
from tests.conftest import ROOT
from tests.service.loops import Loop


def test_others_have_their_turn_now_and_then() -> None:
    """A hundred messages go out in one go, then everybody else's work; a real pause is a real pause."""
    turns: list[int] = []

    async def other() -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    async def send() -> None:
        sleep = Sleep()
        task = asyncio.create_task(other())
        await asyncio.sleep(0)
        before = len(turns)
        for _message in range(AT_ONCE - 1):
            await sleep.sleep(0)
        assert len(turns) == before
        await sleep.sleep(0)
        assert len(turns) > before
        begin = asyncio.get_running_loop().time()
        await sleep.sleep(0.02)
        assert asyncio.get_running_loop().time() - begin >= 0.019
        assert sleep.Event is asyncio.Event
        task.cancel()

    asyncio.run(send())


class Server:
    """What of Streamlit's runtime is asked for: the loop, and the flag by which the sending task is woken."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.need_send_data = asyncio.Event()
        self.eventloop = loop

    def _get_async_objs(self) -> Server:
        return self

    async def look(self) -> float:
        """Wait as the sending task does; how long it was."""
        begin = self.eventloop.time()
        await asyncio.wait_for(self.need_send_data.wait(), 5)
        self.need_send_data.clear()
        return self.eventloop.time() - begin


class Queue:
    """What of a session is asked for: its queue; and the way of waking that the server gave it before the warm-up."""

    def __init__(self) -> None:
        self.queued: list[ForwardMsg] = []
        self._browser_queue = self

    def enqueue(self, message: ForwardMsg) -> None:
        self.queued.append(message)

    def _message_enqueued_callback(self) -> None:
        raise AssertionError("it wakes the sending task for each message")


def test_what_a_run_says_is_gathered_before_the_sending_task_is_woken(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, session = Server(loop), Queue()
    monkeypatch.setattr(sending, "exists", lambda: True)
    monkeypatch.setattr(sending, "get_instance", lambda: server)
    messages = [ForwardMsg(hash=str(number)) for number in range(103)]

    async def talk() -> list[bool]:
        woken = []
        for message in messages[:100]:
            sending._enqueue_forward_msg(session, message)  # type: ignore[arg-type]
            await asyncio.sleep(0)
            woken.append(server.need_send_data.is_set())
        return woken

    assert not any(loop.run_until_complete(talk()))
    assert loop.woken == 1
    assert loop.run_until_complete(server.look()) <= sending.GATHER + 1
    # It has looked: the next message wakes it again, and those that come until then do not, though all come at once.
    for message in messages[100:]:
        sending._enqueue_forward_msg(session, message)  # type: ignore[arg-type]
    loop.run_until_complete(server.look())
    assert loop.woken == 2
    assert session.queued == messages


class Visited(Queue):
    """A session whose browser is there, and its server's list of sessions."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._event_loop = loop
        self.session, self.session_id = self, "mine"

    def get_active_session_info(self, session_id: str) -> Visited | None:
        return self if session_id == self.session_id else None

    def flush(self) -> list[ForwardMsg]:
        found, self.queued = self.queued, []
        return found


@pytest.fixture
def visited(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> tuple[Server, Visited]:
    server, session = Server(loop), Visited(loop)
    server._session_mgr = session  # type: ignore[attr-defined]
    monkeypatch.setattr(sending, "exists", lambda: True)
    monkeypatch.setattr(sending, "get_instance", lambda: server)
    monkeypatch.setattr(sending, "get_script_run_ctx", lambda **_: session)
    monkeypatch.setattr(sending, "_flush", lambda session: session.flush())
    monkeypatch.setattr(sending, "GATHER", 60)
    return server, session


def said_in_two(session: Visited, pause: float) -> None:
    """What a run does on its thread: an answer that goes out, then a picture."""

    def run() -> None:
        gathering.call_soon(session, lambda: sending._enqueue_forward_msg(session, drawn("answer")))  # type: ignore[arg-type]
        sending.send_now(pause)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def flushed(session: Visited) -> list[str]:
    return [message.delta.new_element.markdown.body for message in sending._flush_browser_queue(session)]


def test_what_the_visitor_waits_for_need_not_wait_for_the_rest(
    loop: Loop, visited: tuple[Server, Visited]
) -> None:
    server, session = visited
    said_in_two(session, 0.0)
    assert loop.run_until_complete(server.look()) < 5
    assert flushed(session) == ["answer"]
    session.enqueue(drawn("picture"))
    assert flushed(session) == ["picture"]


def test_the_rest_waits_for_a_pause_and_then_goes_by_itself(loop: Loop, visited: tuple[Server, Visited]) -> None:
    server, session = visited
    said_in_two(session, 0.3)
    loop.run_until_complete(server.look())
    assert flushed(session) == ["answer"]
    session.enqueue(drawn("picture"))
    assert flushed(session) == []
    assert loop.run_until_complete(server.look()) > 0.1  # woken by nobody else
    assert flushed(session) == ["picture"]
    # The answer of another run does not wait for the end of the pause of the one before.
    said_in_two(session, 60.0)
    loop.run_until_complete(server.look())
    assert flushed(session) == ["answer"]
    said_in_two(session, 60.0)
    loop.run_until_complete(server.look())
    assert flushed(session) == ["answer"]


def test_without_a_server_there_is_nothing_to_send() -> None:
    sending.send_now()


def test_nobody_is_sent_anything_who_is_not_there(visited: tuple[Server, Visited]) -> None:
    _server, session = visited
    session.session_id = "another"
    session.get_active_session_info = lambda _id: None  # type: ignore[method-assign, assignment, return-value]
    sending.send_now(1.0)
    assert "_batch" not in session.__dict__


def test_the_end_of_a_run_waits_for_nothing(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(loop)
    monkeypatch.setattr(sending, "get_instance", lambda: server)
    sending._wake(server)  # type: ignore[arg-type]
    assert not server.need_send_data.is_set()
    said = sending._create_script_finished_message(object(), ForwardMsg.FINISHED_SUCCESSFULLY)  # type: ignore[arg-type]
    assert said.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY and server.need_send_data.is_set()


def status(running: bool) -> ForwardMsg:
    message = ForwardMsg()
    message.session_status_changed.script_is_running = running
    return message


def drawn(text: str) -> ForwardMsg:
    message = ForwardMsg()
    message.delta.new_element.markdown.body = text
    return message


def test_that_a_run_is_under_way_is_said_after_what_it_has_drawn() -> None:
    """And before its end; nothing else changes its place, and of two runs each keeps its own."""
    first, second, a, b, c = ForwardMsg(), ForwardMsg(), drawn("a"), drawn("b"), drawn("c")
    first.new_session.name, second.new_session.name = "first", "second"
    done = ForwardMsg(script_finished=ForwardMsg.FINISHED_SUCCESSFULLY)
    on, off = status(True), status(False)
    said = running_last([first, on, a, b, done, off, second, on, c])
    assert said == [first, a, b, on, done, off, second, c, on]
    for untouched in ([], [a, b, done, off], [first, on], [off, second, on]):
        assert running_last(untouched) == untouched


def test_what_goes_out_is_in_that_order(visited: tuple[Server, Visited]) -> None:
    _server, session = visited
    said = [ForwardMsg(), status(True), drawn("a")]
    said[0].new_session.name = "new"
    for message in said:
        session.enqueue(message)
    assert sending._flush_browser_queue(session) == [said[0], said[2], said[1]]
    assert session.queued == []


def test_it_is_there_once_the_server_is_warm() -> None:
    asked = (
        "from playground.warmup import warm_up; warm_up();"
        "from streamlit.runtime import runtime; from streamlit.runtime.app_session import AppSession;"
        "replaced = (AppSession._call_soon_on_event_loop, AppSession._on_scriptrunner_event,"
        "    AppSession._create_script_finished_message, AppSession._enqueue_forward_msg,"
        "    AppSession.flush_browser_queue);"
        "print(type(runtime.asyncio).__name__, *(one.__module__.rpartition('.')[2] for one in replaced))"
    )
    said = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.split()[-6:] == ["Sleep", "gathering", "gathering", "sending", "sending", "sending"]
