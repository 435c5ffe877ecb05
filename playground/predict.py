"""Predict first: the weights stay covered until somebody has guessed where a token looks, then they are revealed.

The playground, the trained models, and the pages on heads, scores, scale, cross-attention and the encoder ask before
they show weights of the visitor's text. The mask lab does not, for there each stroke makes other weights; nor does the
article, whose numbers are printed. It is an exercise for a class and no secret: what a link says can be computed.

A teacher asks for it in the link (`?predict=1`, see `teacher`). Tokens are a visitor's text: they are shown by the
panel's statements and as options of a select box, which shows plain text; never in Markdown.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import streamlit as st
from torch import Tensor

from attention_core.trace import AttentionTrace
from attention_viz.labels import visible
from playground import panel, state, teacher, told
from playground.i18n import _

REMEMBERED = 100  # guesses of one visit
SAME = 1e-6  # weights that differ by less are equally right

_GUESSES = "predicted"


@dataclass(frozen=True, eq=False)
class Map:
    """Weights to be guessed: (head, query, key), and what their rows and columns are called."""

    weights: Tensor
    tokens: tuple[str, ...]
    source_tokens: tuple[str, ...]


def cover(
    key: str,
    trace: AttentionTrace | Map,
    *,
    about: Hashable = None,
    head: int | None = None,
    row: int | None = None,
) -> bool:
    """Ask where a token looks most; True while the weights of `trace` have to stay covered.

    False at once where the teacher's link does not ask for it, and where there is nothing to guess. Once revealed, the
    answer stands where the question stood, until what it is `about` changes: the experiment, unless a page shows
    something else. The question is about `head`, by default the head that is shown alone, else the first; and about
    the token of `row`, or the nearest one that looks anywhere, by default to the middle of the sentence.
    """
    if not teacher.predict():
        return False
    if isinstance(trace, AttentionTrace):
        trace = Map(trace.field("weights")[0], trace.tokens, trace.source_tokens)
    heads, queries, keys = trace.weights.shape
    head = min((state.view().head if head is None else head) or 0, heads - 1)
    row = _row(trace, head, queries // 2 if row is None else row)
    if row is None or keys == 1:
        return False
    guesses: dict[Any, int] = st.session_state.setdefault(_GUESSES, {})
    asked = (key, state.experiment() if about is None else about, head)
    if asked in guesses:
        _answer(key, trace, head, row, guesses[asked])
        return False
    _ask(key, trace, head, row, asked)
    return True


def _row(shown: Map, head: int, near: int) -> int | None:
    """The query nearest to `near` that looks anywhere."""
    looks = shown.weights[head].sum(dim=-1).tolist()
    rows = [row for row, total in enumerate(looks) if total > 0]
    return min(rows, key=lambda row: abs(row - near)) if rows else None


def _ask(key: str, shown: Map, head: int, row: int, asked: Any) -> None:
    widget = f"{key}_guess"
    if st.session_state.get(f"{widget}_for") != asked:  # a guess belongs to one question
        st.session_state[f"{widget}_for"], st.session_state[widget] = asked, None
    with st.container(border=True, key=f"{key}_predict"):
        words = _("Where will “{token}” look most? Guess first.").format(token=visible(shown.tokens[row]))
        panel.statement(f"{key}_question", words, _in_head(shown, head, row))
        options = [f"{place} · {visible(token)}" for place, token in enumerate(shown.source_tokens)]
        guess = told.selectbox(
            _("Your guess"),
            range(len(options)),
            index=None,
            key=widget,
            format_func=options.__getitem__,
            placeholder=_("Choose a token"),
            width=320,
        )
        st.button(_("Reveal"), key=f"{key}_reveal", on_click=_reveal, args=(asked, guess), disabled=guess is None)


def _answer(key: str, shown: Map, head: int, row: int, guess: int) -> None:
    weights = shown.weights[head, row].tolist()
    best = max(range(len(weights)), key=weights.__getitem__)
    right = weights[best] - weights[guess] <= SAME
    words = _("Right: “{token}” looks most at “{guess}”, with a weight of {guessed}.")
    if not right:
        words = _("Not quite: “{token}” looks most at “{best}”, with a weight of {weight}; “{guess}” gets {guessed}.")
    sentence = words.format(
        token=visible(shown.tokens[row]),
        best=visible(shown.source_tokens[best]),
        guess=visible(shown.source_tokens[guess]),
        weight=f"{weights[best]:.3f}",
        guessed=f"{weights[guess]:.3f}",
    )
    panel.statement(f"{key}_verdict", sentence, _in_head(shown, head, row))


def _in_head(shown: Map, head: int, row: int) -> str:
    # Not the head's name: "previous token" would be the answer.
    return _("Head {head} of {heads}, token {row}").format(head=head + 1, heads=len(shown.weights), row=row)


def _reveal(asked: Any, guess: int) -> None:
    guesses: dict[Any, int] = st.session_state[_GUESSES]
    guesses[asked] = guess
    while len(guesses) > REMEMBERED:
        del guesses[next(iter(guesses))]
