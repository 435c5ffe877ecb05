"""A run's messages gather in its thread: all of them, in their order, and the loop is woken once for many."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import ScriptRunnerEvent

from playground.service.messages import gathering
from playground.service.messages.gathering import Batch
from tests.service.loops import Loop


def test_everything_is_called_in_its_order_and_the_loop_is_woken_once(loop: Loop) -> None:
    seen: list[int] = []
    batch = Batch(loop)
    for number in range(100):
        batch.add(lambda number=number: seen.append(number))  # type: ignore[misc]
    assert seen == [] and loop.woken == 1
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == list(range(100))


def test_what_can_wait_waits_for_more_and_goes_with_what_cannot(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "GATHER", 60)
    seen: list[str] = []
    batch = Batch(loop)
    for name in ("a", "b", "c"):
        batch.add(lambda name=name: seen.append(name), can_wait=True)  # type: ignore[misc]
    loop.run_until_complete(asyncio.sleep(0.05))
    assert seen == [] and loop.woken == 1
    batch.add(lambda: seen.append("end"))
    batch.add(lambda: seen.append("after"), can_wait=True)
    loop.run_until_complete(asyncio.sleep(0))
    assert seen == ["a", "b", "c", "end", "after"] and loop.woken == 2


def test_what_can_wait_does_not_wait_for_ever(loop: Loop) -> None:
    """Nor does what comes when it has gone, whatever became of the timer before."""
    seen: list[int] = []
    batch = Batch(loop)
    begin = loop.time()
    for number in range(3):
        batch.add(lambda number=number: seen.append(number), can_wait=True)  # type: ignore[misc]
        batch.add(lambda: None)
        loop.run_until_complete(asyncio.sleep(0))
        assert seen.pop() == number
        batch.add(lambda number=number: seen.append(number), can_wait=True)  # type: ignore[misc]
        while not seen and loop.time() - begin < 30:
            loop.run_until_complete(asyncio.sleep(0.005))
        assert seen.pop() == number and not seen


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


class Session:
    """What of a session is asked for where the events of its runs arrive: which run it has, and its queue."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._event_loop = loop
        self._scriptrunner: object = "this run"
        self.got: list[str] = []

    def _enqueue_forward_msg(self, message: ForwardMsg) -> None:
        self.got.append(message.hash)

    def _call_soon_on_event_loop(self, callback: Any) -> None:
        gathering.call_soon(self, callback)  # type: ignore[arg-type]

    def _handle_scriptrunner_event_on_event_loop(self, sender: object, event: ScriptRunnerEvent, *more: Any) -> None:
        self.got.append(f"{event.name} {more}")


def send(session: Session, sender: object, event: ScriptRunnerEvent, *args: Any, **more: Any) -> None:
    gathering._on_event(session, sender, event, *args, **more)  # type: ignore[arg-type]


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


def test_a_message_of_a_run_wakes_nobody_by_itself(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "GATHER", 60)
    session = Session(loop)
    for name in ("a", "b"):
        send(session, "this run", ScriptRunnerEvent.ENQUEUE_FORWARD_MSG, forward_msg=ForwardMsg(hash=name))
    loop.run_until_complete(asyncio.sleep(0.05))
    assert session.got == []
    send(session, "this run", ScriptRunnerEvent.SHUTDOWN)
    loop.run_until_complete(asyncio.sleep(0))
    assert session.got[:2] == ["a", "b"] and len(session.got) == 3


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
