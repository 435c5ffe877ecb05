"""What is counted, in Prometheus' terms.

No label holds anything that a stranger chooses: pages and routes are named from lists of ours, so that nobody can make
the server keep a time series for each address tried.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

SESSIONS = Gauge("attention_sessions", "Browser tabs connected now.", registry=REGISTRY)
RERUNS = Counter(
    "attention_reruns",
    "Reruns of a page, by outcome: done, interrupted by a newer one, busy, failed.",
    ("page", "outcome"),
    registry=REGISTRY,
)
RERUN_SECONDS = Histogram(
    "attention_rerun_seconds",
    "Time of a rerun on the server, waiting in the queue included, drawing in the browser not.",
    ("page",),
    buckets=SECONDS,
    registry=REGISTRY,
)
COMPUTATIONS = Counter("attention_computations", "Traces computed.", registry=REGISTRY)
COMPUTATION_SECONDS = Histogram(
    "attention_computation_seconds", "Time of computing one trace.", buckets=SECONDS, registry=REGISTRY
)
CACHE_HITS = Counter("attention_cache_hits", "Traces found in the cache.", registry=REGISTRY)
CACHE_BYTES = Gauge("attention_cache_bytes", "Bytes of the traces in the cache.", registry=REGISTRY)
REFUSALS = Counter(
    "attention_refusals",
    "What was refused: queue_full, waited_too_long, too_many_at_once, too_many_files, answers_full, too_slow, upload, "
    "limit, wrong_input, body_too_large, api_full.",
    ("reason",),
    registry=REGISTRY,
)
PAGES_WAITING = Gauge("attention_pages_waiting", "Pages that wait for their turn to run.", registry=REGISTRY)
QUEUE = Gauge("attention_queue_length", "Heavy computations that wait for their turn.", registry=REGISTRY)
ANSWERS = Gauge("attention_answer_bytes", "Bytes held by answers that are being sent.", registry=REGISTRY)
RUNNING = Gauge("attention_heavy_running", "Heavy computations that have their turn.", registry=REGISTRY)
REQUESTS = Counter(
    "attention_api_requests",
    "Requests of programs and downloads, by route and status.",
    ("route", "status"),
    registry=REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "attention_api_request_seconds", "Time of such a request.", ("route",), buckets=SECONDS, registry=REGISTRY
)
