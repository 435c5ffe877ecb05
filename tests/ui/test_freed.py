"""Large tensors have pages of their own, also after others were freed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT

# glibc counts the blocks that have pages of their own. Freeing one of 12 MiB raises its limit to 12 MiB, unless told.
PROBE = """
import ctypes, sys
import torch
from playground import freed

class Counts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks")]
    _fields_ += [(f"rest{number}", ctypes.c_size_t) for number in range(6)]

def own_pages():
    count = ctypes.CDLL(None).mallinfo2
    count.restype = Counts
    return count().hblks

if sys.argv[1] == "told":
    assert freed.give_back()
large = torch.zeros(3 * 2**20)
del large
before = own_pages()
kept = [torch.zeros(2**20) for _ in range(5)]
print(own_pages() - before)
"""


def glibc() -> bool:
    import ctypes

    return sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallinfo2")


@pytest.mark.skipif(not glibc(), reason="a setting of glibc, and counted by it since 2.33")
@pytest.mark.parametrize(("told", "own"), [("told", 5), ("not told", 0)])
def test_large_tensors_have_pages_of_their_own(told: str, own: int) -> None:
    done = subprocess.run([sys.executable, "-c", PROBE, told], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) == own
