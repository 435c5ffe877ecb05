"""The page on pretrained models as a visitor finds it, on small models in folders: it shows what they compute."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from attention_core.pretrained import Pretrained, PretrainedError, load, read
from attention_core.pretrained.findings import findings
from attention_core.pretrained.sinks import Received
from attention_core.pretrained.vectors import likeness, places_of, word_vectors
from playground.pretrained import policy
from playground.pretrained.shelf import shelf
from tests.core.pretrained.tiny import saved
from tests.ui.lessons import open_lesson
from tests.ui.reading import alerts, cut, elements, expected, healthy, panel, panels, same, tell

TEXT = "the cat sat on the bank of the river"
OFFERED = ("bert", "gpt2", "llama", "t5")


@pytest.fixture(autouse=True)
def offered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An operator who offers four folders."""
    monkeypatch.setenv("ATTENTION_MODELS", ",".join(str(saved(family)) for family in OFFERED))
    monkeypatch.delenv("ATTENTION_ANY_MODEL", raising=False)
    policy.limits.cache_clear()
    yield
    policy.limits.cache_clear()


@cache
def loaded(family: str) -> Pretrained:
    return load(saved(family))


def open_page(family: str = "bert", **query: str) -> AppTest:
    if family in OFFERED:
        shelf.get(policy.offer(family), wait=60)  # the page would say that it is being loaded
    names = {"model": family, "text": TEXT, **query}
    return open_lesson("pretrained", {f"pretrained_{name}": value for name, value in names.items()})


def header(app: AppTest, key: str) -> Mapping[str, Any]:
    return panel(app, key).header


def rows(app: AppTest, key: str) -> list[list[str]]:
    found: list[list[str]] = header(app, key)["rows"]
    return found


@pytest.mark.parametrize("family", OFFERED)
def test_every_head_small_and_one_large(family: str) -> None:
    app = open_page(family, head="3")
    reading = read(loaded(family), TEXT)
    layer = app.session_state["pretrained_layer"]
    trace = reading.layers[layer].trace()
    same(panel(app, "pretrained_weights").blocks, expected(trace, "weights")[2:3])
    for part in reading.parts:
        shown = panel(app, f"pretrained_{part}_maps")
        layers = [one for one in reading.layers.values() if one.part == part]
        wanted = torch.cat([one.weights for one in layers]).numpy()
        hidden = np.concatenate([np.broadcast_to(~one.allowed.numpy(), one.weights.shape) for one in layers])
        same(shown.blocks, np.where(hidden, np.float32(np.nan), wanted), part)
        assert [block["name"] for block in shown.meta["blocks"]][:5] == ["1.1", "1.2", "1.3", "1.4", "2.1"]
    assert alerts(app) == []
    assert "own weights, over all layers and heads: " in header(app, "pretrained_facts")["detail"]


def test_the_page_says_which_way_a_model_reads() -> None:
    assert "it reads in both directions" in header(open_page("bert"), "pretrained_facts")["sentence"]
    causal = header(open_page("llama"), "pretrained_facts")["sentence"]
    assert "from left to right" in causal and "2 layers of 4 heads, 2 key/value heads" in causal
    app = open_page("t5", target="the river")
    assert "a decoder writes" in header(app, "pretrained_facts")["sentence"]
    assert header(app, "pretrained_written")["sentence"] == "What is written: ␣the ␣river </s>"
    assert app.session_state["pretrained_layer"] == "cross2"
    assert panel(app, "pretrained_weights").meta["row_labels"] == ["␣the", "␣river", "</s>"]


def test_a_click_on_a_small_map_shows_it_large() -> None:
    app = tell(open_page("bert"), "pretrained_layer_maps", cell=["weights", 6, 2, 3])
    assert (app.session_state["pretrained_layer"], app.session_state["pretrained_head"]) == ("layer2", 3)
    wanted = expected(read(loaded("bert"), TEXT).layers["layer2"].trace(), "weights")[2:3]
    same(panel(app, "pretrained_weights").blocks, wanted)
    assert app.query_params["pretrained_layer"] == "layer2" and app.query_params["pretrained_head"] == "3"


def test_a_click_on_a_cell_opens_its_arithmetic() -> None:
    app = tell(open_page("llama", head="2"), "pretrained_weights", cell=["weights", 1, 5, 2])
    trace = read(loaded("llama"), TEXT).layers["layer1"].trace()
    assert header(app, "sentence")["detail"] == "Weights, head 2"
    bars = panel(app, "row_bars").header["figure"]["data"][0]["x"]
    np.testing.assert_allclose(
        np.asarray(bars, dtype=float)[:6], trace.heads.weights[0, 1, 5, :6].numpy(), atol=1e-5
    )


def test_the_arithmetic_says_nothing_of_matrices_that_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENTION_MODELS", str(saved("qwen3")))
    shelf.get(policy.offer("qwen3"), wait=60)
    app = open_lesson("pretrained", {"pretrained_text": TEXT, "pretrained_open": "stages"})
    tell(app, "pretrained_weights", cell=["weights", 0, 5, 2])
    steps = [one.value for one in app.main.markdown if "displaystyle" in one.value]
    q = read(loaded("qwen3"), TEXT).layers["layer1"].trace().heads.q[0, 0, 5]
    assert "W_Q" not in "".join(steps) and "W_K" not in "".join(steps)
    assert steps[0].count("$$") == 2 and rf"\mathbf{{q}}_i = ({float(q[0]):.4g}" in steps[0]
    assert any("without the matrices that made them" in one.value for one in app.main.caption)


def test_every_stage_is_there_when_it_is_asked_for() -> None:
    app = open_page("t5", layer="encoder1", head="2", open="stages")
    trace = read(loaded("t5"), TEXT).layers["encoder1"].trace()
    for field in ("q", "k", "v", "raw_scores", "modified_scores", "weights", "context"):
        same(panel(app, f"stage_{field}").blocks, expected(trace, field)[1:2], field)
    assert not any(key.startswith("stage_") for key in panels(open_page("t5")))
    rotated = open_page("llama", open="stages")
    same(
        panel(rotated, "stage_rotated_q").blocks,
        expected(read(loaded("llama"), TEXT).layers["layer1"].trace(), "rotated_q")[:1],
    )


def test_findings_are_computed_on_the_visitors_sentences() -> None:
    lines = "the cat sat on the bank\n\nhe put the money into the bank"
    app = open_page("bert", sentences=lines, what="[SEP]")
    readings = [read(loaded("bert"), line) for line in lines.splitlines() if line]
    best = [one for one in findings(readings) if one.what == "[SEP]"]
    shown = rows(app, "pretrained_findings")
    assert shown == [
        [f"Layer {one.layer[-1]}, head {one.head + 1}", f"{one.score:.3f}", f"{one.even:.3f}"] for one in best
    ]
    by_hand = np.mean([float(r.layers[best[0].layer].weights[best[0].head, :-1, -1].mean()) for r in readings])
    assert float(shown[0][1]) == pytest.approx(by_hand, abs=0.02)  # the sentences are of nearly one length
    app.button(key="pretrained_found_0").click().run()
    healthy(app)
    assert app.session_state["pretrained_layer"] == best[0].layer
    assert app.session_state["pretrained_head"] == best[0].head + 1
    app.text_area(key="pretrained_sentences").set_value("").run()
    healthy(app)
    assert alerts(app) == ["There is no sentence: type one."]


def test_sinks_add_up() -> None:
    shown = rows(open_page("bert"), "pretrained_sinks")
    count = len(read(loaded("bert"), TEXT).source.tokens)
    assert len(shown) == count
    shares = [float(row[2]) for row in shown]
    assert shares == sorted(shares, reverse=True)
    diagonal = torch.cat([one.weights for one in read(loaded("bert"), TEXT).layers.values()]).diagonal(dim1=1, dim2=2)
    rest = float((1 - diagonal).sum(dim=1).mean()) / (count - 1)
    assert sum(shares) == pytest.approx(rest, abs=0.001 * count)
    assert [row[1] for row in shown if row[0].endswith("]")] == ["special", "special"]


def test_one_word_in_two_contexts() -> None:
    first, second = "he sat on the bank", "the bank grew deep"
    app = open_page("bert", word="Bank", first=first, second=second)
    sides = [read(loaded("bert"), text).source for text in (first, second)]
    wanted = likeness(*(word_vectors(side, places_of(side, "bank")) for side in sides))
    line = panel(app, "pretrained_word_lines").header["figure"]["data"][0]
    assert line["x"] == [0, 1, 2] and line["y"] == pytest.approx(wanted, abs=1e-6)
    assert [row[1] for row in rows(app, "pretrained_word_numbers")] == [
        f"{one:.4f}".replace("-", "−") for one in wanted
    ]
    app.text_input(key="pretrained_word").set_value("<b>$x$</b>").run()
    healthy(app)
    assert alerts(app) == ["“<b>$x$</b>” does not stand in “he sat on the bank”."]
    assert "pretrained_weights" in panels(app)


def test_two_models_side_by_side() -> None:
    shelf.get(policy.offer("gpt2"), wait=60)
    app = open_page("bert", beside="gpt2", head="2")
    for place, family in enumerate(("bert", "gpt2"), start=1):
        trace = read(loaded(family), TEXT).layers["layer1"].trace()
        same(panel(app, f"pretrained_beside_{place}").blocks, expected(trace, "weights")[1:2])
    shown = rows(app, "pretrained_ahead")
    assert [row[0] for row in shown] == ["bert", "gpt2"]
    assert shown[1][2] == "0.000" and float(shown[0][2]) > 0.1


def test_beside_a_model_stands_first_one_that_reads_the_other_way() -> None:
    assert open_page("bert").session_state["pretrained_beside"] == "gpt2"
    app = open_page("llama")
    assert app.selectbox(key="pretrained_beside").options == ["bert", "t5", "gpt2"]


def test_a_model_of_ones_own_is_no_sign_that_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("ATTENTION_MODELS", "")
    monkeypatch.setenv("ATTENTION_ANY_MODEL", "1")
    folder = str(saved("bert"))
    shelf.get(policy.offer(folder), wait=60)
    app = open_lesson("pretrained", {"pretrained_model": folder})
    assert alerts(app) == [] and app.text_input(key="pretrained_beside").value == ""
    app.text_input(key="pretrained_model").set_value("").run()
    assert "no pretrained model on this machine yet" in alerts(app)[0]
    monkeypatch.setenv("ATTENTION_MODELS", folder)
    app.text_input(key="pretrained_model").set_value(" ").run()
    healthy(app)
    assert alerts(app) == [] and "for example: bert." in header(app, "pretrained_model_nothing")["sentence"]


def test_a_number_stands_before_a_token_that_is_read_from_the_right(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Received(16, "م", False, 0.2, 0.1, 0)
    monkeypatch.setattr("playground.pretrained.measured.received", lambda reading, part: [one])
    ((token, *_),) = rows(open_page("bert"), "pretrained_sinks")
    assert token == "16 \u2068م\u2069"  # closed off: it turns nothing round that stands beside it


def test_a_text_too_long_for_the_other_model_is_said_with_its_name() -> None:
    shelf.get(policy.offer("gpt2"), wait=60)
    app = open_page("bert", beside="gpt2", text="cat " * 60)
    (said,) = alerts(app)
    assert said.startswith("gpt2: The text has 121 tokens") and "the limit here is 64" in said


def test_a_layer_is_taken_away_as_a_file() -> None:
    app = open_page("bert", layer="layer2")
    (button,) = [one for one in app.get("download_button") if "NPZ" in one.proto.label]
    assert button is not None
    from attention_viz.export import trace_npz

    trace = read(loaded("bert"), TEXT).layers["layer2"].trace()
    file = np.load(io.BytesIO(trace_npz(trace)))
    np.testing.assert_array_equal(file["weights"], trace.heads.weights.numpy())
    assert file["tokens"].tolist()[0] == "[CLS]"


@pytest.mark.parametrize(
    ("text", "words"), [("", "The text is empty"), ("cat " * 600, "602 tokens"), (" \n ", "The text is empty")]
)
def test_a_text_that_cannot_be_read_is_said_and_the_picture_stays(text: str, words: str) -> None:
    app = open_page("bert")
    before = panel(app, "pretrained_weights").blocks
    app.text_area(key="pretrained_text").set_value(text).run()
    healthy(app)
    (said,) = alerts(app)
    assert words in said
    assert "last valid input" in header(app, "pretrained_wrong")["detail"]
    same(panel(app, "pretrained_weights").blocks, before)


@pytest.mark.parametrize("text", ["a", "<b>$x$</b> the", "太阳从东方升起", "cat " * 20])
@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_any_text_has_its_picture(family: str, text: str) -> None:
    app = open_page(family, text=text)
    assert alerts(app) == []
    layer = app.session_state["pretrained_layer"]
    trace = read(loaded(family), text).layers[layer].trace()
    same(panel(app, "pretrained_weights").blocks, expected(trace, "weights")[:1])


def test_without_the_extra_the_page_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.pretrained.choose.installed", lambda: False)
    app = open_page("bert")
    assert "transformers and tokenizers" in alerts(app)[0]
    assert "requirements-pretrained.txt" in header(app, "pretrained_model_missing")["detail"]
    assert "pretrained_weights" not in elements(app)


def test_without_a_model_the_page_says_what_to_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("ATTENTION_MODELS", "")
    app = open_page("")
    assert "no pretrained model on this machine yet" in alerts(app)[0]
    detail = header(app, "pretrained_model_nothing")["detail"]
    assert "hf download google-bert/bert-base-uncased" in detail and "ATTENTION_ANY_MODEL=1" in detail
    # Where anything may be typed, that is no advice.
    monkeypatch.setenv("ATTENTION_ANY_MODEL", "1")
    detail = header(open_page(""), "pretrained_model_nothing")["detail"]
    assert "hf download google-bert/bert-base-uncased" in detail and "type its name above" in detail
    assert "ATTENTION_ANY_MODEL" not in detail


def test_a_link_opens_no_folder_of_the_server() -> None:
    app = open_page(str(saved("bert")))  # by its path, which nobody offered
    assert app.session_state["pretrained_model"] == "bert"
    (refused,) = alerts(app)  # which quotes the link, and says no more
    assert refused.startswith("pretrained_model=") and "allowed are bert" in refused
    others = [message for key, message in panels(app).items() if not key.startswith("wrong_setting")]
    assert not any(str(saved("bert").parent) in message.raw.decode(errors="ignore") for message in others)
    assert app.selectbox(key="pretrained_model").options == list(OFFERED)


def test_on_ones_own_machine_any_name_or_folder_may_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENTION_ANY_MODEL", "1")
    folder = str(saved("distilbert"))
    shelf.get(policy.offer(folder), wait=60)
    app = open_page(folder)
    assert "distilbert: 2 layers" in header(app, "pretrained_facts")["sentence"]
    app.text_input(key="pretrained_model").set_value("../../etc").run()
    healthy(app)
    assert any("holds no model" in said for said in alerts(app))
    app.text_input(key="pretrained_model").set_value("a/b/c").run()
    assert any("neither the name of a model nor a folder" in said for said in alerts(app))


@pytest.mark.parametrize("typed", ["~nobody-of-this-name/model", "./a\0b", "~\0", "a b", "x" * 300])
def test_what_is_no_name_and_no_folder_is_said(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setenv("ATTENTION_ANY_MODEL", "1")
    with pytest.raises(PretrainedError, match="neither the name of a model nor a folder"):
        policy.offer(typed)


def test_links_that_say_nonsense_open_the_page() -> None:
    app = open_page("bert", layer="layer99", head="77", what="<b>", open="x", beside="nobody")
    assert any("pretrained_layer='layer99': allowed are layer1, layer2" in said for said in alerts(app))
    assert app.session_state["pretrained_layer"] == "layer1" and app.session_state["pretrained_head"] == 1
    assert cut(panel(app, "pretrained_weights").z, panel(app, "pretrained_weights").meta).shape[0] == 1
