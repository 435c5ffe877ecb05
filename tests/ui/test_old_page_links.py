"""Links to the pages beside the playground that people have sent, and what is looked at there. Add, never change."""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from attention_core.experiment import Experiment
from playground.panel import Cell
from playground.view import View, read_view
from tests.conftest import ROOT
from tests.ui.lessons import open_lesson
from tests.ui.reading import alerts

LINKS: list[dict[str, Any]] = json.loads((ROOT / "tests" / "data" / "page_links.json").read_text(encoding="utf-8"))


OTHERWISE = {"live_step"}  # the step of a run that has been trained


@cache
def opened(page: str, link: str) -> AppTest:
    return open_lesson(page, dict(parse_qsl(link)))


@pytest.mark.parametrize("old", LINKS, ids=[f"{entry['page']} {entry['link'][:50]}" for entry in LINKS])
def test_an_old_link_opens_what_it_did(old: dict[str, Any]) -> None:
    """Every setting is what the link says, and not what the page would have had without it."""
    app = opened(old["page"], old["link"])
    assert alerts(app) == []
    kept = app.session_state["page_settings"]
    assert {name: app.session_state[name] for name in old["settings"]} == old["settings"]
    assert [name for name in old["settings"] if kept[name].default == kept[name].value] == []
    written = parse_qsl(old.get("now", old["link"]))
    assert set(written) - set(app.query_params.items()) <= {("v", "1")}


def test_every_setting_of_these_pages_has_an_old_link() -> None:
    """A new one needs its line in the file: then nobody can rename it unseen."""
    kept = {name for old in LINKS for name in opened(old["page"], old["link"]).session_state["page_settings"]}
    missing = kept - {name for old in LINKS for name in old["settings"]}
    assert {name for name in missing if not name.startswith("trained_mask_")} == OTHERWISE  # by the names of layers
    others = {path.stem for path in (ROOT / "pages").glob("*.py")} - {old["page"] for old in LINKS}
    assert others == {"playground", "pretrained"}  # what is looked at there: below; its models are on few machines


def test_an_old_link_looks_at_what_it_did() -> None:
    notes: list[str] = []
    pinned = "eNorszVUK0mtKLFN1E5Sy0hNTCm2NVIrz0wpybA1AQCGqglM"
    link = f"text=a+b&heads=2&head=2&cell=weights.1.3.0&stage=raw_scores&a={pinned}"
    seen = View(1, Cell("weights", 1, 3, 0), Experiment("a b", num_heads=2, d_model=4), "raw_scores")
    assert read_view(dict(parse_qsl(link)), notes) == seen and notes == []
