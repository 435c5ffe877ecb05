"""The arithmetic of one cell, with its real numbers: what was clicked, or a telling cell to begin with."""

from __future__ import annotations

from typing import Any

import streamlit as st

from attention_core.derivation import Derivation, Step, derive
from attention_core.experiment import Experiment
from attention_core.trace import AttentionTrace
from attention_viz.bars import bars_spec
from attention_viz.labels import visible
from playground import panel, state
from playground.i18n import _
from playground.panel import Cell
from playground.stages import SCORES, field_title
from playground.view import has_cell

STAGES_OF_A_SCORE = ("raw_scores", "scaled_scores", "modified_scores", "masked_scores", "weights")


def draw(
    experiment: Experiment, trace: AttentionTrace, head: int = 0, row: int | None = None, compared: str = ""
) -> None:
    """Sentence, the row's weights as bars, the derivation step by step; to begin with of a cell of `head` and `row`.

    `compared` is said under the sentence of a cell that was opened.
    """
    chosen = state.view().cell
    if chosen is not None and not has_cell(trace, chosen):
        chosen = None
    cell = chosen or first_cell(trace, head, row)
    found = derive(
        trace,
        cell.field,
        head=cell.head,
        row=cell.row,
        col=cell.col,
        score=experiment.score_function(),
        mods=experiment.mods(),
        show=visible,
    )
    # The style of the frame tells an opened cell from the one shown to begin with by the key.
    with st.container(key="arithmetic_open" if chosen else "arithmetic_first"):
        of_a = state.view().opens_a and experiment == state.view().pinned
        title = _("Where this number of A comes from") if of_a else _("Where this number comes from")
        if chosen:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"### {title}")
                st.button(_("Close"), on_click=state.open_cell, args=(None,), type="tertiary")
        else:  # of one piece: what follows keeps its place when a cell is opened
            hint = _("Click any cell, in any picture. With the keyboard: Tab to a picture, arrow keys, Enter.")
            st.markdown(f"### {title}\n\n:small[:gray[{hint}]]")
        panel.statement("sentence", found.sentence.text(_), _place(trace, found))
        if chosen and compared:
            st.caption(compared)
        if cell.field in SCORES:
            spec = bars_spec(trace, cell.head, cell.row, marked=cell.col, highest=260, say=_)
            panel.bars("row_bars", spec)
        # Some thirty formulas are the dearest thing on the page: they are set once somebody asks for them.
        for place, step in enumerate(found.steps if chosen else ()):
            _step(place, step)


def first_cell(trace: AttentionTrace, head: int = 0, row: int | None = None) -> Cell:
    """A cell to begin with: where one token, or the one in the middle, looks most, in one head."""
    weights = trace.field("weights")[0, head]
    row = weights.shape[0] // 2 if row is None else row
    return Cell("weights", head, row, int(weights[row].argmax()))


def _place(trace: AttentionTrace, found: Derivation) -> str:
    """Which picture the cell is in; the sentence names its tokens, and the numbers of a vector count from 1."""
    field, column = field_title(found.field, trace), found.col + 1
    if found.head is None:
        return _("{field}, column {column}").format(field=field, column=column)
    names = trace.head_names
    head = str(found.head + 1)
    if found.head < len(names) and names[found.head]:
        head = f"{head} · {_(names[found.head])}"
    if found.field in SCORES:
        return _("{field}, head {head}").format(field=field, head=head)
    return _("{field}, head {head}, column {column}").format(field=field, head=head, column=column)


def _step(place: int, step: Step) -> None:
    formulas = dict.fromkeys(filter(None, (step.formula, step.substituted)))
    if step.substituted.startswith((f"{step.formula} = ", rf"{step.formula} \approx ")):
        del formulas[step.formula]  # a symbol alone, which stands there again
    title = f"**{place + 1}. {_(step.name)}**"
    st.markdown("\n\n".join([title, *(f"$$\\displaystyle {one}$$" for one in formulas)]))
    if len(step.terms) > 1:
        rows = [(term.label, *(number(value) for value in term[1:])) for term in step.terms]
        total: tuple[str, ...] = ("Σ", "", "", number(step.value)) if step.value is not None else ()
        panel.table(f"terms_{place}", rows, head=_plain(step.columns), total=total, more=_("Show all terms"))
    if step.note is not None:
        panel.statement(f"note_{place}", "", step.note.text(_))


def _plain(columns: tuple[str, ...] | None) -> tuple[Any, ...]:
    return ("", *columns) if columns else ()


def number(value: float) -> str:
    """A number as the arithmetic writes it."""
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.4f}" if abs(value) < 1e4 else f"{value:.4g}"
    return (text if text.strip("-0.") else "0.0000").replace("-", "−")
