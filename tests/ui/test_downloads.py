"""What a visitor can take away: every file holds the numbers that are on the screen."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from attention_core.experiment import Experiment
from attention_core.presets import DEFAULT
from attention_viz import read_trace_json
from playground import compute, downloads, routes
from playground.downloads import Refused, build, link
from playground.service.asking import Asking, asking
from playground.service.cost import Cost
from playground.service.gate import Gate
from playground.service.settings import Service
from tests.ui.reading import expected, open_app, panel, panels

WANTED = Experiment("one two <three>", 'fünf, =1+1 "x"', "cross", num_heads=2, d_model=12, d_k=5, d_v=7, seed=3)
QUERY = WANTED.to_query()


def request(path: dict[str, str], query: str = "", headers: dict[str, str] | None = None) -> Request:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/",
            "path_params": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
        }
    )


@pytest.mark.parametrize("field", WANTED.run().fields())
def test_csv_holds_the_numbers_of_the_field(field: str) -> None:
    file = build(f"{field}.csv", QUERY)
    assert (file.name, file.media_type) == (f"{field}.csv", "text/csv; charset=utf-8")
    rows = list(csv.DictReader(io.StringIO(file.body.decode())))
    tensor = compute.run(WANTED).field(field)[0].float().numpy()  # the trace that the file is made from
    assert len(rows) == tensor.size
    read = [{"True": 1.0, "False": 0.0}.get(row["value"]) for row in rows]
    values = [float(row["value"]) if known is None else known for row, known in zip(rows, read, strict=True)]
    np.testing.assert_array_equal(np.array(values, dtype=np.float32).reshape(tensor.shape), tensor)


def test_the_whole_trace_as_json() -> None:
    read = read_trace_json(build("trace.json", QUERY).body)
    trace = compute.run(WANTED)
    for field in trace.fields():
        np.testing.assert_allclose(
            read["fields"][field], trace.field(field).numpy(), err_msg=field, rtol=1e-4, atol=1e-5
        )


def test_the_whole_trace_as_npz() -> None:
    trace = compute.run(WANTED)
    with np.load(io.BytesIO(build("trace.npz", QUERY).body), allow_pickle=False) as read:
        for field in trace.fields():
            np.testing.assert_array_equal(read[field], trace.field(field).numpy(), err_msg=field)


def test_the_settings_as_json() -> None:
    assert Experiment.from_json(build("experiment.json", QUERY).body.decode()) == WANTED


def test_the_code_runs_with_torch_alone_and_agrees(tmp_path: Path) -> None:
    script = tmp_path / "attention.py"
    script.write_bytes(build("attention.py", QUERY).body)
    done = subprocess.run(
        [sys.executable, "-I", str(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_the_page_needs_no_network() -> None:
    page = build("attention.html", QUERY).body.decode()
    assert "<three>" not in page and "&lt;three&gt;" in page
    assert "http-equiv" in page and "default-src 'none'" in page
    assert 'src="http' not in page and "<link" not in page


def test_the_page_speaks_as_the_playground_does(caplog: pytest.LogCaptureFixture) -> None:
    """The sentence as it was typed, what its weights are, and stage by stage its words, formula and titles."""
    text = "= 1 + 1,  <b> don't"
    query = {"text": text, "heads": "2", "width": "8", "mode": "causal"}
    page = build("attention.html", query).body.decode()
    assert caplog.records == []  # no phrase asks for the language of a visitor's run, which a download is not
    page = page[page.index("<body>") : page.index('<script type="application/json"')]
    assert page.startswith("<body>\n<h1>= 1 + 1, &lt;b&gt; don&#x27;t</h1>\n<p class=note>Random weights: ")
    app = open_app(query)
    headings = [one.value.splitlines()[0].removeprefix("### ") for one in app.main.markdown if " · " in one.value[:9]]
    assert len(headings) == 9
    assert re.findall("<h2>(.*?)</h2>", page) == headings
    titles = re.findall("<h3>(.*?)</h3>", page)
    assert titles[:4] == ["x, the input", "Q, queries", "K, keys", "V, values"] and "Mask" in titles
    assert "<p>The scores are divided by √(<i>d</i><sub><i>k</i></sub>), so that wide heads do not shout.</p>" in page
    tokens = len(Experiment(text).tokens())
    assert f"<p class=shape>2 key/value heads × {tokens} keys × 4 d_k</p>" in page
    assert f"blue: may look, hatched: may not · 2 heads × {tokens} queries" in page
    assert "_" not in "".join((*headings, *titles))


@pytest.mark.parametrize(
    ("name", "query", "words"),
    [
        ("weights.csv", {}, "text"),
        ("weights.csv", {"text": ""}, "text"),
        ("weights.csv", {"text": "a b", "heads": "0"}, "heads"),
        ("weights.csv", {"text": "a b", "surprise": "1"}, "surprise"),
        ("weights.csv", {"text": "w " * 600}, "max_tokens"),
        ("weights.csv", {"text": "a b", "heads": "512", "width": "512"}, "max_heads"),
        ("weights.csv", {"text": "a b", "mask": "explicit-9x9-bAAAA"}, "mask"),
        ("nothing.csv", QUERY, "weights.csv"),
        ("weights.exe", QUERY, "weights.csv"),
        ("weights", QUERY, "weights.csv"),
        ("../app.py", QUERY, "allowed"),
        (".csv", QUERY, "allowed"),
        ("__class__.csv", QUERY, "allowed"),
        ("heads.csv", QUERY, "allowed"),
        ("\r\nSet-Cookie: a=b", QUERY, "allowed"),
    ],
)
def test_what_cannot_be_made_is_refused_in_words(name: str, query: dict[str, str], words: str) -> None:
    with pytest.raises(Refused, match=words):
        build(name, query)


@given(st.dictionaries(st.text(max_size=12) | st.sampled_from(["text", "heads", "mask", "textz"]), st.text()))
@settings(max_examples=50)
def test_any_query_is_a_file_or_a_refusal(query: dict[str, str]) -> None:
    try:
        assert build("weights.csv", query).body
    except Refused as refusal:
        assert str(refusal)


def test_every_offer_on_the_page_can_be_had() -> None:
    app = open_app(QUERY)
    offers = {message.header["csv"] for message in panels(app).values() if message.header.get("csv")}
    assert len(offers) > 10
    menu = next(text.value for text in app.markdown if "download/" in text.value)
    offers |= {line.split("](")[1].rstrip(")") for line in menu.splitlines() if "](" in line}
    names = set()
    for offer in offers:
        path, _, query = offer.partition("?")
        name = path.removeprefix("download/")
        names.add(name)
        if name not in ("attention.html", "trace.json"):
            assert build(name, dict(parse_qsl(query, keep_blank_values=True))).body
    assert set(downloads.WHOLE) <= names


def test_the_csv_beside_a_picture_is_the_picture() -> None:
    app = open_app(QUERY)
    shown = panel(app, "stage_weights")
    path, _, query = shown.header["csv"].partition("?")
    response = routes.download(request({"name": path.removeprefix("download/")}, query))
    rows = list(csv.DictReader(io.StringIO(bytes(response.body).decode())))
    blocks = shown.blocks
    for row in rows:
        drawn = blocks[int(row["head"]), int(row["query_index"]), int(row["key_index"])]
        assert np.float32(row["value"]) == drawn
    np.testing.assert_array_equal(blocks, expected(compute.run(WANTED), "weights"))
    # A spreadsheet must not run a token as a formula.
    assert {row["key"] for row in rows} >= {"fünf", ","} and "=" not in {row["key"][:1] for row in rows}


def test_a_download_is_a_file_and_nothing_that_runs_here() -> None:
    query = link("attention.html", WANTED).partition("?")[2]
    response = routes.download(request({"name": "attention.html"}, query))
    assert response.status_code == 200
    assert response.headers["content-disposition"] == 'attachment; filename="attention.html"'
    assert response.headers["content-security-policy"] == "sandbox"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"


def test_a_refused_download_says_why() -> None:
    response = routes.download(request({"name": "weights.csv"}, "text=a+b&heads=%3Cb%3E"))
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("text/plain")
    assert "heads" in bytes(response.body).decode()


def test_the_default_link_is_short() -> None:
    assert len(link("weights.csv", DEFAULT.experiment)) < 200


def test_json_of_the_trace_is_json() -> None:
    """No NaN and no infinity, which other readers of JSON refuse."""

    def refuse(name: str) -> Any:
        raise AssertionError(name)

    masked = Experiment("a b c", mode="causal", num_heads=2, d_model=12)
    json.loads(build("trace.json", masked.to_query()).body, parse_constant=refuse)


@pytest.mark.parametrize("name", ["trace.json", "attention.html", "trace.npz"])
def test_a_file_that_would_be_too_large_is_refused_in_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "service", lambda: Service(json_numbers=1000, npz_numbers=1000))
    with pytest.raises(Refused, match=rf"{name} would hold some [0-9,]+ numbers: the limit here .* is 1,000"):
        build(name, QUERY)
    assert build("weights.csv", QUERY).body and build("attention.py", QUERY).body
    monkeypatch.setattr(downloads, "service", lambda: Service(csv_numbers=5))
    with pytest.raises(Refused, match=r"weights.csv would hold some [0-9]+ numbers"):
        build("weights.csv", QUERY)


def test_pages_to_keep_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing is what costs: the trace is in the cache already. All other files are written piece by piece."""
    found = Gate(Service(heavy_ms=1, queue_seconds=1))
    monkeypatch.setattr(downloads, "gate", lambda: found)
    query = urlencode(Experiment("w " * 40).to_query())
    assert routes.download(request({"name": "attention.html"}, query)).status_code == 200
    with ExitStack() as end:
        with asking(Asking("somebody else", until_end=end)), found.turn(Cost(10**9, 0)):
            pass
        answer = routes.download(request({"name": "attention.html"}, query))
        assert answer.status_code == 503 and answer.headers["retry-after"]
        assert b"The machine is full" in bytes(answer.body)
        assert routes.download(request({"name": "trace.npz"}, query)).status_code == 200
    assert routes.download(request({"name": "attention.html"}, query)).status_code == 200


def test_a_saved_picture_is_named_after_what_it_shows_and_says_it() -> None:
    cross = {"text": "one <two>", "source": "three", "mode": "cross", "heads": "2", "width": "8", "head": "2"}
    app = open_app(cross)
    sentence = "one &lt;two&gt; \u2192 three"
    for key, file, title in (
        ("hero", "weights_head_2", "Weights of head 2"),
        ("stage_scaled_scores", "scaled_scores_head_2", "Scaled scores · head 2"),
        ("stage_output", "output", "Output"),
    ):
        header = panel(app, key).header
        assert (header["file"], header["caption"]) == (file, [title, sentence])
    long = open_app({"text": "word " * 30, "heads": "2", "width": "8"})
    assert panel(long, "hero").header["caption"] == ["Weights of every head", ""]
