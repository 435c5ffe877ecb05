"""What can be taken away from the page on trained models: every file holds what is on the screen."""

from __future__ import annotations

import csv
import io
from urllib.parse import parse_qsl

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_core.masks import Causal, Window
from attention_core.trained import SHIPPED, Change, Patch, answer, load_shipped, task
from attention_core.weights_io import load_metadata, load_weights
from attention_viz import read_trace_json
from playground import routes
from playground.downloads import Refused
from playground.lessons.trained_downloads import MODEL, TRACE, build, link
from playground.lessons.trained_link import from_query, to_query
from playground.lessons.trained_models import Setting
from tests.ui.lessons import open_lesson, words
from tests.ui.reading import panels
from tests.ui.test_downloads import request

TIRED = "the animal did not cross the street because it was too tired"
CHANGE = Change(
    removed=frozenset({("self1", 0)}),
    masks=(("self1", Window(3)), ("self2", Causal())),
    temperature=1.5,
    patches=(Patch("self2", 0, "first", ((8, (0, 2_500, 0, 7_500)),)),),
)
SETTING = Setting("coreference", TIRED, CHANGE, "self2")
QUERY = to_query(SETTING)
TRACED = answer(task("coreference"), load_shipped("coreference"), TIRED, CHANGE).traces["self2"]


def query_of(address: str) -> tuple[str, dict[str, str]]:
    path, _, query = address.partition("?")
    return path.removeprefix("download/"), dict(parse_qsl(query, keep_blank_values=True))


def test_a_link_says_all_that_is_shown() -> None:
    assert from_query(QUERY) == SETTING
    name, query = query_of(link("trace.json", SETTING))
    assert name == "trace.json" and from_query(query) == SETTING
    for model in SHIPPED:
        plain = Setting(model, task(model).inputs[0], Change(), task(model).watched[0])
        assert from_query(to_query(plain)) == from_query({"trained_model": model}) == plain


def test_the_trace_as_json_npz_and_page() -> None:
    file = build("trace.json", QUERY)
    assert file.name == "coreference-self2-trace.json"
    read = read_trace_json(file.body)
    assert read["tokens"] == TIRED.split()
    with np.load(io.BytesIO(build("trace.npz", QUERY).body), allow_pickle=False) as packed:
        for field in TRACED.fields():
            wanted = TRACED.field(field).numpy()
            np.testing.assert_allclose(read["fields"][field], wanted, rtol=1e-4, atol=1e-5, err_msg=field)
            np.testing.assert_allclose(packed[field], wanted, rtol=1e-4, atol=1e-5, err_msg=field)
    page = build("attention.html", QUERY).body.decode()
    assert "default-src 'none'" in page and 'src="http' not in page
    assert f"What “it” means, Layer 2: {TIRED}" in page
    assert "Weights that count" in page and "after dropout" not in page


@pytest.mark.parametrize("field", ["weights", "dropped_weights", "q", "allowed", "output"])
def test_a_picture_as_csv(field: str) -> None:
    file = build(f"{field}.csv", QUERY)
    rows = list(csv.DictReader(io.StringIO(file.body.decode())))
    read = [{"True": 1.0, "False": 0.0}.get(row["value"]) for row in rows]
    values = [float(row["value"]) if known is None else known for row, known in zip(rows, read, strict=True)]
    wanted = TRACED.field(field)[0].float().numpy()
    np.testing.assert_allclose(np.array(values).reshape(wanted.shape), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", SHIPPED)
def test_the_weights_and_their_card(model: str) -> None:
    file = build("model.safetensors", {"trained_model": model})
    assert file.name == f"{model}-model.safetensors"
    read = load_weights(file.body, name=file.name)
    for name, tensor in load_shipped(model).state_dict().items():
        torch.testing.assert_close(read[name], tensor)
    assert load_metadata(file.body)["task"] == model
    card = build("model-card.md", {"trained_model": model})
    assert card.body.decode().startswith(f"# {model}\n") and card.name == f"{model}-model-card.md"


def test_every_offer_on_the_page_can_be_had_and_is_its_picture() -> None:
    app = open_lesson("trained", {**QUERY, "trained_open": "stages"})
    shown = {key: message for key, message in panels(app).items() if message.header.get("csv")}
    assert {"trained_weights", "trained_self1_map", "trained_self2_map", "trained_stage_q"} <= set(shown)
    pictures = {key for key, message in panels(app).items() if message.header["kind"] == "heatmap"}
    assert pictures == set(shown), "a picture without its numbers"
    for key, message in shown.items():
        name, query = query_of(message.header["csv"])
        file = build(name, query)
        rows = list(csv.DictReader(io.StringIO(file.body.decode())))
        values = [float({"True": "1", "False": "0"}.get(row["value"], row["value"])) for row in rows]
        drawn = message.blocks
        read = np.array(values).reshape(-1, *drawn.shape[1:])
        seen = np.isfinite(drawn)
        np.testing.assert_allclose(drawn[seen], read[: len(drawn)][seen], rtol=1e-4, atol=1e-5, err_msg=key)
    menu = next(line for line in words(app).splitlines() if "model.safetensors" in line)
    assert menu
    offers = [line.split("](")[1].rstrip(")") for line in words(app).splitlines() if "](download/" in line]
    assert {query_of(offer)[0] for offer in offers} == {*TRACE, *MODEL}
    for offer in offers:
        name, query = query_of(offer)
        assert from_query(query) == SETTING
        assert build(name, query).body


def test_the_server_hands_it_over_as_a_file() -> None:
    for name in ("trace.npz", "model.safetensors", "weights.csv"):
        response = routes.download(request({"name": name}, link(name, SETTING).partition("?")[2]))
        assert response.status_code == 200 and len(response.body) > 500
        assert response.headers["content-disposition"].startswith('attachment; filename="coreference-')
        assert response.headers["content-security-policy"] == "sandbox"


@pytest.mark.parametrize(
    ("name", "query", "wanted"),
    [
        ("weights.csv", {"trained_model": "chess"}, "trained_model='chess': allowed are reversal"),
        ("model.safetensors", {"trained_model": "../reversal"}, "trained_model"),
        ("weights.csv", {"trained_model": "dates", "trained_text": "9" * 500}, "500 characters"),
        ("weights.csv", {"trained_model": "dates", "trained_text": "<b>"}, "'<'"),
        ("weights.csv", {"trained_model": "dates", "trained_layer": "self1"}, "trained_layer='self1': allowed are enc"),
        ("weights.csv", {"trained_model": "dates", "surprise": "1"}, "surprise"),
        ("weights.csv", {"trained_model": "dates", "trained_mask_self1": "full"}, "trained_mask_self1"),
        ("weights.csv", {"trained_model": "dates", "trained_mask_cross1": "full"}, "trained_mask_cross1='full'"),
        ("weights.csv", {"trained_model": "dates", "trained_temperature": "nan"}, "trained_temperature"),
        ("weights.csv", {"trained_model": "dates", "trained_patches": "cross1-0-last"}, "previous, same, first"),
        ("weights.csv", {"trained_model": "dates", "trained_patches": "self1-0-same"}, "the heads of this model are"),
        ("weights.csv", {"trained_model": "dates", "trained_removed": "cross1.1"}, "'cross1.1': the heads of this"),
        ("secret.csv", {"trained_model": "dates"}, "there is no file 'secret.csv'"),
        ("../reversal.safetensors", {"trained_model": "dates"}, "allowed are attention.html"),
        ("experiment.json", {"trained_model": "dates"}, "there is no file"),
    ],
)
def test_what_cannot_be_made_is_refused_in_words(name: str, query: dict[str, str], wanted: str) -> None:
    with pytest.raises(Refused, match=wanted):
        build(name, query)
    if "/" not in name:
        response = routes.download(request({"name": name}, "&".join(f"{a}={b}" for a, b in query.items())))
        assert response.status_code == 400 and response.headers["content-type"].startswith("text/plain")


@given(
    st.dictionaries(
        st.sampled_from(["trained_text", "trained_layer", "trained_removed", "trained_patches", "trained_mask_self1"]),
        st.text(max_size=30),
    )
)
@settings(max_examples=50, deadline=None)
def test_any_query_is_a_file_or_a_refusal(query: dict[str, str]) -> None:
    try:
        assert build("weights.csv", {"trained_model": "reversal", **query}).body
    except Refused as refusal:
        assert str(refusal)


@pytest.mark.parametrize("query", [{"text": "a b c"}, QUERY])
def test_a_link_that_asks_to_predict_first_hands_out_nothing(query: dict[str, str]) -> None:
    from urllib.parse import urlencode

    for name in ("weights.csv", "trace.json", "attention.html", "trace.npz"):
        plain = routes.download(request({"name": name}, urlencode(query)))
        assert plain.status_code == 200
        refused = routes.download(request({"name": name}, urlencode({**query, "predict": "1"})))
        said = bytes(refused.body).decode()
        assert refused.status_code == 400 and said.startswith("This link asks the class to predict first (predict=1)")
        assert "without predict=1" in said
