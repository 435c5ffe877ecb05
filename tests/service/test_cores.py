"""What a page takes of the machine: one core."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

ONE_PRODUCT = """
import os, sys, threading
import app
import torch
torch.set_num_threads(1)

def run():
    def threads():
        return len(os.listdir("/proc/self/task"))
    before = threads()
    torch.randn(1, 8, 16, 6) @ torch.randn(1, 8, 6, 16)
    print(threads() - before)

thread = threading.Thread(target=run)
thread.start()
thread.join()
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted where Linux lists them")
@pytest.mark.parametrize(("wanted", "more"), [(None, 0), ("3", 2)], ids=["by default", "as the operator says"])
def test_a_product_in_a_thread_of_its_own_wakes_no_other_core(wanted: str | None, more: int) -> None:
    """A run of a page is such a thread. With three threads, as an operator may ask for, two join it."""
    own = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    environment = own if wanted is None else {**own, "OMP_NUM_THREADS": wanted}
    done = subprocess.run(
        [sys.executable, "-c", ONE_PRODUCT], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == more
