"""Sorting: ten letters in alphabetical order. The counter-example, for its head does not look at its answers."""

from __future__ import annotations

from random import Random
from string import ascii_lowercase

from attention_core.trained.batch import Example
from attention_core.trained.model import Shape
from attention_core.trained.reversal import LENGTH, WORDS, read
from attention_core.trained.task import Drawn, Recipe, Task

__all__ = ["sorting"]


def draw(numbers: Random) -> Drawn:
    """Ten letters, each any of 26; an answer comes from all the places where its letter stands."""
    letters = numbers.choices(ascii_lowercase, k=LENGTH)
    answers = sorted(letters)
    looks = [{place for place, letter in enumerate(letters) if letter == found} for found in answers]
    return Example(WORDS.encode(letters), WORDS.encode(answers), looks), "".join(letters)


sorting = Task(
    name="sorting",
    about="ten letters are written in alphabetical order",
    words=WORDS,
    answers=WORDS,
    shape=Shape(words=len(WORDS), answers=len(WORDS), length=LENGTH, d_ff=128),
    recipe=Recipe(steps=2000, rate=3e-3, warmup=50),
    watched=("self1", 0),
    draw=draw,
    read=read,
    asked=lambda words: tuple(range(len(words))),
    inputs=("attentions", "helloworld", "zyxwvutsrq"),
    whole=True,
    data="10 letters, each drawn from 26 alike; no sample of the training is in the other splits",
)
