"""What an experiment is said to cost: never less than it holds, and in the order of what it takes."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_core.experiment import Experiment
from attention_viz.export import html_pieces
from playground.service.cost import trace_numbers, weigh, weigh_page
from playground.service.settings import MEBIBYTE, Service

HEAVY = Service().heavy_ms * 1_000_000


def words(count: int) -> str:
    return " ".join(f"w{number}" for number in range(count))


@settings(max_examples=40)
@given(
    st.integers(1, 40),
    st.integers(1, 30),
    st.sampled_from(["self", "causal", "cross"]),
    st.sampled_from([1, 2, 3, 6]),
    st.sampled_from([None, 5]),
    st.sampled_from([None, 7]),
    st.sampled_from(["none", "sinusoidal", "rope", "t5", "shaw"]),
    st.booleans(),
)
def test_a_trace_holds_no_more_numbers_than_said(
    queries: int, keys: int, mode: str, heads: int, d_k: int | None, d_v: int | None, position: str, out_proj: bool
) -> None:
    if position == "rope":
        d_k = 4
    experiment = Experiment(
        words(queries),
        words(keys),
        mode,
        num_heads=heads,
        d_model=12,
        d_k=d_k,
        d_v=d_v,
        position=position,
        out_proj=out_proj,
        bias=True,
        dropout=0.1,
    )
    trace = experiment.run()
    held = sum(trace.field(name).numel() for name in (*trace.fields(), *trace.parameters()))
    assert held <= trace_numbers(experiment) <= 3 * held
    assert weigh(experiment).memory >= 4 * held


def test_what_is_quick_passes_and_what_is_slow_takes_turns() -> None:
    for quick in (
        Experiment("The sun rises in the east"),
        Experiment(words(16), num_heads=12, d_model=96),
        Experiment(words(128), num_heads=8, d_model=64, mode="causal"),
    ):
        assert weigh(quick).work < HEAVY
    for slow in (
        Experiment(words(512), num_heads=12, d_model=96),
        Experiment(words(256), num_heads=4, d_model=256, score="additive"),
        Experiment("a few words", d_model=1024, num_heads=16, d_k=256, d_v=256),
    ):
        assert weigh(slow).work >= HEAVY


def test_the_additive_score_is_weighed_with_what_it_builds_on_the_way() -> None:
    """A (head, query, key, d_k) tensor, and its tanh: 2 x 268 MB here, of which the trace keeps nothing."""
    cost = weigh(Experiment(words(512), num_heads=1, d_model=256, score="additive"))
    assert cost.memory > 2 * 512 * 512 * 256 * 4
    assert weigh(Experiment(words(512), num_heads=1, d_model=256)).memory < 40 * MEBIBYTE


def test_double_the_tokens_is_four_times_the_scores() -> None:
    small, large = (weigh(Experiment(words(count), num_heads=12, d_model=96)).memory for count in (256, 512))
    assert 3.2 < large / small < 4


@pytest.mark.parametrize(("tokens", "heads"), [(78, 4), (300, 2)])
def test_a_page_to_keep_takes_no_more_memory_than_said(tokens: int, heads: int) -> None:
    """As Python counts it. Of 78 tokens hovering describes every cell, which is what takes most."""
    experiment = Experiment(words(tokens), num_heads=heads, d_model=48, mode="causal")
    trace = experiment.run()
    list(html_pieces(trace, fields=("q",)))  # what the first page of a process imports stays
    tracemalloc.start()
    pieces = list(html_pieces(trace))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(map(len, pieces)) < peak < weigh_page(trace_numbers(experiment)).memory
