"""When Python looks for garbage that refers to itself: seldom while pages are drawn, and thoroughly when nobody waits.

Python counts what it makes, and looks through all that is young after every 700 objects: on a page of this app after
every change. Now and then it looks through all it has, while everything stands still: with sixty visitors for 130 ms,
every ten seconds. What dies of itself is freed at once either way; only circles wait.
"""

from __future__ import annotations

import asyncio
import gc
import time

from playground.service.line import line

YOUNG = 10_000  # objects more than before, after which the young ones are looked through
MIDDLE = 20  # times that, after which those are too that were left over
NEVER = 2**31 - 1
EVERY = 30.0  # seconds between two looks through everything
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
