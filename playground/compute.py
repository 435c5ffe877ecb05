"""The only door through which the app computes attention."""

from __future__ import annotations

import time

from attention_core.experiment import Experiment
from attention_core.remembered import Remembered, bytes_of
from attention_core.trace import AttentionTrace
from playground.service import asking, metrics
from playground.service.cost import weigh
from playground.service.gate import gate
from playground.service.settings import MEBIBYTE, service

# A trace of 512 tokens and 12 heads weighs some 90 MB, one of 16 tokens some 200 KB; a class mostly looks at the
# same few sentences. So the cache is bounded by bytes, not by entries, and is shared by all visitors.
CACHE_BYTES = service().cache_mb * MEBIBYTE


class TraceCache:
    """The traces last used, up to a number of bytes. Traces are frozen: visitors may share them."""

    def __init__(self, budget: int) -> None:
        self._traces = Remembered(budget, newest_stays=True)

    def find(self, experiment: Experiment) -> AttentionTrace | None:
        """The trace of `experiment` if it is remembered."""
        found: AttentionTrace | None = self._traces.find(experiment)
        if found is not None:
            asking.now().from_cache += 1
            metrics.CACHE_HITS.inc()
        return found

    def run(self, experiment: Experiment) -> AttentionTrace:
        """The trace of `experiment`, computed at most once while it is remembered."""
        found = self.find(experiment)
        if found is not None:
            return found
        started = time.perf_counter()
        trace = experiment.run()
        metrics.COMPUTATION_SECONDS.observe(time.perf_counter() - started)
        metrics.COMPUTATIONS.inc()
        asking.now().computed += 1
        # A painted mask may weigh as much as a small trace.
        self._traces.keep(experiment, trace, size_of(trace) + bytes_of(experiment))
        return trace

    def __len__(self) -> int:
        return len(self._traces)

    @property
    def used(self) -> int:
        """The bytes of the traces that are remembered."""
        return self._traces.used


# Of a trace beside its numbers: thirty tensors, the experiment, the tokens. Measured as resident memory.
OVERHEAD = 16 * 2**10


def size_of(trace: AttentionTrace) -> int:
    """The bytes that a trace holds, its parameters and all that is small included."""
    storages = {}
    # The parameters too: of a short text they are half of what its trace holds.
    for name in (*trace.fields(), *trace.parameters()):
        if name != "head_contributions":  # computed on demand, not held by the trace
            storage = trace.field(name).untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values()) + OVERHEAD


_cache = TraceCache(CACHE_BYTES)
metrics.CACHE_BYTES.set_function(lambda: _cache.used)


def run(experiment: Experiment) -> AttentionTrace:
    """The trace of `experiment`, from the shared cache where it is there; else computed, in its turn where it is heavy.

    Raises gate.Busy where the machine is full.
    """
    found = _cache.find(experiment)
    with gate().turn(weigh(experiment), at_hand=found is not None):
        # Looks again after a wait: another visitor may have asked for the same meanwhile.
        return found or _cache.run(experiment)
