"""From a run's thread to the event loop: its messages gather there, and the loop is woken once for many.

Each waking is a system call that hands over the interpreter: the run then waits until it is given back. What the
browser is to be sent can wait a little, for a message alone is not sent anyway (`sending.py`); what changes the session
cannot, and takes along what has gathered before it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import ScriptRunner, ScriptRunnerEvent

GATHER = 0.05  # seconds that a run's message waits in its thread, unless something comes that cannot wait


class Batch:
    """What a session's threads want done on its event loop, in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: list[Callable[[], None]] = []
        self._called = False  # the loop has been asked to do it now,
        self._timed = False  # or in a while

    def add(self, callback: Callable[[], None], can_wait: bool = False) -> None:
        """Do it soon, after all that has gathered until then; or, if it `can_wait`, with what comes after it."""
        with self._lock:
            self._waiting.append(callback)
            if self._called or (can_wait and self._timed):
                return
            self._called, self._timed = not can_wait, True
        try:
            if can_wait:
                self._loop.call_soon_threadsafe(self._loop.call_later, GATHER, self._do)
            else:
                self._loop.call_soon_threadsafe(self._do)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def _do(self) -> None:
        with self._lock:
            callbacks, self._waiting = self._waiting, []
            self._called = self._timed = False
        for callback in callbacks:
            try:
                callback()
            except Exception as problem:  # as the loop does with each: the others are called all the same
                self._loop.call_exception_handler({"message": "in a callback of a session", "exception": problem})


def call_soon(session: AppSession, callback: Callable[[], None], can_wait: bool = False) -> None:
    """Do it on the session's event loop."""
    batch: Batch = session.__dict__.setdefault("_batch", Batch(session._event_loop))
    batch.add(callback, can_wait)


_any_event = AppSession._on_scriptrunner_event


def _on_event(
    session: AppSession,
    sender: ScriptRunner | None,
    event: ScriptRunnerEvent,
    forward_msg: ForwardMsg | None = None,
    **more: Any,
) -> None:
    """A message of a run is for the browser; all other events change the session, and Streamlit handles them."""
    if event is not ScriptRunnerEvent.ENQUEUE_FORWARD_MSG or forward_msg is None:
        _any_event(session, sender, event, forward_msg, **more)
        return

    def pass_on() -> None:
        if sender is session._scriptrunner:  # else it is of a run that was given up
            session._enqueue_forward_msg(forward_msg)

    call_soon(session, pass_on, can_wait=True)


def install() -> None:
    """For the whole process, before its first session."""
    AppSession._call_soon_on_event_loop = call_soon  # type: ignore[method-assign, assignment]
    AppSession._on_scriptrunner_event = _on_event  # type: ignore[method-assign, assignment]
