"""The sidebar: each control changes the pictures as the mathematics says, and the address with them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from attention_core import masks
from attention_core.experiment import Experiment
from attention_core.masks import Mask
from attention_core.presets import DEFAULT, PRESETS
from tests.ui.reading import (
    alerts,
    expected,
    fields,
    good,
    healthy,
    open_app,
    panel,
    panels,
    same,
    softmax,
    tell,
)

START = Experiment("one two three four five", num_heads=2, d_model=12)


def shows(app: AppTest, wanted: Experiment) -> None:
    """The page is that of `wanted`: its numbers, its address, no complaint."""
    healthy(app)
    assert alerts(app) == []
    assert good(app) == wanted
    query = {name: value for name, value in app.query_params.items() if name not in ("cell", "head")}
    assert Experiment.from_query(query) == wanted
    same(panel(app, "hero").blocks, expected(wanted.run(), "weights"), "weights")


@pytest.fixture
def app() -> AppTest:
    return open_app(START.to_query())


CHANGES: dict[str, tuple[str, str, Any, Experiment]] = {
    "text": ("text_input", "c_text", "four five six", replace(START, text="four five six")),
    "heads": ("select_slider", "c_heads", 6, replace(START, num_heads=6)),
    "mode": ("button_group", "c_mode", "causal", replace(START, mode="causal")),
    "weights": ("selectbox", "c_weights", "article", replace(START, weights="article")),
    "width": ("number_input", "c_width", 20, replace(START, d_model=20)),
    "kv heads": ("select_slider", "c_kv", 1, replace(START, num_kv_heads=1)),
    "position": ("selectbox", "c_position", "rope", replace(START, position="rope")),
    "score": ("selectbox", "c_score", "cosine", replace(START, score="cosine")),
    "temperature": ("slider", "c_temperature", 2.5, replace(START, temperature=2.5)),
    "tokenizer": ("selectbox", "c_tokenizer", "character", replace(START, tokenizer="character")),
    "embedding": ("selectbox", "c_embedding", "one_hot", replace(START, embedding="one_hot")),
    "seed": ("number_input", "c_seed", 17, replace(START, seed=17)),
    "dropout": ("slider", "c_dropout", 0.35, replace(START, dropout=0.35)),
    "biases": ("checkbox", "c_bias", True, replace(START, bias=True)),
    "output projection": ("checkbox", "c_wo", False, replace(START, out_proj=False)),
}


@pytest.mark.parametrize(("kind", "key", "value", "wanted"), CHANGES.values(), ids=CHANGES)
def test_a_control_changes_the_picture(app: AppTest, kind: str, key: str, value: Any, wanted: Experiment) -> None:
    before = panel(app, "hero").raw
    getattr(app, kind)(key=key).set_value(value).run()
    shows(app, wanted)
    # What does not reach the weights shows further down; all else changes what the visitor sees first.
    if key not in ("c_wo", "c_dropout"):
        assert panel(app, "hero").raw != before
    # A reload opens the same page.
    shows(open_app(app.query_params), wanted)


def test_controls_go_together(app: AppTest) -> None:
    """One after the other, none undoes another."""
    for kind, key, value, _ in CHANGES.values():
        if key not in ("c_weights", "c_embedding", "c_tokenizer"):
            getattr(app, kind)(key=key).set_value(value).run()
    # 6 heads do not divide a width of 20: the page says so and keeps its picture; a free width resolves it.
    assert any("d_model=20" in words and "num_heads=6" in words for words in alerts(app))
    app.checkbox(key="c_unlock").check().run()
    wanted = Experiment(
        "four five six",
        mode="causal",
        num_heads=6,
        d_model=20,
        d_k=6,
        d_v=6,
        num_kv_heads=1,
        position="rope",
        score="cosine",
        temperature=2.5,
        seed=17,
        dropout=0.35,
        bias=True,
        out_proj=False,
    )
    shows(app, wanted)


def test_more_heads_are_heads_of_their_own(app: AppTest) -> None:
    """Heads share keys and values only where the visitor asks for it."""
    for heads in (4, 12, 6, 1, 2):
        app.select_slider(key="c_heads").set_value(heads).run()
        shows(app, replace(START, num_heads=heads))
        assert fields(app)["k"].blocks.shape[0] == heads


@pytest.mark.parametrize(("heads", "stale"), [(3, "6"), (3, "2"), (4, "6"), (4, "3"), (1, "6")])
def test_a_quick_browser_that_still_says_an_older_number_shares_nothing(heads: int, stale: str) -> None:
    """The slider runs forwards, from one for all to none shared; a number that is gone from it was not chosen."""
    app = open_app(replace(START, num_heads=6).to_query())
    assert app.select_slider(key="c_kv").options == ["1", "2", "3", "6"]
    app.select_slider(key="c_heads").set_value(heads).run()
    for seed in (7, 8):
        app.number_input(key="c_seed").set_value(seed)
        states = app._tree.get_widget_states()
        for state in states.widgets:
            if state.id.endswith("-c_kv"):
                state.string_array_value.data[:] = [stale]
        app._run(states)
        shows(app, replace(START, num_heads=heads, seed=seed))


def test_causal_hides_the_upper_triangle_and_nothing_else() -> None:
    app = open_app(DEFAULT.experiment.to_query())
    app.button_group(key="c_mode").set_value("causal").run()
    shown = fields(app)
    ahead = np.triu(np.ones((11, 11), dtype=bool), 1)
    for field in ("weights", "masked_scores"):
        gaps = np.isnan(shown[field].blocks)
        assert (gaps == ahead).all(), field
    weights = shown["weights"].blocks
    np.testing.assert_allclose(np.nansum(weights, axis=-1), 1.0, atol=1e-5)
    assert (weights[:, 0, 0] == 1.0).all()
    assert not np.isnan(shown["scaled_scores"].blocks).any()
    # The picture of the mask says True where a query may look.
    assert (shown["allowed"].blocks == ~ahead).all()
    masked = np.where(ahead, -np.inf, shown["scaled_scores"].blocks.astype(np.float64))
    np.testing.assert_allclose(np.nan_to_num(weights, nan=0.0), softmax(masked), atol=1e-6)
    assert panel(app, "hero").meta["gap"] == "0" and shown["masked_scores"].meta["gap"] == "-inf"


def test_cross_asks_for_a_second_sentence(app: AppTest) -> None:
    app.button_group(key="c_mode").set_value("cross").run()
    healthy(app)
    app.text_input(key="c_source").set_value("eins zwei drei").run()
    wanted = replace(START, mode="cross", source_text="eins zwei drei")
    shows(app, wanted)
    assert panel(app, "hero").blocks.shape == (2, 5, 3)
    rows = panel(app, "tokens").header["rows"]
    assert [row["tokens"] for row in rows] == [START.text.split(), ["eins", "zwei", "drei"]]
    assert [row["axis"] for row in rows] == ["query", "key"]
    # Back to self attention, and to cross again: the second sentence is still there.
    app.button_group(key="c_mode").set_value("self").run()
    same(panel(app, "hero").blocks, expected(START.run(), "weights"))
    app.button_group(key="c_mode").set_value("cross").run()
    shows(app, wanted)


def test_widths_of_their_own(app: AppTest) -> None:
    app.checkbox(key="c_unlock").check().run()
    shows(app, replace(START, d_k=6, d_v=6))
    app.number_input(key="c_dk").set_value(3).run()
    app.number_input(key="c_dv").set_value(5).run()
    shows(app, replace(START, d_k=3, d_v=5))
    shown = fields(app)
    assert [shown[field].blocks.shape for field in "qkv"] == [(2, 5, 3), (2, 5, 3), (2, 5, 5)]
    q, k = shown["q"].blocks.astype(np.float64), shown["k"].blocks.astype(np.float64)
    weights = softmax(np.einsum("hqd,hkd->hqk", q, k) / np.sqrt(3))
    np.testing.assert_allclose(panel(app, "hero").blocks, weights, atol=1e-6)
    app.checkbox(key="c_unlock").uncheck().run()
    shows(app, START)


def near(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    return np.abs(queries - keys)


QUERIES, KEYS = np.ogrid[:5, :5]
# kind of mask, its numbers, the mask, and by hand what it allows
MASKS: dict[str, tuple[tuple[int, ...], Mask, np.ndarray]] = {
    "causal": ((1,), masks.Causal(1), KEYS <= QUERIES + 1),
    "window": ((2,), masks.Window(2), near(QUERIES, KEYS) < 2),
    "dilated": ((3, 2), masks.Dilated(3, 2), None),  # type: ignore[dict-item]
    "blocks": ((2,), masks.Blocks(2), QUERIES // 2 == KEYS // 2),
    "prefix": ((2,), masks.Causal() | masks.Prefix(2), (KEYS <= QUERIES) | (KEYS < 2)),
    "padding": ((3,), masks.Padding((3,)), (KEYS < 3) & (QUERIES >= 0)),
    "global": (
        (0, 2),
        masks.Window(2) | masks.Global((0,)),
        (near(QUERIES, KEYS) < 2) | (KEYS == 0) | (QUERIES == 0),
    ),
}


@pytest.mark.parametrize("kind", MASKS)
def test_masks(app: AppTest, kind: str) -> None:
    numbers, mask, allowed = MASKS[kind]
    app.selectbox(key="c_mask").set_value(kind).run()
    for index, number in enumerate(numbers):
        app.number_input(key=f"c_mask_{kind}_{index}").set_value(number).run()
    shows(app, replace(START, mask=mask))
    shown = fields(app)
    drawn = shown["allowed"].blocks
    assert set(np.unique(drawn)) == {0.0, 1.0}
    if allowed is not None:
        assert (drawn == allowed).all()
    for field in ("weights", "masked_scores"):
        assert (np.isnan(shown[field].blocks) == (drawn == 0)).all()
    # A visitor who reloads sees the same controls.
    again = open_app(app.query_params)
    shows(again, replace(START, mask=mask))
    assert again.selectbox(key="c_mask").value == kind
    for index, number in enumerate(numbers):
        assert again.number_input(key=f"c_mask_{kind}_{index}").value == number


def test_a_mask_from_a_link_that_no_control_makes_is_kept(app: AppTest) -> None:
    mask = ~masks.Window(2) & masks.Causal()
    wanted = replace(START, mask=mask)
    app = open_app(wanted.to_query())
    shows(app, wanted)
    assert app.selectbox(key="c_mask").value == "custom"
    app.select_slider(key="c_heads").set_value(3).run()
    shows(app, replace(wanted, num_heads=3))


def test_a_mask_that_forbids_everything_gives_rows_of_zeros(app: AppTest) -> None:
    app.selectbox(key="c_mask").set_value("padding").run()
    app.number_input(key="c_mask_padding_0").set_value(0).run()
    shows(app, replace(START, mask=masks.Padding((0,))))
    shown = fields(app)
    assert np.isnan(shown["weights"].blocks).all() and panel(app, "hero").meta["gap"] == "0"
    assert (shown["context"].blocks == 0).all() and (shown["output"].blocks == 0).all()
    words = panel(app, "sentence").header["sentence"]
    assert words and "nan" not in words.lower()


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.id)
def test_an_example_sets_every_control(preset: Any) -> None:
    app = open_app()
    app.number_input(key="c_seed").set_value(99).run()
    app.selectbox(key="preset").set_value(preset.id).run()
    healthy(app)
    assert good(app) == preset.experiment and alerts(app) == []
    assert app.text_input(key="c_text").value == preset.experiment.text
    assert app.select_slider(key="c_heads").value == preset.experiment.num_heads
    assert app.selectbox(key="preset").value is None  # an action, not a state
    app.run()
    assert good(app) == preset.experiment


def test_from_example_to_example() -> None:
    """What one example sets, the next one sets back."""
    app = open_app()
    for preset in (*PRESETS, *PRESETS[::-1]):
        app.selectbox(key="preset").set_value(preset.id).run()
        healthy(app)
        assert good(app) == preset.experiment, preset.id
        same(panel(app, "hero").blocks, expected(preset.experiment.run(), "weights"), preset.id)


def test_a_new_draw_changes_the_seed_alone(app: AppTest) -> None:
    seeds = set()
    for _ in range(3):
        app.button[[button.label for button in app.button].index("New random draw")].click().run()
        seeds.add(good(app).seed)
        shows(app, replace(START, seed=good(app).seed))
        assert app.number_input(key="c_seed").value == good(app).seed
    assert len(seeds) > 1


def test_one_head_at_a_time(app: AppTest) -> None:
    app.button_group(key="head_choice").set_value(2).run()
    healthy(app)
    trace = START.run()
    for key, message in panels(app).items():
        if key == "hero" or key.startswith("stage_"):
            field = message.meta["field"]
            whole = expected(trace, field)
            wanted = whole[1:2] if "head" in trace.dims(field) or "kv_head" in trace.dims(field) else whole
            same(message.blocks, wanted, key)
    assert panel(app, "hero").heads == [1]
    assert "head 2" in panel(app, "hero").header["title"]
    assert app.query_params["head"] == "2"
    again = open_app(app.query_params)
    assert panel(again, "hero").heads == [1]
    # One head's picture keeps the scale of all, so that heads can be compared.
    ends = [
        {field: message.header["figure"]["data"][0]["zmax"] for field, message in fields(page).items()}
        for page in (app, open_app(START.to_query()))
    ]
    assert ends[0] == ends[1]


def test_a_head_that_is_gone_gives_way_to_all(app: AppTest) -> None:
    app.button_group(key="head_choice").set_value(2).run()
    app.select_slider(key="c_heads").set_value(1).run()
    shows(app, replace(START, num_heads=1))
    assert panel(app, "hero").heads == [0]


@pytest.mark.parametrize(
    "text",
    ["小猫没有过马路。", "القطة تجلس على السجادة", "👩‍👩‍👧‍👦 🇨🇭 é 👍🏽", "mixed 混合 نص 🎉", "e\u0301 \u200b x"],
)
@pytest.mark.parametrize("tokenizer", ["word", "character", "byte", "bpe"])
def test_any_script(text: str, tokenizer: str) -> None:
    wanted = Experiment(text, tokenizer=tokenizer, num_heads=2, d_model=12)
    app = open_app(wanted.to_query())
    shows(app, wanted)
    assert panel(app, "tokens").header["rows"][0]["tokens"] == [token.text for token in wanted.tokens()]


def test_a_cell_that_is_clicked_opens_its_arithmetic(app: AppTest) -> None:
    tell(app, "stage_raw_scores", cell=["raw_scores", 1, 3, 2])
    assert app.query_params["cell"] == "raw_scores.1.3.2"
    q, k = (fields(app)[name].blocks[1].astype(np.float64) for name in "qk")
    drawn = fields(app)["raw_scores"].blocks[1, 3, 2]
    assert drawn == pytest.approx(float(q[3] @ k[2]), rel=1e-4)
    terms = [panel(app, key) for key in panels(app) if key.startswith("terms_")]
    totals = [message.header["total"][-1] for message in terms if message.header["total"]]
    assert f"{drawn:.4f}".replace("-", "−") in totals
    assert panel(app, "sentence").header["detail"] == "Raw scores, head 2"
    # The same cell is marked in every picture of the scores.
    for key in ("hero", "stage_weights", "stage_scaled_scores", "stage_raw_scores"):
        assert panel(app, key).header["cell"] == {"group": "scores", "head": 1, "row": 3, "col": 2}
    assert panel(app, "stage_q").header["cell"] is None
    again = open_app(app.query_params)
    assert panel(again, "sentence").raw == panel(app, "sentence").raw


def test_a_cell_of_a_weight_says_it_in_percent(app: AppTest) -> None:
    tell(app, "hero", cell=["weights", 0, 4, 1])
    drawn = float(panel(app, "hero").blocks[0, 4, 1])
    words = panel(app, "sentence").header["sentence"]
    assert "five" in words and "two" in words and f"{100 * drawn:.0f}" in words


@pytest.mark.parametrize("field", ["embedding", "q", "k", "v", "scaled_scores", "masked_scores", "allowed"])
def test_the_arithmetic_of_every_stage(app: AppTest, field: str) -> None:
    head = 1 if "head" in START.run().dims(field) or "kv_head" in START.run().dims(field) else None
    tell(app, f"stage_{field}", cell=[field, head, 2, 1])
    assert app.query_params["cell"] == f"{field}.{head or 0}.2.1"
    assert panel(app, "sentence").header["sentence"]


def test_closing_the_arithmetic_forgets_the_cell(app: AppTest) -> None:
    tell(app, "hero", cell=["weights", 0, 4, 1])
    app.button[[button.label for button in app.button].index("Close")].click().run()
    healthy(app)
    assert "cell" not in app.query_params and panel(app, "hero").header["cell"] is None


def test_a_shorter_sentence_leaves_an_open_cell_behind(app: AppTest) -> None:
    tell(app, "hero", cell=["weights", 1, 4, 4])
    app.text_input(key="c_text").set_value("one two").run()
    shows(app, replace(START, text="one two"))


HOSTILE_CELLS = [
    ["weights", 0, 99, 0],
    ["weights", 7, 0, 0],
    ["weights", -1, 0, 0],
    ["weights", 0, 0, 1.5],
    ["weights", True, 0, 0],
    ["context", 0, 0, 0],
    ["weights", 0, 0],
    "weights.0.0.0",
    {"field": "weights"},
    ["__class__", 0, 0, 0],
    [["weights"], {}, None, 0],
    5,
]


@pytest.mark.parametrize("sent", HOSTILE_CELLS, ids=repr)
def test_a_cell_that_is_none_is_passed_over(app: AppTest, sent: object) -> None:
    before = panel(app, "sentence").raw
    tell(app, "hero", cell=sent)
    assert "cell" not in app.query_params
    assert panel(app, "sentence").raw == before


def test_a_narrow_screen_gets_fewer_columns(app: AppTest) -> None:
    wide = panel(app, "hero").meta["width"]
    tell(app, "hero", state={"narrow": True})
    assert panel(app, "hero").meta["width"] <= min(wide, 350)
    same(panel(app, "hero").blocks, expected(START.run(), "weights"))


def test_all_heads_is_a_choice_that_is_lit_and_an_example_goes_back_to_it(app: AppTest) -> None:
    choice = app.button_group(key="head_choice")
    assert choice.value == 0 and choice.options[0] == "All heads"
    choice.set_value(2).run()
    app.selectbox(key="preset").set_value("chinese").run()
    healthy(app)
    assert good(app).num_heads > 2
    assert app.button_group(key="head_choice").value == 0 and "head" not in app.query_params
    assert panel(app, "hero").heads == list(range(good(app).num_heads))
