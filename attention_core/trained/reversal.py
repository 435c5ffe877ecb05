"""Reversal: ten letters in, the same letters in the opposite order out, all at once."""

from __future__ import annotations

from random import Random
from string import ascii_lowercase

from attention_core.trained.batch import Example
from attention_core.trained.model import Shape
from attention_core.trained.task import Drawn, Recipe, Task
from attention_core.trained.vocabulary import Vocabulary

__all__ = ["LENGTH", "reversal"]

LENGTH = 10
WORDS = Vocabulary(ascii_lowercase)


def draw(numbers: Random) -> Drawn:
    """Ten letters, each any of 26."""
    letters = numbers.choices(ascii_lowercase, k=LENGTH)
    found = WORDS.encode(letters)
    looks = [{LENGTH - 1 - place} for place in range(LENGTH)]
    return Example(found, found[::-1], looks), "".join(letters)


def read(text: str) -> tuple[str, ...]:
    """The letters of a text, spaces left out: exactly ten, else ValueError."""
    letters = tuple("".join(text.lower().split()))
    WORDS.encode(letters)
    if len(letters) != LENGTH:
        raise ValueError(
            f"{len(letters)} letters: the model was trained on {LENGTH}, allowed are exactly {LENGTH}"
        )
    return letters


reversal = Task(
    name="reversal",
    about="ten letters are written in the opposite order",
    words=WORDS,
    answers=WORDS,
    shape=Shape(words=len(WORDS), answers=len(WORDS), length=LENGTH),
    recipe=Recipe(steps=200, rate=3e-3, warmup=50),
    watched=("self1", 0),
    draw=draw,
    read=read,
    asked=lambda words: tuple(range(len(words))),
    inputs=("attentions", "helloworld", "abcdefghij"),
    whole=True,
    data="10 letters, each drawn from 26 alike; no sample of the training is in the other splits",
)
