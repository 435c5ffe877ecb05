"""One core for each page: imported before PyTorch is, since OpenMP looks at the environment once.

The tensors of a sentence are small, and the visitors of a class many. Every run of a page has a thread of its own, and
there PyTorch's matrix products ask OpenMP how many threads to use before PyTorch has told it: a product of 16 x 48
numbers woke a second core, and both spun while they waited for each other: half of what a change cost the server. An
operator's own OMP_NUM_THREADS stays.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
