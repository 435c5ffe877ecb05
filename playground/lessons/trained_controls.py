"""The controls of the page on trained models: which model, which text, what is done to it, what is looked at."""

from __future__ import annotations

import streamlit as st

from attention_core.trained import Answer, Change, task
from attention_core.trained.patch_text import format_patches
from attention_core.trained.vocabulary import UnknownWords
from attention_viz.labels import visible
from playground import panel, state, told
from playground.i18n import _
from playground.lesson_parts import choice, number
from playground.lessons import trained_models as models
from playground.lessons import trained_patch
from playground.lessons.trained_link import LONGEST, TEMPERATURES, change_of, removed_for, temperature_of

NAMED = 8  # unknown words that are named; of more, the others are three dots
_EXAMPLES = "trained_examples"


def choose_model() -> str:
    """Which model."""
    known = models.models()
    choice("trained_model", known[0], known)
    return str(
        told.segmented_control(
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
    model = st.session_state["trained_model"]
    st.session_state["trained_removed"], st.session_state["trained_temperature"] = "", 1.0
    for layer in ("self1", "self2", "encoder1", "decoder1", "cross1"):
        st.session_state[f"trained_mask_{layer}"] = models.OWN
    st.session_state["trained_working"] = list(models.heads(model))
    trained_patch.take_back()


def choose_text(model: str) -> str:
    """What is asked; the last text that the model could take where it cannot take this one."""
    first = task(model).inputs[0]
    state.page_setting("trained_text", first, lambda text: text[:LONGEST])
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        typed = told.text_input(_("Your text"), key="trained_text", max_chars=LONGEST)
    with right, st.popover(_("Examples"), width="stretch", key=_EXAMPLES, on_change="rerun"):
        for place, example in enumerate(task(model).inputs):
            st.button(example, key=f"trained_example_{place}", on_click=_take, args=(example,), type="tertiary")
    wrong = st.container()  # a message more or less moves nothing that follows to another place
    try:
        models.answered(model, typed, Change())
    except ValueError as problem:
        kept: str | None = st.session_state.get("trained_kept", {}).get(model)
        still = _("The picture still shows the last valid input.")
        if kept is None:  # the link itself has brought what cannot be taken
            still = _("The page shows an example instead.")
        with wrong:
            panel.statement("trained_wrong", *_refusal(model, typed, problem, still), alert=True)
        return first if kept is None else kept
    st.session_state["trained_kept"] = {model: typed}
    return typed


def _take(example: str) -> None:
    st.session_state["trained_text"] = example
    st.session_state[_EXAMPLES] = False


def _refusal(model: str, typed: str, problem: ValueError, still: str) -> tuple[str, str]:
    """What is wrong with the text, and what the page shows; where words are lacking, those that the model knows."""
    known, words = task(model).words.words, str(problem)
    if isinstance(problem, UnknownWords):
        unknown = [f"“{visible(word[:40])}”" for word in problem.unknown[:NAMED]]
        more = ["…"] if len(problem.unknown) > NAMED else []
        words = _("The model has never seen {words}.").format(words=", ".join([*unknown, *more]))
    elif typed.strip():
        return words, still
    knows = _("It knows these {count}: {known}.").format(
        count=len(known), known=", ".join(visible(word) for word in known)
    )
    return words, " ".join((knows, still))


def choose_change(model: str, text: str) -> Change:
    """What is done to the model, in the sidebar."""
    everything = models.heads(model)
    names = {f"{layer}.{head}": (layer, head) for layer, head in everything}
    state.page_setting("trained_removed", "", removed_for(model))
    gone = [names[one] for one in st.session_state["trained_removed"].split() if one in names]
    st.session_state["trained_working"] = [one for one in everything if one not in gone]
    state.page_setting("trained_temperature", 1.0, temperature_of)
    with st.sidebar:
        st.markdown(f"**{_('Change the model')}**")
        told.pills(
            _("Heads that work: click one to take it out"),
            everything,
            key="trained_working",
            selection_mode="multi",
            format_func=lambda one: models.head_title(*one),
            on_change=_keep_removed,
            args=(model,),
        )
        chosen = {layer: _choose_mask(model, layer) for layer in dict(everything)}
        told.slider(
            _("Temperature of all heads (1: as it was trained)"), *TEMPERATURES, step=0.1, key="trained_temperature"
        )
        made = trained_patch.patches(model, text)
        if made:
            st.caption(_("Heads with weights set by hand: {count}").format(count=len(made)))
        st.button(_("Undo all changes"), on_click=undo, width="stretch")
    removed, temperature = st.session_state["trained_removed"], st.session_state["trained_temperature"]
    return change_of(model, removed, chosen, temperature, format_patches(made))


def _choose_mask(model: str, layer: str) -> str:
    """The mask of one layer, by name; an older link names one for all layers that read the text."""
    key, options = f"trained_mask_{layer}", (models.OWN, *models.masks(model, layer))
    old = st.query_params.get("trained_mask")
    if old in options and layer not in ("decoder1", "cross1") and key not in st.session_state:
        st.session_state[key] = old
    choice(key, models.OWN, options)
    mask = str(
        told.selectbox(
            models.mask_label(layer), options, key=key, format_func=lambda name: models.mask_title(name, layer)
        )
    )
    if models.later_only(layer, mask):
        st.caption(
            _(
                "While the model writes, nothing later is there yet: the answer stays as it is. Only what is right "
                "“given the right words so far” can change."
            )
        )
    return mask


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
        told.segmented_control(_("Layer"), layers, key="trained_layer", required=True, format_func=models.layer_title)
    )
    count = found.traces[layer].shape("weights")[1]
    if count == 1:
        return layer, 0
    shown = number("trained_head", 1, 1, count)
    shown = int(
        told.segmented_control(_("Head"), list(range(1, count + 1)), key="trained_head", required=True) or head + 1
    )
    return layer, shown - 1
