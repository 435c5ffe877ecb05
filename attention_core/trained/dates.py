"""Dates: a date as people write it, character by character, into year-month-day."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from attention_core.trained.batch import Example
from attention_core.trained.model import Shape
from attention_core.trained.task import Drawn, Recipe, Task
from attention_core.trained.vocabulary import Vocabulary, words_of

__all__ = ["FORMATS", "dates", "written_in"]

MONTHS = words_of("January February March April May June July August September October November December")
DAYS = words_of("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
FIRST, LAST = date(1900, 1, 1), date(2099, 12, 31)
# Y year, M month in words, S its first three letters, N its number, P the same with two digits, D day, W weekday,
# T day with its ending
FORMATS = ("D M Y", "M D, Y", "D S Y", "S D, Y", "D.N.Y", "Y/P/D", "W, D M Y", "the T of M Y")
LENGTH = 32
CHARACTERS = Vocabulary(
    sorted(
        {
            letter
            for word in (*MONTHS, *DAYS, "0123456789 ,./", "the of st nd rd th")
            for letter in word.lower()
        }
    )
)
DIGITS = Vocabulary("0123456789-")


def written_in(pattern: str, day: date) -> list[tuple[str, str]]:
    """The characters of a date in a pattern, each with the field it belongs to: "year", "month", "day" or "".

    >>> "".join(character for character, _ in written_in("the T of M Y", date(1987, 3, 12)))
    'the 12th of march 1987'
    """
    ending = "th" if 11 <= day.day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    month = MONTHS[day.month - 1]
    parts = {
        "Y": [(str(day.year), "year")],
        "M": [(month, "month")],
        "S": [(month[:3], "month")],
        "N": [(str(day.month), "month")],
        "P": [(f"{day.month:02}", "month")],
        "D": [(str(day.day), "day")],
        "W": [(DAYS[day.weekday()], "")],
        "T": [(str(day.day), "day"), (ending, "")],
    }
    found: list[tuple[str, str]] = []
    for sign in pattern:
        for text, field in parts.get(sign, [(sign, "")]):
            found += [(character, field) for character in text.lower()]
    return found


def draw(numbers: Random) -> Drawn:
    """Any day of two centuries, in any of the eight formats. The split goes by the day."""
    day = FIRST + timedelta(days=numbers.randrange((LAST - FIRST).days + 1))
    characters = written_in(numbers.choice(FORMATS), day)
    places = {
        name: {place for place, (_, field) in enumerate(characters) if field == name}
        for name in ("year", "month", "day")
    }
    fields = ["year"] * 4 + [""] + ["month"] * 2 + [""] + ["day"] * 2
    return (
        Example(
            CHARACTERS.encode([character for character, _ in characters]),
            DIGITS.encode(day.isoformat()),
            [places.get(field, set()) for field in fields],
        ),
        day.isoformat(),
    )


def read(text: str) -> tuple[str, ...]:
    """The characters of a text, at most 32, else ValueError."""
    characters = tuple(" ".join(text.lower().split()))
    CHARACTERS.encode(characters)
    if not 1 <= len(characters) <= LENGTH:
        raise ValueError(f"{len(characters)} characters: allowed are 1 to {LENGTH}")
    return characters


dates = Task(
    name="dates",
    about="a date as people write it, as year-month-day",
    words=CHARACTERS,
    answers=DIGITS,
    shape=Shape(
        words=len(CHARACTERS),
        answers=len(DIGITS),
        length=LENGTH,
        heads=4,
        d_ff=128,
        positions="sinusoidal",
        causal=True,
    ),
    recipe=Recipe(steps=1500, rate=3e-3, warmup=100),
    watched=("cross1", 0),
    draw=draw,
    read=read,
    asked=lambda words: (),
    inputs=(
        "12 March 1987",
        "Thursday, 12 March 1987",
        "the 1st of October 2004",
        "7.11.1950",
        "Feb 3, 2031",
    ),
    writes=True,
    longest=12,
    data="every day from 1900 to 2099 in eight formats; a day of the test occurs in no format in training",
)
