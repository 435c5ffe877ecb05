"""What a process costs, read from Linux's /proc: processor time and memory. Elsewhere nothing is known: NaN."""

from __future__ import annotations

import math
import os
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """Processor time that all threads of a process have used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return math.nan
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int, name: str = "VmRSS") -> float:
    """MiB that a process holds in memory; "VmHWM": the most it ever held."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return math.nan
    found = next((line.split()[1] for line in lines if line.startswith(f"{name}:")), "nan")
    return float(found) / 1024
