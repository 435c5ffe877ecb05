"""What the operator of a demo may set, through environment variables."""

from __future__ import annotations

import os
from dataclasses import fields
from functools import cache
from typing import TypeVar

from attention_core.limits import Limits

PREFIX = "ATTENTION_"


T = TypeVar("T")


@cache
def limits() -> Limits:
    """The limits in force: `ATTENTION_MAX_TOKENS=128` in the environment overrides `Limits.max_tokens`.

    Raises ValueError where a variable is not a whole number from 1.
    """
    return from_environment(Limits)


def from_environment(kind: type[T]) -> T:
    """A dataclass of whole numbers, each with its default unless the environment says otherwise; errors as above."""
    given: dict[str, int] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        name = PREFIX + field.name.upper()
        text = os.environ.get(name)
        if text is None:
            continue
        if not text.isdecimal() or int(text) < 1:
            raise ValueError(f"{name}={text!r}: allowed are whole numbers from 1")
        given[field.name] = int(text)
    return kind(**given)
