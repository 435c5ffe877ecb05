"""What a number may be, said the same way everywhere."""

from __future__ import annotations

__all__ = ["whole"]


def whole(name: str, value: object, least: int) -> int:
    """Return `value` when it is a whole number from `least`; ValueError names it otherwise.

    >>> whole("num_heads", 3, 1)
    3
    >>> whole("num_heads", 0, 1)
    Traceback (most recent call last):
    ValueError: num_heads=0: allowed are whole numbers from 1
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}={value!r}: allowed are whole numbers from {least}")
    return value
