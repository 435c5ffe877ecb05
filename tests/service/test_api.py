"""The interface for programs: true numbers, clear refusals, and no more work than is allowed."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from attention_core.experiment import Experiment
from playground.service import api
from playground.service.settings import Service
from tests.service.asgi import ask, post, send

WANTED = Experiment("one two three four five", mode="causal", num_heads=3, d_model=12, d_k=5, d_v=7, seed=4)


def sent(experiment: Experiment) -> Any:
    return json.loads(experiment.to_json())


def numbers(answer: Any, field: str) -> torch.Tensor:
    return torch.tensor(answer["fields"][field]["values"])


def test_the_numbers_are_those_of_pytorch() -> None:
    """From the weights and the input in the answer alone, F.scaled_dot_product_attention gives its output."""
    answer = post(sent(WANTED)).json()
    x = numbers(answer, "embedding")[:, None]  # (batch, 1, query, d_model)
    q, k, v = (x @ numbers(answer, f"w_{name}") for name in "qkv")  # (batch, head, query, width)
    context = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # (batch, head, query, d_v)
    output = (context @ numbers(answer, "w_o")).sum(1)  # (batch, query, d_model)
    torch.testing.assert_close(numbers(answer, "context"), context, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(numbers(answer, "output"), output, atol=1e-5, rtol=1e-5)
    assert answer["tokens"] == ["one", "two", "three", "four", "five"]
    assert answer["experiment"] == sent(WANTED)
    assert answer["fields"]["masked_scores"]["values"][0][0][0][1] == "-Infinity"


def test_npz_holds_the_same_numbers() -> None:
    said = post(sent(WANTED)).json()
    for answer in (post(sent(WANTED), "format=npz"), post(sent(WANTED), Accept="application/x-npz")):
        assert answer.status == 200 and answer.headers["content-type"] == "application/zip"
        file = np.load(io.BytesIO(answer.body), allow_pickle=False)
        for field in ("weights", "output"):
            np.testing.assert_allclose(file[field], numbers(said, field).numpy(), rtol=0, atol=1e-6)


def test_fields_may_be_chosen() -> None:
    answer = post(sent(WANTED), "fields=weights,w_q")
    assert list(answer.json()["fields"]) == ["weights", "w_q"]
    file = np.load(io.BytesIO(post(sent(WANTED), "fields=q&format=npz").body), allow_pickle=False)
    assert sorted(file.files) == ["about", "head_names", "q", "source_tokens", "tokens"]


@pytest.mark.parametrize(
    "accept, media_type",
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html, application/*;q=0.5", "application/json"),
        ("application/json;q=0.4, application/zip", "application/zip"),
        ("application/octet-stream;q=0.1", "application/zip"),
        ("text/html", None),
        ("application/json;q=0", None),
        ("application/json;q=much", None),
    ],
)
def test_the_accept_header_chooses(accept: str, media_type: str | None) -> None:
    answer = post({"text": "a b"}, **({"Accept": accept} if accept else {}))
    assert answer.status == (200 if media_type else 406)
    assert answer.headers["content-type"] == (media_type or "application/problem+json")


@pytest.mark.parametrize(
    "content, status, words",
    [
        (b"{", 400, "no JSON"),
        (b"\xff\xfe", 400, "no JSON in UTF-8"),
        (b"[1]", 422, "allowed is one object"),
        (b'{"text": NaN}', 422, "finite"),
        (b'{"text": "a", "text": "b"}', 422, "twice"),
        (b"[" * 200_000, 422, "nested too deeply"),
        ({"text": ""}, 422, "at least one token"),
        ({"text": "\ud800"}, 422, "half a character"),
        ({"text": "a", "heads": 2}, 422, "unknown fields ['heads']"),
        ({"text": "a", "num_heads": 0}, 422, "num_heads=0: allowed are whole numbers from 1"),
        ({"text": "a", "num_heads": 5}, 422, "cannot be divided"),
        ({"text": "a", "mask": "explicit(9999x9999:AA)"}, 422, "mask"),
        ({"text": "a", "mode": "cross"}, 422, "needs a source text"),
    ],
)
def test_what_cannot_be_is_said(content: Any, status: int, words: str) -> None:
    answer = post(content)
    said = answer.json()
    assert (answer.status, said["status"]) == (status, status)
    assert words in said["detail"] and answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "wanted, limit, value, allowed",
    [
        ({"text": "a " * 600}, "max_tokens", 600, 512),
        ({"text": "a" * 20_001}, "max_characters", 20_001, 20_000),
        ({"text": "a", "source_text": "b" * 20_001}, "max_characters", 20_001, 20_000),
        ({"text": "a", "num_heads": 17, "d_k": 2, "d_v": 2}, "max_heads", 17, 16),
        ({"text": "a", "d_model": 2048}, "max_d_model", 2048, 1024),
        ({"text": "a " * 512, "d_k": 128, "score": "additive"}, "max_numbers", 4 * 512 * 512 * 128, 2**26),
    ],
)
def test_the_limits_are_those_of_the_app(wanted: Any, limit: str, value: int, allowed: int) -> None:
    answer = post(wanted)
    said = answer.json()
    assert answer.status == 422
    assert (said["limit"], said["value"], said["allowed"]) == (limit, value, allowed)


def test_the_answer_has_a_limit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "service", lambda: Service(json_numbers=75, npz_numbers=100))
    assert post(sent(WANTED), "fields=weights").status == 200  # 3 heads x 5 queries x 5 keys: 75
    refused = post(sent(WANTED), "fields=weights,output").json()  # and 5 x 12
    assert (refused["limit"], refused["value"], refused["allowed"]) == ("json_numbers", 135, 75)
    assert post(sent(WANTED), "fields=weights,output&format=npz").json()["limit"] == "npz_numbers"


@pytest.mark.parametrize(
    "query, words",
    [
        ("format=xml", "format=xml: allowed are json, npz"),
        ("field=q", "unknown parameters field"),
        ("fields=q&fields=k", "twice"),
    ],
)
def test_parameters_are_checked(query: str, words: str) -> None:
    answer = post({"text": "a"}, query)
    assert answer.status == 400 and words in answer.json()["detail"]


def test_an_unknown_field_of_the_trace_is_named() -> None:
    answer = post({"text": "a"}, "fields=q,attention")
    assert answer.status == 422 and answer.json()["detail"].startswith("fields=attention: allowed are token_embedding")


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}, {"Content-Type": "application/json-patch"}])
def test_another_type_of_body_is_refused(headers: dict[str, str]) -> None:
    answer = ask("POST", "/api/attention", "", [b'{"text": "a"}'], headers)
    assert answer.status == 415 and "application/json" in answer.json()["detail"]


def test_a_compressed_body_is_refused_unread() -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = ask("POST", "/api/attention", "", [b"x"], headers)
    assert (answer.status, answer.pieces_read) == (415, 0)


def test_a_large_body_is_never_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "service", lambda: Service(api_body_kb=1))
    pieces = [b" " * 400] * 50
    answer = ask("POST", "/api/attention", "", pieces, {"Content-Type": "application/json"})
    assert (answer.status, answer.pieces_read) == (413, 3)  # 800 bytes are fine, 1200 are not
    assert answer.json()["allowed"] == 1024
    headers = {"Content-Type": "application/json", "Content-Length": "20000"}
    answer = ask("POST", "/api/attention", "", pieces, headers)
    assert (answer.status, answer.pieces_read) == (413, 0)  # it says so itself
    text = json.dumps({"text": "a" + " " * 500}).encode()
    halves = [text[:100], text[100:]]
    assert ask("POST", "/api/attention", "", halves, {"Content-Type": "application/json"}).status == 200


@pytest.mark.parametrize(
    "method, path, allowed",
    [
        ("GET", "/api/attention", "POST"),
        ("DELETE", "/api/attention", "POST"),
        ("POST", "/api/experiment", "GET, HEAD"),
        ("PUT", "/api/docs", "GET, HEAD"),
    ],
)
def test_other_methods_are_refused(method: str, path: str, allowed: str) -> None:
    answer = ask(method, path)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)


def test_what_is_not_there_is_not_the_app() -> None:
    """Otherwise Streamlit would answer any address with its page, and a mistyped one would give a program HTML."""
    answer = ask("GET", "/api/atention")
    assert answer.status == 404 and "/api/docs" in answer.json()["detail"]


def test_a_fault_of_ours_is_an_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(api, "json_pieces", broken)
    answer = post({"text": "a"})
    assert answer.status == 500 and b"secret" not in answer.body


@settings(max_examples=50)
@given(
    st.builds(
        lambda more, heads, mode, seed: Experiment(
            f"a {more}", "the source", mode, num_heads=heads, d_model=12, seed=seed
        ),
        st.text(max_size=60),
        st.sampled_from([1, 2, 3, 4, 6]),
        st.sampled_from(["self", "causal", "cross"]),
        st.integers(0, 2**63 - 1),
    )
)
def test_a_link_becomes_its_experiment(experiment: Experiment) -> None:
    found = ask("GET", "/api/experiment", {**experiment.to_query(), "cell": "weights,0,0,0", "utm_source": "x"})
    assert found.status == 200 and Experiment.from_json(found.body.decode()) == experiment


def test_a_link_without_a_text_is_refused() -> None:
    answer = ask("GET", "/api/experiment", "heads=2")
    assert answer.status == 422 and answer.json()["detail"].startswith("text: missing")


def test_the_event_loop_is_free_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one request computes, another is answered: the computation waits here until that has happened."""
    answered = threading.Event()
    original = api.compute.run

    def slow(experiment: Experiment) -> Any:
        assert answered.wait(20), "the event loop was held up"
        return original(experiment)

    monkeypatch.setattr(api.compute, "run", slow)

    async def both() -> tuple[int, int]:
        content = json.dumps(sent(replace(WANTED, seed=5))).encode()
        first = asyncio.create_task(send("POST", "/api/attention", "", [content], {"Content-Type": "application/json"}))
        await asyncio.sleep(0.05)
        second = await send("GET", "/healthz")
        answered.set()
        return (await first).status, second.status

    assert asyncio.run(both()) == (200, 200)


def test_a_body_that_ends_early_is_no_json() -> None:
    assert post(b'{"text": "a"').status == 400
