"""A concept page as AppTest runs it."""

from __future__ import annotations

from collections.abc import Mapping

from streamlit.testing.v1 import AppTest

from tests.conftest import ROOT
from tests.ui.reading import healthy


def open_lesson(name: str, query: Mapping[str, str] | None = None) -> AppTest:
    """A visitor who opens the link of a concept page."""
    app = AppTest.from_file(str(ROOT / "playground" / "main.py"), default_timeout=60)
    app.run()  # AppTest knows the pages only after a first run
    app.switch_page(f"../pages/{name}.py")
    if query is not None:
        app.query_params.update(query)
    app.run()
    healthy(app)
    return app


def words(app: AppTest) -> str:
    """All Markdown of the page."""
    return "\n".join(passage.value for passage in app.main.markdown)
