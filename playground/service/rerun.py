"""What stands round every rerun of a page: its time, its place in the queue, and words where the machine is full."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from playground import panel
from playground.i18n import _
from playground.service import logs, metrics
from playground.service.asking import Asking, asking
from playground.service.gate import Busy
from playground.service.line import line


@contextmanager
def watched(page: str) -> Iterator[None]:
    """Run a page within this: it is timed and counted, and its visitor is told the place in the queue.

    Where the machine is full and the page did not say so itself, it is said at the top; what was drawn before stays.
    """
    notice = st.empty()
    shown: list[int] = []

    def say_place(place: int) -> None:
        # Written each time, even if unchanged: this is where a newer change of the same visitor takes over.
        shown.append(place)
        notice.info(waiting_words(place))

    started = time.perf_counter()
    outcome = "interrupted"  # unless it comes to an end: Streamlit ends a rerun with an exception of its own
    with ExitStack() as until_end, asking(Asking(_visitor(), say_place, until_end)) as who:
        try:
            with line().place(who.visitor) as who.step_aside:
                who.seconds_waited += time.perf_counter() - started
                yield
            outcome = "done"
        except Busy as busy:
            outcome = "busy"
            panel.statement("busy", busy_words(busy), alert=True)
            st.button(_("Try again"), key="try_again")  # any rerun does: the address still says what was wanted
        except Exception as problem:
            outcome = "failed"
            logs.failure("failed", problem, page=page)
            raise
        finally:
            seconds = time.perf_counter() - started
            metrics.RERUNS.labels(page, outcome).inc()
            metrics.RERUN_SECONDS.labels(page).observe(seconds)
            logs.event(
                "rerun",
                page=page,
                outcome=outcome,
                ms=round(1000 * seconds, 1),
                waited_ms=round(1000 * who.seconds_waited, 1) or None,
                computed=who.computed,
                cached=who.from_cache,
                visitor=who.visitor,
            )
    if shown:
        notice.empty()


def waiting_words(place: int) -> str:
    """What a visitor who waits is told."""
    if place == 1:
        return _("This is a large computation, and others are being worked on. Yours is next.")
    return _("This is a large computation, and others are being worked on. Yours is number {place} in line.").format(
        place=place
    )


def busy_words(busy: Busy) -> str:
    """What a visitor is told where the machine is full."""
    return {
        "queue_full": _("The machine is full: too many large computations are waiting. Try again in a moment."),
        "waited_too_long": _("The machine is full: the turn of this computation did not come. Try again in a moment."),
        "too_many_at_once": _("Too many large computations at once from one place. Wait for those that are running."),
    }[busy.reason]


def _visitor() -> str:
    """The same for the same tab, and of no use for anything else."""
    context = get_script_run_ctx()
    return hashlib.sha256(context.session_id.encode()).hexdigest()[:8] if context else ""
