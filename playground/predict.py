"""Predict first: the weights stay covered until somebody has guessed where a token looks, then they are revealed.

A teacher asks for it in the link (`?predict=1`, see `teacher`). Tokens are a visitor's text: they are shown by the
panel's statements and as options of a select box, which shows plain text; never in Markdown.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from attention_core.trace import AttentionTrace
from attention_viz.labels import visible
from playground import panel, state, teacher
from playground.i18n import _

REMEMBERED = 100  # guesses of one visit
SAME = 1e-6  # weights that differ by less are equally right

_GUESSES = "predicted"


def cover(key: str, trace: AttentionTrace) -> bool:
    """Ask where a token looks most; True while the weights of `trace` have to stay covered.

    False at once where the teacher's link does not ask for it, and where there is nothing to guess. Once revealed, the
    answer stands where the question stood, until the experiment changes. The question is about the head that is
    shown alone, else the first, and the token in the middle of the sentence.
    """
    if not teacher.predict():
        return False
    head = min(state.view().head or 0, trace.shape("weights")[1] - 1)
    row = _row(trace, head)
    keys = trace.shape("weights")[3]
    if row is None or keys == 1:
        return False
    guesses: dict[Any, int] = st.session_state.setdefault(_GUESSES, {})
    asked = (key, state.experiment(), head)
    if asked in guesses:
        _answer(key, trace, head, row, guesses[asked])
        return False
    _ask(key, trace, head, row, asked)
    return True


def _row(trace: AttentionTrace, head: int) -> int | None:
    """The query nearest to the middle that looks anywhere."""
    looks = trace.field("weights")[0, head].sum(dim=-1).tolist()
    rows = [row for row, total in enumerate(looks) if total > 0]
    return min(rows, key=lambda row: abs(row - len(looks) // 2)) if rows else None


def _ask(key: str, trace: AttentionTrace, head: int, row: int, asked: Any) -> None:
    widget = f"{key}_guess"
    if st.session_state.get(f"{widget}_for") != asked:  # a guess belongs to one question
        st.session_state[f"{widget}_for"], st.session_state[widget] = asked, None
    with st.container(border=True, key=f"{key}_predict"):
        words = _("Where will “{token}” look most? Guess first.").format(token=visible(trace.tokens[row]))
        panel.statement(f"{key}_question", words, _in_head(trace, head, row))
        options = [f"{place} · {visible(token)}" for place, token in enumerate(trace.source_tokens)]
        guess = st.selectbox(
            _("Your guess"),
            range(len(options)),
            index=None,
            key=widget,
            on_change=_count,
            format_func=options.__getitem__,
            placeholder=_("Choose a token"),
            width=320,
        )
        st.button(_("Reveal"), key=f"{key}_reveal", on_click=_reveal, args=(asked, guess), disabled=guess is None)


def _answer(key: str, trace: AttentionTrace, head: int, row: int, guess: int) -> None:
    weights = trace.field("weights")[0, head, row].tolist()
    best = max(range(len(weights)), key=weights.__getitem__)
    right = weights[best] - weights[guess] <= SAME
    words = _("Right: “{token}” looks most at “{guess}”, with a weight of {guessed}.")
    if not right:
        words = _("Not quite: “{token}” looks most at “{best}”, with a weight of {weight}; “{guess}” gets {guessed}.")
    sentence = words.format(
        token=visible(trace.tokens[row]),
        best=visible(trace.source_tokens[best]),
        guess=visible(trace.source_tokens[guess]),
        weight=f"{weights[best]:.3f}",
        guessed=f"{weights[guess]:.3f}",
    )
    panel.statement(f"{key}_verdict", sentence, _in_head(trace, head, row))


def _in_head(trace: AttentionTrace, head: int, row: int) -> str:
    # Not the head's name: "previous token" would be the answer.
    return _("Head {head} of {heads}, token {row}").format(head=head + 1, heads=trace.shape("weights")[1], row=row)


def _reveal(asked: Any, guess: int) -> None:
    _count()
    guesses: dict[Any, int] = st.session_state[_GUESSES]
    guesses[asked] = guess
    while len(guesses) > REMEMBERED:
        del guesses[next(iter(guesses))]


def _count() -> None:
    """A rerun that was asked for here is no navigation: see `state`."""
    st.session_state["clicks"] = st.session_state.get("clicks", 0) + 1
