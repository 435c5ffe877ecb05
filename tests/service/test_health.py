"""Alive, ready, counted."""

from __future__ import annotations

import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from attention_core.experiment import Experiment
from playground import compute
from playground.service import health, metrics
from tests.service.asgi import ask, post


@pytest.fixture(autouse=True)
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """As right after the start."""
    monkeypatch.setattr(health, "_ready", threading.Event())
    monkeypatch.setattr(health, "_failed", threading.Event())


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def test_ready_only_after_the_warm_up() -> None:
    seen = []
    health.readied_by(lambda: seen.append(ask("GET", "/readyz")))
    seen.append(ask("GET", "/readyz"))
    assert [(answer.status, answer.json()["status"]) for answer in seen] == [(503, "warming up"), (200, "ready")]
    assert seen[0].headers["retry-after"] == "2"


def test_a_warm_up_that_fails_is_never_ready_but_alive() -> None:
    with pytest.raises(ZeroDivisionError):
        health.readied_by(lambda: print(1 // 0))
    answer = ask("GET", "/readyz")
    assert (answer.status, answer.json()["status"]) == (503, "failed to warm up")
    assert ask("GET", "/healthz").status == 200


def test_a_full_gate_does_not_make_it_unready(monkeypatch: pytest.MonkeyPatch) -> None:
    health.readied_by(lambda: None)
    metrics.REFUSALS.labels("queue_full").inc()
    assert ask("GET", "/readyz").status == 200


def test_computations_and_hits_are_counted() -> None:
    experiment = Experiment("counted once", num_heads=2, d_model=4, seed=977)
    before = value("attention_computations_total"), value("attention_cache_hits_total")
    compute.run(experiment)
    compute.run(experiment)
    after = value("attention_computations_total"), value("attention_cache_hits_total")
    assert after == (before[0] + 1, before[1] + 1)


def test_the_numbers_are_in_the_format_of_prometheus() -> None:
    answer = ask("GET", "/metrics")
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}
    assert answer.headers["content-type"].startswith("text/plain")
    for name in (
        "attention_sessions",
        "attention_reruns",
        "attention_rerun_seconds",
        "attention_computations",
        "attention_cache_hits",
        "attention_refusals",
        "attention_pages_waiting",
        "attention_queue_length",
        "attention_api_requests",
        "process_resident_memory_bytes",
    ):
        assert name in families, name


def test_strangers_cannot_make_new_series() -> None:
    """Whatever is asked for, the labels come from our own lists."""
    ask("GET", "/api/first")
    post({"text": "a"}, "format=first")
    ask("GET", "/download/first.csv", "text=a")
    before = {sample.name + str(sample.labels) for family in metrics.REGISTRY.collect() for sample in family.samples}
    for number in range(5):
        ask("GET", f"/api/stranger{number}", "utm=stranger")
        ask("GET", f"/download/stranger{number}.csv", "text=a")
        post({"text": "a"}, f"format=stranger{number}")
    after = {sample.name + str(sample.labels) for family in metrics.REGISTRY.collect() for sample in family.samples}
    assert after == before and "stranger" not in str(after)


def test_without_a_server_there_are_no_sessions() -> None:
    assert health.sessions() == 0
