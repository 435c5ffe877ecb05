"""Text -> tokens: words, characters, bytes, or the pieces of a byte pair encoding. Each keeps its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from attention_core.tokens.bpe import shipped, utf8
from attention_core.tokens.graphemes import graphemes, words

__all__ = ["TOKENIZERS", "Token", "count_tokens", "tokenize"]

TOKENIZERS = ("word", "character", "byte", "bpe")

_CONTINUED = bytes(range(0x80, 0xC0))
"""The bytes of UTF-8 that do not begin a character."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token: what it is called, and the characters `text[start:end]` that it comes from.

    Places count characters as Python does (code points), from 0; `end` is the first that no longer belongs.
    """

    text: str
    start: int
    end: int


def tokenize(text: str, tokenizer: str = "word") -> tuple[Token, ...]:
    """Cut a text into tokens, in the order of the text, in linear time.

    tokenizer:

    - "word": words and the signs between them, without spaces (`attention_core.tokens.graphemes.words`).
    - "character": what a reader takes for one character, spaces too (grapheme clusters, Unicode Standard
      Annex #29).
    - "byte": the bytes of UTF-8. A printable ASCII byte is called by its character, any other by its two
      hexadecimal digits, such as "E4"; the place is that of the character that the byte belongs to.
    - "bpe": the small byte pair encoding that ships with the package. A token of whole characters is called
      by them, a leading space among them; a part of a character by its bytes, such as "<E4BD>", and its place
      is that of the character.

    For words and characters, and tokens of whole characters, `text[start:end]` is the token. An empty text
    has no tokens. Nothing is normalised. ValueError: an unknown tokenizer; for "byte" and "bpe" a lone
    surrogate, which has no bytes.

    >>> [token.text for token in tokenize("It doesn't, 你好!")]
    ['It', "doesn't", ',', '你', '好', '!']
    >>> tokenize("é!", "byte")
    (Token(text='C3', start=0, end=1), Token(text='A9', start=0, end=1), Token(text='!', start=1, end=2))
    """
    match tokenizer:
        case "word":
            return tuple(Token(text[start:end], start, end) for start, end in words(text))
        case "character":
            return tuple(Token(text[start:end], start, end) for start, end in graphemes(text))
        case "byte":
            return _placed((bytes([byte]) for byte in utf8(text)), _byte_name)
        case "bpe":
            return _placed(shipped().encode(text), _bytes_name)
    raise _unknown(tokenizer)


def count_tokens(text: str, tokenizer: str, most: int) -> int:
    """How many tokens `tokenize` finds, or `most + 1` where it finds more: a long text costs what `most` tokens cost.

    Raises ValueError as `tokenize` does.

    >>> count_tokens("It doesn't, 你好!", "word", 100), count_tokens("la " * 100_000, "word", 100)
    (6, 101)
    """
    found: Iterable[object]
    match tokenizer:
        case "word":
            found = words(text)
        case "character":
            found = graphemes(text)
        case "byte":
            found = utf8(text)
        case "bpe":
            found = shipped().tokens(text)
        case _:
            raise _unknown(tokenizer)
    return sum(1 for _ in islice(found, most + 1))


def _unknown(tokenizer: str) -> ValueError:
    return ValueError(f"tokenizer={tokenizer!r}: allowed are {', '.join(map(repr, TOKENIZERS))}")


def _placed(parts: Iterable[bytes], name: Callable[[bytes], str]) -> tuple[Token, ...]:
    """Name the byte strings that make up a text, and find the characters that they belong to."""
    tokens = []
    begun = 0  # characters
    for part in parts:
        start = begun - (part[0] in _CONTINUED)
        begun += len(part.translate(None, _CONTINUED))
        tokens.append(Token(name(part), start, begun))
    return tuple(tokens)


def _byte_name(part: bytes) -> str:
    return part.decode() if b" " <= part <= b"~" else part.hex().upper()


def _bytes_name(part: bytes) -> str:
    try:
        return part.decode()
    except UnicodeDecodeError:
        return f"<{part.hex().upper()}>"
