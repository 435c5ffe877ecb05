"""The language of a visitor, asked for once a run."""

from __future__ import annotations

import threading

import pytest

from playground import i18n
from tests.ui.reading import healthy, open_app


def test_a_run_asks_once_for_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    words: list[str] = []
    original, catalogue = i18n._asked, i18n._catalogue

    def count() -> str:
        if threading.current_thread() is not threading.main_thread():  # where AppTest itself asks, between the runs
            asked.append(original())
        return original()

    def look_up(language: str) -> object:
        words.append(language)
        return catalogue(language)

    monkeypatch.setattr(i18n, "_asked", count)
    monkeypatch.setattr(i18n, "_catalogue", look_up)
    app = open_app({"text": "one two", "lang": "en"})
    assert asked == ["en"] and len(words) > 300
    app.run()
    healthy(app)
    assert asked == ["en", "en"], "another run may be another visitor's"
