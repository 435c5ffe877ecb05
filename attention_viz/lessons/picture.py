"""A figure with its title, ready for a panel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure `spec` with its title and height. `wide` asks for a line of its own; `cells` is 0 for lines."""

    name: str
    title: str
    spec: dict[str, Any]
    height: int
    cells: int = 0
    wide: bool = False
    note: str = ""
