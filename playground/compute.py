"""The only door through which the app computes attention."""

from __future__ import annotations

import threading
from collections import OrderedDict

from attention_core.experiment import Experiment
from attention_core.trace import AttentionTrace

# A trace of 512 tokens and 12 heads weighs some 90 MB, one of 16 tokens some 200 KB; a class mostly looks at the
# same few sentences. So the cache is bounded by bytes, not by entries, and is shared by all visitors.
CACHE_BYTES = 256 * 2**20


class TraceCache:
    """The traces last used, up to a number of bytes. Traces are frozen: visitors may share them."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._used = 0
        self._traces: OrderedDict[Experiment, tuple[AttentionTrace, int]] = OrderedDict()
        self._lock = threading.Lock()

    def run(self, experiment: Experiment) -> AttentionTrace:
        """The trace of `experiment`, computed at most once while it is remembered."""
        with self._lock:
            found = self._traces.get(experiment)
            if found is not None:
                self._traces.move_to_end(experiment)
                return found[0]
        # Computed outside the lock: one visitor's 512 tokens must not hold up everybody's 16.
        trace = experiment.run()
        size = _bytes(trace)
        with self._lock:
            if experiment not in self._traces:
                self._traces[experiment] = (trace, size)
                self._used += size
            while self._used > self._budget and len(self._traces) > 1:
                self._used -= self._traces.popitem(last=False)[1][1]
        return trace

    def __len__(self) -> int:
        return len(self._traces)


# Of a trace beside its numbers: thirty tensors, the experiment, the tokens. Measured as resident memory.
OVERHEAD = 16 * 2**10


def _bytes(trace: AttentionTrace) -> int:
    storages = {}
    # The parameters too: of a short text they are half of what its trace holds.
    for name in (*trace.fields(), *trace.parameters()):
        if name != "head_contributions":  # computed on demand, not held by the trace
            storage = trace.field(name).untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values()) + OVERHEAD


_cache = TraceCache(CACHE_BYTES)


def run(experiment: Experiment) -> AttentionTrace:
    """The trace of `experiment`, from the shared cache where it is there."""
    return _cache.run(experiment)
