"""The sidebar: every field of the `Experiment` as a widget. The article's order: what goes in, what is done to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import fields as dataclass_fields
from random import SystemRandom
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from attention_core.embeddings import EMBEDDINGS
from attention_core.experiment import Experiment
from attention_core.masks import Full, Not
from attention_core.positions import POSITIONS
from attention_core.presets import PRESETS, preset
from attention_core.tokens import TOKENIZERS
from playground import state, teacher, told, widgets
from playground.as_before import as_before
from playground.i18n import _, language
from playground.mask_choice import CUSTOM, KINDS
from playground.settings import limits

HEADS = (1, 2, 3, 4, 6, 8, 12, 16)
UNSURE = -1  # in place of the number of heads that have keys and values of their own


def _labels() -> Mapping[str, str]:
    """The word shown for each value of a choice."""
    return {
        "self": _("Self"),
        "causal": _("Causal"),
        "cross": _("Cross"),
        "hand_built": _("Built by hand"),
        "random": _("Random"),
        "article": _("The article's"),
        "word": _("Words"),
        "character": _("Characters"),
        "byte": _("Bytes"),
        "bpe": _("Byte pairs (BPE)"),
        "hashed": _("A vector for each word"),
        "sorted_vocabulary": _("The article's vocabulary"),
        "one_hot": _("One-hot"),
        "none": _("None"),
        "sinusoidal": _("Sinusoidal, added"),
        "learned": _("Learned, added"),
        "rope": _("RoPE, rotates q and k"),
        "alibi": _("ALiBi, lowers scores by distance"),
        "t5": _("T5 buckets, added to scores"),
        "shaw": _("Relative keys (Shaw)"),
        "transformer_xl": _("Relative (Transformer-XL)"),
        "scaled_dot": _("Scaled dot product"),
        "dot": _("Dot product"),
        "additive": _("Additive"),
        "bilinear": _("Bilinear"),
        "cosine": _("Cosine"),
    }


def _load_preset() -> None:
    if st.session_state["preset"]:
        _load(st.session_state["preset"])
    # The choice is an action, not a state: what is on the screen may differ from the example a moment later.
    st.session_state["preset"] = None


def _load(name: str) -> None:
    """Show an example; what the teacher's link locks stays as it is."""
    state.change_experiment(preset(name).experiment, keep=teacher.locked())
    state.change_view(cell=None, head=None)


def _reroll() -> None:
    st.session_state[widgets.key("seed")] = SystemRandom().randrange(10_000)


def sidebar(only: Collection[str] | None = None, place: DeltaGenerator | None = None) -> dict[str, Any]:
    """Draw the controls and return the fields of the experiment they ask for.

    `only` names the controls that a page shows, by the names of the experiment's fields and "preset"; the teacher's
    link may hide or lock more of them. What is not shown stays as it is. `place` is where, unless in the sidebar.
    """
    now = state.experiment()
    fields: dict[str, Any] = {field.name: getattr(now, field.name) for field in dataclass_fields(Experiment)}
    desk = Desk(only, fields, folds=place is None)
    with place or st.sidebar:
        desk.presets()
        desk.sentence()
        desk.heads()
        with desk.group(_("Widths"), "d_model", "d_k", "d_v", "num_kv_heads"):
            desk.widths()
        with desk.group(_("Position and score"), "position", "score", "temperature"):
            desk.choose("position", _("Position"), list(POSITIONS))
            desk.choose("score", _("Score"), ["scaled_dot", "dot", "additive", "bilinear", "cosine"])
            desk.draw("temperature", told.slider, _("Temperature"), *widgets.ends("temperature", 0.1, 5.0), step=0.1)
        with desk.group(_("Tokens and embedding"), "tokenizer", "embedding"):
            desk.choose("tokenizer", _("Tokenizer"), list(TOKENIZERS))
            desk.choose("embedding", _("Embedding"), list(EMBEDDINGS))
        with desk.group(_("Seed, dropout, bias"), "seed", "dropout", "bias", "out_proj"):
            desk.draw("seed", told.number_input, _("Seed"), *widgets.ends("seed", 0, 2**31 - 1), step=1)
            ends = widgets.ends("dropout", 0.0, 0.9)
            desk.draw("dropout", told.slider, _("Dropout on the weights"), *ends, step=0.05)
            desk.draw("bias", told.checkbox, _("Biases"))
            desk.draw("out_proj", told.checkbox, _("Output projection"))
        if desk.shows("seed"):
            desk.new_draw()
    return fields


class Desk:
    """The controls of one page: draws those that are shown, and writes what they say into `fields`."""

    def __init__(self, only: Collection[str] | None, fields: dict[str, Any], folds: bool = True) -> None:
        self._only = only
        self._fields = fields
        self._folds = folds
        self._labels = _labels()
        self._hidden, self._locked = teacher.hidden(), teacher.locked()

    def shows(self, field: str) -> bool:
        """Whether the control of `field` is shown here."""
        return field not in self._hidden and (self._only is None or field in self._only)

    def locked(self, field: str) -> bool:
        """Whether the control is shown but cannot be moved."""
        return field in self._locked

    def group(self, label: str, *fields: str) -> Any:
        """A fold for these controls; nothing where none of them is shown."""
        return st.expander(label) if self._folds and any(map(self.shows, fields)) else nullcontext()

    def draw(self, field: str, widget: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """Draw one control, if it is shown, and take over what it says."""
        if self.shows(field):
            key, locked = widgets.key_of(field), self.locked(field)
            self._fields[field] = as_before(
                f"control {key}",
                (language(), locked, *(tuple(arg) if isinstance(arg, list) else arg for arg in args)),
                lambda: widget(*args, key=key, disabled=locked, persist_state="page", **more),
            )
        return self._fields[field]

    def choose(self, field: str, label: str, options: Any) -> Any:
        """One value of several, each with its word."""
        return self.draw(field, told.selectbox, label, options, format_func=lambda value: self._labels[value])

    def presets(self) -> None:
        """The worked examples, and the article's three at one click each."""
        if self.shows("preset"):
            as_before("control presets", language(), self._presets)

    def _presets(self) -> None:
        told.selectbox(
            _("Start from an example"),
            [preset.id for preset in PRESETS],
            index=None,
            key="preset",
            on_change=_load_preset,
            format_func={preset.id: _(preset.title) for preset in PRESETS}.__getitem__,
            placeholder=_("Choose an example"),
        )
        with st.container(horizontal=True, gap="small", vertical_alignment="center", key="article_buttons"):
            # On the words, not on the buttons: there it would cover the examples above them, and take their clicks.
            st.caption(_("The article:"), width="content", help=_("Its sentence is small enough to follow by hand."))
            for name in ("self", "causal", "cross"):
                st.button(
                    self._labels[name],
                    key=f"article_{name}",
                    on_click=_load,
                    args=(f"article-{name}",),
                    type="tertiary",
                )

    def new_draw(self) -> None:
        """Another seed."""
        locked = self.locked("seed")

        def draw() -> None:
            st.button(
                _("New random draw"),
                on_click=_reroll,
                width="stretch",
                disabled=locked,
                help=_("Another seed for all random numbers"),
            )

        as_before("control new_draw", (language(), locked), draw)

    def sentence(self) -> None:
        """The text, the mode, and in cross mode the source text."""
        self.draw("text", told.text_input, _("Sentence"), live="250ms")
        mode = self.draw(
            "mode",
            told.segmented_control,
            _("Attention"),
            ["self", "causal", "cross"],
            format_func=lambda value: self._labels[value],
            required=True,
            width="stretch",
            help=_(
                "Self: every token may look at every token. Causal: only at itself and what came before. "
                "Cross: the sentence asks, a second sentence answers."
            ),
        )
        if mode == "cross":
            self.draw("source_text", told.text_input, _("Source sentence (gives keys and values)"), live="250ms")

    def heads(self) -> None:
        """How many heads, what their weights are, and what they may look at."""
        self.draw("num_heads", told.select_slider, _("Heads"), _heads())
        self.choose("weights", _("Weights of the heads"), ["hand_built", "random", "article"])
        if self.shows("mask"):
            self._fields["mask"] = _mask(self.locked("mask"))

    def widths(self) -> None:
        """d_model; d_k and d_v where they are unlocked; heads that share keys and values."""
        most = limits()
        self.draw("d_model", told.number_input, _("d_model, the width of a token"), 1, most.max_d_model, step=1)
        if self.shows("d_k"):
            locked = self.locked("d_k")

            def unlock() -> bool:
                chosen: bool = told.checkbox(
                    _("Choose d_k and d_v freely"),
                    key=widgets.key("unlock"),
                    disabled=locked,
                    help=_("Otherwise both are d_model divided by the heads."),
                )
                return chosen

            if as_before("control unlock", (language(), locked), unlock):
                self.draw("d_k", told.number_input, _("d_k, the width of a query and a key"), 1, most.max_d_k, step=1)
                self.draw("d_v", told.number_input, _("d_v, the width of a value"), 1, most.max_d_v, step=1)
            else:
                self._fields["d_k"] = self._fields["d_v"] = None
        heads = self._fields["num_heads"]
        if self.shows("num_kv_heads") and heads > 1:
            groups = [count for count in range(1, heads + 1) if heads % count == 0]
            # As long as nobody has asked for fewer, every head has keys and values of its own.
            follows = st.session_state["kv_follows"]
            if (follows and follows != heads) or st.session_state.get(widgets.key("kv")) not in groups:
                st.session_state["kv_follows"] = UNSURE  # should a newer change end this run before it knows
                st.session_state[widgets.key("kv")] = heads
            kv = self.draw(
                "num_kv_heads",
                told.select_slider,
                _("Heads for keys and values"),
                groups,
                help=_("Fewer: several query heads share them."),
            )
            self._fields["num_kv_heads"] = None if kv == heads else kv
            st.session_state["kv_follows"] = heads if kv == heads else 0
        elif heads == 1:
            self._fields["num_kv_heads"] = None
            st.session_state["kv_follows"] = UNSURE


def _heads() -> list[int]:
    """The head counts to slide over; a link may bring another one."""
    now = st.session_state.get(widgets.key("heads"), 1)
    return sorted({count for count in HEADS if count <= limits().max_heads} | {now})


def _custom_label(mask: Any) -> str:
    return _("Everything forbidden") if mask == Not(Full()) else str(mask)


def _mask(locked: bool) -> Any:
    kinds = [*KINDS, *([CUSTOM] if st.session_state.get("custom_mask") is not None else [])]
    custom = st.session_state.get("custom_mask")

    def choose() -> str:
        chosen: str = told.selectbox(
            _("Mask"),
            kinds,
            key=widgets.key("mask"),
            disabled=locked,
            persist_state="page",
            format_func=lambda name: _custom_label(custom) if name == CUSTOM else _(KINDS[name].label),
            help=_("What a query may look at. In causal mode it comes on top of the causal mask."),
        )
        return chosen

    kind = as_before("control mask", (language(), locked, custom), choose)
    if kind == CUSTOM:
        return custom
    values = []
    for index, number in enumerate(KINDS[kind].numbers):
        key = widgets.key(f"mask_{kind}_{index}")
        st.session_state.setdefault(key, number.start)
        values.append(
            told.number_input(
                _(number.label),
                number.least,
                number.most,
                step=1,
                key=key,
                disabled=locked,
                persist_state="page",
            )
        )
    return KINDS[kind].make(*values)
