"""Setting a head's weights by hand: what was set, the way back, and the map that is painted on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import streamlit as st

from attention_core.trace import AttentionTrace
from attention_core.trained import Answer, Change, Patch
from attention_core.trained.patch_edit import painted, repaint
from attention_core.trained.patch_text import format_patches, parse_patches
from attention_viz import heatmap_spec, needed_height
from playground import frame, panel, stages, state
from playground.i18n import _
from playground.lessons import trained_models as models
from playground.lessons.trained_link import patches_for, patches_of
from playground.lessons.trained_models import Setting
from playground.page_settings import renamed

MAP = "trained_weights"  # the key of the map that is painted on
HEIGHT = 460  # pixels of it, at most
NAME = "trained_patches"
STEPS = 100  # that can be undone
_PAST, _FUTURE, _SEEN, _TARGET, _FOR = (f"patch_{name}" for name in ("past", "future", "seen", "target", "for"))


@dataclass(frozen=True, eq=False)
class Target:
    """The head that is painted on, and its rows as they are: the weights that count, and what may be looked at."""

    layer: str
    head: int
    weights: list[list[float]]
    allowed: list[list[bool]]


def patches(model: str, text: str) -> tuple[Patch, ...]:
    """What was set by hand, for heads that the model has.

    Rows by hand belong to their sentence and go with it, unless a map fits every text of the model.
    """
    belongs = (model, "" if models.one_length(model) else text)
    if NAME in st.session_state and st.session_state.get(_FOR) != belongs:
        rules = format_patches([replace(patch, rows=()) for patch in _now()])
        if rules != st.session_state[NAME]:
            st.caption(_("The weights that were painted belonged to the other text and were taken back."))
        take_back()
        st.session_state[NAME] = rules
    st.session_state[_FOR] = belongs
    older = renamed("trained_forced")
    if NAME not in st.session_state and NAME not in st.query_params and older is not None:
        st.session_state[NAME] = _older(older)
    found = parse_patches(str(state.page_setting(NAME, "", patches_for(model))))
    return tuple(patch for patch in found if (patch.layer, patch.head) in models.heads(model))


def _older(text: str) -> str:
    """The patches of an older link, "layer.head.query.key" with spaces between: this query looks at this key alone."""
    found: dict[tuple[str, int], Patch] = {}
    for one in text.split()[:64]:
        layer, *numbers = one.split(".")
        if len(numbers) == 3 and all(number.isdecimal() and len(number) < 3 for number in numbers):
            head, query, key = map(int, numbers)
            before = found.get((layer, head), Patch(layer, head))
            rows = {**dict(before.rows), query: (*[0] * key, 1)}
            found[layer, head] = replace(before, rows=tuple(rows.items()))
    try:
        return patches_of(format_patches(tuple(found.values())))
    except ValueError:
        return ""


def _now() -> tuple[Patch, ...]:
    return parse_patches(str(st.session_state.get(NAME, "")))


def patch_of(layer: str, head: int) -> Patch:
    """What was done to one head."""
    return next((patch for patch in _now() if (patch.layer, patch.head) == (layer, head)), Patch(layer, head))


def _use(text: str) -> None:
    """Take other patches, in a callback; the ones before can be had back."""
    before = st.session_state.get(NAME, "")
    if text != before:
        st.session_state[_PAST] = [*st.session_state.get(_PAST, []), before][-STEPS:]
        st.session_state[_FUTURE] = []
        st.session_state[NAME] = text


def put(patch: Patch) -> None:
    """Take another patch of one head, in a callback."""
    others = [one for one in _now() if (one.layer, one.head) != (patch.layer, patch.head)]
    _use(format_patches([*others, patch]))


def can_step() -> tuple[bool, bool]:
    """Whether there is a step back, and one forward."""
    return bool(st.session_state.get(_PAST)), bool(st.session_state.get(_FUTURE))


def undo() -> None:
    """One step back, in a callback."""
    take_strokes()
    _step(_PAST, _FUTURE)


def redo() -> None:
    """One step forward, in a callback."""
    take_strokes()
    _step(_FUTURE, _PAST)


def _step(here: str, there: str) -> None:
    steps: list[str] = st.session_state.get(here, [])
    if steps:
        st.session_state[there] = [*st.session_state.get(there, []), st.session_state.get(NAME, "")][-STEPS:]
        st.session_state[NAME] = steps[-1]
        st.session_state[here] = steps[:-1]


def take_back() -> None:
    """Forget what was set by hand and the way back to it, in a callback: for another model."""
    st.session_state[NAME] = ""
    st.session_state[_PAST], st.session_state[_FUTURE] = [], []


def target() -> Target:
    """The head that is painted on, as it was drawn last."""
    found: Target = st.session_state[_TARGET]
    return found


def take_strokes() -> None:
    """Take in what was painted, in a callback. A stroke and a button may come in one run, the button first."""
    serial, grid = panel.painted_grid(MAP)
    at: Target | None = st.session_state.get(_TARGET)
    if grid is None or at is None or serial == st.session_state.get(_SEEN) or len(grid) != len(at.allowed):
        return
    st.session_state[_SEEN] = serial
    before = patch_of(at.layer, at.head)
    after = repaint(before, grid, at.allowed)
    changed = [row for row in range(len(grid)) if before.row(row) != after.row(row)]
    if changed:
        st.session_state["patch_row"] = changed[-1]
        if any(grid[changed[-1]]):
            st.session_state["patch_key"] = grid[changed[-1]].index(True)
    put(after)


def shown(found: Answer, change: Change, layer: str) -> AttentionTrace:
    """The trace of a layer for its maps: where a head's weights were set by hand, these are its weights."""
    trace = found.traces[layer]
    heads = [patch.head for patch in change.patches if patch.layer == layer]
    if not heads:
        return trace
    weights = trace.heads.weights.clone()  # (batch, head, query, key)
    weights[:, heads] = trace.heads.dropped_weights[:, heads]
    return replace(trace, heads=replace(trace.heads, weights=weights))


def hero(setting: Setting, trace: AttentionTrace, head: int, csv: str) -> None:
    """The weights of one head, large; a click opens the arithmetic, a stroke sets weights by hand."""
    by_hand = bool(st.session_state.get("trained_by_hand"))
    patch = patch_of(setting.layer, head)
    weights, allowed = (trace.field(name)[0, head].tolist() for name in ("weights", "allowed"))
    st.session_state[_TARGET] = Target(setting.layer, head, weights, allowed)
    st.session_state[_SEEN] = panel.painted_grid(MAP)[0]  # the page runs after its callbacks
    place = state.view().cell
    box = (350 if panel.narrow() else 520, HEIGHT)
    title = frame.hero_title(head)
    more: dict[str, Any] = {"on_cell": state.open_cell}
    if by_hand:
        more = {
            "on_paint": lambda _grid: take_strokes(),
            "painted_now": painted(patch, *trace.shape("weights")[2:]),
            "steps": ("patch_undo", "patch_redo"),
        }
    panel.heatmap(
        MAP,
        lambda: heatmap_spec(trace, "weights", head=head, box=box, titled=False, say=_),
        cells=prod(trace.shape("weights")[2:]),
        title=title if patch.empty else _("{title}, set by hand").format(title=title),
        note=_("drag to paint; click a word for its row or column")
        if by_hand
        else stages.shape(trace, "weights"),
        height=needed_height(trace, "weights", head=head, box=box),
        csv=csv,
        group="scores",
        cell=place if place is not None and place.field in stages.SCORES and not by_hand else None,
        twins=trace.source_tokens == trace.tokens,
        **more,
    )
