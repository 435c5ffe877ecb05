"""The parts of the page on trained models: what is asked, what is done to the model, what it answers, how it looks."""

from __future__ import annotations

from math import prod
from typing import Any

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.trace import AttentionTrace
from attention_core.trained import Answer, Change, task
from attention_core.trained.vocabulary import UnknownWords
from attention_viz import heatmap_spec, signed_scale
from attention_viz.labels import visible
from attention_viz.lessons.alignment import alignment_spec
from playground import frame, inspector, panel, stages, state
from playground.i18n import _, language
from playground.lesson_parts import choice, decimal, number
from playground.lessons import trained_models as models
from playground.lessons.trained_models import Setting
from playground.panel import Cell
from playground.prose import prose

LONGEST = 400  # characters that may be typed
LINES = 300


def forced_of(text: str) -> str:
    """A setting that lists looks made by hand, "layer.head.query.key" with spaces between. ValueError otherwise."""
    for one in text.split():
        layer, *numbers = one.split(".")
        if len(numbers) != 3 or not layer.isalnum() or not all(n.isdecimal() and len(n) < 4 for n in numbers):
            raise ValueError(f"{text[:40]!r}: allowed are layer.head.query.key")
    return " ".join(text.split()[:64])


def forced() -> tuple[tuple[str, int, int, int], ...]:
    """The looks made by hand."""
    text = str(state.page_setting("trained_forced", "", forced_of))
    found = []
    for one in text.split():
        layer, head, query, key = one.split(".")
        found.append((layer, int(head), int(query), int(key)))
    return tuple(found)


def choose_model() -> str:
    """Which model."""
    known = models.models()
    choice("trained_model", known[0], known)
    return str(
        st.segmented_control(
            _("Model"), known, key="trained_model", required=True, format_func=models.title, on_change=_start_anew
        )
    )


def _start_anew() -> None:
    """Another model: its first example, and nothing done to it."""
    st.session_state["trained_text"] = task(st.session_state["trained_model"]).inputs[0]
    st.session_state["trained_layer"] = task(st.session_state["trained_model"]).watched[0]
    state.open_cell(None)
    undo()


def undo() -> None:
    """Take back all that was done to the model."""
    for name, value in (("removed", ""), ("mask", models.OWN), ("heat", 10), ("forced", "")):
        st.session_state[f"trained_{name}"] = value
    st.session_state["trained_working"] = list(models.heads(st.session_state["trained_model"]))


def choose_text(model: str) -> str:
    """What is asked; the last text that the model could take where it cannot take this one."""
    first = task(model).inputs[0]
    state.page_setting("trained_text", first, lambda text: text[:LONGEST])
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    typed = left.text_input(_("Your text"), key="trained_text", max_chars=LONGEST)
    with right, st.popover(_("Examples"), width="stretch"):
        for place, example in enumerate(task(model).inputs):
            st.button(example, key=f"trained_example_{place}", on_click=_take, args=(example,), type="tertiary")
    try:
        models.answered(model, typed, Change())
    except ValueError as problem:
        kept: str = st.session_state.get("trained_kept", {}).get(model, first)
        panel.statement("trained_wrong", *_refusal(problem), alert=True)
        return kept
    st.session_state["trained_kept"] = {model: typed}
    return typed


def _take(example: str) -> None:
    st.session_state["trained_text"] = example


def _refusal(problem: ValueError) -> tuple[str, str]:
    """What is wrong with the text, and what the model knows."""
    if not isinstance(problem, UnknownWords):
        return str(problem), _("The picture still shows the last valid input.")
    words = ", ".join(f"“{visible(word[:40])}”" for word in problem.unknown[:8])
    known = ", ".join(visible(word) for word in problem.known)
    return (
        _("The model has never seen {words}.").format(words=words),
        _("It knows these {count}: {known}. The picture still shows the last valid input.").format(
            count=len(problem.known), known=known
        ),
    )


def choose_change(model: str) -> Change:
    """What is done to the model, in the sidebar."""
    everything = models.heads(model)
    names = {f"{layer}.{head}": (layer, head) for layer, head in everything}
    state.page_setting("trained_removed", "", _names)
    gone = [names[one] for one in st.session_state["trained_removed"].split() if one in names]
    st.session_state["trained_working"] = [one for one in everything if one not in gone]
    choice("trained_mask", models.OWN, models.MASKS)
    number("trained_heat", 10, 1, 100)
    with st.sidebar:
        st.markdown(f"**{_('Change the model')}**")
        st.pills(
            _("Heads that work: click one to take it out"),
            everything,
            key="trained_working",
            selection_mode="multi",
            format_func=lambda one: models.head_title(*one),
            on_change=_keep_removed,
            args=(model,),
        )
        st.selectbox(
            _("Mask: what the words of your text may see"),
            models.MASKS,
            key="trained_mask",
            format_func=models.mask_title,
        )
        st.slider(_("Temperature of all heads, in tenths: 10 changes nothing"), 1, 100, key="trained_heat")
        made = forced()
        if made:
            st.caption(_("Looks made by hand: {count}").format(count=len(made)))
        st.button(_("Undo all changes"), on_click=undo, width="stretch")
    return models.change_of(
        model, frozenset(gone), st.session_state["trained_mask"], st.session_state["trained_heat"] / 10, made
    )


def _names(text: str) -> str:
    if not all(part.replace(".", "").isalnum() for part in text.split()):
        raise ValueError(f"{text[:40]!r}: allowed are layer.head")
    return " ".join(text.split()[:32])


def _keep_removed(model: str) -> None:
    working = st.session_state["trained_working"] or []
    gone = [f"{layer}.{head}" for layer, head in models.heads(model) if (layer, head) not in working]
    st.session_state["trained_removed"] = " ".join(gone)


def say_answer(model: str, text: str, change: Change) -> Answer:
    """The answer with its probabilities, and what the change does to it and to the accuracy."""
    found = models.answered(model, text, change)
    before = models.answered(model, text, Change())
    now, then = models.measured(model, change), models.measured(model, Change())
    same = (
        "" if change == Change() else _("Unchanged, the model says: {answer}").format(answer=models.said(model, before))
    )
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
        st.markdown(_("On {count} sentences it was not trained on").format(count=count))
        panel.table("trained_measured", rows, head=("", _("now"), _("unchanged")))
    return found


def choose_layer(model: str, found: Answer) -> tuple[str, int]:
    """Which layer, and which of its heads, is shown large."""
    layers = list(found.traces)
    watched, head = task(model).watched
    choice("trained_layer", watched, layers)
    layer = str(
        st.segmented_control(_("Layer"), layers, key="trained_layer", required=True, format_func=models.layer_title)
    )
    count = found.traces[layer].shape("weights")[1]
    if count == 1:
        return layer, 0
    shown = number("trained_head", 1, 1, count)
    shown = int(
        st.segmented_control(_("Head"), list(range(1, count + 1)), key="trained_head", required=True) or head + 1
    )
    return layer, shown - 1


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
        kept = [one for one in forced() if one[:3] != (setting.layer, cell.head, cell.row)]
        new = (setting.layer, cell.head, cell.row, cell.col)
        if new not in forced():
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
