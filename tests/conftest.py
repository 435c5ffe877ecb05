"""What every test shares: shapes checked at run time, repeatable settings, an order from quick to slow."""

from __future__ import annotations

import os
from pathlib import Path

# The app computes in a thread of its own: with several cores it would add in another order than the test does, and
# differ in the last bit. The tensors are small anyway: threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import jaxtyping
import pytest

from tests import chromium, shape_check

ROOT = Path(__file__).resolve().parent.parent

# Before anything imports attention_core: its jaxtyping annotations are checked whenever a test calls it.
jaxtyping.install_import_hook(shape_check.modules(ROOT), f"{shape_check.__name__}.tensors")

ORDER = (
    "test_quality",
    "test_architecture",
    "attention_core",
    "core",
    "attention_viz",
    "viz",
    "service",
    "ui",
    "browser",
)

hypothesis.settings.register_profile(
    "repeatable", deadline=None, max_examples=50, derandomize=True, database=None
)
hypothesis.settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    import torch

    torch.set_num_threads(1)  # the tensors are small: threads would only wait for each other


def pytest_report_header(config: pytest.Config) -> str:
    from importlib.metadata import version

    versions = ", ".join(
        f"{name} {version(name)}" for name in ("streamlit", "torch", "plotly", "pandas", "numpy")
    )
    return f"{versions}; Chromium: {chromium.find() or 'the one of Playwright'}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The quick checks first, the browser last."""

    def rank(item: pytest.Item) -> int:
        parts = item.path.relative_to(ROOT).with_suffix("").parts
        name = parts[1] if parts[0] == "tests" else parts[0]
        return ORDER.index(name) if name in ORDER else len(ORDER) - 2

    items.sort(key=rank)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def chromium_path() -> str | None:
    """What `playwright.chromium.launch(executable_path=...)` takes."""
    return chromium.find()
