"""One word in several sentences: its vector after each layer, and how alike two of them are."""

from __future__ import annotations

import torch
from torch import Tensor

from attention_core.pretrained.problem import PretrainedError
from attention_core.pretrained.reading import Side

__all__ = ["likeness", "places_of", "word_vectors"]


def places_of(side: Side, word: str) -> tuple[int, ...]:
    """The tokens that the first occurrence of a word consists of; letters large or small are the same.

    Where a tokenizer does not say where its tokens stand, the word is looked for among neighbours that spell it.
    Raises PretrainedError where the word is not there.
    """
    wanted = word.strip().casefold()
    if wanted and side.spans is not None:
        folded = _find(side.text.casefold(), wanted)
        if folded >= 0:
            # A letter may become several, "ß" becomes "ss": so each of them remembers where it comes from.
            origins = [place for place, letter in enumerate(side.text) for _ in letter.casefold()]
            start, end = origins[folded], origins[folded + len(wanted) - 1] + 1
            found = tuple(
                place for place, (left, right) in enumerate(side.spans) if left < end and right > start
            )
            if found:
                return found
    elif wanted:
        texts = [token.replace("##", "").strip().casefold() for token in side.tokens]
        for begin in range(len(texts)):
            for last in range(begin + 1, min(begin + 12, len(texts)) + 1):
                if texts[begin] and "".join(texts[begin:last]) == wanted:
                    return tuple(range(begin, last))
    raise PretrainedError(f"“{word[:60]}” does not stand in “{side.text[:120]}”.")


def _find(text: str, wanted: str) -> int:
    """Where the word stands by itself, else where its letters stand at all."""
    place = text.find(wanted)
    first = place
    while place >= 0:
        before, after = text[place - 1 : place], text[place + len(wanted) : place + len(wanted) + 1]
        if not before.isalnum() and not after.isalnum():
            return place
        place = text.find(wanted, place + 1)
    return first


def word_vectors(side: Side, places: tuple[int, ...]) -> Tensor:
    """The vector of a word after each layer, (layer + 1, width): the mean over its tokens."""
    return side.hidden[:, list(places)].mean(dim=1)  # (layer + 1, width)


def likeness(a: Tensor, b: Tensor) -> list[float]:
    """The cosine of two vectors at each layer, (layer, width) twice: a . b / (|a| |b|), from -1 to 1.

    >>> likeness(torch.tensor([[1.0, 0.0], [3.0, 4.0]]), torch.tensor([[0.0, 2.0], [6.0, 8.0]]))
    [0.0, 1.0]
    """
    found: list[float] = torch.nn.functional.cosine_similarity(a, b, dim=-1).clamp(-1.0, 1.0).tolist()
    return found
