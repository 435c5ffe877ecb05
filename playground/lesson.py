"""The frame of a concept page: one question, the answer in one sentence, the pictures, and what to try next."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.trace import AttentionTrace
from playground import compute, controls, frame, predict, state
from playground.folded import folded
from playground.i18n import language
from playground.prose import Section, prose


@dataclass(frozen=True)
class Lesson:
    """A page that has begun: its words, and the experiment on the screen."""

    name: str
    words: dict[str, Section]
    experiment: Experiment
    trace: AttentionTrace

    def section(self, name: str, **numbers: Any) -> None:
        """A heading-less passage of the page's prose, with `{names}` in it replaced by this experiment's numbers."""
        section = self.words[name]
        folded(_filled(section.lead, numbers), _filled(section.why, numbers))

    def cover(self, trace: AttentionTrace, **about: Any) -> None:
        """Where the link asks to predict first, the rest of the page waits for a guess: see `predict.cover`."""
        if predict.cover(self.name, trace, **about):
            state.save(self.experiment)
            st.stop()

    def close(self) -> None:
        """What to try next, and the address."""
        if "try" in self.words:
            st.markdown(self.words["try"].lead)
        state.save(self.experiment)


def begin(name: str, only: Collection[str] | None = None) -> Lesson:
    """Read the address, draw the controls named in `only`, and open the page with its question and its answer.

    The prose `pages/<name>.<language>.md` has the sections `question` and `answer`, and `try` for the end.
    """
    state.load(name)
    words = prose(name, language())
    experiment, problem = state.accept(controls.sidebar(only))
    frame.style()
    st.markdown(f"# {words['question'].lead}")
    with st.container():  # whatever it says, what follows keeps its place
        frame.messages(problem)
        folded(words["answer"].lead, words["answer"].why)
    return Lesson(name, words, experiment, compute.run(experiment))


def _filled(text: str, numbers: dict[str, Any]) -> str:
    # Not str.format: the prose is full of the braces of its formulas.
    for name, value in numbers.items():
        text = text.replace("{" + name + "}", str(value))
    return text
