"""Tokens as labels: every token visible, short enough, and never read as markup by Plotly."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import TypeVar

import regex

_SIGNS = {" ": "␣", "\n": "↵", "\t": "⇥"}
# Letters and symbols by their category, and yet nothing is drawn: fillers and the blank Braille cell.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"})
# These two join the letters beside them and have no place of their own to show.
_JOINERS = frozenset("\u200c\u200d")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;"})
_ISOLATE, _RELEASE = "\u2068", "\u2069"
_ROUND = (1, 2, 4, 5, 8, 10, 16, 20, 32, 50, 64, 100, 128, 200, 256, 500, 512, 1000)
_GRAPHEME = regex.compile(r"\X")
_SHORT = 64  # characters of a text; there is room for thousands of such, and for few that are longer

Value = TypeVar("Value")


def _remembered(function: Callable[..., Value]) -> Callable[..., Value]:
    """Remember what was asked for last. A token may be a whole page long, so those are counted by themselves."""
    short, long = lru_cache(maxsize=8192)(function), lru_cache(maxsize=32)(function)

    @wraps(function)
    def ask(text: str, *more: float) -> Value:
        return (short if len(text) <= _SHORT else long)(text, *more)

    return ask


@_remembered
def visible(token: str) -> str:
    """The whole token with nothing invisible in it; a plain token comes back unchanged. Not escaped.

    A space at either end is ␣, a line break ↵, a tab ⇥; any other character that draws nothing is its code
    point; an empty token is ∅; a mark alone sits on a dotted circle.

    >>> visible("cat"), visible(" the"), visible("\\n"), visible("\\u200b"), visible("")
    ('cat', '␣the', '↵', 'U+200B', '∅')
    """
    if not token:
        return "∅"
    if token.isalnum() and _BLANK.isdisjoint(token):
        return token
    start, end = len(token) - len(token.lstrip(" ")), len(token.rstrip(" "))
    drawn = any(not _unseen(char) for char in token)
    text = "".join(
        char if drawn and (char in _JOINERS or (char == " " and start <= place < end)) else _sign(char)
        for place, char in enumerate(token)
    )
    return "◌" + text if unicodedata.category(text[0]).startswith("M") else text


def _unseen(char: str) -> bool:
    return char in _BLANK or unicodedata.category(char) in _UNSEEN


def _sign(char: str) -> str:
    if char in _SIGNS:
        return _SIGNS[char]
    return f"U+{ord(char):04X}" if _unseen(char) else char


def escape(text: str) -> str:
    """Text that Plotly draws as it stands: no tags, no entities, no formulas.

    >>> escape("<b>$x$</b> & co")
    '&lt;b&gt;&#36;x&#36;&lt;/b&gt; &amp; co'
    """
    return text.translate(_ENTITIES)


def isolate(text: str) -> str:
    """Right-to-left text closed off (Unicode Annex 9), so that it cannot reorder what stands beside it."""
    if text.isascii() or not any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in text):
        return text
    return f"{_ISOLATE}{text}{_RELEASE}"


@_remembered
def text_width(text: str) -> float:
    """An estimate of the width of a text in units of its font size; wide (CJK) characters count 1.

    >>> text_width("猫"), 1.0 < text_width("cat") < 2.0
    (1.0, True)
    """
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> float:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(char) in ("W", "F"):
        return 1.0
    if char in "iljtfrI.,:;'|!()[] ":
        return 0.34
    return 0.85 if char in "mwMW@%" else 0.66 if char.isupper() else 0.56


@_remembered
def shorten(text: str, limit: float = 6.5) -> str:
    """The text, cut between graphemes and ended with an ellipsis where it is wider than `limit` font sizes.

    >>> shorten("cat"), shorten("antidisestablishmentarianism")
    ('cat', 'antidisestab…')
    """
    if text_width(text) <= limit:
        return text
    kept, width = "", 0.0
    for part in _GRAPHEME.finditer(text):  # not all of them: the first ones of a page fill the width
        width += text_width(part.group())
        if width > limit - 0.5:
            break
        kept += part.group()
    return kept + "…"


def tick(token: str, limit: float = 6.5) -> str:
    """A token as an axis label: visible, shortened, escaped, isolated.

    >>> tick("<b>"), tick(" ")
    ('&lt;b&gt;', '␣')
    """
    return isolate(escape(shorten(visible(token), limit)))


def field_title(field: str) -> str:
    """The name of a field as a heading.

    >>> field_title("raw_scores")
    'raw scores'
    """
    return field.replace("_", " ")


def dim_title(dim: str) -> str:
    """The name of a dimension as an axis title.

    >>> dim_title("heads*d_v")
    'heads × d_v'
    """
    return dim.replace("*", " × ")


def storable(text: str) -> str:
    """Text that any file can hold: half a surrogate pair becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def names(tokens: Sequence[str], length: int) -> list[str]:
    """`length` labels (visible, whole, not escaped): the tokens, or 1, 2, 3 ... where there are no tokens.

    The numbers of a vector count from 1, as heads do and as formulas count them.

    >>> names(("the", "the"), 2), names((), 3)
    (['the', 'the'], ['1', '2', '3'])
    """
    if len(tokens) == length:
        return [visible(token) for token in tokens]
    return [str(number) for number in range(1, length + 1)]


def places(count: int, pixels: float, needed: float, *, first: int | None = None, most: int = 32) -> list[int]:
    """The places that get a label, `needed` pixels apart and at most `most`, where a cell measures `pixels`.

    Where the labels are numbers from `first` on, those of a round step are chosen.

    >>> places(6, 20.0, 13.0), places(6, 5.0, 13.0), places(12, 5.0, 13.0, first=1)
    ([0, 1, 2, 3, 4, 5], [0, 3], [3, 7, 11])
    """
    step = max(1, -(-count // most), int(-(-needed // max(pixels, 1e-9))))
    if first is not None:
        step = next((nice for nice in _ROUND if nice >= step), step)
        return list(range(-first % step, count, step)) or [count - 1]
    return list(range(0, count, step))
