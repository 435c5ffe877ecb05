"""The runs of one visit: the one on the screen and the one before, so that a slider moved back brings it back."""

from __future__ import annotations

import streamlit as st

from attention_core.trained.plan import Plan
from attention_core.trained.training import Training
from playground.live.limits import training_limits
from playground.live.run import Run
from playground.live.runner import runner
from playground.live.visitor import visitor

KEPT = 2
_RUNS = "training_runs"


def current(plan: Plan) -> Run:
    """The run of a plan: as it was left, or before its first step. The other ones rest."""
    found: dict[Plan, Run] = st.session_state.setdefault(_RUNS, {})
    for other, run in found.items():
        if other != plan and runner().busy(run):
            runner().pause(run)
    run = found.pop(plan) if plan in found else _new(plan)
    found[plan] = run  # the last is the one on the screen
    for old in list(found)[:-KEPT]:
        del found[old]
    return run


def known(plan: Plan) -> bool:
    """Whether this visit has a run of this plan."""
    return plan in st.session_state.get(_RUNS, {})


def put(plan: Plan, training: Training | None = None) -> Run:
    """Begin anew with a plan, or go on with a training that was loaded."""
    found: dict[Plan, Run] = st.session_state.setdefault(_RUNS, {})
    if plan in found:
        runner().pause(found[plan])
    found[plan] = _new(plan, training)
    return found[plan]


def go_on(run: Run, until: int) -> None:
    """Let a run learn up to a step, as far as this server lets it."""
    runner().start(run, min(until, training_limits().max_training_steps), visitor())


def _new(plan: Plan, training: Training | None = None) -> Run:
    return Run(plan, training, memory=training_limits().max_training_memory)


def most_steps() -> int:
    """How far this server lets a run go."""
    return training_limits().max_training_steps
