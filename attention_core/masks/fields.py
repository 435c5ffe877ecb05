"""Checks of what a mask is made from: whole numbers within bounds, so that a hostile link is harmless."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Iterable

LARGEST = 1_000_000  # of any offset, width, size, length or id
LONGEST = 4096  # entries of a list of positions, ids or lengths


def shown(value: object) -> str:
    """The value as it goes into an error message: never longer than a line.

    >>> shown("x" * 500)
    "'xxxxxxxxxxxx...xxxxxxxxxxxxx'"
    """
    return reprlib.repr(value)


def whole_number(field: str, value: object, least: int, most: int = LARGEST) -> int:
    """The value as an int; ValueError unless it is a whole number from `least` to `most`.

    >>> whole_number("width", 0, least=1)
    Traceback (most recent call last):
    ValueError: width=0: allowed are whole numbers from 1 to 1000000
    """
    allowed = f"allowed are whole numbers from {least} to {most}"
    if isinstance(value, bool):  # True is 1 to Python, and a slip to everyone else
        raise ValueError(f"{field}={value}: {allowed}")
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # NumPy's and torch's too
    except (TypeError, RuntimeError):
        raise ValueError(f"{field}={shown(value)}: {allowed}") from None
    if not least <= number <= most:
        raise ValueError(f"{field}={shown(number)}: {allowed}")
    return number


def whole_numbers(field: str, value: object, least: int, most: int = LARGEST) -> tuple[int, ...]:
    """The values as a tuple of ints; ValueError unless they are 1 to `LONGEST` whole numbers in bounds.

    >>> whole_numbers("ids", [0, 0, 1], least=0)
    (0, 0, 1)
    """
    allowed = f"allowed are 1 to {LONGEST} whole numbers from {least} to {most}"
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        raise ValueError(f"{field}={shown(value)}: {allowed}")
    numbers: list[int] = []
    for number in value:
        if len(numbers) == LONGEST:  # here, so that an endless iterable is harmless
            raise ValueError(f"{field}={shown(value)}: {allowed}")
        numbers.append(whole_number(f"{field}[{len(numbers)}]", number, least, most))
    if not numbers:
        raise ValueError(f"{field}={shown(value)}: {allowed}")
    return tuple(numbers)
