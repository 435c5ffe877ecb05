"""Cross-attention: the queries of one sentence, the keys and values of another."""

from __future__ import annotations

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.lessons import cross
from attention_viz import heatmap_spec, signed_scale
from attention_viz.labels import visible
from attention_viz.lessons.alignment import alignment_spec
from attention_viz.lessons.cross import difference_picture, sides_spec
from playground import compute, frame, panel, stages, state, told
from playground import lesson as lesson_frame
from playground.i18n import _
from playground.lesson_parts import choice, decimal, draw, number, slider
from playground.panel import Cell
from playground.settings import limits

SOURCE = "The street was wide and the animal was tired"
ALL = "mean"
LINES = 330


def source_sentence(experiment: Experiment) -> Experiment:
    """The experiment as cross-attention to the source that is typed; to the last one that could be read."""
    given = experiment.source_text if experiment.mode == "cross" and experiment.source_text else SOURCE
    state.page_setting("cross_source", given, lambda text: text[:20_000])
    typed = told.text_input(_("Source sentence (gives keys and values)"), key="cross_source", live="250ms")
    said = st.container()  # a place that stays, see frame.header
    try:
        wanted = cross.setting(experiment, typed)
        limits().check(wanted)
        compute.run(wanted)
    except ValueError as problem:
        with said:
            panel.statement("cross_wrong", str(problem), _("The picture still shows the last valid input."), alert=True)
        return cross.setting(experiment, st.session_state.get("cross_kept", given))
    st.session_state["cross_kept"] = typed
    return wanted


def take_row(cell: Cell) -> None:
    """Follow the query whose row was clicked; clicked again, all of them."""
    st.session_state["cross_query"] = 0 if st.session_state["cross_query"] == cell.row + 1 else cell.row + 1


def say_most(query: int) -> None:
    """What the followed word looks at most, in words; of all of them, what the thin lines leave out."""
    if query < 0:
        detail = _("Weights below {least} have no line; the map has them all.").format(least=spec["meta"]["least"])
        panel.statement("cross_most", "", detail)
        return
    key, weight = cross.strongest(trace, head, query)
    words = _("“{query}” looks most at “{key}”, with a weight of {weight}.")
    if weight == 0:
        words = _("“{query}” has no real word to look at: all its weights are 0.")
    names = {"query": visible(trace.tokens[query]), "key": visible(trace.source_tokens[key])}
    panel.statement("cross_most", words.format(**names, weight=decimal(weight)))


def effect(query: int) -> None:
    """What the padding mask takes from one word, and by what the rest grows."""
    found = cross.padding_effect(free, trace, head or 0)
    place = found.most if query < 0 else query
    lost, factor = float(found.lost[place]), float(found.factor[place])
    words = _(
        "In head {head}, “{token}” had given padding {lost} of its weight. The others are multiplied by {factor}."
    )
    if not padding:
        words = _("All {keys} words of the source are real: nothing is forbidden yet.")
    elif padding == keys:
        words = _("Nothing real is left: every weight of every word is 0.")
    token = visible(trace.tokens[place])
    panel.statement(
        "cross_effect",
        words.format(head=(head or 0) + 1, token=token, keys=keys, lost=decimal(lost), factor=decimal(factor)),
    )


def projections() -> None:
    """Q, K and V of the chosen head, on one scale."""
    lesson.section("projections")
    scale = signed_scale(*((trace, field) for field in "qkv"))
    for column, field in zip(st.columns(3), "qkv", strict=True):
        with column:
            size = {"width": 275, "height": 250}
            stages.field_panel(
                trace, field, key=f"cross_{field}_map", head=head or 0, scale=scale, csv=False, marks=False, **size
            )


def weights_map() -> None:
    """The weights of the chosen head, or of every head beside their mean."""
    panel.heatmap(
        "cross_weights",
        lambda: heatmap_spec(trace, "weights", head=head, box=(350 if narrow else 480, LINES), say=_),
        cells=full.num_heads * queries * keys,
        title=frame.hero_title(head),
        note=stages.shape(trace, "weights"),
        height=LINES,
        twins=False,
        on_cell=take_row,
    )


lesson = lesson_frame.begin("cross", only={"text", "num_heads", "d_model", "weights", "position", "seed", "tokenizer"})
narrow = panel.narrow()
full = source_sentence(lesson.experiment)
free = compute.run(full)
keys, queries = len(free.source_tokens), len(free.tokens)
padding = number("cross_padding", 0, 0, keys)
trace = compute.run(cross.setting(full, full.source_text or "", keys - padding))
frame.tokens(full, free)
st.caption(frame.honest_label(full))

lesson.section("sides", queries=queries, keys=keys)
panel.plot("cross_sides", sides_spec(free, narrow=narrow, say=_), height=230)
heads = [ALL, *(str(place) for place in range(1, full.num_heads + 1))]
built = next((str(place) for place, name in enumerate(free.head_names, 1) if name == "same token"), "1")
chosen = choice("cross_head", built, heads)
head = None if chosen == ALL else int(chosen) - 1
query = number("cross_query", 0, 0, queries) - 1

lesson.section("alignment")
told.segmented_control(
    _("Head"), heads, key="cross_head", required=True, format_func=lambda h: _("Mean of all") if h == ALL else h
)
lesson.cover(trace, about=(full, head), head=head or 0, row=query if query >= 0 else None)
width, marked = 350 if narrow else 860, query if query >= 0 else None
spec = alignment_spec(trace, head, query=marked, width=width, height=LINES, say=_)
panel.plot("cross_lines", spec, height=LINES)
left, right = st.columns([1.3, 1])
with left:
    weights_map()
with right:
    slider("cross_query", _("Follow one word of your sentence (0: all of them)"), 0, 0, queries)
    say_most(query)
    if head is not None and free.head_names[head : head + 1] == ("same token",):
        lesson.section("same", head=head + 1)

lesson.section("padding")
left, right = st.columns([1.3, 1])
with right:
    slider("cross_padding", _("Words at the end of the source that are padding"), 0, 0, keys)
    effect(query)
with left:
    difference = cross.weight_difference(free, trace, head)
    draw("cross_difference", difference_picture(trace, difference, head, narrow=narrow, say=_), take_row)
projections()
lesson.close()
