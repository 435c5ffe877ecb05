"""The page on the encoder block, by value."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from attention_core.experiment import Experiment
from attention_core.lessons import encoder
from attention_core.presets import DEFAULT, preset
from tests.ui.lessons import open_lesson, words
from tests.ui.reading import healthy, panel, panels, same

START = Experiment("one two three four five", num_heads=2, d_model=12, weights="random", seed=4)
CHOSEN = encoder.setting(START)


@pytest.fixture(scope="module")
def app() -> AppTest:
    return open_lesson("encoder", START.to_query())


def rows(one: encoder.Pass, token: int) -> np.ndarray:
    return np.stack([stage[token].numpy() for stage in one.stages.values()]).astype(np.float32)


def series(app: AppTest, key: str) -> dict[str, list[float]]:
    return {line["name"]: line["y"] for line in panel(app, key).header["figure"]["data"]}


def test_the_question_and_no_stray_braces(app: AppTest) -> None:
    assert words(app).startswith("# What happens in an encoder block?")
    for stray in ("{block}", "{width}", "{root}", "{hidden}", "{zeros}", "{blocks}", "{whole}", "{bare}"):
        assert stray not in words(app)
    assert "Dong et al. (2021" in words(app) and "**Try next**" in words(app)


def test_the_token_in_the_middle_on_its_way_through_the_first_block(app: AppTest) -> None:
    one = encoder.passes(CHOSEN, "pre")["whole"][0]
    stages = panel(app, "encoder_stages")
    same(stages.blocks[0], rows(one, 2), "stages")
    assert stages.meta["row_labels"] == ["x", "LN(x)", "Attn", "a", "LN(a)", "FF", "output"]
    table = panel(app, "encoder_lengths").header["rows"]
    assert [row[0] for row in table] == stages.meta["row_labels"]
    lengths = np.linalg.norm(stages.blocks[0].astype(float), axis=1)
    assert [float(row[2]) for row in table] == pytest.approx(lengths.tolist(), abs=0.006)
    same(panel(app, "encoder_looks").blocks[0], one.weights[:, 2].numpy().astype(np.float32), "looks")
    inside = panel(app, "encoder_inside").blocks
    assert inside.shape == (2, 4, 12)
    same(inside.reshape(2, 48), np.stack([one.hidden[2], one.activated[2]]).astype(np.float32), "inside")
    assert f"Here {int((inside[1] == 0).sum())} of 48 are set to 0" in words(app)


def test_another_token_another_block_and_post_norm() -> None:
    app = open_lesson("encoder", START.to_query())
    app.selectbox(key="encoder_token").select_index(4).run()
    app.slider(key="encoder_block").set_value(3).run()
    app.button_group(key="encoder_norm").set_value("post").run()
    healthy(app)
    one = encoder.passes(CHOSEN, "post")["whole"][2]
    same(panel(app, "encoder_stages").blocks[0], rows(one, 4), "stages")
    assert panel(app, "encoder_stages").meta["row_labels"] == ["x", "Attn", "x + Attn", "a", "FF", "a + FF", "output"]
    assert "One token on its way through block 3" in words(app) and "**post-norm**" in words(app)
    for name, value in (("encoder_token", "4"), ("encoder_block", "3"), ("encoder_norm", "post")):
        assert app.query_params[name] in (value, [value])


def test_the_link_brings_it_all_back() -> None:
    asked = {"encoder_norm": "post", "encoder_residual": "False", "encoder_block": "2", "encoder_token": "1"}
    app = open_lesson("encoder", {**START.to_query(), **asked})
    same(panel(app, "encoder_stages").blocks[0], rows(encoder.passes(CHOSEN, "post")["no_residual"][1], 1), "stages")
    assert app.toggle(key="encoder_residual").value is False and "what went in is gone" in words(app)
    odd = {"encoder_norm": "<b>", "encoder_block": "99", "encoder_token": "-3", "encoder_p": "2", "encoder_after": "x"}
    app = open_lesson("encoder", {**START.to_query(), **odd})
    assert app.slider(key="encoder_block").value == 1
    headers = [panel(app, f"wrong_setting_{at}").header for at in range(3)]
    said = " ".join(one["sentence"] + one["detail"] for one in headers)
    assert all(f"{name}=" in said for name in odd), said


def test_lengths_by_depth(app: AppTest) -> None:
    shown, walk = series(app, "encoder_depth"), encoder.passes(CHOSEN, "pre")["whole"]
    wanted = [float(encoder.lengths(one.stages["attention"]).mean()) for one in walk]
    assert shown["attention brings"] == pytest.approx(wanted)
    assert shown["leaves the block"][:-1] == pytest.approx(shown["enters the block"][1:])
    assert len(wanted) == 12


def test_the_collapse_is_drawn_as_it_is_measured(app: AppTest) -> None:
    shown, wanted = series(app, "encoder_collapse"), encoder.spread_by_depth(CHOSEN, "pre", "distance")
    assert list(shown) == ["the whole block", "no feed-forward", "no residuals", "attention alone"]
    for drawn, measured in zip(shown.values(), wanted.values(), strict=True):
        assert len(drawn) == 13
        for one, other in zip(drawn, measured, strict=True):
            assert one == (other if other > 1e-17 else None)
    whole, bare = wanted["whole"][3], wanted["no_residual"][3]
    assert f"After 3 blocks the distance is {bare:.2g} without and {whole:.2g} with them." in words(app)


def test_the_other_measure_and_another_depth() -> None:
    app = open_lesson("encoder", {**START.to_query(), "encoder_measure": "cosine", "encoder_after": "5"})
    wanted = encoder.spread_by_depth(CHOSEN, "pre", "cosine")
    for drawn, measured in zip(series(app, "encoder_collapse").values(), wanted.values(), strict=True):
        assert drawn == pytest.approx(measured)
    for name in ("whole", "no_residual"):
        cosines = encoder.cosines(encoder.after(encoder.passes(CHOSEN, "pre")[name], 5))
        same(panel(app, f"encoder_alike_{name}").blocks[0], cosines.numpy().astype(np.float32), name)
    assert panel(app, "encoder_alike_no_residual").blocks.min() > 0.9999
    assert panel(app, "encoder_alike_whole").blocks.min() < 0.9


def test_draws_of_dropout_and_their_mean() -> None:
    app = open_lesson("encoder", START.to_query())
    app.select_slider(key="encoder_p").set_value("0.5").run()
    app.select_slider(key="encoder_count").set_value("64").run()
    app.slider(key="encoder_head").set_value(2).run()
    healthy(app)
    found = encoder.draws(CHOSEN, "pre", 1, 0.5)
    same(panel(app, "encoder_draws").blocks, found.dropped[:4].numpy().astype(np.float32), "draws")
    kept, mean = panel(app, "encoder_mean").blocks
    same(kept, found.kept.numpy().astype(np.float32), "evaluation")
    same(mean, found.mean(64).numpy().astype(np.float32), "mean")
    measured = series(app, "encoder_off")["measured"]
    assert measured[6] == pytest.approx(np.sqrt(np.mean((mean - kept) ** 2)), rel=1e-4)
    scales = {panel(app, f"encoder_{name}").header["figure"]["data"][0]["zmax"] for name in ("draws", "mean")}
    assert len(scales) == 1 and scales.pop() >= found.dropped.max()


@pytest.mark.parametrize(
    "wanted",
    [
        DEFAULT.experiment,
        preset("article-cross").experiment,
        preset("base-768").experiment,
        Experiment("alone", num_heads=1, d_model=1),
        Experiment(" ".join(f"<b>w{n}</b>$" for n in range(30))),
    ],
    ids=lambda wanted: wanted.text[:12],
)
def test_any_experiment_has_its_page(wanted: Experiment) -> None:
    app = open_lesson("encoder", {**wanted.to_query(), "encoder_residual": "False", "encoder_p": "0.0"})
    assert panels(app)["encoder_stages"].blocks.shape[2] == min(wanted.d_model, encoder.WIDEST)
    assert ("first 24 tokens" in str([caption.value for caption in app.main.caption])) == (len(wanted.tokens()) > 24)
