"""What beside strokes sets a head's weights: a rule for all rows or for one, a number for a cell; what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from attention_core.trace import AttentionTrace
from attention_core.trained import PATTERNS, Answer, Patch
from attention_core.trained.patch_edit import set_cell, set_row
from attention_viz.labels import visible
from playground import panel, told
from playground.i18n import _
from playground.lessons import trained_models as models
from playground.lessons import trained_patch
from playground.lessons.trained_models import Setting
from playground.lessons.trained_patch import Target, patch_of


def draw(setting: Setting, found: Answer, head: int, asked: int) -> None:
    """What beside the strokes can be set, and what it does to the answer, next to the map; `asked` is a telling row."""
    trace = found.traces[setting.layer]
    patch, target = patch_of(setting.layer, head), trained_patch.target()
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
        back, forward = trained_patch.can_step()
        st.button(_("Undo"), key="patch_undo", on_click=trained_patch.undo, disabled=not back)
        st.button(_("Redo"), key="patch_redo", on_click=trained_patch.redo, disabled=not forward)
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
    told.selectbox(
        _("Every word looks at"),
        ("", *PATTERNS),
        key="patch_rule",
        format_func=names.__getitem__,
        on_change=_take_rule,
    )


def _take_rule() -> None:
    trained_patch.take_strokes()
    target = trained_patch.target()
    trained_patch.put(Patch(target.layer, target.head, st.session_state["patch_rule"] or ""))


def _row(trace: AttentionTrace, target: Target) -> None:
    """One row: a rule, or a number for one of its weights."""
    queries, keys = trace.shape("weights")[2:]
    for name, most in (("patch_row", queries), ("patch_key", keys)):  # what is written may have become shorter
        st.session_state[name] = min(st.session_state[name], most - 1)
    left, right = st.columns(2)
    with left:
        row = told.selectbox(_("The word"), range(queries), key="patch_row", format_func=_named(trace.tokens))
    with right:
        key = told.selectbox(_("looks at"), range(keys), key="patch_key", format_func=_named(trace.source_tokens))
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
        told.number_input(_("Its weight"), 0.0, 1.0, step=0.05, format="%.4f", key="patch_weight", width=140)
        st.button(_("Set the weight"), key="patch_set", on_click=_take_number, args=(row, key), disabled=not may[key])
    problem = st.session_state.pop("patch_wrong", "")
    if problem:
        panel.statement("trained_patch_wrong", problem, alert=True)


def _named(tokens: tuple[str, ...]) -> Callable[[int], str]:
    return lambda place: f"{place} · {visible(tokens[place])}"


def _take_row(row: int, how: str, key: int) -> None:
    trained_patch.take_strokes()
    target = trained_patch.target()
    _try(lambda: set_row(patch_of(target.layer, target.head), row, how, target.allowed[row], key))


def _take_number(row: int, key: int) -> None:
    trained_patch.take_strokes()
    target = trained_patch.target()
    weight = float(st.session_state["patch_weight"])
    _try(
        lambda: set_cell(
            patch_of(target.layer, target.head), row, key, weight, target.weights[row], target.allowed[row]
        )
    )


def _try(make: Callable[[], Patch]) -> None:
    try:
        trained_patch.put(make())
    except ValueError as problem:
        st.session_state["patch_wrong"] = str(problem)


def _clear() -> None:
    trained_patch.take_strokes()
    target = trained_patch.target()
    trained_patch.put(Patch(target.layer, target.head))
