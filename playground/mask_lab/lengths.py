"""Different lengths: padding of source and target, and two ways to lay a causal mask over more keys than queries."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.masks import Causal, Full, Padding
from attention_viz import heatmap_spec
from playground import compute, panel, stages, state, told
from playground.i18n import _
from playground.mask_lab.editor import one_head

WIDTH, HEIGHT = 410, 270


def draw(experiment: Experiment) -> None:
    """Two masks of an encoder-decoder, and the two alignments; each can be put on the grid above."""
    source = experiment.source_text if experiment.mode == "cross" else None
    source = source or _("The sun rises in the east every morning")
    cross = replace(experiment, mode="cross", source_text=source, mask=Full())
    decoder = replace(experiment, mode="self", mask=Full())
    queries, keys = len(cross.tokens()), len(cross.source_tokens())
    first, second = st.columns(2)
    with first:
        real = _slider(_("Source tokens that are real"), "mask_lab_source_real", keys, max(1, keys - 2))
    with second:
        own = _slider(_("Target tokens that are real"), "mask_lab_target_real", queries, max(1, queries - 2))
    with first:
        _picture("source", _("Cross-attention, source padding"), replace(cross, mask=Padding((real,))))
    with second:
        causal = Causal() & Padding((own,))
        _picture("target", _("The target's own mask: causal, padding"), replace(decoder, mask=causal))
    most = len(decoder.tokens())
    new = _slider(_("New tokens that ask; all tokens so far are keys"), "mask_lab_new", most, min(4, most))
    continued = _last_tokens(decoder, max(1, new))
    queries, keys = len(continued.tokens()), len(continued.source_tokens())
    first, second = st.columns(2)
    with first:
        said = _("Query 0 sees key 0, query 1 keys 0 and 1, and so on: the new tokens are taken for the first ones.")
        _picture("top", _("Causal from the top left"), replace(continued, mask=Causal()), said)
    with second:
        mask = Causal.bottom_right(queries, keys)
        said = _("The last query stands at the last key: each new token sees itself and everything before it.")
        _picture("bottom", _("Causal from the bottom right"), replace(continued, mask=mask), said)


def _slider(label: str, name: str, most: int, start: int) -> int:
    state.page_setting(name, start, state.whole(0, most))
    st.session_state[name] = min(st.session_state[name], most)
    if most == 1:  # a slider needs two ends
        return int(st.session_state[name])
    return told.slider(label, 0, most, key=name)


def _last_tokens(experiment: Experiment, count: int) -> Experiment:
    """The last tokens as queries, the whole text as keys: how a text is continued with a cache."""
    text = experiment.text
    start = experiment.tokens()[-count].start
    return replace(experiment, mode="cross", text=text[start:], source_text=text)


def _picture(name: str, title: str, wanted: Experiment, said: str = "") -> None:
    try:
        trace = compute.run(wanted)
    except ValueError as problem:  # what the heads or the score cannot do with two texts
        panel.statement(f"mask_lab_no_{name}", str(problem))
        return
    head = one_head(trace)
    blind = int((~trace.heads.allowed[0, 0].any(dim=-1)).sum())
    narrow = panel.narrow()
    panel.heatmap(
        f"mask_lab_length_{name}",
        lambda: heatmap_spec(trace, "weights", head=head, box=(350 if narrow else WIDTH, HEIGHT), say=_),
        cells=trace.field("weights").numel(),
        title=title,
        note=stages.shape(trace, "weights", one_head=True),
        height=HEIGHT,
        group=f"length_{name}",
        twins=False,
    )
    words = [said or wanted.mask.sentence(_, cross=wanted.mode == "cross")]
    if blind:
        words.append(_("Queries with nothing left to see: {count}.").format(count=blind))
    panel.statement(f"mask_lab_length_words_{name}", "", " ".join(words))
    st.button(
        _("Put it on the grid"),
        key=f"mask_lab_length_use_{name}",
        on_click=state.change_experiment,
        kwargs={
            "mode": wanted.mode,
            "text": wanted.text,
            "source_text": wanted.source_text,
            "mask": wanted.mask,
        },
    )
