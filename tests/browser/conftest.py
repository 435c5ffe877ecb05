"""One server and one Chromium for all browser tests; each test is a new visitor, who must see no error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page

from tests import serving
from tests.browser.reading import listen, settled

Visit = Callable[..., Page]

SMALL = {"text": "one two three four five", "heads": "2", "width": "12"}


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The app, served."""
    with serving.serve() as found:
        yield found


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with serving.browser() as found:
        yield found


@pytest.fixture
def visit(address: str, chromium: Browser) -> Iterator[Visit]:
    """Open a link as a new visitor, and wait until everything is painted.

    At the end of the test: no error was logged, no dialog opened, nothing was asked of another server.
    """
    contexts = []
    complaints: list[str] = []

    def open_page(query: Mapping[str, str] | None = None, *, tall: bool = True, **options: Any) -> Page:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        listen(context, tall=tall)
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.on("console", lambda said: said.type == "error" and complaints.append(f"console: {said.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: foreign(request.url) and complaints.append(f"asks {request.url}"))
        page.on("response", lambda answer: answer.status >= 400 and complaints.append(f"{answer.status} {answer.url}"))
        page.goto(f"{address}/?{urlencode(query)}" if query else address)
        page.wait_for_selector(".st-key-hero .ap-heatmap[data-painted]")
        settled(page)
        return page

    def foreign(url: str) -> bool:
        return url.split(":")[0] in ("http", "https") and not url.startswith(address)

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
