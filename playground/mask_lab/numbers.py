"""What the mask changed in numbers: head by head, row by row, and one row key by key."""

from __future__ import annotations

import streamlit as st

from attention_core.mask_lab import MaskEffect, mask_effect, row_effects, summarise
from attention_core.trace import AttentionTrace
from attention_viz.labels import visible
from playground import panel, state, told
from playground.i18n import _
from playground.mask_lab.editor import one_head


def settings(queries: int) -> None:
    """What the link may say of the rows, read also while they are folded away."""
    # Counted from 1, as heads are; 0: what lost most.
    state.page_setting("mask_lab_query", 0, state.whole(0, queries))


def draw(before: AttentionTrace, after: AttentionTrace) -> None:
    """The table of the heads, and on request where the mass of each row went."""
    effect = mask_effect(before, after)
    _heads(effect)
    head = one_head(after)
    label = _("Row by row, in head {number}").format(number=head + 1)
    state.page_setting("mask_lab_open", "", state.one_of(("rows",)))
    st.session_state["mask_lab_rows_open"] = st.session_state["mask_lab_open"] == "rows"
    with st.expander(label, key="mask_lab_rows_open", on_change=_open) as rows:
        if rows.open:  # nobody waits for what is folded away
            _rows(effect, head)
            _one_row(effect, head, after)


def _open() -> None:
    st.session_state["mask_lab_open"] = "rows" if st.session_state["mask_lab_rows_open"] else ""


def _heads(effect: MaskEffect) -> None:
    count = effect.before.shape[1]
    rows = []
    for head in (*range(count), None):
        found = summarise(effect, head)
        rows.append(
            (
                _("all") if head is None else str(head + 1),
                f"{found.removed:.1%}",
                f"{found.gained:.1%}",
                str(found.rows_emptied),
                f"{found.entropy_before:.3f} → {found.entropy_after:.3f}",
                f"{found.context_moved:.3f}",
                f"{found.output_moved:.3f}" if head is None else "",
            )
        )
    panel.table(
        "mask_lab_heads",
        rows[:-1],
        head=(
            _("Head"),
            _("mass removed"),
            _("redistributed"),
            _("rows emptied"),
            _("entropy, nats"),
            _("head output moved"),
            _("output moved"),
        ),
        total=rows[-1],
        more=_("Show all heads"),
    )
    error = summarise(effect).conservation_error
    st.caption(
        _(
            "Means over the rows. What the forbidden cells held goes to those that remain: in every row that has "
            "anything left, removed and redistributed agree {error}. An emptied row loses all and gains nothing. "
            "How far a vector moved is the length of its change."
        ).format(error=_("to {number}").format(number=f"{error:.0e}".replace("-", "−")) if error else _("exactly"))
    )


def _rows(effect: MaskEffect, head: int) -> None:
    panel.table(
        "mask_lab_rows",
        [
            (
                f"{row.query}  {visible(row.token)}",
                f"{row.removed:.2%}",
                f"{row.gained:.2%}",
                f"{row.entropy_before:.3f} → {row.entropy_after:.3f}",
                f"{row.context_moved:.3f}",
                f"{row.output_moved:.3f}",
            )
            for row in row_effects(effect, head)
        ],
        head=(
            _("Query"),
            _("removed"),
            _("gained"),
            _("entropy, nats"),
            _("head output moved"),
            _("output moved"),
        ),
        more=_("Show all rows"),
    )


def _one_row(effect: MaskEffect, head: int, after: AttentionTrace) -> None:
    """One query, key by key: what remains grows by one and the same factor."""
    tokens = effect.tokens
    settings(len(tokens))
    st.session_state["mask_lab_query"] = min(st.session_state["mask_lab_query"], len(tokens))
    chosen = told.selectbox(
        _("Where it went, for the query"),
        range(len(tokens) + 1),
        key="mask_lab_query",
        format_func=lambda index: f"{index - 1} {visible(tokens[index - 1])}" if index else _("that lost most"),
        width=240,
    )
    query = chosen - 1 if chosen else int(effect.removed[0, head].argmax())
    row = row_effects(effect, head)[query]
    a, b = effect.before[0, head, query], effect.after[0, head, query]  # (key,)
    panel.statement("mask_lab_row_words", row.sentence.text(_))
    panel.table(
        "mask_lab_row",
        [
            (
                f"{key}  {visible(token)}",
                f"{a[key]:.4f}",
                f"{b[key]:.4f}" if after.heads.allowed[0, head, query, key] else _("forbidden"),
                f"{b[key] - a[key]:+.4f}".replace("-", "−"),
                f"× {b[key] / a[key]:.4f}" if a[key] > 0 and b[key] > 0 else "",
            )
            for key, token in enumerate(after.source_tokens)
        ],
        head=(_("Key"), _("A, before"), _("B, after"), _("B − A"), _("B / A")),
        total=(
            _("sum"),
            f"{a.sum():.4f}",
            f"{b.sum():.4f}",
            f"{b.sum() - a.sum():+.4f}".replace("-", "−"),
            "",
        ),
        more=_("Show all keys"),
    )
