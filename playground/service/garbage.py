"""When Python looks for garbage that refers to itself: often among the youngest objects, seldom through all it has.

What dies of itself is freed at once; only circles wait, and the runs of a page leave none (`untied.py`). While Python
looks, everything stands still: some milliseconds for the youngest, but for all that a class of pages holds 600, after
which many visitors wait. Python by itself does that whenever a quarter of what it has is new, with sixty visitors every
ten seconds; here it does so every ten minutes, in a moment when no page is drawn.
"""

from __future__ import annotations

import asyncio
import gc
import time

from playground.service.line import line

YOUNG = 2_000  # objects more than before, after which the young ones are looked through: a page makes 700
MIDDLE = 20  # times that, after which those are too that were left over
NEVER = 2**31 - 1
EVERY = 600.0  # seconds between two looks through everything
PATIENCE = 30.0  # seconds that it waits for a moment when no page is drawn
GLANCE = 0.05  # seconds between two glances at whether one is


def seldom() -> None:
    """For the whole process: look through the young objects less often, and never by itself through everything."""
    gc.set_threshold(YOUNG, MIDDLE, NEVER)


async def thoroughly(every: float = EVERY, patience: float = PATIENCE) -> None:
    """Look through everything again and again, for as long as the server runs: when no page is drawn, if that comes."""
    while True:
        await asyncio.sleep(every)
        end = time.monotonic() + patience
        while line().busy and time.monotonic() < end:
            await asyncio.sleep(GLANCE)
        gc.collect()
