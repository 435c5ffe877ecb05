"""What is folded away: in one element where no tag can come in, and as text where there is a `<`."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

HOSTILE = ("</s> or <pad>", "<b>bold</b>", "</details><img src=x onerror=alert(1)>", "a < b", "$x<y$")


def shown(lead: str, why: str) -> AppTest:
    def page(lead: str, why: str) -> None:
        from playground.folded import folded

        folded(lead, why)

    return AppTest.from_function(page, args=(lead, why)).run()


def test_lead_and_why_are_one_element() -> None:
    app = shown("### One\n\nTwo $x$", "Because of *this*.")
    [one] = app.markdown
    assert one.allow_html and one.value == (
        "### One\n\nTwo $x$\n\n<details><summary>Why?</summary>\n\nBecause of *this*.\n\n</details>"
    )
    assert not app.expander
    [alone] = shown("### One", "").markdown
    assert alone.value == "### One" and not alone.allow_html


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("place", ["lead", "why"])
def test_words_with_a_tag_in_them_are_never_taken_for_html(words: str, place: str) -> None:
    app = shown(words, "Because.") if place == "lead" else shown("So.", words)
    assert [one.allow_html for one in app.markdown] == [False, False]
    assert words in [one.value for one in app.markdown]
    [fold] = app.expander
    assert fold.label == "Why?" and fold.markdown[0].value == (words if place == "why" else "Because.")
