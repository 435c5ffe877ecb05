"""The pictures of the page on trained models: what a model answers, where its heads look, and every stage."""

from __future__ import annotations

from math import prod
from typing import Any

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.trace import AttentionTrace
from attention_core.trained import Answer, Change
from attention_viz import heatmap_spec, signed_scale
from attention_viz.lessons.alignment import alignment_spec
from playground import frame, inspector, panel, stages, state
from playground.i18n import _, language
from playground.lesson_parts import decimal
from playground.lessons import trained_controls
from playground.lessons import trained_models as models
from playground.lessons.trained_models import Setting
from playground.panel import Cell
from playground.prose import prose

LINES = 300


def say_answer(model: str, text: str, change: Change) -> Answer:
    """The answer with its probabilities, and what the change does to it and to the accuracy."""
    found = models.answered(model, text, change)
    before = models.answered(model, text, Change())
    now, then = models.measured(model, change), models.measured(model, Change())
    same = "" if change == Change() else _("Without the change: {answer}").format(answer=models.said(model, before))
    left, right = st.columns([1.25, 1], gap="medium")
    with left:
        panel.statement("trained_answer", models.said(model, found), same)
        head: tuple[str, ...] = (_("place"), _("answer"), _("probability"), _("next"), _("probability"))
        if len(found.places) == 1:
            head = (_("answer"), _("probability"))
        panel.table("trained_probabilities", models.rows(model, found), head=head, more=_("Show all"))
    with right:
        rows = [(_("right answers"), decimal(now.accuracy, 2), decimal(then.accuracy, 2))]
        if now.forced is not None and then.forced is not None:
            rows[0] = (_("right, writing by itself"), *rows[0][1:])
            rows.append((_("right, given the right words so far"), decimal(now.forced, 2), decimal(then.forced, 2)))
        rows.append((_("alignment"), decimal(now.alignment, 2), decimal(then.alignment, 2)))
        count = models.HELD_OUT
        st.markdown(_("On {count} samples it was not trained on").format(count=count))
        panel.table("trained_measured", rows, head=("", _("now"), _("unchanged")))
    return found


def lines(found: Answer, layer: str, head: int) -> None:
    """The weights as lines between words; one word's lines where a cell of it is open, or it is the only one asked."""
    trace = found.traces[layer]
    cell = state.view().cell
    row = cell.row if cell is not None and cell.field in stages.SCORES else None
    if row is None and len(found.places) == 1:
        row = found.places[0]
    row = row if row is not None and row < len(trace.tokens) else None
    width = 350 if st.session_state.get("narrow") else 860
    spec = alignment_spec(trace, head, query=row, width=width, height=LINES, say=_)
    panel.plot("trained_lines", spec, height=LINES)


def hero(setting: Setting, found: Answer, head: int) -> None:
    """The weights of one head, large; a click opens the arithmetic, or makes a word look there only."""
    trace = found.traces[setting.layer]
    by_hand = st.toggle(_("A click makes this word look there only"), key="trained_by_hand")
    place = state.view().cell

    def clicked(cell: Cell) -> None:
        if not st.session_state.get("trained_by_hand"):
            state.open_cell(cell)
            return
        kept = [one for one in trained_controls.forced() if one[:3] != (setting.layer, cell.head, cell.row)]
        new = (setting.layer, cell.head, cell.row, cell.col)
        if new not in trained_controls.forced():
            kept.append(new)
        st.session_state["trained_forced"] = " ".join(".".join(map(str, one)) for one in kept)

    size = 350 if st.session_state.get("narrow") else 520
    panel.heatmap(
        "trained_weights",
        lambda: heatmap_spec(trace, "weights", head=head, box=(size, 460), titled=False, say=_),
        cells=prod(trace.shape("weights")[2:]),
        title=frame.hero_title(head),
        note=stages.shape(trace, "weights"),
        height=460,
        group="scores",
        cell=place if place is not None and place.field in stages.SCORES and not by_hand else None,
        twins=trace.source_tokens == trace.tokens,
        on_cell=clicked,
    )


def overview(found: Answer) -> None:
    """Every head of every layer."""
    for layer, trace in found.traces.items():
        stages.field_panel(
            trace,
            "weights",
            key=f"trained_{layer}_map",
            width=860,
            height=250,
            title=models.layer_title(layer),
            csv=False,
            marks=False,
        )


def arithmetic(setting: Setting, trace: AttentionTrace) -> None:
    """Where a number comes from: the playground's inspector on the trained weights."""
    scored = Experiment("attention", temperature=setting.change.temperature)
    inspector.draw(scored, trace)


def walk(trace: AttentionTrace, head: int) -> None:
    """All stages of the layer, one under the other, as in the playground."""
    words = prose("playground", language())
    own = prose("trained", language())
    for place, stage in enumerate(stages.walk(trace), start=1):
        removed = stage.name == "dropped_weights"
        name = _("The head that was taken out") if removed else stage.title
        passage = own["removed"] if removed else words[stage.name]
        st.markdown(f"### {place} · {name}\n\n{passage.lead}")
        if stage.name == "qkv" and trace.value_embedding is not None:
            st.markdown(own["values"].lead)
        many = len(stage.fields) > 1 and "allowed" not in stage.fields
        scale = signed_scale(*((trace, field) for field in stage.fields)) if many else None
        for field in stage.fields:
            title: dict[str, Any] = {"title": _("Weights that count")} if removed else {}
            stages.field_panel(
                trace,
                field,
                key=f"trained_stage_{field}",
                width=520,
                height=stage.height,
                head=head,
                scale=scale,
                csv=False,
                **title,
            )


def lesson_rows(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Accuracy and alignment of these models as they are, for a table."""
    found = [(name, models.measured(name, Change())) for name in names if name in models.models()]
    return [(models.title(name), decimal(one.accuracy, 2), decimal(one.alignment, 2)) for name, one in found]


def forcing_rows() -> list[tuple[str, ...]]:
    """The translation model trained with and without the causal mask, for a table."""
    names = [name for name in ("translation", "translation_unmasked") if name in models.models()]
    found = [(name, models.measured(name, Change())) for name in names]
    return [(models.title(name), decimal(one.forced or 0.0, 2), decimal(one.accuracy, 2)) for name, one in found]
