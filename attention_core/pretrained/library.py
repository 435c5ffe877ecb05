"""The one place that imports `transformers`, and only when a model is asked for: it is an optional extra."""

from __future__ import annotations

import importlib
import importlib.util
import os
from types import ModuleType

from attention_core.pretrained.problem import PretrainedError

__all__ = ["INSTALL", "installed", "transformers"]

INSTALL = "python -m pip install -r requirements-pretrained.txt"
NEEDED = ("transformers", "tokenizers")


def installed() -> bool:
    """Whether the extra is there; looks without importing it, since that takes seconds.

    >>> isinstance(installed(), bool)
    True
    """
    return all(importlib.util.find_spec(name) is not None for name in NEEDED)


def transformers() -> ModuleType:
    """The library itself, quiet. PretrainedError says what to install where it is missing."""
    if not installed():
        raise PretrainedError(
            "Pretrained models need the packages transformers and tokenizers, and they are not installed here.",
            f"Type, in the environment that runs the playground (.venv): {INSTALL}",
        )
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    library: ModuleType = importlib.import_module("transformers")

    major = int(library.__version__.split(".")[0])
    if major < 5:
        raise PretrainedError(
            f"transformers {library.__version__} is installed: allowed is version 5.",
            f"Type, in the environment that runs the playground (.venv): {INSTALL}",
        )
    return library
