"""Messages in batches: all of them, in their order, and the loop is woken once for many."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import ScriptRunnerEvent

from playground.service import batches
from playground.service.batches import AT_ONCE, Batch, _Sleep
from tests.conftest import ROOT


class Loop(asyncio.SelectorEventLoop):
    """Counts how often another thread has woken it."""

    woken = 0

    def call_soon_threadsafe(self, callback: Any, *args: Any, **more: Any) -> asyncio.Handle:
        self.woken += 1
        return super().call_soon_threadsafe(callback, *args, **more)


@pytest.fixture
def loop() -> Any:
    made = Loop()
    yield made
    if not made.is_closed():
        made.close()


def test_everything_is_called_in_its_order_and_the_loop_is_woken_once(loop: Loop) -> None:
    seen: list[int] = []
    batch = Batch(loop)
    for number in range(100):
        batch.add(lambda number=number: seen.append(number))  # type: ignore[misc]
    assert seen == [] and loop.woken == 1
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == list(range(100))


def test_nothing_is_lost_between_threads(loop: Loop) -> None:
    """Each thread's own in its order, while the loop takes them out."""
    seen: list[tuple[int, int]] = []
    batch = Batch(loop)

    def work(name: int) -> None:
        for number in range(2000):
            batch.add(lambda number=number: seen.append((name, number)))  # type: ignore[misc]

    threads = [threading.Thread(target=work, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()

    async def until_all() -> None:
        while len(seen) < 6000:
            await asyncio.sleep(0.001)

    loop.run_until_complete(asyncio.wait_for(until_all(), 30))
    for thread in threads:
        thread.join()
    for name in range(3):
        assert [number for who, number in seen if who == name] == list(range(2000))
    assert loop.woken < 6000


def test_what_comes_while_the_batch_is_done_comes_after_it(loop: Loop) -> None:
    seen: list[str] = []
    batch = Batch(loop)
    batch.add(lambda: (seen.append("first"), batch.add(lambda: seen.append("third"))))
    batch.add(lambda: seen.append("second"))
    loop.call_soon(lambda: loop.call_soon(loop.stop))
    loop.run_forever()
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == ["first", "second", "third"]


def test_one_that_fails_keeps_none_of_the_others(loop: Loop) -> None:
    seen: list[str] = []
    told: list[Any] = []
    loop.set_exception_handler(lambda _loop, context: told.append(context["exception"]))
    batch = Batch(loop)
    batch.add(lambda: 1 // 0)  # type: ignore[arg-type, return-value]
    batch.add(lambda: seen.append("after"))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == ["after"] and isinstance(told[0], ZeroDivisionError)


def test_a_loop_that_is_closed_is_no_error(loop: Loop) -> None:
    loop.close()
    Batch(loop).add(lambda: None)


def test_others_have_their_turn_now_and_then() -> None:
    """A hundred messages go out in one go, then everybody else's work; a real pause is a real pause."""
    turns: list[int] = []

    async def other() -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    async def send() -> None:
        sleep = _Sleep()
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


class Session:
    """What of a session is asked for where the events of its runs arrive: which run it has, and its queue."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._event_loop = loop
        self._scriptrunner: object = "this run"
        self.got: list[str] = []

    def _enqueue_forward_msg(self, message: ForwardMsg) -> None:
        self.got.append(message.hash)

    def _call_soon_on_event_loop(self, callback: Any) -> None:
        batches._call_soon(self, callback)  # type: ignore[arg-type]

    def _handle_scriptrunner_event_on_event_loop(self, sender: object, event: ScriptRunnerEvent, *more: Any) -> None:
        self.got.append(f"{event.name} {more}")


def send(session: Session, sender: object, event: ScriptRunnerEvent, *args: Any, **more: Any) -> None:
    batches._on_event(session, sender, event, *args, **more)  # type: ignore[arg-type]


def test_messages_go_to_the_queue_and_other_events_to_streamlit_in_one_order(loop: Loop) -> None:
    session = Session(loop)
    enqueue, started = ScriptRunnerEvent.ENQUEUE_FORWARD_MSG, ScriptRunnerEvent.SCRIPT_STARTED
    send(session, "this run", started, page_script_hash="page")
    send(session, "this run", enqueue, forward_msg=ForwardMsg(hash="a"))
    send(session, "a run that was given up", enqueue, forward_msg=ForwardMsg(hash="stale"))
    send(session, "this run", enqueue, forward_msg=ForwardMsg(hash="b"))
    send(session, "this run", ScriptRunnerEvent.SHUTDOWN)
    assert session.got == [] and loop.woken == 1
    loop.call_soon(loop.stop)
    loop.run_forever()
    nothing = (None,) * 7
    assert session.got == [
        f"SCRIPT_STARTED {(*nothing[:3], 'page', *nothing[:3])}",
        "a",
        "b",
        f"SHUTDOWN {nothing}",
    ]


def test_streamlit_itself_does_no_more_with_a_message_than_to_enqueue_it(loop: Loop) -> None:
    """The way that is cut short: what the whole handler does with a message, with a running session."""
    did: list[object] = []

    class Whole(Session):
        _state = "running"
        _handle_scriptrunner_event_on_event_loop = AppSession._handle_scriptrunner_event_on_event_loop

        def __setattr__(self, name: str, value: object) -> None:
            did.append(name)
            super().__setattr__(name, value)

        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"asked for {name}")

    session = Whole(loop)
    did.clear()

    async def handle(sender: str) -> None:
        message = ForwardMsg(hash=f"of {sender}")
        AppSession._handle_scriptrunner_event_on_event_loop(
            session,  # type: ignore[arg-type]
            sender,  # type: ignore[arg-type]
            ScriptRunnerEvent.ENQUEUE_FORWARD_MSG,
            message,
        )

    loop.run_until_complete(handle("this run"))
    loop.run_until_complete(handle("a run that was given up"))
    assert session.got == ["of this run"] and did == []


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
    monkeypatch.setattr(batches, "exists", lambda: True)
    monkeypatch.setattr(batches, "get_instance", lambda: server)
    messages = [ForwardMsg(hash=str(number)) for number in range(103)]

    async def talk() -> list[bool]:
        woken = []
        for message in messages[:100]:
            batches._enqueue_forward_msg(session, message)  # type: ignore[arg-type]
            await asyncio.sleep(0)
            woken.append(server.need_send_data.is_set())
        return woken

    assert not any(loop.run_until_complete(talk()))
    assert loop.woken == 1
    assert loop.run_until_complete(server.look()) <= batches.GATHER + 1
    # It has looked: the next message wakes it again, and those that come until then do not.
    for message in messages[100:]:
        batches._enqueue_forward_msg(session, message)  # type: ignore[arg-type]
    loop.run_until_complete(server.look())
    assert 2 <= loop.woken <= 4
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
    monkeypatch.setattr(batches, "exists", lambda: True)
    monkeypatch.setattr(batches, "get_instance", lambda: server)
    monkeypatch.setattr(batches, "get_script_run_ctx", lambda **_: session)
    monkeypatch.setattr(batches, "_flush", lambda session: session.flush())
    monkeypatch.setattr(batches, "GATHER", 60)
    return server, session


def said_in_two(session: Visited, pause: float) -> None:
    """What a run does on its thread: an answer that goes out, then a picture."""

    def run() -> None:
        batches._call_soon(session, lambda: batches._enqueue_forward_msg(session, drawn("answer")))  # type: ignore[arg-type]
        batches.send_now(pause)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def flushed(session: Visited) -> list[str]:
    return [message.delta.new_element.markdown.body for message in batches._flush_browser_queue(session)]


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
    batches.send_now()


def test_nobody_is_sent_anything_who_is_not_there(visited: tuple[Server, Visited]) -> None:
    _server, session = visited
    session.session_id = "another"
    session.get_active_session_info = lambda _id: None  # type: ignore[method-assign, assignment, return-value]
    batches.send_now(1.0)
    assert "_batch" not in session.__dict__


def test_the_end_of_a_run_waits_for_nothing(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(loop)
    monkeypatch.setattr(batches, "get_instance", lambda: server)
    batches._wake(server)  # type: ignore[arg-type]
    assert not server.need_send_data.is_set()
    said = batches._create_script_finished_message(object(), ForwardMsg.FINISHED_SUCCESSFULLY)  # type: ignore[arg-type]
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
    said = batches.running_last([first, on, a, b, done, off, second, on, c])
    assert said == [first, a, b, on, done, off, second, c, on]
    for untouched in ([], [a, b, done, off], [first, on], [off, second, on]):
        assert batches.running_last(untouched) == untouched


def test_it_is_there_once_the_server_is_warm() -> None:
    asked = (
        "from playground.warmup import warm_up; warm_up();"
        "from streamlit.runtime import runtime; from streamlit.runtime.app_session import AppSession;"
        "replaced = (AppSession._call_soon_on_event_loop, AppSession._on_scriptrunner_event,"
        "    AppSession._create_script_finished_message, AppSession._enqueue_forward_msg,"
        "    AppSession.flush_browser_queue);"
        "print(type(runtime.asyncio).__name__, *{one.__module__ for one in replaced})"
    )
    said = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.split()[-2:] == ["_Sleep", "playground.service.batches"]
