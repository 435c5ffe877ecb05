"""The mask one paints: the grid, the tools beside it, and what happened before."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from attention_core.mask_lab import History, clear, describe, fill, invert, painted
from attention_core.masks import And, Causal, Explicit, Full, Mask, Not, Or
from attention_core.trace import AttentionTrace
from attention_viz import matrix_spec
from attention_viz.labels import visible
from playground import panel, state
from playground.i18n import _
from playground.mask_choice import KINDS
from playground.panel import Grid

PAINTED_CELL_BY_CELL = 64  # tokens; longer sequences are painted in blocks of as many cells as keeps 64 blocks
HISTORY = "mask_lab_history"


def brush(trace: AttentionTrace) -> int:
    """How many cells wide one stroke is."""
    return -(-max(trace.shape("weights")[2:]) // PAINTED_CELL_BY_CELL)


def draw(trace: AttentionTrace) -> None:
    """The grid: strokes paint, a token's label flips its row or column."""
    wide = brush(trace)
    allowed = trace.heads.allowed[0, 0]
    note = _("drag to paint; click a label to flip its row or column")
    if wide > 1:
        note = _("painted in blocks of {size} by {size}: the sequence is long").format(size=wide)
    panel.heatmap(
        "mask_editor",
        lambda: matrix_spec(
            allowed.float().numpy(),
            forbidden=(~allowed).numpy(),
            kind="mask",
            field="allowed",
            rows_are="query",
            cols_are="key",
            dims=("query", "key"),
            row_labels=[visible(token) for token in trace.tokens],
            col_labels=[visible(token) for token in trace.source_tokens],
            box=(400, 420),
            say=_,
        ),
        cells=allowed.numel(),
        title=_("The mask"),
        note=note,
        height=430,
        group="scores",
        twins=trace.source_tokens == trace.tokens,
        brush=wide,
        on_paint=_painted,
    )


def tools(trace: AttentionTrace) -> None:
    """Undo, redo, everything open, everything shut, invert; and presets, alone or combined with what is there."""
    now = history()
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        st.button(_("Undo"), on_click=_go, args=(now.undo(),), disabled=not now.can_undo, shortcut="Ctrl+Z")
        st.button(_("Redo"), on_click=_go, args=(now.redo(),), disabled=not now.can_redo, shortcut="Ctrl+Shift+Z")
        st.button(_("Open all"), on_click=_change, args=("fill", trace), help=_("Nothing is forbidden."))
        st.button(_("Forbid all"), on_click=_change, args=("clear", trace), help=_("Nothing is left to see."))
        st.button(_("Invert"), on_click=_change, args=("invert", trace), help=_("Swap forbidden and allowed."))
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        kind = st.selectbox(
            _("Preset"),
            [name for name in KINDS if name != "full"] + ["causal_plain"],
            key="mask_lab_kind",
            format_func=lambda name: _("Causal") if name == "causal_plain" else _(KINDS[name].label),
            width=230,
        )
        values = []
        for index, number in enumerate(KINDS[kind].numbers if kind in KINDS else ()):
            key = f"mask_lab_{kind}_{index}"
            st.session_state.setdefault(key, number.start)
            values.append(st.number_input(_(number.label), number.least, number.most, step=1, key=key, width=150))
        preset = KINDS[kind].make(*values) if kind in KINDS else Causal()
        st.button(_("Use it"), on_click=_combine, args=("use", preset), type="primary")
        st.button(_("And"), on_click=_combine, args=("and", preset), help=_("Only what both allow."))
        st.button(_("Or"), on_click=_combine, args=("or", preset), help=_("What at least one allows."))
        st.button(_("And not"), on_click=_combine, args=("and_not", preset), help=_("What the preset forbids."))


def sentence(trace: AttentionTrace) -> str:
    """The mask in words."""
    queries, keys = trace.shape("weights")[2:]
    return describe(state.experiment().mask, queries, keys, _)


def history() -> History:
    """What was done to the mask in this visit; a mask that came another way is one more step."""
    mask = state.experiment().mask
    kept: History | None = st.session_state.get(HISTORY)
    kept = History(mask) if kept is None else kept.do(mask)
    st.session_state[HISTORY] = kept
    return kept


def _go(there: History) -> None:
    st.session_state[HISTORY] = there
    state.change_experiment(mask=there.present)


def _painted(grid: Grid) -> None:
    state.change_experiment(mask=Explicit(grid))


def _change(tool: str, trace: AttentionTrace) -> None:
    queries, keys = trace.shape("weights")[2:]
    now = painted(state.experiment().mask, queries, keys)
    state.change_experiment(mask={"fill": fill, "clear": clear, "invert": invert}[tool](now))


def _combine(how: str, preset: Mask) -> None:
    now = state.experiment().mask
    combined: Mask
    if how == "use" or (how == "and" and now == Full()):
        combined = preset
    elif how == "and":
        combined = And((now, preset))
    elif how == "or":
        combined = Or((now, preset))
    else:
        combined = Not(preset) if now == Full() else And((now, Not(preset)))
    state.change_experiment(mask=combined)


def without_causal_mode() -> None:
    """Here the mask is the whole mask: a causal experiment is shown as self-attention with a causal mask."""
    now = state.experiment()
    if now.mode == "causal":
        mask = Causal() if now.mask == Full() else And((Causal(), now.mask))
        state.adopt_experiment(replace(now, mode="self", mask=mask))
