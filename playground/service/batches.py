"""The messages of a run go from its thread to the event loop, and from there to the browser, in batches.

A run has a hundred messages. Streamlit wakes the event loop for each of them, wakes it again to say that there is
something to send, and lets it go round once more for each that it sends. While pages are drawn, every such round waits
until the drawing thread hands over the interpreter, up to 5 ms each: of sixty visitors the last waited longer for his
messages to be passed on than for his page to be drawn. And the browser takes in the whole page anew for each handful of
messages that comes by itself.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import exists, get_instance, runtime
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import ScriptRunner, ScriptRunnerEvent, get_script_run_ctx

GATHER = 0.1  # seconds that what a run says waits for more; its end waits for nothing
AT_ONCE = 100  # messages that are handed on before others have their turn; the queue that takes them holds 500


class Batch:
    """What a session's threads want done on its event loop, in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: list[Callable[[], None]] = []

    def add(self, callback: Callable[[], None]) -> None:
        """Do it soon: one call of the loop does all that has gathered until then."""
        with self._lock:
            self._waiting.append(callback)
            if len(self._waiting) > 1:
                return
        try:
            self._loop.call_soon_threadsafe(self._do)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def _do(self) -> None:
        with self._lock:
            callbacks, self._waiting = self._waiting, []
        for callback in callbacks:
            try:
                callback()
            except Exception as problem:  # as the loop does with each: the others are called all the same
                self._loop.call_exception_handler({"message": "in a callback of a session", "exception": problem})


def _call_soon(session: AppSession, callback: Callable[[], None]) -> None:
    batch: Batch = session.__dict__.setdefault("_batch", Batch(session._event_loop))
    batch.add(callback)


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

    _call_soon(session, pass_on)


def _enqueue_forward_msg(session: AppSession, message: ForwardMsg) -> None:
    """Put it where the sending task will find it, and wake the task in a moment: once for all that comes until then.

    The server has made its own way of waking before anything here could take its place: so it is not asked.
    """
    session._browser_queue.enqueue(message)
    if exists():
        _wake(get_instance())


def _wake(server: runtime.Runtime) -> None:
    objects = server._get_async_objs()
    if not (objects.need_send_data.is_set() or getattr(server, "_about_to_send", False)):
        objects.eventloop.call_soon_threadsafe(_send_soon, server)


def _send_soon(server: runtime.Runtime) -> None:
    if getattr(server, "_about_to_send", False):
        return
    objects = server._get_async_objs()

    def now() -> None:
        server._about_to_send = False  # type: ignore[attr-defined]
        objects.need_send_data.set()

    server._about_to_send = True  # type: ignore[attr-defined]
    objects.eventloop.call_later(GATHER, now)


def send_now(pause: float = 0.0) -> None:
    """What the run on this thread has said so far goes out: the visitor waits for it, and much is to come.

    What follows waits for `pause` seconds: a browser that is given it at once draws nothing before it has taken in all.
    """
    context = get_script_run_ctx(suppress_warning=True)
    if context is None or not exists():
        return
    server = get_instance()
    sessions = getattr(server, "_session_mgr", None)  # a page that is tested by itself has none
    info = sessions.get_active_session_info(context.session_id) if sessions else None
    if info is None:  # or the visitor has gone
        return
    session: Any = info.session

    def send() -> None:
        session._pause = pause
        server._get_async_objs().need_send_data.set()

    _call_soon(session, send)


_finished_message = AppSession._create_script_finished_message


def _create_script_finished_message(session: AppSession, *args: Any) -> ForwardMsg:
    """The last message of a run: with it all goes out at once."""
    get_instance()._get_async_objs().need_send_data.set()
    return _finished_message(session, *args)


_flush = AppSession.flush_browser_queue


def _flush_browser_queue(session: Any) -> list[ForwardMsg]:
    """All that waits for the browser; nothing during a pause, at whose end the sending task is woken."""
    loop = session._event_loop
    pause: float | None = session.__dict__.pop("_pause", None)
    if pause is not None:
        session._paused_until = loop.time() + pause
        loop.call_later(pause, get_instance()._get_async_objs().need_send_data.set)
    elif loop.time() < getattr(session, "_paused_until", 0.0) - 0.001:  # a timer may be a little early
        return []
    return running_last(_flush(session))


def running_last(messages: list[ForwardMsg]) -> list[ForwardMsg]:
    """The same messages, but that a run is under way is said after what it has drawn so far.

    The browser goes through its whole page for that news. Said first, it does so once more before anything new is on
    the screen; said last, while it does so for what is new. The end of the run is still said after it.
    """
    kinds = [message.WhichOneof("type") for message in messages]
    for start, kind in enumerate(kinds):
        if kind == "session_status_changed" and messages[start].session_status_changed.script_is_running:
            end = next((place for place in range(start + 1, len(kinds)) if kinds[place] in _LIFE), len(kinds))
            return [*messages[:start], *messages[start + 1 : end], messages[start], *running_last(messages[end:])]
    return messages


_LIFE = ("new_session", "session_status_changed", "script_finished")


class _Sleep:
    """`asyncio`, but a sleep of no time is one only now and then."""

    def __init__(self) -> None:
        self._passed = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float, *more: Any) -> Any:
        if seconds == 0:
            self._passed += 1
            if self._passed % AT_ONCE:
                return None
        return await asyncio.sleep(seconds, *more)


def install() -> None:
    """For the whole process, before its first session."""
    AppSession._call_soon_on_event_loop = _call_soon  # type: ignore[method-assign, assignment]
    AppSession._on_scriptrunner_event = _on_event  # type: ignore[method-assign, assignment]
    AppSession._create_script_finished_message = _create_script_finished_message  # type: ignore[method-assign, assignment]
    AppSession.flush_browser_queue = _flush_browser_queue  # type: ignore[method-assign, assignment]
    AppSession._enqueue_forward_msg = _enqueue_forward_msg  # type: ignore[method-assign, assignment]
    runtime.asyncio = _Sleep()  # type: ignore[assignment, attr-defined]
