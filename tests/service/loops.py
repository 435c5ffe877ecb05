"""An event loop that is watched."""

from __future__ import annotations

import asyncio
from typing import Any


class Loop(asyncio.SelectorEventLoop):
    """Counts how often another thread has woken it."""

    woken = 0

    def call_soon_threadsafe(self, callback: Any, *args: Any, **more: Any) -> asyncio.Handle:
        self.woken += 1
        return super().call_soon_threadsafe(callback, *args, **more)
