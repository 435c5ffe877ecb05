"""The article, step by step: for each step its code, the tensor, the picture, and where the printed numbers differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from attention_core.derivation import derive
from attention_core.lessons import article
from attention_viz.lessons.article import dictionary_picture, map_picture, matrices_picture, written
from playground import lesson as lesson_frame
from playground import panel, told
from playground.i18n import _
from playground.lesson_parts import choice, decimal, draw, number, slider
from playground.panel import Cell

Draw = Callable[[], None]


def step(name: str, *pictures: Draw, note: bool = False, control: Draw | None = None, **numbers: object) -> None:
    """Words, code and tensors beside the pictures of one step, and what the article prints instead."""
    lesson.section(name, **numbers)
    if control:
        control()
    [found] = [one for one in article.STEPS if one.name == name]
    left, right = st.columns(2, gap="medium")
    with left:
        st.code(article.code(found, order, row), language="python")
        if found.shows:
            st.code("\n\n".join(written(shown, values[shown]) for shown in found.shows), language=None)
    with right:
        for picture in pictures:
            picture()
    if note:
        lesson.section(f"{name}_note", **article.PRINTED, **notes.get(name, {}))


def shown(name: str, title: str, variable: str = "", cols: Sequence[str] = (), **more: Any) -> Draw:
    """A picture of a variable of the script, a row for each word."""
    key = f"article_{name}"
    tensor = values[variable or name]
    return lambda: draw(key, map_picture(name, title, tensor, words, cols, narrow=narrow, say=_, **more))


def one_row(name: str, title: str, variable: str, cols: Sequence[str] = (), **more: Any) -> None:
    """A picture of what belongs to the word that asks; a click on a score chooses the one that is worked out."""
    title = title.format(word=words[row])
    picture = map_picture(name, title, values[variable], [words[row]], cols, narrow=narrow, say=_, **more)
    click = {"on_cell": take_key, "cell": Cell(name, 0, 0, asked), "group": "asked"} if cols else {}
    draw(f"article_{name}", picture, **click)


def by_hand(name: str, *keys: str, column: int) -> None:
    """The arithmetic of one number with its numbers: the steps that are named `keys`."""
    found = derive(traces["self"], name, row=row, col=column)
    for key in keys:
        one = found.step(key)
        st.markdown(f"$$\\displaystyle {one.formula}$$\n\n$$\\displaystyle {one.substituted}$$")
        if len(one.terms) > 2:
            rows = [(term.label, *(decimal(value, 4) for value in term[1:])) for term in one.terms]
            panel.table(f"article_terms_{key}", rows, head=["", *(one.columns or ())])


def take_key(cell: Cell) -> None:
    """The key whose score was clicked."""
    st.session_state["article_key"] = cell.col


def query_by_hand() -> None:
    """The scores of the word that asks, and one of them worked out."""
    one_row("omega", _("The scores of “{word}”"), "omega_i", words)
    panel.statement("article_pair", _("“{query}” asks “{key}”").format(query=words[row], key=words[asked]))
    by_hand("raw_scores", "query", "key", "raw", column=asked)


def softmax_by_hand() -> None:
    """Its weights, and one of them worked out."""
    one_row("shares", _("The weights of “{word}”"), "weights_i", words, kind="weight")
    by_hand("weights", "scale", "sum", "weight", column=asked)


def context_by_hand() -> None:
    """Its context vector, and the first number of it worked out."""
    one_row("mixed", _("The context vector of “{word}”"), "context_i")
    by_hand("context", "context", column=0)


lesson = lesson_frame.begin("article", only=())
narrow = panel.narrow()
order = choice("article_order", "own", tuple(article.SENTENCES))
control = {"label_visibility": "collapsed", "required": True, "format_func": article.SENTENCES.get}
told.segmented_control(_("Sentence"), list(article.SENTENCES), key="article_order", **control)
lesson.section("order")
words = article.SENTENCES[order].split()
row, asked = number("article_row", 2, 0, len(words) - 1), number("article_key", 1, 0, len(words) - 1)
traces, values = article.traces(order), article.tensors(order, row)
notes = {
    name: {"true": decimal(float(article.tensors(order, 2)[variable][0]), 4)}
    for name, variable in (("query", "omega_i"), ("context", "context_i"))
}
difference = article.largest_difference(order)
power = math.floor(math.log10(difference)) if difference else 0
apart = rf"${difference / 10**power:.0f} \cdot 10^{{{power}}}$"
vocabulary, eight = article.vocabulary(order), [str(place) for place in range(8)]
matrices = {name: values[name] for name in ("W_query", "W_key", "W_value")}

step("dictionary", lambda: panel.table("article_words", [[word, str(place)] for word, place in vocabulary.items()]))
step("ids", lambda: draw("article_ids", dictionary_picture(vocabulary, words, narrow=narrow, say=_)))
step("embedding", shown("x", _("x, a row for each word")), note=order == "own")
step("matrices", lambda: draw("article_matrices", matrices_picture(matrices, narrow=narrow, say=_)))
step(
    "query",
    query_by_hand,
    note=row == 2,
    control=lambda: slider("article_row", _("i, the word that asks"), 2, 0, len(words) - 1),
    row=row,
    word=words[row],
)
step("softmax", softmax_by_hand, note=row == 2)
step("context", context_by_hand, note=row == 2, word=words[row])
step(
    "all",
    shown("scores", _("Scores"), cols=words),
    shown("weights", _("Weights"), cols=words, kind="weight"),
    shown("context", _("Context vectors")),
    note=order == "own",
    row=row,
)
step("heads", shown("multi_head", _("Four heads side by side, a column each")))
step(
    "cross",
    shown("cross_weights", _("Weights, 6 queries × 8 keys"), cols=eight, kind="weight"),
    shown("cross_context", _("Context vectors")),
)
step(
    "causal_after",
    shown("cut", _("Cut"), cols=words, kind="weight", causal=True),
    shown("renormalised", _("Shared again"), cols=words, kind="weight", causal=True),
)
step(
    "causal_before",
    shown("masked_scores", _("Masked scores"), "masked", cols=words, causal=True),
    shown("causal", _("Weights"), cols=words, kind="weight", causal=True),
    difference=apart,
)
lesson.section("script")
with st.expander(_("Show the script")):
    st.code(article.script(order, row), language="python")
lesson.close()
