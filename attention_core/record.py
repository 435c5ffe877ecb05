"""A record in which a field may wait until someone reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Self


class Record:
    """A base of dataclasses whose fields may be worked out when they are first read.

    Copies, pickles and `dataclasses.replace` read every field, so nothing waits in them.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Square(Record):
    ...     side: float
    ...     area: float
    >>> Square.partly({"side": 3.0}, {"area": lambda: 9.0}).area
    9.0
    """

    @classmethod
    def partly(cls, now: Mapping[str, Any], later: Mapping[str, Callable[[], Any]]) -> Self:
        """A record with the fields of `now`, and those of `later` worked out when they are first read.

        The calls must not hold the record: large tensors would wait for the garbage collector.
        """
        record = cls.__new__(cls)
        record.__dict__.update(now, _later=later)
        record.__post_init__()
        return record

    def __post_init__(self) -> None:
        """Nothing to check."""

    if not TYPE_CHECKING:  # to a type checker every field is simply there, and a misspelt one is an error

        def __getattr__(self, name: str) -> Any:
            """Work out a field that is read for the first time."""
            later = self.__dict__.get("_later", {})
            if name not in later:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            return self.__dict__.setdefault(name, later[name]())

        def __getstate__(self) -> dict[str, Any]:
            """All fields, worked out."""
            return {f.name: getattr(self, f.name) for f in fields(self)}
