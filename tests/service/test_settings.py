"""What an operator may set: every field has its variable, a wrong one is named, and the document knows them all."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from pathlib import Path

import pytest

from attention_core.limits import Limits
from playground import settings, warmup
from playground.service.settings import Service, frame_ancestors, plain_logs, service


@pytest.fixture(autouse=True)
def forget() -> None:
    for cached in (settings.limits, service, plain_logs, frame_ancestors):
        cached.cache_clear()


@pytest.mark.parametrize("field", [field.name for field in fields(Service)])
def test_a_variable_overrides_a_field(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    monkeypatch.setenv(f"ATTENTION_{field.upper()}", "7")
    assert service() == Service(**{field: 7})
    service.cache_clear()


@pytest.mark.parametrize("given", ["0", "-1", "many", "1.5", ""])
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("ATTENTION_HEAVY_SLOTS", given)
    with pytest.raises(ValueError, match=f"ATTENTION_HEAVY_SLOTS='{given}': allowed are whole numbers from 1"):
        service()


def test_a_wrong_kind_of_log_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENTION_LOG", "xml")
    with pytest.raises(ValueError, match="ATTENTION_LOG='xml': allowed are json, plain"):
        plain_logs()


@pytest.mark.parametrize(
    "name", ["ATTENTION_MAX_TOKENS", "ATTENTION_CACHE_MB", "ATTENTION_FRAME_ANCESTORS", "ATTENTION_LOG"]
)
def test_a_wrong_setting_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "; wrong")

    async def start() -> None:
        async with warmup.lifespan(None):
            pass

    with pytest.raises(ValueError, match=f"{name}='; wrong': allowed are"):
        asyncio.run(start())


def test_the_document_lists_every_setting_with_its_default(root: Path) -> None:
    text = (root / "docs" / "operating.md").read_text(encoding="utf-8")
    for kind in (Limits, Service):
        for field in fields(kind):
            assert f"| `ATTENTION_{field.name.upper()}` | {field.default:,} |" in text
    for name in ("ATTENTION_FRAME_ANCESTORS", "ATTENTION_LOG"):
        assert f"| `{name}` |" in text
