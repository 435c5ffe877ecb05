"""Longer prose: one Markdown file a page and language, beside the page that shows it.

A file is cut at its `## name` headings. Within a section, what follows a line `---` is shown behind "why?".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGES = Path(__file__).parent.parent / "pages"


@dataclass(frozen=True)
class Section:
    """One sentence (with its formula) to read first, and what is behind "why?"."""

    lead: str
    why: str


@cache
def prose(page: str, language: str = "en") -> dict[str, Section]:
    """The sections of `pages/<page>.<language>.md`, by the name in their heading; English where a language has none."""
    path = PAGES / f"{page}.{language}.md"
    text = (path if path.exists() else PAGES / f"{page}.en.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (\S+)\s*$", text, flags=re.MULTILINE)[1:]
    sections = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        lead, _, why = body.partition("\n---\n")
        sections[name] = Section(lead.strip(), why.strip())
    return sections
