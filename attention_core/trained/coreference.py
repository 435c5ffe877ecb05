"""Coreference: which of two things does "it" mean? Only what is said about it can tell."""

from __future__ import annotations

from random import Random

from attention_core.trained.batch import NOT_ASKED, Example
from attention_core.trained.model import Shape
from attention_core.trained.task import Drawn, Recipe, Task
from attention_core.trained.vocabulary import Vocabulary, typed_words, words_of

__all__ = ["ADJECTIVES", "NOUNS", "coreference"]

LENGTH = 24
NOUNS = {
    "animal": words_of("animal dog cat horse cow sheep fox bear wolf goat"),
    "place": words_of("street river bridge park garden field road square valley forest"),
    "object": words_of("box lamp chair clock table mirror bottle basket knife drum"),
    "food": words_of("soup bread cake apple cheese salad rice pie stew pear"),
    "vehicle": words_of("car truck train bus van taxi tractor boat ship tram"),
}
ADJECTIVES = {
    "animal": words_of("tired hungry sleepy scared thirsty tame angry lame"),
    "place": words_of("wide crowded steep flooded muddy deserted shady foggy"),
    "object": words_of("broken hollow polished wooden rusty cracked dented fragile"),
    "food": words_of("tasty salty sweet rotten stale spicy bitter raw"),
    "vehicle": words_of("fast parked overloaded delayed reliable driverless speeding electric"),
}
MODIFIERS = words_of("old new big small red blue strange famous")
TEMPLATES = tuple(
    template.split()
    for template in (
        "the X did not cross the Y because it was too J",
        "the X was not crossed by the Y because it was too J",
        "because it was too J the X did not reach the Y",
        "the X near the Y did not help us because it was too J",
        "we saw the X beside the Y and it was very J",
        "nobody liked the X with the Y since it was so J",
        "the X stood behind the Y but it was not J",
        "they forgot the X and the Y although it was quite J",
        "since it looked so J we kept the X from the Y",
        "the X and the Y were there but it seemed really J",
    )
)
WORDS = Vocabulary(
    [
        *(word for template in TEMPLATES for word in template if word not in "XYJ"),
        *(noun for nouns in NOUNS.values() for noun in nouns),
        *(adjective for adjectives in ADJECTIVES.values() for adjective in adjectives),
        *MODIFIERS,
    ]
)


def draw(numbers: Random) -> Drawn:
    """A sentence with two nouns of different kinds and an adjective that fits one of them; that one is the answer.

    The split goes by (noun, adjective): a pair that is asked in the test was never seen in training.
    """
    kinds = numbers.sample(list(NOUNS), 2)
    nouns = [numbers.choice(NOUNS[kind]) for kind in kinds]
    meant = numbers.randrange(2)
    adjective = numbers.choice(ADJECTIVES[kinds[meant]])
    words: list[str] = []
    places = {}
    for word in numbers.choice(TEMPLATES):
        if word in ("X", "Y"):
            if numbers.random() < 0.3:
                words.append(numbers.choice(MODIFIERS))
            noun = "XY".index(word)
            places[noun] = len(words)
            words.append(nouns[noun])
        else:
            words.append(adjective if word == "J" else word)
    it = words.index("it")
    target = [NOT_ASKED] * len(words)
    looks: list[set[int]] = [set() for _ in words]
    target[it] = WORDS.encode([nouns[meant]])[0]
    looks[it] = {places[meant]}
    return Example(WORDS.encode(words), target, looks), (nouns[meant], adjective)


def read(text: str) -> tuple[str, ...]:
    """The words of a sentence with one "it", at most 24, else ValueError."""
    words = typed_words(text)
    WORDS.encode(words)
    if words.count("it") != 1 or len(words) > LENGTH:
        raise ValueError(
            f"{len(words)} words with {words.count('it')} “it”: allowed are at most {LENGTH} words with exactly one"
        )
    return words


coreference = Task(
    name="coreference",
    about="the noun that “it” stands for",
    words=WORDS,
    answers=WORDS,
    shape=Shape(words=len(WORDS), answers=len(WORDS), length=LENGTH, layers=2, d_ff=128, carries=False),
    recipe=Recipe(steps=1000, rate=3e-3, warmup=100),
    watched=("self2", 0),
    draw=draw,
    read=read,
    asked=lambda words: (words.index("it"),),
    inputs=(
        "the animal did not cross the street because it was too tired",
        "the animal did not cross the street because it was too wide",
        "we saw the old lamp beside the soup and it was very salty",
        "because it was too rusty the horse did not reach the knife",
    ),
    data=(
        "sentences from ten patterns; 10 nouns and 8 adjectives of each of five kinds; the adjective fits one noun "
        "alone; 20 % of the pairs of noun and adjective never occur in training"
    ),
)
