"""What a run leaves behind is freed as it ends: Streamlit's objects of a run refer to each other in circles.

Each run of a page has a runner of its own, which knows its thread, which knows the run's context, which knows the
runner; and the runner's view of the session calls the runner back. Only the collector would find out that nobody needs
them any more, some hundred objects a run: with a class of sixty it stood still for 50 ms every two seconds. With these
two circles untied, the objects go one by one, while the next visitor is drawn.
"""

from __future__ import annotations

from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_run_context_attr import SCRIPT_RUN_CONTEXT_ATTR_NAME

_run = ScriptRunner._run_script_thread


def _run_and_untie(runner: ScriptRunner) -> None:
    try:
        _run(runner)
    finally:
        untie(runner)


def untie(runner: ScriptRunner) -> None:
    """Take apart what refers to a runner whose thread ends: it has said so, and answers no request any more."""
    vars(runner._script_thread).pop(SCRIPT_RUN_CONTEXT_ATTR_NAME, None)
    # Asked before each look at the session whether the run is to be given up; there is none any more.
    object.__setattr__(runner._session_state, "_yield_callback", _go_on)


def _go_on() -> None:
    """Nothing is left that could be given up."""


def install() -> None:
    """For the whole process; once is enough."""
    ScriptRunner._run_script_thread = _run_and_untie  # type: ignore[method-assign, assignment]
