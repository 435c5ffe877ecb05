"""The controls of the page on pretrained models: which model, which text, which layer and head."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from attention_core.pretrained import INSTALL, PretrainedError, Reading, installed
from playground import panel, state, told
from playground.i18n import _
from playground.lesson_parts import choice, number
from playground.pretrained import policy
from playground.pretrained.shelf import Loaded, shelf

TEXT = "The cat sat on the bank of the river while its owner went to the bank."
LONGEST = 4000  # characters that may be typed


@dataclass(frozen=True, eq=False)
class Chosen:
    """A model, what it read, and the layer and head that are shown large."""

    loaded: Loaded
    text: str
    reading: Reading
    layer: str
    head: int


def cut(text: str) -> str:
    """A text from the address, no longer than a visitor may type."""
    return text[:LONGEST]


def text_of(key: str, default: str, label: str, *, lines: bool = False, hint: str = "") -> str:
    """A text box whose content the link carries."""
    state.page_setting(key, default, cut)
    if lines:
        return str(told.text_area(label, key=key, max_chars=LONGEST, height="content"))
    return str(told.text_input(label, key=key, max_chars=LONGEST, placeholder=hint or None))


def model(key: str, *, label: str, besides: str = "") -> Loaded | None:
    """Choose a model; None while there is none to look at, and the page has said why."""
    if not installed():
        panel.statement(
            f"{key}_missing",
            _("Pretrained models need the packages transformers and tokenizers, and they are not installed here."),
            _(
                "Type, in the environment that runs the playground (.venv): {command}. All other pages work without "
                "them."
            ).format(command=INSTALL),
            alert=True,
        )
        return None
    name = _name(key, label, besides)
    return None if name is None else load(key, name)


def _name(key: str, label: str, besides: str) -> str | None:
    """The name that is asked for, out of a list or typed."""
    offers = policy.offers()
    known = [name for name in offers if name != besides]
    if besides and known:  # to begin with, one that reads the other way
        way = {name: policy.goes_forward(offer) for name, offer in offers.items()}
        known.sort(key=lambda name: way[name] == way.get(besides))
    if policy.any_allowed():
        state.page_setting(key, known[0] if known else "", cut)
        hint = _("A name on Hugging Face, or a folder of this machine (it begins with . / or ~)")
        typed = str(told.text_input(label, key=key, max_chars=300, help=hint)).strip()
        if not typed and not besides:  # beside another model nothing is missing
            _nothing(key, known)
        return typed or None
    if not known:
        if not besides:
            _nothing(key, known)
        return None
    choice(key, known[0], known)
    return str(told.selectbox(label, known, key=key))


def _nothing(key: str, known: list[str]) -> None:
    """No model is asked for: `known` are those that might be."""
    if known:
        words = _("Type the name of a model, or a folder. On this machine there are, for example: {names}.")
        panel.statement(f"{key}_nothing", words.format(names=", ".join(known[:4])))
        return
    fetch = _(
        "To have one, type, in the environment that runs the playground (.venv): hf download {example} --include "
        "'*.json' '*.txt' '*.safetensors'."
    ).format(example=policy.WELL_KNOWN[0])
    if policy.any_allowed():
        then = _("Then type its name above; a folder that holds a model can be typed there at once.")
    else:
        then = _(
            "Then load this page again. A folder with a model is shown if the playground starts with "
            "ATTENTION_MODELS=./folder, and any name or folder may be typed here if it starts with "
            "ATTENTION_ANY_MODEL=1."
        )
    words = _("There is no pretrained model on this machine yet, and nothing is downloaded by itself.")
    panel.statement(f"{key}_nothing", words, f"{fetch} {then}", alert=True)


def load(key: str, name: str) -> Loaded | None:
    """The model of that name; None, with a message, while it is loaded, or if it cannot be had."""
    download = policy.download_allowed() and told.checkbox(
        _("Download it from huggingface.co if it is not on this machine (safetensors only)"), key=f"{key}_download"
    )
    try:
        found = shelf.get(policy.offer(name), download=download)
    except PretrainedError as problem:
        panel.statement(f"{key}_wrong", str(problem), problem.remedy, alert=True)
        return None
    if found is None:
        panel.statement(f"{key}_loading", _("{name} is being loaded. This takes seconds to minutes.").format(name=name))
        st.fragment(_look_again, run_every=1.0)(key, name, download)
    st.session_state[f"{key}_waits"] = found is None
    return found


def _look_again(key: str, name: str, download: bool) -> None:
    """Run the page anew once the model is there, or cannot be had; not if it has run meanwhile and shows it."""
    if not st.session_state.get(f"{key}_waits", True):
        return
    try:
        done = shelf.get(policy.offer(name), download=download, wait=0) is not None
    except PretrainedError:
        done = True  # the run that follows asks again and says what is wrong
    if done:
        st.rerun()


def text(loaded: Loaded) -> tuple[str, Reading] | None:
    """What is read: the last text that the model could read where it cannot read this one."""
    typed = text_of("pretrained_text", TEXT, _("Your text"), lines=True)
    target = ""
    if loaded.model.writes:
        hint = _("Leave it empty, and the model writes by itself, always the likeliest word next")
        target = text_of("pretrained_target", "", _("What it writes"), hint=hint)
    kept: dict[str, tuple[str, str]] = st.session_state.setdefault("pretrained_kept", {})
    try:
        reading = loaded.read(typed, target)
    except PretrainedError as problem:
        last = kept.get(loaded.model.name)
        still = _("The picture still shows the last valid input.") if last else ""
        panel.statement("pretrained_wrong", str(problem), " ".join(filter(None, (problem.remedy, still))), alert=True)
        return (last[0], loaded.read(*last)) if last else None
    st.session_state["pretrained_kept"] = {loaded.model.name: (typed, target)}
    return typed, reading


def layer_title(name: str) -> str:
    """What a layer is called: "Encoder, layer 2"."""
    part = name.rstrip("0123456789")
    return {
        "layer": _("Layer {number}"),
        "encoder": _("Encoder, layer {number}: the text reads itself"),
        "decoder": _("Decoder, layer {number}: what is written reads itself"),
        "cross": _("Cross-attention, layer {number}: what is written reads the text"),
    }[part].format(number=name.removeprefix(part))


def part_title(part: str) -> str:
    """What the layers of a part are called together."""
    return {
        "layer": _("All layers and heads"),
        "encoder": _("Encoder: the text reads itself"),
        "decoder": _("Decoder: what is written reads itself"),
        "cross": _("Cross-attention: what is written reads the text"),
    }[part]


def head(reading: Reading) -> tuple[str, int]:
    """Which layer and head is shown large."""
    layers = list(reading.layers)
    cross = [name for name in layers if name.startswith("cross")]
    choice("pretrained_layer", cross[-1] if cross else layers[0], layers)
    left, right = st.columns([2, 1])
    with left:
        layer = str(told.selectbox(_("Layer"), layers, key="pretrained_layer", format_func=layer_title))
    count = reading.layers[layer].weights.shape[0]
    number("pretrained_head", 1, 1, count)
    with right:
        shown = told.selectbox(_("Head"), range(1, count + 1), key="pretrained_head")
    return layer, int(shown or 1) - 1


def show(layer: str, shown: int) -> None:
    """Show a head large: in a callback, before the controls are drawn."""
    st.session_state["pretrained_layer"] = layer
    st.session_state["pretrained_head"] = shown + 1
    state.open_cell(None)
