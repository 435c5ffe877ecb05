"""A, the experiment that was pinned; B, the one on the screen; and their difference, for any stage on one scale."""

from __future__ import annotations

import streamlit as st

from attention_core.trace import AttentionTrace
from attention_viz import signed_scale
from playground import compute, stages, state, told
from playground.i18n import _
from playground.view import STAGES


def section(trace: AttentionTrace) -> None:
    """Three panels side by side, if an experiment is pinned."""
    pinned = state.view().pinned
    with st.container():  # a place that stays, see frame.header
        if pinned is not None:
            _three_panels(compute.run(pinned), trace, stages.sentence_of(pinned))


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
                marks=False,
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
