"""Induction: what followed this word the last time? The next word of a text without any other meaning."""

from __future__ import annotations

from random import Random

from attention_core.trained.batch import NOT_ASKED, Example
from attention_core.trained.model import Shape
from attention_core.trained.task import Drawn, Recipe, Task
from attention_core.trained.vocabulary import Vocabulary, typed_words, words_of

__all__ = ["LENGTH", "induction"]

LENGTH = 48
WORDS = Vocabulary(
    words_of(
        "ant apple ball bean bear bell bird boat bone book bowl box bread brick brush cake candle cat chair cloud coat "
        "corn cow cup deer desk dog door drum duck egg fish flag flute fork fox frog gate glass goat hat hill horse "
        "key kite lamp leaf lemon lion moon nest nut owl pear pen pig pot rain ring road rock rose ship shoe"
    )
)


def draw(numbers: Random) -> Drawn:
    """Episodes one after the other: fresh words in chunks of 2 to 4, then the same chunks in a shuffled order.

    In the second pass the next word follows from the first, except after the last word of a chunk: there
    alone an answer is asked for. It comes from the place after the one where the word stood before.
    """
    fresh = list(WORDS.words)
    numbers.shuffle(fresh)
    text: list[str] = []
    predictable: list[int] = []  # places whose next word follows from the first pass
    while len(text) < LENGTH:
        size = numbers.randint(8, 20)
        episode, fresh = fresh[:size], fresh[size:]
        chunks = []
        while episode:
            cut = numbers.randint(2, 4)
            chunks.append(episode[:cut])
            episode = episode[cut:]
        again = numbers.sample(chunks, len(chunks))
        text += [word for chunk in chunks for word in chunk]
        for chunk in again:
            predictable += range(len(text), len(text) + len(chunk) - 1)
            text += chunk
    source = WORDS.encode(text[:LENGTH])
    target = [NOT_ASKED] * LENGTH
    looks: list[set[int]] = [set() for _ in range(LENGTH)]
    for place in predictable:
        if place < LENGTH - 1:
            target[place] = source[place + 1]
            looks[place] = {source.index(source[place]) + 1}
    return Example(source, target, looks), " ".join(text[:LENGTH])


def read(text: str) -> tuple[str, ...]:
    """The words of a text: 1 to 48, else ValueError."""
    words = typed_words(text)
    WORDS.encode(words)
    if not 1 <= len(words) <= LENGTH:
        raise ValueError(f"{len(words)} words: allowed are 1 to {LENGTH}")
    return words


def asked(words: tuple[str, ...]) -> tuple[int, ...]:
    """The places whose word has stood there before: at others the model was never asked.

    >>> asked(("sun", "moon", "sun"))
    (2,)
    """
    return tuple(place for place, word in enumerate(words) if word in words[:place])


induction = Task(
    name="induction",
    about="the word that followed the same word before",
    words=WORDS,
    answers=WORDS,
    shape=Shape(words=len(WORDS), answers=len(WORDS), length=LENGTH, layers=2, positions="qk", causal=True),
    recipe=Recipe(steps=800, rate=6e-3, warmup=50),
    watched=("self2", 0),
    draw=draw,
    read=read,
    asked=asked,
    inputs=(
        "moon cat key boat rose lamp owl bread moon cat key boat rose lamp owl",
        "pear hat drum nut fox ring cake door fox ring pear hat",
    ),
    data=(
        "48 of 64 words: episodes of 8 to 20 fresh words in chunks of 2 to 4, repeated in a shuffled order; an answer "
        "is asked for only where it follows from the first pass"
    ),
)
