"""The glossary: the entries of its Markdown file, and the search in them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from playground.prose import prose

_ENTRY = re.compile(r"\*\*(?P<term>[^*]+)\*\*(?P<names>(?:, \*[^*]+\*)*): (?P<text>.+)", re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """A term, its other names, and what it means, in Markdown."""

    term: str
    names: tuple[str, ...]
    text: str

    def markdown(self) -> str:
        """The entry as a paragraph."""
        others = "".join(f", *{name}*" for name in self.names)
        return f"**{self.term}**{others}: {self.text}"


def entries(language: str = "en") -> tuple[Entry, ...]:
    """All entries, in the order of the file. ValueError where a paragraph of the file is no entry."""
    found = []
    for paragraph in prose("glossary", language)["terms"].lead.split("\n\n"):
        match = _ENTRY.fullmatch(paragraph.strip())
        if match is None:
            raise ValueError(f"glossary: no entry in {paragraph[:60]!r}: allowed is **term**, *other name*: text")
        names = tuple(name.strip("* ") for name in match["names"].split(", ")[1:])
        found.append(Entry(match["term"], names, match["text"]))
    return tuple(found)


def find(wanted: str, among: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries that contain `wanted`: first those that are called so, then those that speak of it.

    >>> some = (Entry("head", (), "Asks with a query."), Entry("query", ("queries",), "Asks."))
    >>> [entry.term for entry in find("QUER", some)]
    ['query', 'head']
    """
    sought = wanted.strip().casefold()
    called, speaking = [], []
    for entry in among:
        if any(sought in name.casefold() for name in (entry.term, *entry.names)):
            called.append(entry)
        elif sought in entry.text.casefold():
            speaking.append(entry)
    return (*called, *speaking)
