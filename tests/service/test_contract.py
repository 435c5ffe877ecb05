"""The interface keeps what its own description promises: requests are made from it, answers held against it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig

from attention_core.experiment import Experiment
from attention_core.limits import Limits
from playground.service import api, api_routes, openapi
from playground.service.settings import Service
from tests.service.asgi import APP, ask, post

# Small, so that what is just below and just above them is quickly made.
LIMITS = Limits(max_characters=120, max_tokens=24, max_heads=6, max_d_model=24, max_d_k=12, max_d_v=12)
CONFIG: dict[str, Any] = {
    "generation": {"deterministic": True, "database": "none"},
    # Fields that are fine each by itself may not fit together, which no schema says: 422 with the reason.
    "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "422"]}},
}


schema = schemathesis.openapi.from_dict(
    openapi.document(LIMITS, Service()), config=SchemathesisConfig.from_dict(CONFIG)
)
schema.app = APP


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (api, api_routes):
        monkeypatch.setattr(module, "limits", lambda: LIMITS)


@schema.parametrize()
@settings(max_examples=25, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_interface_does_what_it_says(case: schemathesis.Case) -> None:
    case.call_and_validate()


def test_the_description_is_that_of_the_limits_in_force() -> None:
    assert ask("GET", "/api/openapi.json").json() == openapi.document(LIMITS, Service())


def test_the_description_knows_every_field_and_no_other() -> None:
    described = openapi.experiment_schema(LIMITS)
    assert set(described["properties"]) == set(json.loads(Experiment("a").to_json()))
    assert described["additionalProperties"] is False and described["required"] == ["text"]


def examples(found: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every example in a document, with the way to it."""
    if isinstance(found, dict):
        if "example" in found:
            yield where, found["example"]
        yield from ((where, one) for one in found.get("examples", []))
        for name, inner in found.items():
            if name not in ("example", "examples"):
                yield from examples(inner, f"{where}/{found['name'] if name == 'schema' and 'name' in found else name}")
    elif isinstance(found, list):
        for one in found:
            yield from examples(one, f"{where}/{one['name']}" if isinstance(one, dict) and "name" in one else where)


def test_every_example_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (api, api_routes):
        monkeypatch.setattr(module, "limits", Limits)
    document = openapi.document(Limits(), Service())
    accepted = []
    for where, example in examples(document):
        name = where.rpartition("/")[2]
        if "/properties/" in where:
            answer = post({"text": "The sun rises in the east", name: example})
        elif "/requestBody/" in where:
            answer = post(example)
        elif where.startswith("/paths//api/attention"):
            answer = post({"text": "The sun"}, {name: example})
        else:
            answer = ask("GET", "/api/experiment", {"text": "The sun"} | {name: example})
        assert answer.status == 200, (where, example, answer.body)
        accepted.append(name)
    assert accepted.count("mask") == 5 and {"fields", "text", "heads", "mode"} <= set(accepted)
    # The words that teach the syntax are made of the same examples.
    words = openapi.experiment_schema(LIMITS)["properties"]["mask"]["description"]
    assert words == "as in a link: full, causal, window-3, causal.and.window-3, causal.and.not.prefix-2, ..."
