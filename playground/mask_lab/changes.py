"""What changes the mask, and the way back: every change is one step of a history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from attention_core.mask_lab import History, invert, resized
from attention_core.masks import And, Causal, Explicit, Full, Mask, Not, Or
from attention_core.masks.text import parse_mask
from playground import panel, state, widgets

EDITOR = "mask_editor"  # the key of the grid
HISTORY = "mask_lab_history"
SEEN = "mask_lab_seen"  # the last stroke that was taken in


def history() -> History:
    """What was done to the mask in this visit; a mask that came another way, from a link or a page, is one more step.

    A painted mask that a longer or shorter text has resized is no step: going back would only resize it again.
    """
    mask = state.experiment().mask
    kept: History | None = st.session_state.get(HISTORY)
    if kept is None:
        kept = History(mask)
    elif kept.present != mask:
        kept = replace(kept, present=mask) if fitted(kept.present) == mask else kept.do(mask)
    st.session_state[HISTORY] = kept
    return kept


def painted_on() -> Mask | None:
    """The mask that the present painting began with; None where the visit does not know."""
    return next((mask for mask in map(parse_mask, reversed(history().past)) if not isinstance(mask, Explicit)), None)


def fitted(mask: Mask) -> Mask:
    """A mask with what is painted in it resized to the text on the screen."""
    now = state.experiment()
    return resized(mask, len(now.tokens()), len(now.source_tokens()))


def undo() -> None:
    """One step back, in a callback."""
    take_strokes()
    _go(history().undo())


def redo() -> None:
    """One step forward, in a callback."""
    take_strokes()
    _go(history().redo())


def _go(there: History) -> None:
    there = replace(there, present=fitted(there.present))
    st.session_state[HISTORY] = there
    state.change_experiment(mask=there.present)


def use(mask: Mask) -> None:
    """Take another mask, in a callback."""
    history()  # what is on the screen is a step, also when two changes come before the page runs once
    state.change_experiment(mask=mask)


def take_strokes() -> None:
    """Take in what was painted, in a callback: each stroke is a step. Several may come in one run, a button first."""
    seen = st.session_state.get(SEEN)
    strokes = panel.strokes(EDITOR)
    if not strokes or strokes[-1][0] == seen:
        return
    *earlier, (last, present) = strokes
    for grid in (*(grid for serial, grid in earlier if serial > (seen or 0)), present):
        use(Explicit(grid))
    st.session_state[SEEN] = last


def up_to_date() -> None:
    """Every stroke that there is has been taken in: the page runs after its callbacks."""
    st.session_state[SEEN] = panel.painted_grid(EDITOR)[0]


def turn(tool: str) -> None:
    """Open everything, forbid everything, or swap the two. Rules stay rules: they fit a text of any length."""
    take_strokes()
    now = state.experiment().mask
    masks: dict[str, Callable[[], Mask]] = {
        "open": Full,
        "forbid": lambda: Not(Full()),
        "invert": lambda: invert(now) if isinstance(now, Explicit) else ~now,
    }
    use(masks[tool]())


def combine(how: str, preset: Mask) -> None:
    """Put a preset in place of the mask, or combine it with what is there."""
    take_strokes()
    try:
        use(combined(state.experiment().mask, how, preset))
    except ValueError as problem:  # too many masks in one another
        st.session_state["notes"] = (str(problem),)


def combined(now: Mask, how: str, preset: Mask) -> Mask:
    """The mask that comes of it, "use", "and", "or" or "and_not"; written short where one of the two decides alone.

    >>> combined(Full(), "and", Causal()), combined(Not(Full()), "or", Causal())
    (Causal(offset=0), Causal(offset=0))
    """
    if how == "use":
        return preset
    other = ~preset if how == "and_not" else preset
    everything, nothing = Full(), Not(Full())
    neutral, final = (nothing, everything) if how == "or" else (everything, nothing)
    if now == neutral:
        return other
    joined = Or if how == "or" else And
    if other in (neutral, now) or (isinstance(now, joined) and other in now.masks):
        return now
    if final in (now, other):
        return final
    return joined((now, other))


def without_causal_mode() -> None:
    """Here the mask is the whole mask: what is causal, or is asked to be, is self-attention with a causal mask."""
    now = state.experiment()
    if now.mode == "causal" or st.session_state.get(widgets.key("mode")) == "causal":
        said = state.notes()
        state.adopt_experiment(replace(now, mode="self", mask=combined(now.mask, "and", Causal())))
        st.session_state["notes"] = said
