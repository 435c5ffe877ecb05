"""The glossary: every bold term of every page is in it, and every entry says where to see it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from playground import glossary, sitemap
from tests.conftest import ROOT
from tests.ui.lessons import open_lesson, words
from tests.ui.reading import healthy

ENTRIES = glossary.entries()
NAMES = {name.casefold() for entry in ENTRIES for name in (entry.term, *entry.names)}
PROSE = sorted(path for path in (ROOT / "pages").glob("*.en.md") if path.stem != "glossary.en")
PAGES = {name for entries in sitemap.pages().values() for name, _ in entries}
# The terms that a student meets first, whether a page prints them in bold or not.
WANTED = (
    *("token", "embedding", "query", "key", "value", "head", "score", "logit", "weight", "softmax", "context vector"),
    *("mask", "causal", "padding", "d_model", "d_k", "d_v", "temperature", "entropy", "positional encoding", "RoPE"),
    *("ALiBi", "residual", "layer norm", "dropout", "grouped-query", "KV cache", "FLOP", "sink"),
)
LONGEST = 4  # words of a term: what is longer is a stressed sentence


def bold_terms(path: Path) -> set[str]:
    """What is printed in bold, but for sentences, numbers, and headings (a line that is bold and nothing else)."""
    found = set()
    for line in path.read_text("utf-8").splitlines():
        if re.fullmatch(r"\*\*[^*]+\*\*", line.strip()):
            continue
        for term in re.findall(r"\*\*([^*]+)\*\*", line):
            if len(term.split()) <= LONGEST and "{" not in term:
                found.add(term.strip(":,").casefold())
    return found


def singular(term: str) -> str:
    return re.sub(r"ies$", "y", term) if term.endswith("ies") else term.removesuffix("s")


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name.split(".")[0])
def test_every_bold_term_is_explained(path: Path) -> None:
    """Bold is for terms. Where a page stresses something that is none, italics do it."""
    missing = {term for term in bold_terms(path) if not {term, singular(term)} & NAMES}
    assert not missing, f"{path.name} prints these in bold, and the glossary has not heard of them: {sorted(missing)}"


@pytest.mark.parametrize("term", WANTED)
def test_the_first_terms_are_there(term: str) -> None:
    assert term.casefold() in NAMES


def test_no_name_is_explained_twice_and_the_order_is_alphabetical() -> None:
    names = [name.casefold() for entry in ENTRIES for name in (entry.term, *entry.names)]
    assert len(names) == len(set(names))
    terms = [entry.term.casefold() for entry in ENTRIES]
    assert terms == sorted(terms)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.term)
def test_an_entry_is_short_and_says_where_to_see_it(entry: glossary.Entry) -> None:
    targets = re.findall(r"\]\(([^)]+)\)", entry.text)
    assert targets, "no link"
    for target in targets:
        name = "playground" if target == "./" else target
        assert name in PAGES
    assert len(entry.text) < 330


def test_the_page_shows_all_entries() -> None:
    shown = words(open_lesson("glossary"))
    for entry in ENTRIES:
        assert entry.markdown() in shown


def test_a_term_is_found() -> None:
    app = open_lesson("glossary", {"glossary_find": "kv CACHE"})
    shown = words(app)
    assert "**key/value cache**" in shown and "**ALiBi**" not in shown
    app.text_input(key="glossary_find").set_value("softm").run()
    healthy(app)
    body = [text.value for text in app.main.markdown if text.value.startswith("**softmax**")]
    assert len(body) == 1 and "**logit**" in body[0]  # first what is called so, then what speaks of it
    app.text_input(key="glossary_find").set_value("<b>$x$</b>").run()
    healthy(app)
    assert any("No entry" in caption.value for caption in app.main.caption)
    assert "<b>" not in words(app)


def test_a_paragraph_that_is_no_entry_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from playground.prose import Section

    monkeypatch.setattr(glossary, "prose", lambda page, language: {"terms": Section("**a**: b\n\nnonsense", "")})
    with pytest.raises(ValueError, match="no entry in 'nonsense'"):
        glossary.entries()
