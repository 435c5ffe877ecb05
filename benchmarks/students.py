"""Visitors with habits: each changes heads, text and mask in turn, every two seconds, and looks at what comes."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.picture import MASKS, Asked
from benchmarks.visitor import Failure, Visitor

TOKENS = 16
WIDTH = 48  # of a token: what 4, 8 and 12 heads divide
HEADS = (8, 12, 4)
PERIOD = 2.0  # seconds between two changes of a visitor
WORDS = ("sun", "moon", "rain", "river", "stone", "cloud", "bird", "tree", "wind", "snow", "fire", "leaf", "road")


@dataclass
class Record:
    """What happened: (moment, milliseconds) of each change, and what went wrong."""

    changes: list[tuple[float, float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    late: int = 0

    def between(self, begin: float, end: float) -> list[float]:
        """The times of the changes that were sent in a span."""
        return [taken for moment, taken in self.changes if begin <= moment < end]


def sentence(chance: random.Random, name: str, tokens: int = TOKENS) -> tuple[str, ...]:
    """Words that no other visitor has at this moment: the last is the visitor's own."""
    return (*(chance.choice(WORDS) for _ in range(tokens - 1)), f"{name}x{chance.randrange(10**6)}")


class Student:
    """A visitor with habits."""

    def __init__(self, address: str, number: int, seed: int) -> None:
        self.chance = random.Random(f"{seed} {number}")
        self.name = f"v{number}"
        self.address = address
        self.asked = Asked(sentence(self.chance, self.name), HEADS[0])
        self.visitor: Visitor | None = None
        self.turn = number  # of heads, text, mask

    async def arrive(self) -> None:
        """Open the link and change one thing: from then on the page says which of its pictures nobody sees."""
        if self.visitor is not None:
            await self.visitor.close()
        query = {"text": self.asked.text, "heads": str(self.asked.heads), "width": str(WIDTH)}
        self.asked = Asked(self.asked.words, self.asked.heads)
        self.visitor = Visitor(self.address, query)
        await self.visitor.open()
        self.look()
        await self.change()

    async def leave(self) -> None:
        """Close the tab."""
        if self.visitor is not None:
            await self.visitor.close()

    def look(self) -> None:
        """Failure unless the picture is what was asked for."""
        assert self.visitor is not None and self.visitor.picture is not None
        wrong = self.visitor.picture.wrong(self.asked)
        if wrong:
            raise Failure(wrong)

    async def change(self) -> float:
        """Change the next thing; milliseconds until the result was there."""
        assert self.visitor is not None
        self.turn += 1
        words, heads, mask = self.asked.words, self.asked.heads, self.asked.mask
        kind = self.turn % 3
        if kind == 0:
            heads = self.chance.choice([count for count in HEADS if count != heads])
            self.asked, key, value = Asked(words, heads, mask), "c_heads", str(heads)
        elif kind == 1:
            words = sentence(self.chance, self.name, len(words))
            self.asked, key, value = Asked(words, heads, mask), "c_text", " ".join(words)
        else:
            mask = self.chance.choice([name for name in MASKS if name != mask])
            self.asked, key, value = Asked(words, heads, mask), "c_mask", mask
        taken = await self.visitor.change(key, value)
        self.look()
        return taken

    async def attend(self, record: Record, begin: float, end: float, stay: float = float("inf")) -> None:
        """Change something every `PERIOD` from a random moment on, until `end`; become a new visitor after `stay`."""
        due = begin + self.chance.random() * PERIOD
        goes = begin + self.chance.uniform(0.5, 1.5) * stay
        while due < end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            sent = time.perf_counter()
            try:
                if sent > goes:
                    await self.arrive()
                    goes = sent + stay
                else:
                    record.changes.append((sent, await self.change()))
            except (Failure, OSError) as problem:
                record.failures.append(f"{self.name}: {problem}")
                with contextlib.suppress(Failure, OSError):
                    await self.arrive()
            due += PERIOD
            missed = max(0, int((time.perf_counter() - due) // PERIOD) + 1) if time.perf_counter() > due else 0
            record.late += missed
            due += missed * PERIOD


async def assemble(address: str, count: int, seed: int) -> list[Student]:
    """So many visitors with the page open, who came four at a time."""
    students = [Student(address, number, seed) for number in range(count)]
    doors = asyncio.Semaphore(4)

    async def enter(student: Student) -> None:
        async with doors:
            await student.arrive()

    await asyncio.gather(*(enter(student) for student in students))
    return students


async def dismiss(students: Sequence[Student]) -> None:
    """All leave."""
    await asyncio.gather(*(student.leave() for student in students), return_exceptions=True)


def compare(students: Sequence[Student]) -> list[str]:
    """The last pictures against a computation of our own; what differs, in words."""
    import numpy as np

    from attention_core import masks
    from attention_core.experiment import Experiment

    kinds = {"Everything visible": masks.Full(), "Sliding window": masks.Window(3), "Blocks": masks.Blocks(3)}
    wrong = []
    for student in students:
        asked = student.asked
        wanted = Experiment(asked.text, num_heads=asked.heads, d_model=WIDTH, mask=kinds[asked.mask]).run()
        assert student.visitor is not None and student.visitor.picture is not None
        shown = np.nan_to_num(student.visitor.picture.weights)
        weights = wanted.heads.weights[0].numpy()
        if shown.shape != weights.shape or not np.allclose(shown, weights, rtol=1e-4, atol=1e-6):
            wrong.append(f"{student.name}: other weights than Experiment.run() has")
    return wrong
