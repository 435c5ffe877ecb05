"""A, the experiment that was pinned; B, the one on the screen; and their difference, for any stage on one scale."""

from __future__ import annotations

from math import isfinite

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.trace import AttentionTrace
from attention_viz import signed_scale
from playground import compute, panel, stages, state, told
from playground.i18n import _
from playground.inspector import number
from playground.view import STAGES, has_cell


def section(trace: AttentionTrace) -> None:
    """Three panels side by side, if an experiment is pinned."""
    pinned = state.view().pinned
    with st.container():  # a place that stays, see frame.header
        if pinned is not None:
            _three_panels(compute.run(pinned), trace, stages.sentence_of(pinned))


def explained(experiment: Experiment, trace: AttentionTrace) -> tuple[Experiment, AttentionTrace]:
    """The experiment whose cell is open, and its trace: A where the cell is one of A, else the one on the screen."""
    seen = state.view()
    if seen.opens_a and seen.pinned is not None and seen.cell is not None:
        before = compute.run(seen.pinned)
        if has_cell(before, seen.cell):
            return seen.pinned, before
    return experiment, trace


def both_values(trace: AttentionTrace) -> str:
    """What A and B hold in the open cell, in words; empty where only one of them has it."""
    seen = state.view()
    if seen.pinned is None or seen.cell is None:
        return ""
    before = compute.run(seen.pinned)
    if not (has_cell(before, seen.cell) and has_cell(trace, seen.cell)):
        return ""
    a, b = (_value(one, seen.cell) for one in (before, trace))
    if not (isfinite(a) and isfinite(b)):
        return ""
    words = _("In A this is {a}, in B {b}: B − A is {difference}.")
    return words.format(a=number(a), b=number(b), difference=number(b - a))


def _value(trace: AttentionTrace, cell: panel.Cell) -> float:
    values = trace.field(cell.field)[0]
    return float((values[cell.head] if values.ndim == 3 else values)[cell.row, cell.col])


def _both_have(before: AttentionTrace, trace: AttentionTrace) -> list[str]:
    """The fields that are a stage of A or of B, and that both have."""
    shown = {field for one in (before, trace) for stage in stages.walk(one) for field in stage.fields}
    return [field for field in STAGES if field in shown and field in before.fields() and field in trace.fields()]


def _three_panels(before: AttentionTrace, trace: AttentionTrace, before_text: str) -> None:
    with st.container(border=True, key="compare"):
        offered = _both_have(before, trace)
        if st.session_state.setdefault("compare_stage", state.view().stage) not in offered:
            st.session_state["compare_stage"] = offered[0]
        field = told.selectbox(
            _("A, B and their difference"),
            offered,
            key="compare_stage",
            format_func=stages.field_title,
            width=260,
        )
        state.change_view(stage=field)
        sizes = before.shape(field), trace.shape(field)
        scale = None
        if field not in ("weights", "allowed"):  # whose scale is 0 to 1 in any case
            least = 1.0 if field == "dropped_weights" else 0.0
            scale = max(least, signed_scale((before, field), (trace, field)))
        columns = st.columns(3)
        with columns[0]:
            stages.field_panel(
                before,
                field,
                key="compare_a",
                title=_("A, pinned"),
                sentence=before_text,
                scale=scale,
                of_a=True,
                width=300,
                height=300,
                csv=False,
            )
        with columns[1]:
            stages.field_panel(
                trace, field, key="compare_b", title=_("B, now"), scale=scale, width=300, height=300, csv=False
            )
        with columns[2]:
            if sizes[0] == sizes[1]:
                stages.field_panel(
                    trace,
                    field,
                    key="compare_difference",
                    title=_("B − A"),
                    difference_to=before,
                    width=300,
                    height=300,
                    csv=False,
                )
            else:
                st.caption(
                    _("A measures {a} and B {b}: a difference needs the same size.").format(
                        a=stages.shape(before, field), b=stages.shape(trace, field)
                    )
                )
