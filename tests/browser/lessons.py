"""A concept page in a real Chromium: opened by its link, by a new visitor, who must see no error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.browser.reading import into_view, listen

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


@contextlib.contextmanager
def open_lesson(
    address: str, chromium: Browser, name: str, query: Mapping[str, str] | None = None, **options: Any
) -> Iterator[Page]:
    """Open `/name?query` and wait until the first panels are painted; at the end nobody has complained."""
    complaints: list[str] = []

    def heard(said: ConsoleMessage) -> None:
        # Streamlit looks for its own routes below the page's path first, and finds them at the root.
        if said.type == "error" and "/_stcore/" not in said.location.get("url", ""):
            complaints.append(said.text)

    context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    try:
        context.set_default_timeout(60_000)
        listen(context)
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.goto(f"{address}/{name}" + (f"?{urlencode(query)}" if query else ""))
        page.wait_for_selector('[data-testid="stMain"] .ap[data-painted]')
        page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
        yield page
    finally:
        context.close()
    assert complaints == []


def painted(page: Page, key: str) -> None:
    """Bring a panel onto the screen and wait until it is drawn."""
    into_view(page, f".st-key-{key}")
    page.wait_for_selector(f".st-key-{key} .ap[data-painted]")


def fits(page: Page) -> bool:
    """Whether nothing sticks out sideways."""
    found: bool = page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    return found


def lines(page: Page, key: str) -> list[dict[str, Any]]:
    """The traces of a plain plot, as Plotly holds them."""
    found: list[dict[str, Any]] = page.evaluate(
        """(key) => document.querySelector(`.st-key-${key} .js-plotly-plot`).data.map(
             ({ name, x, y }) => ({ name, x: Array.from(x), y: Array.from(y) }))""",
        key,
    )
    return found
