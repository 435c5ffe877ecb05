"""What holds for any model: where its weight gathers, and which heads look at which kind of token."""

from __future__ import annotations

import streamlit as st

from attention_core.pretrained import PretrainedError, Reading
from attention_core.pretrained.findings import BY_PLACE, Finding, findings
from attention_core.pretrained.sinks import received
from attention_viz.labels import isolate, visible
from playground import panel, told
from playground.i18n import _
from playground.lesson_parts import choice, decimal
from playground.pretrained import choose
from playground.pretrained.shelf import Loaded

SENTENCES = (
    "The animal did not cross the street because it was too tired.\n"
    "She put the money into the bank and walked along the river.\n"
    "In 1969, three people flew to the moon, and two of them walked on it.\n"
    "When the rain stopped, the children ran outside and played in the garden."
)
MOST_SENTENCES = 6
ROWS = 8  # of the table, which shows the highest scores


def sinks(reading: Reading, part: str) -> None:
    """The tokens of a part that get the most weight."""
    found = received(reading, part)
    rows = [
        (
            f"{one.place} {isolate(visible(one.token))}",
            _("special") if one.special else "",
            decimal(one.share),
            decimal(one.even),
            str(one.heads),
        )
        for one in found
    ]
    head = (_("token"), "", _("share it gets"), _("if all looked evenly"), _("heads with over half on it"))
    panel.table("pretrained_sinks", rows, head=head, more=_("Show all"))


def kinds(loaded: Loaded) -> None:
    """Which heads look at the previous, next, same or first token, or at special ones, on the visitor's sentences."""
    typed = choose.text_of("pretrained_sentences", SENTENCES, _("Sentences, one a line"), lines=True)
    lines = [line for line in typed.splitlines() if line.strip()]
    try:
        readings = [loaded.read(line) for line in lines[:MOST_SENTENCES]]
    except PretrainedError as problem:
        panel.statement("pretrained_sentences_wrong", str(problem), problem.remedy, alert=True)
        return
    if len(lines) > MOST_SENTENCES:
        st.caption(_("The first {count} lines are read.").format(count=MOST_SENTENCES))
    found = findings(readings)
    names = [*BY_PLACE, *sorted({one.what for one in found} - set(BY_PLACE))]
    if not found:
        panel.statement("pretrained_sentences_wrong", _("There is no sentence: type one."), alert=True)
        return
    choice("pretrained_what", "previous", names)
    what = str(told.selectbox(_("Which heads look at"), names, key="pretrained_what", format_func=said))
    best = [one for one in found if one.what == what][:ROWS]
    rows = [(place(one), decimal(one.score), decimal(one.even)) for one in best]
    panel.table(
        "pretrained_findings", rows, head=(_("layer and head"), _("score"), _("if it looked evenly"))
    )
    st.caption(_("Show one large:"))
    with st.container(horizontal=True, gap="small"):
        for number, one in enumerate(best):
            st.button(
                place(one), key=f"pretrained_found_{number}", on_click=choose.show, args=(one.layer, one.head)
            )


def place(one: Finding) -> str:
    """Where a head is: "Layer 3, head 5"."""
    layer = choose.layer_title(one.layer).split(":")[0]
    return _("{layer}, head {head}").format(layer=layer, head=one.head + 1)


def said(what: str) -> str:
    """What a kind of looking is called."""
    return {
        "previous": _("the previous token"),
        "next": _("the next token"),
        "itself": _("the token itself"),
        "first": _("the first token"),
    }.get(what) or visible(what)
