"""The masks to start from and to combine: nine kinds, each with its parameters."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from attention_core import masks
from attention_core.masks import Mask
from playground import state, told
from playground.i18n import _
from playground.mask_lab import changes

Value = int | str


@dataclass(frozen=True)
class Number:
    """A whole number that a preset takes; `start` is made from the numbers of queries and keys."""

    label: str
    start: Callable[[int, int], int]
    least: int = 0
    most: int = 512
    help: str | None = None


@dataclass(frozen=True)
class Numbers:
    """Several whole numbers, typed with spaces or commas between."""

    label: str
    start: Callable[[int, int], str]
    help: str | None = None


@dataclass(frozen=True)
class Choice:
    """One of several words."""

    label: str
    options: dict[str, str]


@dataclass(frozen=True)
class Preset:
    """A kind of mask: its name, what it asks for, and how it is made of that, `keys` and the answers."""

    label: str
    fields: tuple[Number | Numbers | Choice, ...]
    make: Callable[..., Mask]


def presets() -> dict[str, Preset]:
    """The presets by name, in the visitor's language."""
    width = _("Itself and so many, less one, on each side")
    return {
        "full": Preset(_("Full"), (), lambda keys: masks.Full()),
        "causal": Preset(
            _("Causal"),
            (
                Number(
                    _("Offset"),
                    lambda q, k: 0,
                    -512,
                    512,
                    _(
                        "How far ahead a query may look; −1 forbids the token itself. With other lengths, keys minus "
                        "queries lays the mask from the bottom right."
                    ),
                ),
            ),
            lambda keys, offset: masks.Causal(offset),
        ),
        "window": Preset(
            _("Window"),
            (Number(_("Width"), lambda q, k: 3, 1, help=width),),
            lambda keys, size: masks.Window(size),
        ),
        "dilated": Preset(
            _("Dilated"),
            (
                Number(_("Width"), lambda q, k: 3, 1, help=width),
                Number(_("Step"), lambda q, k: 2, 1, 64, _("How many places apart")),
            ),
            lambda keys, size, step: masks.Dilated(size, step),
        ),
        "blocks": Preset(_("Blocks"), (Number(_("Size"), lambda q, k: 3, 1),), lambda keys, size: masks.Blocks(size)),
        "prefix": Preset(
            _("Prefix LM"),
            (Number(_("Prefix"), lambda q, k: min(3, k), help=_("So many first tokens are open to all")),),
            lambda keys, length: masks.Causal() | masks.Prefix(length),
        ),
        "padding": Preset(
            _("Padding"),
            (Number(_("Real keys"), lambda q, k: max(1, k - 3), help=_("The keys after these are padding")),),
            lambda keys, length: masks.Padding((length,)),
        ),
        "documents": Preset(
            _("Documents"),
            (
                Choice(_("Given as"), {"lengths": _("lengths"), "ids": _("number of each")}),
                Numbers(
                    _("Documents"),
                    lambda q, k: " ".join(map(str, _thirds(max(q, k)))),
                    _(
                        "Lengths, one for each document: 4 3 4; the tokens left over make one more. Or for each token "
                        "the number of its document: 0 0 0 1 1; tokens without a number see nothing."
                    ),
                ),
            ),
            _documents,
        ),
        "global": Preset(
            _("Global tokens"),
            (
                Numbers(_("Positions"), lambda q, k: "0", _("Counted from 0: these see all and are seen by all")),
                Number(_("Window beside"), lambda q, k: 2, help=_("The window of the other tokens; 0 for none")),
            ),
            _global,
        ),
    }


def draw(queries: int, keys: int) -> None:
    """Choose a preset and its parameters, and put it on the grid, alone or combined with what is there."""
    found = presets()
    # What is chosen here is not on the grid yet: at first both agree. Later it stays as it is, since what stands under
    # it comes and goes with it, and the grid must not move under a stroke.
    if "mask_lab_kind" not in st.session_state:
        st.session_state["mask_lab_kind"] = "full" if state.experiment().mask == masks.Full() else None
    kind = told.pills(
        _("Start from"),
        list(found),
        key="mask_lab_kind",
        format_func=lambda name: found[name].label,
        required=True,
        label_visibility="collapsed",
    )
    with st.container():  # a place that stays, see frame.header
        if kind is not None:
            _form(kind, found[kind], queries, keys)


def _form(kind: str, preset: Preset, queries: int, keys: int) -> None:
    """The parameters of a preset, and what can be done with it."""
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom", key="mask_lab_preset"):
        answers = [_ask(f"mask_lab_{kind}_{index}", field, queries, keys) for index, field in enumerate(preset.fields)]
        mask, problem = None, ""
        try:
            mask = preset.make(max(queries, keys), *answers)
        except ValueError as wrong:
            problem = str(wrong)
        tools = {
            "use": (_("Use it"), _("In place of the mask on the grid.")),
            "and": (_("And"), _("Only what both allow.")),
            "or": (_("Or"), _("What at least one of the two allows.")),
            "and_not": (_("And not"), _("What the grid allows and the preset forbids.")),
        }
        for how, (label, words) in tools.items():
            st.button(
                label,
                key=f"mask_lab_{how}",
                on_click=changes.combine,
                args=(how, mask),
                disabled=mask is None,
                type="primary" if how == "use" else "secondary",
                help=words,
            )
    if problem:
        st.caption(problem.replace("$", "\\$"))


def _ask(key: str, field: Number | Numbers | Choice, queries: int, keys: int) -> Value:
    if isinstance(field, Choice):
        options = field.options
        return told.selectbox(field.label, list(options), key=key, format_func=options.__getitem__, width=150)
    if key not in st.session_state:
        st.session_state[key] = field.start(queries, keys)
    if isinstance(field, Numbers):
        return told.text_input(field.label, key=key, width=200, max_chars=2000, help=field.help)
    return told.number_input(field.label, field.least, field.most, step=1, key=key, width=130, help=field.help)


def numbers(text: str, name: str) -> tuple[int, ...]:
    """The whole numbers in a text, with spaces or commas between; ValueError for anything else.

    >>> numbers("4, 3 4", "lengths")
    (4, 3, 4)
    """
    words = re.split(r"[\s,;]+", text.strip())
    if not all(word.isascii() and word.isdecimal() and len(word) < 7 for word in words):
        raise ValueError(_("{name}: allowed are whole numbers from 0, with spaces or commas between").format(name=name))
    return tuple(map(int, words))


def _documents(size: int, given_as: str, text: str) -> Mask:
    found = numbers(text, _("Documents"))
    if given_as == "ids":
        return masks.Documents(found)
    ids = [number for number, length in enumerate(found) for _index in range(min(length, size))][:size]
    return masks.Documents((*ids, *[len(found)] * (size - len(ids))))


def _global(size: int, text: str, width: int) -> Mask:
    tokens = masks.Global(numbers(text, _("Positions")))
    return masks.Window(width) | tokens if width else tokens


def _thirds(size: int) -> list[int]:
    first = -(-size // 3)
    second = -(-(size - first) // 2)
    return [length for length in (first, second, size - first - second) if length]
