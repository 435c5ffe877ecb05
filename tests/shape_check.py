"""The run-time check of tensor shapes: what a function of attention_core took and gave fits its annotations.

jaxtyping's import hook asks for a type checker. This one hands to beartype what speaks of tensors, and looks
when the function has returned: wrong input is refused by the function itself, in its own words.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import beartype
import jaxtyping

_CONTAINERS = (tuple, list, dict, types.UnionType, typing.Union)


def modules(root: Path) -> list[str]:
    """The modules of attention_core that annotate tensors: the hook slows down every function it touches."""
    return [
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in sorted((root / "attention_core").rglob("*.py"))
        if path.name not in ("__init__.py", "shapes.py")
        and re.search(
            r"^from (attention_core\.shapes|jaxtyping) import", path.read_text(encoding="utf-8"), re.M
        )
    ]


def tensors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check the tensors of a function, parameters and result together, after the call."""
    parameters = inspect.signature(function).parameters.values()
    # The hook checks twice, before and after the call; afterwards the result is an extra keyword of any type.
    after = any(
        p.kind is p.KEYWORD_ONLY and p.name.startswith("ret") and p.annotation is Any for p in parameters
    )
    if not after:
        return function
    function.__annotations__ = {
        name: hint for name, hint in function.__annotations__.items() if _is_about_tensors(hint)
    }
    return beartype.beartype(function) if function.__annotations__ else function


def _is_about_tensors(hint: Any) -> bool:
    if inspect.isclass(hint) and issubclass(hint, jaxtyping.AbstractArray):
        return True
    parts = [part for part in typing.get_args(hint) if part not in (type(None), ..., str, int)]
    return typing.get_origin(hint) in _CONTAINERS and bool(parts) and all(map(_is_about_tensors, parts))
