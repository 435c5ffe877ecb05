"""What an operator may set: every field has its variable, a wrong one is named, and the document knows them all."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from attention_core.limits import Limits
from attention_core.pretrained import ModelLimits
from playground import settings, warmup
from playground.live.limits import TrainingLimits
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
    for kind, prefix in ((Limits, ""), (Service, ""), (TrainingLimits, ""), (ModelLimits, "MODEL_")):
        for field in fields(kind):
            default = "one a core" if field.name == "max_trainings" else f"{field.default:,}"
            assert f"| `ATTENTION_{prefix}{field.name.upper()}` | {default} |" in text


READS = re.compile(r"os\.environ\.get\(|\bfrom_environment\(")


def test_the_document_names_whatever_the_code_reads(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every function that reads the environment is called, and what it asks for is written down."""
    asked: set[str] = set()

    class Noting(dict[str, str]):
        def get(self, name: str, default: Any = None) -> Any:
            asked.add(name)
            return super().get(name, default)

    monkeypatch.setattr(os, "environ", Noting(os.environ))
    called = 0
    for path in (root / "playground").rglob("*.py"):
        if not READS.search(path.read_text(encoding="utf-8")):
            continue
        module = importlib.import_module(".".join(path.relative_to(root).with_suffix("").parts))
        for found in vars(module).values():
            plain = getattr(found, "__wrapped__", found)
            if not inspect.isfunction(plain) or plain.__module__ != module.__name__:
                continue
            if READS.search(inspect.getsource(plain)) and not inspect.signature(plain).parameters:
                plain()
                called += 1
    ours = {name for name in asked if name.startswith("ATTENTION_")}
    text = (root / "docs" / "operating.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(ATTENTION_\w+)` \|", text, flags=re.MULTILINE))
    assert called >= 8 and {"ATTENTION_MODELS", "ATTENTION_MAX_TRAININGS", "ATTENTION_UPLOADS_MB"} <= ours
    assert ours == named
    for name in ("ATTENTION_FRAME_ANCESTORS", "ATTENTION_LOG"):
        assert f"| `{name}` |" in text
