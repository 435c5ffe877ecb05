"""What is trained, as the page's controls and its link say: task, seed, heads, width, rate, steps."""

from __future__ import annotations

from typing import Any

import streamlit as st

from attention_core.trained.plan import LARGEST_SEED, LIVE, Plan
from playground import state, told
from playground.i18n import _
from playground.lesson_parts import choice
from playground.lessons import trained_models as models
from playground.live.limits import training_limits

HEADS = (1, 2, 4, 8)
WIDTHS = (16, 32, 48, 64, 96, 128)
RATES = (0.0003, 0.001, 0.002, 0.003, 0.006, 0.01, 0.03)


def choose_plan() -> tuple[Plan, str]:
    """The plan that the controls ask for, and in words what is wrong with them; then it is the task's own recipe."""
    name = choice("live_task", LIVE[0], LIVE)
    recipe, most = Plan.of(name), training_limits()
    state.page_setting("live_seed", recipe.seed, state.whole(0, LARGEST_SEED))
    state.page_setting("live_heads", recipe.heads, state.whole(1, 16))
    state.page_setting("live_width", recipe.d_model, state.whole(2, 256))
    state.page_setting("live_rate", recipe.rate, rate_of)
    state.page_setting("live_steps", recipe.steps, state.whole(1, 20_000))
    with st.sidebar:
        told.selectbox(_("Task"), LIVE, key="live_task", format_func=models.title, on_change=_take_recipe)
        told.number_input(_("Seed"), 0, LARGEST_SEED, step=1, key="live_seed")
        heads = _with("live_heads", HEADS, most.max_training_heads, recipe.heads)
        told.select_slider(_("Heads of each self-attention"), heads, key="live_heads")
        widths = _with("live_width", WIDTHS, most.max_training_width, recipe.d_model)
        told.select_slider(_("Width, d_model"), widths, key="live_width")
        rates = _with("live_rate", RATES, 1.0, recipe.rate)
        told.select_slider(_("Learning rate at its highest"), rates, key="live_rate")
        highest = max(most.max_training_steps, _now("live_steps"), recipe.steps)
        told.number_input(_("Steps planned"), 1, highest, key="live_steps")
        st.button(_("The recipe's own settings"), on_click=_take_recipe, width="stretch")
    try:
        seed, heads, width, rate, steps = (
            _now(f"live_{field}") for field in ("seed", "heads", "width", "rate", "steps")
        )
        if width % heads:
            words = _("{heads} heads cannot share a width of {width} evenly: the number of heads has to divide it.")
            raise ValueError(words.format(heads=heads, width=width))
        plan = Plan(name, seed, heads, width, rate, steps)
        most.check(plan)
    except ValueError as problem:
        return recipe, str(problem)
    return plan, ""


def take(plan: Plan) -> None:
    """Set the controls to a plan, in a callback."""
    values = {
        "task": plan.name,
        "seed": plan.seed,
        "heads": plan.heads,
        "width": plan.d_model,
        "rate": plan.rate,
        "steps": plan.steps,
    }
    for name, value in values.items():
        st.session_state[f"live_{name}"] = value


def rate_of(text: str) -> float:
    """A learning rate as the link writes it. ValueError unless it is a number above 0, at most 1."""
    try:
        rate = float(text[:40])
    except ValueError:
        rate = 0.0
    if not 0.0 < rate <= 1.0:
        raise ValueError(f"{text[:40]!r}: allowed are numbers above 0, at most 1")
    return rate


def _take_recipe() -> None:
    take(Plan.of(st.session_state["live_task"]))


def _now(name: str) -> Any:
    return st.session_state[name]


def _with(name: str, values: tuple[Any, ...], most: float, own: Any) -> list[Any]:
    """The choices up to `most`, the recipe's `own`, and the value that a link or a file has brought."""
    return sorted({value for value in values if value <= most} | {_now(name), own})
