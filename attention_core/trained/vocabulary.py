"""The words that a model knows, and what is said about a word that it does not know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

__all__ = ["BEGIN", "END", "MARKS", "PAD", "UnknownWords", "Vocabulary", "typed_words", "words_of"]

PAD, BEGIN, END = 0, 1, 2  # the numbers of the marks that every vocabulary begins with
MARKS = ("[pad]", "[begin]", "[end]")


class UnknownWords(ValueError):
    """Words outside a vocabulary: `unknown` lists them in the order of the text, each once."""

    def __init__(self, unknown: Sequence[str], known: Sequence[str]) -> None:
        self.unknown, self.known = tuple(unknown), tuple(known)
        words = ", ".join([*(repr(word[:40]) for word in self.unknown[:8]), *["..."] * (len(self.unknown) > 8)])
        super().__init__(f"{words}: the model has never seen this; allowed are {', '.join(self.known)}")


class Vocabulary:
    """Words and their numbers; 0 is padding, 1 the beginning, 2 the end.

    >>> words = Vocabulary(["sun", "east"])
    >>> words.encode(["east", "sun"]), words.decode([4, 3])
    ([4, 3], ('east', 'sun'))
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(dict.fromkeys(words))
        self.all = (*MARKS, *self.words)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.all) if number >= len(MARKS)}

    def __len__(self) -> int:
        return len(self.all)

    def __contains__(self, word: object) -> bool:
        return word in self._numbers

    def encode(self, words: Sequence[str]) -> list[int]:
        """The numbers of the words. UnknownWords, a ValueError, names those that are not known."""
        unknown = list(dict.fromkeys(word for word in words if word not in self._numbers))
        if unknown:
            raise UnknownWords(unknown, self.words)
        return [self._numbers[word] for word in words]

    def decode(self, numbers: Iterable[int]) -> tuple[str, ...]:
        """The words of the numbers, marks included."""
        return tuple(self.all[number] for number in numbers)


def words_of(text: str) -> list[str]:
    """The words of a text, cut at its spaces.

    >>> words_of("sun moon")
    ['sun', 'moon']
    """
    return text.split()


def typed_words(text: str) -> tuple[str, ...]:
    """The words of a sentence as somebody types it: in small letters, without full stops and commas.

    >>> typed_words("Sun, moon.")
    ('sun', 'moon')
    """
    return tuple(text.lower().replace(".", " ").replace(",", " ").split())
