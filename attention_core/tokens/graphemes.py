"""Where one character, as a person counts them, ends and the next begins; and where a word does.

Both are regular expressions over grapheme clusters (Unicode Standard Annex #29). Both take linear time.
"""

from __future__ import annotations

from collections.abc import Iterator

import regex

__all__ = ["graphemes", "words"]

# Flags are taken in pairs here because `\X` counts back to the first flag of a run at every one of them:
# 300,000 of them would take minutes.
_STICKS = r"\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}"  # what belongs to the character before it
_CLUSTER = rf"(?:\p{{RI}}{{2}}[{_STICKS}]*+|\X)"

# Scripts that put no space between words (Line_Break=SA: Thai, Lao, Khmer, Myanmar ...) and those whose
# characters are words or parts of words: one token a character.
_ONE_BY_ONE = r"\p{LB=SA}\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Hangul}\p{scx=Bopomofo}"
_SPACE = r"\s\u200B\uFEFF"  # with the two spaces of no width, which Unicode counts as format characters
_KEYCAP = r"\uFE0F?\u20E3"
_LETTER = rf"[[\p{{L}}\p{{N}}]--[{_ONE_BY_ONE}\p{{Extended_Pictographic}}]](?!{_KEYCAP})"
# A soft hyphen and a word joiner say that the word goes on.
_LETTERS = rf"(?:{_LETTER}[{_STICKS}\p{{M}}\u00AD\u2060]*+)++"
_APOSTROPHE = r"['’\u05F3\u05F4]"  # don't, l’eau, and the Hebrew geresh and gershayim
_POINT = r"(?<=\p{Nd})[.,\u066B\u066C](?=\p{Nd})"  # 3.14, 1,000,000, and the Arabic ones
_WORD = rf"{_LETTERS}(?:(?:{_APOSTROPHE}|{_POINT}){_LETTERS})*+"

_GRAPHEME = regex.compile(_CLUSTER, regex.VERSION1)
# A prefix such as U+0600 forms a cluster with a space behind it, too.
_SIGN = rf"(?![{_SPACE}])(?:\p{{GCB=Prepend}}++(?=[{_SPACE}])|{_CLUSTER})"
_TOKEN = regex.compile(rf"{_WORD}|{_SIGN}", regex.VERSION1)


def graphemes(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every grapheme cluster: what a reader takes for one character.

    They cover the text without a gap. Unicode Standard Annex #29, extended grapheme clusters.

    >>> [(start, end) for start, end in graphemes("e\\u0301a")]
    [(0, 2), (2, 3)]
    """
    return (match.span() for match in _GRAPHEME.finditer(text))


def words(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every word and of every sign between words; spaces are left out.

    A word is a run of letters, digits and their marks. An apostrophe between letters and a point or comma
    between digits belong to it; every other sign, `_` and `-` among them, stands alone, an emoji with all its
    parts too. Han, Kana, Hangul and the scripts that put no space between words (Thai, Lao, Khmer, Myanmar)
    go one character at a time. Space is the Unicode property White_Space with U+200B and U+FEFF; other
    invisible characters are not thrown away: those that join stay in the word, the rest stand alone.

    >>> text = "Don't pay 3.50!"
    >>> [text[start:end] for start, end in words(text)]
    ["Don't", 'pay', '3.50', '!']
    """
    return (match.span() for match in _TOKEN.finditer(text))
