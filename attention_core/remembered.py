"""What was computed once is remembered, up to a number of bytes: keys count as results do.

`functools.lru_cache` counts entries. Where both a key and a result may be a thousand times as large for one visitor of
a server as for the next, that is no bound at all.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping
from functools import wraps
from typing import Any, TypeVar

from torch import Tensor, nn

__all__ = ["Remembered", "bytes_of", "remembered"]

Value = TypeVar("Value")


def bytes_of(value: object) -> int:
    """About how many bytes a value holds, with all that it refers to; what it refers to twice counts once.

    >>> import torch
    >>> matrix = torch.zeros(1000, 1000)
    >>> round(bytes_of([matrix, matrix.T]) / 1e6)
    4
    """
    total, seen, left = 0, set(), [value]
    while left:
        one = left.pop()
        storage = one.untyped_storage() if isinstance(one, Tensor) else None
        mark = id(one) if storage is None else storage.data_ptr()
        if mark in seen:
            continue
        seen.add(mark)
        total += sys.getsizeof(one) + (storage.nbytes() if storage is not None else 0)
        if isinstance(one, nn.Module):
            left += [*one.parameters(), *one.buffers()]
        elif isinstance(one, Mapping):
            left += [*one.keys(), *one.values()]
        elif isinstance(one, Collection) and not isinstance(one, str | bytes | bytearray | Tensor):
            left += one
        elif not isinstance(one, Tensor | type):
            left += [getattr(one, name) for name in getattr(type(one), "__slots__", ()) if hasattr(one, name)]
            left += getattr(one, "__dict__", {}).values()
    return total


class Remembered:
    """The values last asked for, up to `budget` bytes.

    One that is larger alone is not remembered; with `newest_stays` it is, alone, until the next one comes.
    """

    def __init__(self, budget: int, *, newest_stays: bool = False) -> None:
        self._budget = budget
        self._least = 1 if newest_stays else 0
        self._used = 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Any:
        """The value for a key, or None."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
        return found[0]

    def keep(self, key: Hashable, value: Any, size: int | None = None) -> None:
        """Remember a value, and forget those asked for longest ago that have no room beside it.

        `size` is what both take, where that is known better than `bytes_of` knows it.
        """
        size = bytes_of((key, value)) if size is None else size
        with self._lock:
            if key in self._values or (size > self._budget and not self._least):
                return
            self._values[key] = (value, size)
            self._used += size
            while self._used > self._budget and len(self._values) > self._least:
                self._used -= self._values.popitem(last=False)[1][1]

    def __len__(self) -> int:
        return len(self._values)

    @property
    def used(self) -> int:
        """The bytes of what is remembered."""
        return self._used


def remembered(budget: int) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """Remember what a function returned, up to so many bytes. Its arguments have to be hashable, its value not None.

    >>> @remembered(10_000)
    ... def shout(text: str) -> str:
    ...     print("heard", text[:3])
    ...     return text.upper()
    >>> shout("hey"), shout("hey")
    heard hey
    ('HEY', 'HEY')
    """

    def decorate(function: Callable[..., Value]) -> Callable[..., Value]:
        store = Remembered(budget)

        @wraps(function)
        def ask(*args: Any, **more: Any) -> Value:
            key = (args, tuple(more.items()))
            found: Value | None = store.find(key)
            if found is None:
                found = function(*args, **more)
                store.keep(key, found)
            return found

        ask.store = store  # type: ignore[attr-defined]
        return ask

    return decorate
