"""Setting a head's weights by hand: painting on its map, a number for a cell, a rule for a row or for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import streamlit as st

from attention_core.trace import AttentionTrace
from attention_core.trained import PATTERNS, Answer, Change, Patch
from attention_core.trained.patch_edit import painted, repaint, set_cell, set_row
from attention_core.trained.patch_text import format_patches, parse_patches
from attention_viz import heatmap_spec
from attention_viz.labels import visible
from playground import frame, panel, stages, state
from playground.i18n import _
from playground.lessons import trained_models as models
from playground.lessons.trained_link import patches_of
from playground.lessons.trained_models import Setting

MAP = "trained_weights"  # the key of the map that is painted on
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
    """What was set by hand, for heads that the model has. Rows by hand belong to their sentence and go with it."""
    if NAME in st.session_state and st.session_state.get(_FOR) != (model, text):
        rules = format_patches([replace(patch, rows=()) for patch in _now()])
        if rules != st.session_state[NAME]:
            st.caption(_("The weights that were painted belonged to the other text and were taken back."))
        take_back()
        st.session_state[NAME] = rules
    st.session_state[_FOR] = (model, text)
    if NAME not in st.session_state and NAME not in st.query_params and "trained_forced" in st.query_params:
        st.session_state[NAME] = _older(st.query_params["trained_forced"])
    found = parse_patches(str(state.page_setting(NAME, "", patches_of)))
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


def _put(patch: Patch) -> None:
    others = [one for one in _now() if (one.layer, one.head) != (patch.layer, patch.head)]
    _use(format_patches([*others, patch]))


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


def take_strokes() -> None:
    """Take in what was painted, in a callback. A stroke and a button may come in one run, the button first."""
    serial, grid = panel.painted_grid(MAP)
    target: Target | None = st.session_state.get(_TARGET)
    if grid is None or target is None or serial == st.session_state.get(_SEEN) or len(grid) != len(target.allowed):
        return
    st.session_state[_SEEN] = serial
    before = patch_of(target.layer, target.head)
    after = repaint(before, grid, target.allowed)
    changed = [row for row in range(len(grid)) if before.row(row) != after.row(row)]
    if changed:
        st.session_state["patch_row"] = changed[-1]
        if any(grid[changed[-1]]):
            st.session_state["patch_key"] = grid[changed[-1]].index(True)
    _put(after)


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
    size = 350 if st.session_state.get("narrow") else 520
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
        lambda: heatmap_spec(trace, "weights", head=head, box=(size, 460), titled=False, say=_),
        cells=prod(trace.shape("weights")[2:]),
        title=title if patch.empty else _("{title}, set by hand").format(title=title),
        note=_("drag to paint; click a word for its row or column")
        if by_hand
        else stages.shape(trace, "weights"),
        height=460,
        csv=csv,
        group="scores",
        cell=place if place is not None and place.field in stages.SCORES and not by_hand else None,
        twins=trace.source_tokens == trace.tokens,
        **more,
    )


def desk(setting: Setting, found: Answer, head: int, asked: int) -> None:
    """What beside the strokes can be set, and what it does to the answer, next to the map; `asked` is a telling row."""
    trace = found.traces[setting.layer]
    patch, target = patch_of(setting.layer, head), st.session_state[_TARGET]
    st.markdown(f"### {_('Set by hand')}")
    unchanged = models.answered(setting.model, setting.text, replace(setting.change, patches=()))
    before = _("Without what was set by hand: {answer}").format(answer=models.said(setting.model, unchanged))
    panel.statement("trained_patched", models.said(setting.model, found), before if setting.change.patches else "")
    _whole_head(patch)
    at = (setting.model, setting.text, setting.layer)
    if st.session_state.get("patch_desk") != at or "patch_row" not in st.session_state:
        st.session_state["patch_desk"] = at
        st.session_state["patch_row"], st.session_state["patch_key"] = asked, 0
    _row(trace, target)
    with st.container(horizontal=True, gap="small"):
        st.button(_("Undo"), key="patch_undo", on_click=undo, disabled=not st.session_state.get(_PAST))
        st.button(_("Redo"), key="patch_redo", on_click=redo, disabled=not st.session_state.get(_FUTURE))
        st.button(_("Clear this head"), key="patch_clear", on_click=_clear, disabled=patch.empty)
    st.caption(
        _(
            "A rule for the whole head holds for any text, so it is tried on the other samples too. What you paint or "
            "set in a row fits any text of this model, for all are of one length: it is tried as well."
        )
        if models.one_length(setting.model)
        else _(
            "A rule for the whole head holds for any text, so it is tried on the other samples too. What you paint or "
            "set in a row holds for this sentence only."
        )
    )


def _rules(layer: str) -> dict[str, str]:
    """What the rules are called; where the model writes, the key of a place is the word that was written before it."""
    writes = layer == "decoder1"
    return {
        "": _("what it looks at by itself"),
        "uniform": _("all words alike"),
        "previous": _("the last word but one") if writes else _("the word before"),
        "same": _("the last word written") if writes else _("the word at its own place"),
        "first": _("the beginning") if writes else _("the first word"),
    }


def _whole_head(patch: Patch) -> None:
    names = _rules(patch.layer)
    st.session_state["patch_rule"] = patch.pattern
    st.selectbox(
        _("Every word looks at"),
        ("", *PATTERNS),
        key="patch_rule",
        format_func=names.__getitem__,
        on_change=_take_rule,
    )


def _take_rule() -> None:
    take_strokes()
    target: Target = st.session_state[_TARGET]
    _put(Patch(target.layer, target.head, st.session_state["patch_rule"] or ""))


def _row(trace: AttentionTrace, target: Target) -> None:
    """One row: a rule, or a number for one of its weights."""
    queries, keys = trace.shape("weights")[2:]
    for name, most in (("patch_row", queries), ("patch_key", keys)):  # what is written may have become shorter
        st.session_state[name] = min(st.session_state[name], most - 1)
    left, right = st.columns(2)
    with left:
        row = st.selectbox(_("The word"), range(queries), key="patch_row", format_func=_named(trace.tokens))
    with right:
        key = st.selectbox(_("looks at"), range(keys), key="patch_key", format_func=_named(trace.source_tokens))
    may = target.allowed[row]
    places = {"uniform": None, "previous": max(row - 1, 0), "same": row, "key": key}
    writes = target.layer == "decoder1"
    labels = {
        "key": _("This one only"),
        "uniform": _("All alike"),
        "previous": _("The last but one") if writes else _("The one before"),
        "same": _("The last written") if writes else _("Its own place"),
    }
    with st.container(horizontal=True, gap="small"):
        for how, label in labels.items():
            at = places[how]
            shut = not any(may) if at is None else at >= keys or not may[at]
            st.button(label, key=f"patch_row_{how}", on_click=_take_row, args=(row, how, key), disabled=shut)
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        now = round(target.weights[row][key], 4)
        if st.session_state.get("patch_shown") != (row, key, now):
            st.session_state["patch_shown"], st.session_state["patch_weight"] = (row, key, now), now
        st.number_input(_("Its weight"), 0.0, 1.0, step=0.05, format="%.4f", key="patch_weight", width=140)
        st.button(_("Set the weight"), key="patch_set", on_click=_take_number, args=(row, key), disabled=not may[key])
    problem = st.session_state.pop("patch_wrong", "")
    if problem:
        panel.statement("trained_patch_wrong", problem, alert=True)


def _named(tokens: tuple[str, ...]) -> Callable[[int], str]:
    return lambda place: f"{place} · {visible(tokens[place])}"


def _take_row(row: int, how: str, key: int) -> None:
    take_strokes()
    target: Target = st.session_state[_TARGET]
    _try(lambda: set_row(patch_of(target.layer, target.head), row, how, target.allowed[row], key))


def _take_number(row: int, key: int) -> None:
    take_strokes()
    target: Target = st.session_state[_TARGET]
    weight = float(st.session_state["patch_weight"])
    _try(
        lambda: set_cell(
            patch_of(target.layer, target.head), row, key, weight, target.weights[row], target.allowed[row]
        )
    )


def _try(make: Callable[[], Patch]) -> None:
    try:
        _put(make())
    except ValueError as problem:
        st.session_state["patch_wrong"] = str(problem)


def _clear() -> None:
    take_strokes()
    target: Target = st.session_state[_TARGET]
    _put(Patch(target.layer, target.head))
