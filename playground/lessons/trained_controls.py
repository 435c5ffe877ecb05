"""The controls of the page on trained models: which model, which text, what is done to it, what is looked at."""

from __future__ import annotations

import streamlit as st

from attention_core.trained import Answer, Change, task
from attention_core.trained.vocabulary import UnknownWords
from attention_viz.labels import visible
from playground import panel, state
from playground.i18n import _
from playground.lesson_parts import choice, number
from playground.lessons import trained_models as models

LONGEST = 400  # characters that may be typed
TEMPERATURES = (0.1, 10.0)


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
    for name, value in (("removed", ""), ("mask", models.OWN), ("temperature", 1.0), ("forced", "")):
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
    state.page_setting("trained_temperature", 1.0, _temperature)
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
        st.slider(
            _("Temperature of all heads (1: as it was trained)"), *TEMPERATURES, step=0.1, key="trained_temperature"
        )
        made = forced()
        if made:
            st.caption(_("Looks made by hand: {count}").format(count=len(made)))
        st.button(_("Undo all changes"), on_click=undo, width="stretch")
    return models.change_of(
        model, frozenset(gone), st.session_state["trained_mask"], st.session_state["trained_temperature"], made
    )


def _temperature(text: str) -> float:
    if not text.replace(".", "", 1).isdecimal() or not TEMPERATURES[0] <= float(text) <= TEMPERATURES[1]:
        raise ValueError(f"{text[:40]!r}: allowed are numbers from {TEMPERATURES[0]} to {TEMPERATURES[1]}")
    return round(float(text), 1)


def _names(text: str) -> str:
    if not all(part.replace(".", "").isalnum() for part in text.split()):
        raise ValueError(f"{text[:40]!r}: allowed are layer.head")
    return " ".join(text.split()[:32])


def _keep_removed(model: str) -> None:
    working = st.session_state["trained_working"] or []
    gone = [f"{layer}.{head}" for layer, head in models.heads(model) if (layer, head) not in working]
    st.session_state["trained_removed"] = " ".join(gone)


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
