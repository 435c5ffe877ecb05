"""The mask one paints: the grid, what it says in words, and the tools above it."""

from __future__ import annotations

import streamlit as st

from attention_core.mask_lab import describe
from attention_core.masks import Full, Not
from attention_core.trace import AttentionTrace
from attention_viz import matrix_spec
from attention_viz.labels import visible
from playground import downloads, panel, state, told
from playground.i18n import _
from playground.mask_lab import changes

PAINTED_CELL_BY_CELL = 64  # tokens; longer sequences are painted in blocks of as many cells as keeps 64 blocks


def brush(trace: AttentionTrace) -> int:
    """How many cells wide one stroke is."""
    return -(-max(trace.shape("weights")[2:]) // PAINTED_CELL_BY_CELL)


def sentence(trace: AttentionTrace) -> None:
    """The mask in words, and under it its rule and how much it leaves."""
    mask = state.experiment().mask
    allowed = trace.heads.allowed[0, 0]  # (query, key)
    queries, keys = allowed.shape
    blind = int((~allowed.any(dim=-1)).sum())
    words = describe(mask, queries, keys, _, cross=state.experiment().mode == "cross", painted_on=changes.painted_on())
    if mask == Full():
        details = [_("Nothing is forbidden yet: drag over the grid, or start from one of these.")]
    else:
        details = [_("everything forbidden") if mask == Not(Full()) else mask.phrase(_)]
        opened = _("{open} of {cells} cells are open").format(open=int(allowed.sum()), cells=queries * keys)
        if opened not in words:  # a painting like no preset says it already
            details.append(opened)
            if blind:
                details.append(_("queries with nothing left to see: {count}").format(count=blind))
    panel.statement("mask_sentence", words, " · ".join(details))


def tools(trace: AttentionTrace) -> None:
    """Undo, redo, everything open, everything shut, invert; which heads are shown; what to take away."""
    changes.up_to_date()
    now = changes.history()
    with st.container(horizontal=True, gap="small", vertical_alignment="center", width="content", key="mask_lab_tools"):
        # paint.js presses these two for Ctrl+Z and Ctrl+Y; a shortcut of Streamlit's would take them from text fields.
        undo = _("Undo (Ctrl+Z)")
        st.button(_("Undo"), key="mask_undo", on_click=changes.undo, disabled=not now.can_undo, help=undo)
        redo = _("Redo (Ctrl+Y)")
        st.button(_("Redo"), key="mask_redo", on_click=changes.redo, disabled=not now.can_redo, help=redo)
        for tool, label, words in (
            ("open", _("Open all"), _("Nothing is forbidden.")),
            ("forbid", _("Forbid all"), _("Nothing is left to see.")),
            ("invert", _("Invert"), _("Swap forbidden and allowed.")),
        ):
            st.button(label, key=f"mask_{tool}", on_click=changes.turn, args=(tool,), help=words)
        _heads(trace)
        with st.popover(_("Download")):
            st.markdown(_take_away())


def _heads(trace: AttentionTrace) -> None:
    """All heads, or one large: in the weights, and in what the mask changed."""
    head = shown_head(trace)
    st.session_state["mask_lab_shown"] = 0 if head is None else head + 1
    told.selectbox(
        _("Heads shown"),
        range(trace.shape("weights")[1] + 1),
        key="mask_lab_shown",
        format_func=lambda number: _("Head {number}").format(number=number) if number else _("All heads"),
        on_change=_show_head,
        label_visibility="collapsed",
        width=130,
    )


def _show_head() -> None:
    number = st.session_state["mask_lab_shown"]
    state.change_view(head=number - 1 if number else None)


def shown_head(trace: AttentionTrace) -> int | None:
    """The head that is looked at alone; None for all."""
    head = state.view().head
    return head if head is not None and head < trace.shape("weights")[1] else None


def one_head(trace: AttentionTrace) -> int:
    """The head of what shows one at a time: the one looked at, else the last.

    Of the heads built by hand most look at one token, whatever is forbidden; the last one is random and shows more.
    """
    head = shown_head(trace)
    return int(trace.shape("weights")[1]) - 1 if head is None else head


def _take_away() -> str:
    files = {
        "attention.py": _("The PyTorch code of what is on the screen, with this mask"),
        "experiment.json": _("The settings as JSON, with this mask"),
        "trace.json": _("Every tensor as JSON"),
    }
    return "\n".join(f"- [{title}]({downloads.link(name)})" for name, title in files.items())


def draw(trace: AttentionTrace) -> None:
    """The grid: strokes paint, a token's label flips its row or column."""
    wide = brush(trace)
    allowed = trace.heads.allowed[0, 0]  # (query, key)
    note = _("drag to paint; click a label to flip its row or column")
    if wide > 1:
        note = _("painted in blocks of {size} by {size}: the sequence is long").format(size=wide)
    panel.heatmap(
        changes.EDITOR,
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
            box=(350 if panel.narrow() else 400, 420),
            say=_,
        ),
        cells=allowed.numel(),
        title=_("The mask"),
        note=note,
        height=430,
        group="scores",
        twins=trace.source_tokens == trace.tokens,
        brush=wide,
        on_paint=lambda _grid: changes.take_strokes(),
    )
