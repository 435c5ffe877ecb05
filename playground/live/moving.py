"""What moves on the page: while a run learns, waits or is replayed it is drawn again every fraction of a second."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from playground import panel, state, told
from playground.i18n import _, plural
from playground.live import asked, visits
from playground.live.run import Run
from playground.live.runner import runner
from playground.live.view import MOVED, draw_moment, draw_numbers
from playground.panel import Cell

# Seconds between two looks at a run. A look costs about as much as a few steps of training, so the tasks that are
# learned within a second are looked at more often than those that take half a minute.
POLL = {"reversal": 0.12, "sorting": 0.25}
SLOWLY, WAITING = 0.3, 1.0
REPLAY = 0.2  # between two pictures of a replay
_REPLAY = "training_replay"
_STYLE = """
<style>
.st-key-live_slot { min-height: 2.6rem; justify-content: center; }
</style>
"""


def choose_step(run: Run) -> int:
    """The step looked at: the newest unless the scrubber, or the link, says another."""
    asked = int(state.page_setting("live_step", -1, state.whole(0, 20_000)))
    return run.nearest(asked)


def follow_link(run: Run) -> None:
    """A link that names a step: learn as far as the run of the link had come, then rest.

    One that was paused, or has failed, is left alone. So is one that began from a file: its plan gives another run.
    """
    named = int(st.session_state["live_step"])
    before, from_file = asked.lost(run)
    wanted = min(max(named, before), visits.most_steps())
    if named >= 0 and run.done < wanted and not (run.failed or from_file or runner().busy(run)):
        visits.go_on(run, wanted)


def buttons(run: Run) -> None:
    """Run or pause, a few steps, reset, replay."""
    busy = runner().busy(run)
    over = run.done >= run.plan.steps
    before, from_file = asked.lost(run)
    with st.container(horizontal=True, vertical_alignment="center"):
        if busy:
            st.button(_("Pause"), key="live_pause", on_click=_pause, args=(run,), type="primary")
        else:
            label = _("Run {count} more steps").format(count=run.plan.steps) if over else _("Run")
            if before and not from_file:
                label = _("Train it again, to step {step}").format(step=before)
            st.button(label, key="live_run", on_click=_run, args=(run,), type="primary", disabled=not room(run))
        st.button(
            _("{count} steps").format(count=run.every),
            key="live_few",
            on_click=_few,
            args=(run,),
            disabled=busy or not room(run),
        )
        st.button(_("Replay"), key="live_replay", on_click=_replay, disabled=busy or len(run.steps()) < 3)
        st.button(_("Reset"), key="live_reset", on_click=_reset, args=(run,), disabled=run.done == 0)


def room(run: Run) -> bool:
    """Whether this server lets it learn any further."""
    return run.done < visits.most_steps()


def draw(run: Run) -> bool:
    """The status, and the moment that is looked at; whether it stands still.

    All of it is one fragment whether it moves or not, so that every panel keeps its place and is only redrawn.
    """
    st.html(_STYLE)
    every: float | None = None
    if runner().busy(run):
        every = WAITING if runner().ahead(run) else POLL.get(run.plan.name, SLOWLY)
    elif _REPLAY in st.session_state:
        every = REPLAY
    with st.container(key="live_moving", gap="small"):
        st.fragment(_show, run_every=every)(run, every is not None, state.view().cell)
    return every is None


def _show(run: Run, moving: bool, cell: Cell | None) -> None:
    """One look. It is also the sign that somebody is there. `cell` was open when the page was drawn."""
    runner().hear(run)
    status, numbers = st.columns([1, 1.1], vertical_alignment="center")
    if runner().busy(run):
        step = run.nearest(-1)
        with status:
            _learning(run)
        with _slot():
            st.progress(min(1.0, run.done / max(1, run.until)))
    elif _REPLAY in st.session_state:
        with status:
            step = _replayed(run)
        with _slot():
            st.progress(st.session_state[_REPLAY] / len(run.steps()))
    elif moving:  # it has come to rest since the page was drawn: now there is a scrubber, and stages
        st.rerun()
    else:
        if st.session_state.pop(MOVED, False) or state.view().cell != cell:
            st.rerun()  # a click in this fragment: the stages below it belong to it too
        step = choose_step(run)
        with status:
            _standing(run, step)
        with _slot():
            _scrubber(run, step)
    with numbers:
        draw_numbers(run, step)
    draw_moment(run, step, moving=moving)


def _learning(run: Run) -> None:
    ahead = runner().ahead(run)
    if ahead:
        words = plural(
            "{count} run before yours: this one begins by itself.",
            "{count} runs before yours: this one begins by itself.",
            ahead,
        )
        panel.statement("live_status", words.format(count=ahead))
    else:
        panel.statement("live_status", _("Learning: step {step} of {until}.").format(step=run.done, until=run.until))


def _replayed(run: Run) -> int:
    """The next of the remembered steps; after the last one the page is drawn anew."""
    place, steps = int(st.session_state[_REPLAY]), run.steps()
    if place >= len(steps):
        del st.session_state[_REPLAY]
        st.rerun()
    st.session_state[_REPLAY] = place + 1
    words = _("Replay: step {step} of {until}.").format(step=steps[place], until=steps[-1])
    panel.statement("live_status", words)
    return steps[place]


def _slot() -> DeltaGenerator:
    """The place of the scrubber, and of the progress while something moves: of one height."""
    return st.container(key="live_slot")


def _standing(run: Run, step: int) -> None:
    if run.failed:
        panel.statement("live_status", _("The run has stopped: {why}").format(why=run.failed), alert=True)
        return
    before, from_file = asked.lost(run)
    if before:
        _gone(before, from_file)
        return
    if run.left:
        words = _("It rests at step {step}: this page was closed or out of sight. Press “Run” to go on.")
    elif run.done == 0:
        words = _("Not trained yet: the weights are random. Press “Run”.")
    elif run.loaded and run.done == run.begun_at and run.whole:
        words = _("Loaded at step {step}, with the optimizer's running means: it goes on as if it had never stopped.")
    elif run.loaded and run.done == run.begun_at:
        words = _(
            "Loaded at step {step}, the weights alone: if it goes on, the optimizer's running means begin anew, and "
            "the samples from the first."
        )
    elif run.done >= run.plan.steps:
        words = _("Trained: {step} steps.")
    else:
        words = _("Paused at step {step}.")
    panel.statement("live_status", words.format(step=run.done), _beside(run, step))


def _gone(step: int, from_file: bool) -> None:
    """The page knows of a run that the server does not have."""
    again = _(
        "Trainings are kept in the server’s memory while their visitor is there: this server was started anew, or has "
        "forgotten you, or you come with a link. Trained again from the same seed, it gives the same numbers."
    )
    if from_file:
        again = _(
            "Trainings are kept in the server’s memory while their visitor is there: this server was started anew, or "
            "has forgotten you, or you come with a link. It had gone on from a file: load that again to go on from it."
        )
    words = _("The training that was here, up to step {step}, is gone.").format(step=step)
    panel.statement("live_status", words, again)


def _beside(run: Run, step: int) -> str:
    """What the pictures show, where that is another step than the one the run stands at."""
    named, most = int(st.session_state["live_step"]), visits.most_steps()
    if named > most:
        return _("The link asks for step {step}: this server trains to step {most} at most.").format(
            step=named, most=most
        )
    return _("The pictures show step {step}.").format(step=step) if step != run.nearest(-1) else ""


def _scrubber(run: Run, step: int) -> None:
    """Back and forth through what is remembered; the newest is followed, and not named in the link."""
    steps = run.steps()
    if len(steps) < 2:
        st.progress(0.0)  # nothing to go back to; the place stays taken
        return
    st.session_state["live_scrub"] = step  # always: a browser that has missed a message would show the first step

    def moved() -> None:
        chosen = int(st.session_state["live_scrub"])
        st.session_state["live_step"] = -1 if chosen == steps[-1] else chosen
        asked.note(run, run.done)
        st.session_state[MOVED] = True

    told.select_slider(_("Step looked at"), steps, key="live_scrub", on_change=moved, label_visibility="collapsed")


def _run(run: Run) -> None:
    follow_newest()
    before, from_file = asked.lost(run)
    further = run.plan.steps if run.done < run.plan.steps else run.done + run.plan.steps
    _go_on(run, before if before and not from_file else further)


def _few(run: Run) -> None:
    follow_newest()
    _go_on(run, run.done + run.every)


def _go_on(run: Run, until: int) -> None:
    visits.go_on(run, until)
    asked.note(run, run.until)


def _pause(run: Run) -> None:
    follow_newest()
    runner().pause(run)
    asked.note(run, run.done)


def _replay() -> None:
    st.session_state[_REPLAY] = 0


def _reset(run: Run) -> None:
    follow_newest()
    visits.put(run.plan)
    st.session_state[asked.NAME] = ""


def follow_newest() -> None:
    """Look at the newest step."""
    st.session_state["live_step"] = -1
    st.session_state.pop(_REPLAY, None)
