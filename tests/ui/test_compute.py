"""The cache of traces: one computation for one experiment, shared, and bounded by bytes."""

from __future__ import annotations

import threading

import pytest

from attention_core.experiment import Experiment
from attention_core.masks import Explicit
from attention_core.trace import AttentionTrace
from playground import compute, downloads
from playground.compute import TraceCache

ONE = Experiment("one two three", num_heads=2, d_model=12)


def size(trace: AttentionTrace) -> int:
    """The bytes of the tensors, each counted once, the parameters among them, and of what is round them."""
    assert trace.projections is not None
    held = {}
    parameters = [tensor for tensor in vars(trace.projections).values() if tensor is not None]
    for tensor in [*(trace.field(name) for name in trace.fields() if name != "head_contributions"), *parameters]:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
    return sum(held.values()) + compute.OVERHEAD


def test_the_parameters_count() -> None:
    """Four matrices of 12 x 12 float32 numbers, which no picture shows, are held all the same."""
    trace = ONE.run()
    shown = {name: trace.field(name).untyped_storage() for name in trace.fields() if name != "head_contributions"}
    pictures = sum({storage.data_ptr(): storage.nbytes() for storage in shown.values()}.values())
    assert size(trace) == pictures + 4 * 12 * 12 * 4 + compute.OVERHEAD
    assert compute.size_of(trace) == size(trace)


def test_what_it_is_remembered_by_counts_too() -> None:
    """A painted mask of 300 tokens, a byte a cell, beside the trace of one head of width 2; and the text itself."""
    cache = TraceCache(2**24)
    words = "word " * 300
    experiment = Experiment(words, num_heads=1, d_model=2, mask=Explicit(("x" * 300,) * 300))
    beside = cache.run(experiment)
    assert 300 * 300 + len(words) < cache.used - compute.size_of(beside) < 300 * 300 + len(words) + 120_000


def test_painted_masks_do_not_fill_the_memory_through_the_links_to_files() -> None:
    for number in range(40):
        mask = Explicit((f"{number:0300b}",) * 300)
        assert "explicit-300x300" in downloads.link("q.csv", Experiment("word " * 300, num_heads=1, mask=mask))
    assert 2**18 < downloads._address.store.used <= 2**20  # type: ignore[attr-defined]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Experiment]:
    runs: list[Experiment] = []
    original = Experiment.run

    def run(self: Experiment) -> AttentionTrace:
        runs.append(self)
        return original(self)

    monkeypatch.setattr(Experiment, "run", run)
    return runs


def test_the_same_experiment_is_the_same_object(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = counted(monkeypatch)
    cache = TraceCache(2**20)
    assert cache.run(ONE) is cache.run(Experiment("one two three", num_heads=2, d_model=12))
    assert len(runs) == 1 and len(cache) == 1


def test_another_experiment_is_another_trace() -> None:
    cache = TraceCache(2**20)
    other = Experiment("one two three", num_heads=2, d_model=12, seed=1)
    assert cache.run(ONE) is not cache.run(other)
    assert not (cache.run(ONE).field("weights") == cache.run(other).field("weights")).all()


def test_it_holds_no_more_bytes_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    each = size(ONE.run())
    cache = TraceCache(int(3.5 * each))
    experiments = [Experiment("one two three", num_heads=2, d_model=12, seed=seed) for seed in range(6)]
    for experiment in experiments:
        cache.run(experiment)
        assert len(cache) <= 3
    runs = counted(monkeypatch)
    for experiment in experiments[-3:]:
        cache.run(experiment)
    assert runs == []
    cache.run(experiments[0])
    assert runs == [experiments[0]]


def test_what_was_used_last_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    each = size(ONE.run())
    cache = TraceCache(int(2.5 * each))
    a, b, c = (Experiment("one two three", num_heads=2, d_model=12, seed=seed) for seed in range(3))
    for experiment in (a, b, a, c):
        cache.run(experiment)
    runs = counted(monkeypatch)
    cache.run(a)
    cache.run(b)
    assert runs == [b]


def test_a_trace_larger_than_the_cache_is_given_all_the_same() -> None:
    cache = TraceCache(1)
    assert cache.run(ONE).shape("weights") == (1, 2, 3, 3)
    other = Experiment("four five", num_heads=2, d_model=12)
    cache.run(other)
    assert len(cache) == 1  # the newest, so that one rerun of the page does not compute twice


def test_a_fault_is_not_remembered() -> None:
    cache = TraceCache(2**20)
    wrong = Experiment("x " * 60_000 + "a", num_heads=2, d_model=12, embedding="one_hot")
    with pytest.raises(ValueError, match=r"."):
        cache.run(Experiment(" " + "\u200b" * 100_001, num_heads=2, d_model=12))
    assert len(cache) == 0 and wrong.num_heads == 2


def test_many_visitors_at_once() -> None:
    cache = TraceCache(2**22)
    experiments = [Experiment("one two three", num_heads=2, d_model=12, seed=seed) for seed in range(5)]
    found: list[tuple[int, AttentionTrace]] = []

    def visit() -> None:
        for seed, experiment in enumerate(experiments):
            found.append((seed, cache.run(experiment)))

    threads = [threading.Thread(target=visit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 40 and len(cache) == 5
    for seed, trace in found:
        assert (trace.field("weights") == experiments[seed].run().field("weights")).all()


def test_the_app_has_one_cache() -> None:
    assert compute.run(ONE) is compute.run(ONE)
    assert compute.CACHE_BYTES <= 2**29
