"""Memory that is freed goes back to the machine: a setting of the C library that Python has no words for."""

from __future__ import annotations

import ctypes
import sys

M_MMAP_THRESHOLD = -3  # <malloc.h>
LARGE = 2**20  # bytes


def give_back() -> bool:
    """Let every tensor of 1 MiB or more have pages of its own, which leave with it; whether the library does so.

    glibc begins so, but raises the limit up to 32 MiB whenever such a tensor is freed. The next ones then lie among
    small objects, and what they leave behind are gaps. With visitors of 512 tokens the process kept growing by that.
    """
    if sys.platform != "linux":
        return False
    try:
        return bool(ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE))
    except AttributeError:  # another C library
        return False
