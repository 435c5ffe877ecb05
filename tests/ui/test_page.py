"""The page as a visitor finds it: every picture shows the numbers of attention, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from attention_core.experiment import Experiment
from attention_core.presets import DEFAULT, PRESETS, Preset, preset
from playground import compute, frame
from tests.ui.lessons import open_lesson
from tests.ui.reading import alerts, expected, fields, good, healthy, open_app, panel, panels, same, softmax, tell

SENTENCE = "The animal didn't cross the street because it was too tired"
WORDS = SENTENCE.split()


@pytest.fixture(scope="module")
def app() -> AppTest:
    return open_app()


def test_the_bare_address_opens_the_default(app: AppTest) -> None:
    assert good(app) == DEFAULT.experiment
    assert dict(app.query_params) == {}
    assert alerts(app) == []
    assert app.sidebar.text_input(key="c_text").value == SENTENCE


def test_weights_follow_from_the_drawn_queries_and_keys(app: AppTest) -> None:
    """Nothing of the app takes part in this: softmax(q k^T / sqrt(d_k)) on the numbers in the pictures."""
    shown = fields(app)
    q, k = shown["q"].blocks.astype(np.float64), shown["k"].blocks.astype(np.float64)
    assert q.shape == k.shape == (4, len(WORDS), DEFAULT.experiment.d_model // 4)
    scale = 1 / np.sqrt(q.shape[-1])
    raw = np.einsum("hqd,hkd->hqk", q, k)
    np.testing.assert_allclose(shown["raw_scores"].blocks, raw, rtol=1e-5, atol=2e-5)
    np.testing.assert_allclose(shown["scaled_scores"].blocks, raw * scale, rtol=1e-5, atol=1e-5)
    weights = softmax(raw * scale)
    np.testing.assert_allclose(panel(app, "hero").blocks, weights, atol=1e-6)
    np.testing.assert_allclose(shown["weights"].blocks, weights, atol=1e-6)
    context = np.einsum("hqk,hkd->hqd", weights, shown["v"].blocks.astype(np.float64))
    np.testing.assert_allclose(shown["context"].blocks, context, atol=2e-5)
    concat = context.transpose(1, 0, 2).reshape(len(WORDS), -1)
    np.testing.assert_allclose(shown["concat"].blocks[0], concat, atol=2e-5)
    contributions = shown["head_contributions"].blocks.astype(np.float64)
    output = shown["output"].blocks[0]
    # Hand-built heads have biases, the output projection's is 0.
    np.testing.assert_allclose(contributions.sum(axis=0), output, atol=2e-5)


def test_no_digit_is_lost_on_the_way_to_the_picture(app: AppTest) -> None:
    """Bit for bit what the app has computed."""
    trace = compute.run(DEFAULT.experiment)
    for field, message in fields(app).items():
        np.testing.assert_array_equal(message.blocks, expected(trace, field), field)


def test_scores_and_weights_are_not_symmetric(app: AppTest) -> None:
    """Otherwise no test of theirs could tell queries from keys."""
    for field in ("raw_scores", "weights"):
        blocks = fields(app)[field].blocks
        assert np.abs(blocks - blocks.transpose(0, 2, 1)).max() > 0.1


def test_the_embedding_is_the_sum_of_its_parts(app: AppTest) -> None:
    shown = fields(app)
    parts = shown["token_embedding"].blocks + shown["position_encoding"].blocks
    same(shown["embedding"].blocks, parts, "embedding")


def test_the_tokens_are_shown_in_order(app: AppTest) -> None:
    [row] = panel(app, "tokens").header["rows"]
    assert row["tokens"] == row["shown"] == WORDS
    assert row["axis"] == "both"
    hero = panel(app, "hero")
    assert hero.meta["row_labels"] == hero.meta["col_labels"] == WORDS
    axes = hero.header["figure"]["layout"]
    for axis, start in (("xaxis", "x0"), ("yaxis", "y0")):
        marks = dict(zip(axes[axis]["tickvals"], axes[axis]["ticktext"], strict=True))
        for block in hero.meta["blocks"]:
            for place, word in enumerate(WORDS):
                assert marks[block[start] + place] == word


def test_all_heads_share_one_scale(app: AppTest) -> None:
    for field, message in fields(app).items():
        data = message.header["figure"]["data"][0]
        if field in ("weights", "allowed"):
            assert (data["zmin"], data["zmax"]) == (0.0, 1.0)
        else:
            assert data["zmin"] == -data["zmax"]
            assert data["zmax"] >= np.abs(message.blocks).max() > 0


def test_q_k_and_v_share_one_scale(app: AppTest) -> None:
    shown = fields(app)
    largest = max(np.abs(shown[field].blocks).max() for field in "qkv")
    for field in "qkv":
        assert shown[field].header["figure"]["data"][0]["zmax"] == pytest.approx(largest)


def test_random_weights_are_said_to_be_random(app: AppTest) -> None:
    captions = " ".join(caption.value for caption in app.main.caption)
    assert "built by hand" in captions and "Nothing was trained" in captions
    other = open_app({"text": "one two", "weights": "random"})
    assert any("the meaning is not" in caption.value for caption in other.main.caption)


def test_an_example_says_why_to_look_at_it_as_long_as_it_is_on_the_screen() -> None:
    app = open_app()
    for name in ("five-tokens", "translation"):
        app.selectbox(key="preset").set_value(name).run()
        said = [caption.value for caption in app.main.caption]
        assert said[1] == preset(name).why
    app.text_input(key="c_text").set_value("of my own").run()
    assert all(example.why not in [caption.value for caption in app.main.caption] for example in PRESETS)


def test_the_mask_says_what_its_colours_mean() -> None:
    app = open_app()
    note = panel(app, "stage_allowed").header["note"]
    assert note.startswith("blue: may look, hatched: may not · ") and "queries" in note
    tell(app, "hero", state={"narrow": True})
    assert panel(app, "stage_allowed").header["note"] == "blue: may look, hatched: may not"


def test_the_first_cell_of_the_inspector_is_where_the_token_in_the_middle_looks_most(app: AppTest) -> None:
    row = len(WORDS) // 2
    looks = panel(app, "hero").blocks[0, row]
    sentence = panel(app, "sentence").header
    most = int(looks.argmax())
    assert WORDS[row] in sentence["sentence"] and WORDS[most] in sentence["sentence"]
    assert sentence["detail"] == "Weights, head 1 · previous token"
    bars = panel(app, "row_bars").header["figure"]["data"][0]
    np.testing.assert_allclose(bars["x"], looks, rtol=1e-6)


VARIETY = {
    "cross, d_k and d_v of their own": Experiment(
        "one two three", "five six seven eight nine", "cross", num_heads=3, d_model=12, d_k=5, d_v=7
    ),
    "grouped heads": Experiment("one two three four five", num_heads=6, d_model=24, num_kv_heads=2),
    "causal, biases, no output projection": Experiment(
        "one two three four five", mode="causal", num_heads=2, d_model=6, bias=True, out_proj=False
    ),
    "rotary": Experiment("one two three four five", position="rope", num_heads=2, d_model=12),
    "sinusoidal": Experiment("one two three", position="sinusoidal", num_heads=2, d_model=12),
    "learned, crossed": Experiment("one two three", "four five", "cross", position="learned", num_heads=2, d_model=12),
    "ALiBi": Experiment("one two three", position="alibi", num_heads=3, d_model=12),
    "T5": Experiment("one two three", position="t5", num_heads=3, d_model=12, mode="causal"),
    "Shaw": Experiment("one two three", position="shaw", num_heads=3, d_model=12),
    "Transformer-XL": Experiment("one two three", position="transformer_xl", num_heads=3, d_model=12),
    "additive": Experiment("one two three", score="additive", num_heads=3, d_model=12, temperature=0.5),
    "bilinear": Experiment("one two three", score="bilinear", num_heads=3, d_model=12),
    "cosine": Experiment("one two three", score="cosine", num_heads=3, d_model=12),
    "dropout": Experiment("one two three four five", dropout=0.4, num_heads=2, d_model=12, seed=5),
    "bytes": Experiment("ab", tokenizer="byte", num_heads=2, d_model=12),
    "byte pairs": Experiment("the whole thing", tokenizer="bpe", num_heads=2, d_model=12),
    "one hot": Experiment("one two one", embedding="one_hot", num_heads=2, d_model=12),
    "one token": Experiment("alone", num_heads=2, d_model=12),
}


@pytest.mark.parametrize("wanted", VARIETY.values(), ids=VARIETY)
def test_every_stage_shows_what_was_computed(wanted: Experiment) -> None:
    check_every_stage(wanted)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.id)
def test_every_example_shows_what_was_computed(preset: Preset) -> None:
    check_every_stage(preset.experiment)


def check_every_stage(wanted: Experiment) -> None:
    app = open_app(wanted.to_query())
    assert good(app) == wanted and alerts(app) == []
    trace = wanted.run()
    shown = fields(app)
    for field, message in shown.items():
        if message.header["figure"] is None:  # large: sent when it comes near the screen
            assert trace.field(field).numel() > 20_000
            continue
        same(message.blocks, expected(trace, field), field)
        assert message.meta["field"] == field
        if trace.dims(field)[-1] == "key":
            # A byte pair begins with a space; on the page it shows one.
            assert message.meta["col_labels"] == [token.replace(" ", "␣") for token in trace.source_tokens]
            assert message.meta["row_labels"] == [token.replace(" ", "␣") for token in trace.tokens]
    same(panel(app, "hero").blocks, expected(trace, "weights"), "hero")
    # Every tensor of the trace has its picture, or is the same as one that has.
    drawn = [trace.field(field) for field in shown]
    for field in trace.fields():
        tensor = trace.field(field)
        assert field in shown or any(
            tensor.shape == other.shape and bool((tensor == other).all()) for other in drawn
        ), f"{field} is nowhere on the page"


def test_a_stage_that_does_nothing_is_not_listed(app: AppTest) -> None:
    shown = fields(app)
    assert not {"rotated_q", "modified_scores", "dropped_weights", "source_embedding"} & set(shown)


def test_stages_are_numbered_in_the_order_of_the_computation() -> None:
    wanted = Experiment("one two three", position="rope", dropout=0.5, num_heads=2, d_model=12)
    app = open_app(wanted.to_query())
    headings = [text.value.splitlines()[0] for text in app.main.markdown if text.value.startswith("### ")]
    numbered = [heading for heading in headings if "·" in heading]
    assert [int(heading.split()[1]) for heading in numbered] == list(range(1, len(numbered) + 1))
    assert list(fields(app)) == [
        *("embedding", "q", "k", "v", "rotated_q", "rotated_k", "raw_scores", "scaled_scores"),
        *("allowed", "masked_scores", "weights", "dropped_weights", "context", "concat"),
        *("head_contributions", "output"),
    ]


def test_sizes_stand_beside_every_picture(app: AppTest) -> None:
    for field, message in fields(app).items():
        numbers = [int(word) for word in message.header["note"].replace("×", " ").split() if word.isdigit()]
        assert numbers == list(good(app).run().shape(field)[1:]), field


def test_a_large_picture_waits_until_it_is_near() -> None:
    words = " ".join(f"w{n}" for n in range(80))
    wanted = Experiment(words, num_heads=4, d_model=16)
    app = open_app(wanted.to_query())
    sent = panels(app)
    assert sent["stage_weights"].header["figure"] is None
    assert sent["stage_weights"].header["large"] is True
    tell(app, "stage_weights", state={"near": True})
    same(panel(app, "stage_weights").blocks, expected(wanted.run(), "weights"), "weights")


@pytest.mark.parametrize("heads", [1, 2, 3, 4, 8])
def test_the_label_counts_the_heads_that_are_built_by_hand(heads: int) -> None:
    wanted = Experiment("one two three", num_heads=heads, d_model=48, weights="hand_built")
    built = [name for name in wanted.head_names() if name != "random"]
    said = frame.honest_label(wanted)
    if len(built) == heads:
        assert said.startswith("Every head here is built by hand")
    else:
        range_ = "Head 1 is" if len(built) == 1 else f"Heads 1 to {len(built)} are"
        assert said.startswith(f"{range_} built by hand") and "the others are random" in said


def test_the_same_page_twice_is_the_same_message() -> None:
    """The browser redraws only what is new: the revision must not change by itself."""
    first, second = open_app(), open_app()
    for key, message in panels(first).items():
        assert message.raw == panel(second, key).raw


def test_a_new_number_is_a_new_revision() -> None:
    one = open_app(replace(DEFAULT.experiment, seed=1).to_query())
    two = open_app(replace(DEFAULT.experiment, seed=2).to_query())
    assert panel(one, "hero").header["revision"] != panel(two, "hero").header["revision"]
    assert panel(one, "tokens").header["revision"] == panel(two, "tokens").header["revision"]


def test_pictures_that_nobody_sees_are_not_made(app: AppTest) -> None:
    """The browser says which they are; the others, and what it says later, are as ever."""
    tell(app, "hero", state={"far": ["stage_k", "stage_output", "no such panel"]})
    sent = panels(app)
    assert {key for key, message in sent.items() if message.header.get("figure", "") is None} == {
        "stage_k",
        "stage_output",
    }
    assert not sent["stage_k"].header["large"] and sent["stage_k"].header["csv"]
    app.number_input(key="c_seed").set_value(8).run()
    healthy(app)
    assert panel(app, "stage_output").header["figure"] is None
    tell(app, "hero", state={"far": ["stage_k"]})
    same(panel(app, "stage_output").blocks, expected(good(app).run(), "output"), "output")
    assert panel(app, "stage_k").header["figure"] is None


@pytest.mark.parametrize("sent", ["stage_k", {"stage_k": 1}, [["stage_k"]], 7, ["stage_k"] * 500])
def test_a_list_of_pictures_that_is_none_leaves_nothing_out(app: AppTest, sent: object) -> None:
    tell(app, "hero", state={"far": sent})
    assert all(message.header.get("figure", "") is not None for message in panels(app).values())


def test_the_grid_that_is_painted_on_is_never_left_out() -> None:
    app = open_lesson("mask_lab", {"text": "one two three"})
    tell(app, "mask_weights", state={"far": ["mask_editor", "mask_weights"]})
    assert panel(app, "mask_weights").header["figure"] is None
    assert panel(app, "mask_editor").header["figure"] is not None
