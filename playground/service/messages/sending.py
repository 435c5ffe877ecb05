"""From the event loop to the browser: what gathers in a session's queue goes out in one go."""

from __future__ import annotations

import asyncio
from typing import Any

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import exists, get_instance, runtime
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import get_script_run_ctx

from playground.service.messages.gathering import call_soon
from playground.service.messages.order import running_last

GATHER = 0.05  # seconds that what is in the queue waits for more; the end of a run waits for nothing
AT_ONCE = 100  # messages that are handed on before others have their turn; the queue that takes them holds 500


def _enqueue_forward_msg(session: AppSession, message: ForwardMsg) -> None:
    """Put it where the sending task will find it, and wake the task in a moment: once for all that comes until then.

    The server has made its own way of waking before anything here could take its place: so it is not asked.
    """
    session._browser_queue.enqueue(message)
    if exists():
        _wake(get_instance())


def _wake(server: runtime.Runtime) -> None:
    objects = server._get_async_objs()
    if objects.need_send_data.is_set() or getattr(server, "_about_to_send", False):
        return
    server._about_to_send = True  # type: ignore[attr-defined]
    objects.eventloop.call_soon_threadsafe(objects.eventloop.call_later, GATHER, _send, server)


def _send(server: runtime.Runtime) -> None:
    server._about_to_send = False  # type: ignore[attr-defined]
    server._get_async_objs().need_send_data.set()


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

    call_soon(session, send)


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


class Sleep:
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
    AppSession._create_script_finished_message = _create_script_finished_message  # type: ignore[method-assign, assignment]
    AppSession.flush_browser_queue = _flush_browser_queue  # type: ignore[method-assign, assignment]
    AppSession._enqueue_forward_msg = _enqueue_forward_msg  # type: ignore[method-assign, assignment]
    runtime.asyncio = Sleep()  # type: ignore[assignment, attr-defined]
