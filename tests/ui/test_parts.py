"""Small parts of the app: what it serves, its limits, its masks, its prose."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from attention_core import masks
from attention_core.experiment import Experiment
from attention_core.limits import Limits
from attention_core.masks import Mask
from attention_core.presets import PRESETS
from attention_viz import plotlyjs
from playground import assets, routes, settings, stages
from playground.mask_choice import CUSTOM, KINDS, kind_of
from playground.prose import prose
from tests.conftest import ROOT
from tests.ui.reading import open_app
from tests.ui.test_stage_words import made_of, pretrained_traces, trained_traces

# ---- what is served ----


def ask(address: str, encoding: str = "") -> Request:
    digest, name = address.split("/")[1:]
    headers = [(b"accept-encoding", encoding.encode())] if encoding else []
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}
    return Request({**scope, "path_params": {"digest": digest, "name": name}})


def test_plotly_comes_from_the_installed_package() -> None:
    response = routes.asset(ask(assets.addresses()["plotly.min.js"]))
    assert bytes(response.body).decode() == plotlyjs.source()
    assert not [path for path in ROOT.glob("playground/**/*") if "plotly" in path.name]


@pytest.mark.parametrize("name", sorted(assets.addresses()))
def test_every_file_is_served_plain_and_compressed(name: str) -> None:
    address = assets.addresses()[name]
    plain, packed = routes.asset(ask(address)), routes.asset(ask(address, "br, gzip"))
    assert gzip.decompress(bytes(packed.body)) == bytes(plain.body)
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    for response in (plain, packed):
        assert response.headers["content-type"].startswith(assets.MEDIA_TYPES[Path(name).suffix])
        assert "immutable" in response.headers["cache-control"]
        assert response.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "address",
    ["assets/000000000000/panel.js", "assets/{hash}/__init__.py", "assets/{hash}/..%2f..%2fapp.py"],
)
def test_nothing_else_is_served(address: str) -> None:
    digest = assets.addresses()["panel.js"].split("/")[1]
    assert routes.asset(ask(address.format(hash=digest))).status_code == 404


def test_scripts_find_each_other() -> None:
    """They import by relative name: every name has to stand under the same hash."""
    served = assets.served()
    panel = assets.addresses()["panel.js"].rpartition("/")[0]
    for address, asset in served.items():
        if address.startswith(panel):
            for name in re.findall(r'from "\./([^"]+)"', asset.body.decode()):
                assert f"{panel}/{name}" in served, f"{address} imports {name}"


# ---- limits ----


@pytest.fixture
def fresh_settings() -> object:
    settings.limits.cache_clear()
    yield None
    settings.limits.cache_clear()


def test_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, fresh_settings: object) -> None:
    monkeypatch.setenv("ATTENTION_MAX_TOKENS", "3")
    monkeypatch.setenv("ATTENTION_MAX_HEADS", "2")
    assert settings.limits() == Limits(max_tokens=3, max_heads=2)


@pytest.mark.parametrize("value", ["0", "-1", "many", "", "1.5", "²"])
def test_a_limit_that_is_none_is_refused(
    value: str, monkeypatch: pytest.MonkeyPatch, fresh_settings: object
) -> None:
    monkeypatch.setenv("ATTENTION_MAX_TOKENS", value)
    with pytest.raises(ValueError, match="ATTENTION_MAX_TOKENS"):
        settings.limits()


def test_the_page_keeps_to_the_limits(monkeypatch: pytest.MonkeyPatch, fresh_settings: object) -> None:
    from tests.ui.reading import alerts, good, open_app

    monkeypatch.setenv("ATTENTION_MAX_TOKENS", "12")
    monkeypatch.setenv("ATTENTION_MAX_HEADS", "6")
    app = open_app()
    assert app.select_slider(key="c_heads").options == ["1", "2", "3", "4", "6"]
    before = good(app)
    app.text_input(key="c_text").set_value("w " * 13).run()
    [words] = alerts(app)
    assert "max_tokens" in words and "12" in words
    assert good(app) == before


# ---- masks ----

NUMBERS = {name: [st.integers(n.least, n.most) for n in kind.numbers] for name, kind in KINDS.items()}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_mask_reads_its_own_numbers(name: str) -> None:
    @given(st.tuples(*NUMBERS[name]))
    def round_trip(numbers: tuple[int, ...]) -> None:
        mask = KINDS[name].make(*numbers)
        kind, read = kind_of(mask)
        assert KINDS[kind].make(*read) == mask
        assert (kind, read) == (name, numbers)

    round_trip()


@pytest.mark.parametrize(
    "mask",
    [
        ~masks.Causal(),
        masks.Causal() & masks.Window(3),
        masks.Causal(65),
        masks.Window(513),
        masks.Padding((3, 4)),
        masks.Global((0, 1)) | masks.Window(2),
        masks.Window(2) | masks.Global((0, 1)),
        masks.Prefix(3),
        masks.Documents((0, 0, 1)),
        masks.Explicit(("10", "11")),
        masks.Causal(1) | masks.Prefix(2),
    ],
    ids=str,
)
def test_every_other_mask_is_kept_as_it_is(mask: Mask) -> None:
    assert kind_of(mask) == (CUSTOM, ())


# ---- prose ----


def every_trace() -> list[Experiment]:
    changes = [
        {},
        {"position": "rope", "dropout": 0.5, "mode": "causal"},
        {"position": "alibi", "source_text": "three four five", "mode": "cross"},
        {"position": "sinusoidal", "out_proj": False},
        {"position": "transformer_xl", "num_kv_heads": 1},
        {"score": "cosine", "num_heads": 1},
        {"score": "additive", "temperature": 2.0},
        {"score": "bilinear"},
        {"temperature": 2.0},
    ]
    return [Experiment("one two", **{"num_heads": 2, "d_model": 12, **change}) for change in changes]  # type: ignore[arg-type]


def test_every_stage_has_its_words_and_its_formula() -> None:
    words = prose("playground")
    seen = set()
    experiments = [experiment.run() for experiment in (*every_trace(), *(preset.experiment for preset in PRESETS))]
    for trace in (*experiments, *trained_traces(), *pretrained_traces()):
        for stage in stages.walk(trace):
            section = stages.passage(trace, stage.name)
            name, formula = made_of(section, words)
            seen.add(name)
            if formula:
                assert formula.startswith("${") and formula.endswith("}$") and "=" in formula
            else:  # rows that came as they are, and heads of which no matrix is known
                assert name in ("embedding.whole", "embedding.layer", "embedding.encoder", "dropped_weights"), name
            assert section.why
            for field in stage.fields:
                assert stages.field_title(field) and stages.shape(trace, field)
    assert seen == set(words), "prose that no stage shows"


def said(experiment: Experiment) -> dict[str, str]:
    """What each stage says first, by its name."""
    trace = experiment.run()
    return {stage.name: stages.passage(trace, stage.name).lead for stage in stages.walk(trace)}


def test_words_and_formulas_follow_the_experiment() -> None:
    plain = Experiment("one two", num_heads=2, d_model=12, weights="random")
    first = said(plain)
    assert "t_i}$" in first["embedding"] and "p_i" not in first["embedding"]
    assert "b_Q" not in first["qkv"] and "b_O" not in first["output"]
    biased = said(replace(plain, bias=True))
    assert "q_i = x_i W_Q + b_Q" in biased["qkv"] and "o_i W_O + b_O" in biased["output"]
    assert "half" in said(replace(plain, weights="hand_built"))["embedding"]
    assert r"s_{ij} = r_{ij} / \sqrt{d_k}}$" in first["scaled_scores"] and "temperature" not in first["scaled_scores"]
    warm = said(replace(plain, temperature=2.0))["scaled_scores"]
    assert "temperature" in warm and r"(\sqrt{d_k}\, T)" in warm
    for score, formula in (("dot", r"\sum_c"), ("cosine", r"\frac"), ("additive", r"\tanh"), ("bilinear", r"W\, k_j")):
        other = said(replace(plain, score=score))
        assert formula in other["raw_scores"] and "sqrt" not in other["scaled_scores"]
        assert "not scaled" in other["scaled_scores"] and "s_{ij} = r_{ij}}$" in other["scaled_scores"]
        cooler = said(replace(plain, score=score, temperature=0.5))["scaled_scores"]
        assert "T" in cooler and "sqrt" not in cooler
    turned = said(replace(plain, position="rope"))
    assert r"q'_{ic}\, k'_{jc}" in turned["raw_scores"] and "alone" not in turned["rotated"]
    assert "z_{ij} & A_{ij} = 1" in said(replace(plain, position="alibi"))["masked_scores"]
    assert "s_{ij} & A_{ij} = 1" in first["masked_scores"]
    assert r"\tilde{w}_{ij}\, v_j" in said(replace(plain, dropout=0.5))["context"] and "tilde" not in first["context"]
    bare = said(replace(plain, out_proj=False))["output"]
    assert "y_i = o_i}$" in bare and "matrix" not in bare and "width" not in bare
    assert "one head" in said(replace(plain, num_heads=1))["concat"]
    cross = said(replace(plain, mode="cross", source_text="three"))
    assert "x_j = t_j" in cross["source_embedding"] and "x_i = t_i" in cross["embedding"]


def test_a_section_is_cut_at_its_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page.en.md").write_text("Title\n\n## one\n\nLead $x$\n\n---\n\nWhy.\n\n## two\n\nOnly.\n", "utf-8")
    monkeypatch.setattr("playground.prose.PAGES", tmp_path)
    prose.cache_clear()
    found = prose("page", "zz")
    prose.cache_clear()
    assert (found["one"].lead, found["one"].why) == ("Lead $x$", "Why.")
    assert (found["two"].lead, found["two"].why) == ("Only.", "")


@pytest.mark.parametrize("path", sorted(ROOT.glob("pages/*.md")), ids=lambda path: path.name)
def test_formulas_are_closed(path: Path) -> None:
    for section in prose(path.name.split(".")[0], path.name.split(".")[1]).values():
        for text in (section.lead, section.why):
            assert text.count("$") % 2 == 0, text
            assert text.count("{") == text.count("}"), text


def test_the_walk_begins_with_how_many_tokens_there_are() -> None:
    app = open_app({"text": "three four five", "source": "one two", "mode": "cross", "heads": "2", "width": "8"})
    leads = [said.value for said in app.main.markdown if said.value.startswith("### ")]
    assert leads[0].startswith("### 1 · Embedding\n\nThe text is cut into 3 tokens. Every token becomes")
    assert leads[1].startswith("### 2 · Source embedding\n\nThe source text is cut into 2 tokens. ")
    assert not any("text is cut into" in lead for lead in leads[2:])
    alone = open_app({"text": "one", "heads": "2", "width": "8"})
    assert any("\n\nThe text is one token. " in said.value for said in alone.main.markdown)


def test_pictures_of_one_kind_share_their_colours() -> None:
    trace = Experiment("a b c", num_heads=2).run()
    found = {stage.name: stages.common_scale(trace, stage) for stage in stages.walk(trace)}
    most = max(float(getattr(trace.heads, name).abs().max()) for name in "qkv")
    assert found["qkv"] == pytest.approx(most)
    # What is allowed is no number on the scale of the scores; and one picture alone has its own.
    assert found["masked_scores"] is None and found["weights"] is None
