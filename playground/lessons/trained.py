"""The pictures of the page on trained models: what a model answers, where its heads look, and every stage."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.trace import AttentionTrace
from attention_core.trained import Answer, Change
from attention_viz.lessons.alignment import alignment_spec
from playground import inspector, panel, stages, state, told
from playground.folded import every_stage
from playground.i18n import _, language
from playground.lesson_parts import decimal
from playground.lessons import trained_downloads, trained_patch, trained_patch_desk
from playground.lessons import trained_models as models
from playground.lessons.trained_models import Setting
from playground.prose import prose

LINES = 300
CROWDED = 12  # pixels between two words, below which the lines of all of them cannot be told apart


def say_answer(model: str, text: str, change: Change) -> Answer:
    """The answer with its probabilities, and what the change does to it and to the accuracy."""
    found = models.answered(model, text, change)
    before = models.answered(model, text, Change())
    same = "" if change == Change() else _("Without the change: {answer}").format(answer=models.said(model, before))
    left, right = st.columns([1.25, 1], gap="medium")
    with left:
        panel.statement("trained_answer", models.said(model, found), same)
        head: tuple[str, ...] = (_("place"), _("answer"), _("probability"), _("next"), _("probability"))
        if len(found.places) == 1:
            head = (_("answer"), _("probability"))
        with st.container():  # a table more or less moves nothing that follows to another place
            if found.places:
                panel.table("trained_probabilities", models.rows(model, found), head=head, more=_("Show all"))
    with right:  # after the answer, which need not wait for it
        tried = models.measurable(model, change)
        now, then = models.measured(model, tried), models.measured(model, Change())
        rows = [(_("right answers"), decimal(now.accuracy, 2), decimal(then.accuracy, 2))]
        if now.forced is not None and then.forced is not None:
            rows[0] = (_("right, writing by itself"), *rows[0][1:])
            rows.append((_("right, given the right words so far"), decimal(now.forced, 2), decimal(then.forced, 2)))
        rows.append((_("alignment"), decimal(now.alignment, 2), decimal(then.alignment, 2)))
        count = models.HELD_OUT
        st.markdown(_("On {count} samples it was not trained on").format(count=count))
        panel.table("trained_measured", rows, head=("", _("now"), _("unchanged")))
        if tried != change:
            st.caption(_("Without the rows that were set by hand: they hold for this sentence only."))
    return found


def asked_row(found: Answer, trace: AttentionTrace) -> int:
    """The row of a map that the answer is read at; of several the middle one."""
    return min(found.places[len(found.places) // 2] if found.places else 0, len(trace.tokens) - 1)


def lines(trace: AttentionTrace, found: Answer, head: int) -> None:
    """The weights as lines between words.

    One word's lines where a cell of it is open, where it is the only one asked, and where all lines would be one block.
    """
    cell = state.view().cell
    row = cell.row if cell is not None and cell.field in stages.SCORES else None
    if row is None and len(found.places) == 1:
        row = found.places[0]
    width = 350 if panel.narrow() else 860
    if row is None and width / max(trace.shape("weights")[2:]) < CROWDED:
        row = asked_row(found, trace)
    row = row if row is not None and row < len(trace.tokens) else None
    spec = alignment_spec(trace, head, query=row, width=width, height=LINES, say=_)
    panel.plot("trained_lines", spec, height=LINES)


def pictures(setting: Setting, found: Answer, head: int) -> None:
    """The weights as lines and as a map, what may be done to them, the arithmetic, every head, every stage."""
    words = prose("trained", language())
    trace = found.traces[setting.layer]
    shown = trained_patch.shown(found, setting.change, setting.layer)
    lines(shown, found, head)
    with st.container():  # a place that stays, see frame.header
        if (setting.layer, head) in setting.change.removed:
            out = _("This head is taken out. Its queries and keys still give these weights, but what it hands on is 0.")
            panel.statement("trained_out", out, alert=True)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        told.toggle(_("Set weights by hand: paint on the map where a word looks"), key="trained_by_hand")
        trained_downloads.menu(setting)
    field = "weights" if shown is trace else "dropped_weights"
    left, right = st.columns([1.62, 1], gap="medium")
    with left:
        trained_patch.hero(setting, shown, head, trained_downloads.link(f"{field}.csv", setting))
    if st.session_state.get("trained_by_hand"):
        with left if panel.narrow() else right:  # on a phone the right column is far below
            trained_patch_desk.draw(setting, found, head, asked_row(found, trace))
    with right:
        scored = Experiment("attention", temperature=setting.change.temperature)
        inspector.draw(scored, trace, head, row=asked_row(found, trace))
    with left, st.container(key="stages"):
        st.markdown(words["overview"].lead)
        overview(setting, found)
        every_stage("trained", lambda: walk(setting, trace, head))


def overview(setting: Setting, found: Answer) -> None:
    """Every head of every layer."""
    for layer in found.traces:
        trace = trained_patch.shown(found, setting.change, layer)
        field = "weights" if trace is found.traces[layer] else "dropped_weights"
        stages.field_panel(
            trace,
            "weights",
            key=f"trained_{layer}_map",
            width=520,
            height=250,
            snug=True,
            title=models.layer_title(layer),
            csv=trained_downloads.link(f"{field}.csv", replace(setting, layer=layer)),
            marks=False,
        )


def walk(setting: Setting, trace: AttentionTrace, head: int, *, files: bool = True) -> None:
    """All stages of the layer, one under the other, as in the playground; `files` of a model that links can name."""
    own = prose("trained", language())
    patched = any(patch.layer == setting.layer for patch in setting.change.patches)
    for place, stage in enumerate(stages.walk(trace), start=1):
        changed = stage.name == "dropped_weights"
        name, passage = stage.title, stages.passage(trace, stage.name)
        if changed:
            name = _("The weights that were set by hand") if patched else _("The head that was taken out")
            passage = own["patched" if patched else "removed"]
        more = _more_of(stage.name, trace)
        st.markdown("\n\n".join([f"### {place} · {name}", passage.lead, *([own[more].lead] if more else [])]))
        scale = stages.common_scale(trace, stage)
        for field in stage.fields:
            title: dict[str, Any] = {"title": _("Weights that count")} if changed else {}
            stages.field_panel(
                trace,
                field,
                key=f"trained_stage_{field}",
                width=520,
                height=stage.height,
                snug=True,
                head=head,
                scale=scale,
                csv=trained_downloads.link(f"{field}.csv", setting) if files else False,
                **title,
            )


def _more_of(stage: str, trace: AttentionTrace) -> str:
    """The section of this page's words that belongs to a stage of this layer beside the usual ones, if any."""
    reads_itself = trace.source_embedding is trace.embedding
    if stage == "embedding" and reads_itself and trace.tokens != trace.source_tokens:
        return "written"
    if stage == "qkv" and trace.value_embedding is not None:
        return "values" if trace.position_encoding is None else "places"
    return ""


def lesson_rows(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Accuracy and alignment of these models as they are, for a table."""
    found = [(name, models.measured(name, Change())) for name in names if name in models.models()]
    return [(models.title(name), decimal(one.accuracy, 2), decimal(one.alignment, 2)) for name, one in found]


def forcing_rows() -> list[tuple[str, ...]]:
    """The translation model trained with and without the causal mask, for a table."""
    names = [name for name in ("translation", "translation_unmasked") if name in models.models()]
    found = [(name, models.measured(name, Change())) for name in names]
    return [(models.title(name), decimal(one.forced or 0.0, 2), decimal(one.accuracy, 2)) for name, one in found]
