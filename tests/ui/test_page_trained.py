"""The page on trained models as a visitor finds it: what it says is what the models compute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from attention_core.masks import Causal
from attention_core.trained import SHIPPED, Change, answer, load_shipped, measure, task
from tests.ui.lessons import open_lesson
from tests.ui.reading import alerts, expected, healthy, panel, panels, same, tell

TIRED = "the animal did not cross the street because it was too tired"


def open_page(**query: str) -> AppTest:
    return open_lesson("trained", {"trained_open": "stages", **query})


@pytest.fixture(scope="module")
def app() -> AppTest:
    return open_page(trained_model="coreference")


def header(app: AppTest, key: str) -> Mapping[str, Any]:
    return panel(app, key).header


def accuracy(app: AppTest) -> tuple[float, float]:
    """The first row of what was measured: with the change, and without."""
    row = header(app, "trained_measured")["rows"][0]
    return float(row[1]), float(row[2])


def test_it_begins_with_an_answer_and_the_weights_that_gave_it(app: AppTest) -> None:
    found = answer(task("coreference"), load_shipped("coreference"), TIRED)
    assert "“animal”" in header(app, "trained_answer")["sentence"]
    assert 0.9995 < float(found.probabilities[0].max()) < 1
    assert header(app, "trained_probabilities")["rows"][0] == ["animal", "> 0.999"]
    same(panel(app, "trained_weights").blocks, expected(found.traces["self2"], "weights"))
    for layer in ("self1", "self2"):
        same(panel(app, f"trained_{layer}_map").blocks, expected(found.traces[layer], "weights"))
    for query, key, weight in panel(app, "trained_lines").meta["lines"]:
        wanted = float(found.traces["self2"].heads.weights[0, 0, query, key])
        assert weight == pytest.approx(wanted, abs=1e-6)
    assert panel(app, "trained_lines").meta["query"] == TIRED.split().index("it")


def test_every_stage_has_the_true_q_k_and_v(app: AppTest) -> None:
    trace = answer(task("coreference"), load_shipped("coreference"), TIRED).traces["self2"]
    weight = load_shipped("coreference").state_dict()["self2.attention.in_proj_weight"]
    bias = load_shipped("coreference").state_dict()["self2.attention.in_proj_bias"]
    by_hand = (trace.embedding[0] @ weight.T + bias).split(64, dim=1)
    for field, wanted in zip("qkv", by_hand, strict=True):
        shown = panel(app, f"trained_stage_{field}").blocks[0]
        np.testing.assert_allclose(shown, wanted.numpy(), atol=1e-5)
    for field in ("raw_scores", "scaled_scores", "masked_scores", "weights", "context", "concat", "output"):
        same(panel(app, f"trained_stage_{field}").blocks, expected(trace, field), field)


@pytest.mark.parametrize(
    ("model", "layer", "fields"),
    [
        ("induction", "self2", ("value_embedding", "position_encoding", "embedding")),
        ("translation", "decoder1", ("token_embedding", "position_encoding", "embedding")),
        ("translation", "cross1", ("embedding", "source_embedding", "value_embedding")),
    ],
)
def test_what_enters_a_layer_is_drawn_and_named(model: str, layer: str, fields: tuple[str, ...]) -> None:
    app = open_page(trained_model=model, trained_layer=layer)
    trace = answer(task(model), load_shipped(model), task(model).inputs[0]).traces[layer]
    for field in fields:
        same(panel(app, f"trained_stage_{field}").blocks, expected(trace, field), field)
    said = " ".join(one.value for one in app.main.markdown)
    assert ("What enters this layer" in said) == (layer == "self2")
    assert ("What has entered it is the word before" in said) == (layer == "decoder1")
    assert ("What the encoder gives" in said) == (layer == "cross1")


def test_the_label_says_what_trained_them(app: AppTest) -> None:
    (label,) = [one.value for one in app.main.caption if "Trained weights" in one.value]
    assert "1000 steps" in label and "512 held-out samples: accuracy 1.00, alignment 0.98" in label


@pytest.mark.parametrize("name", SHIPPED)
def test_every_model_answers_its_first_example(name: str) -> None:
    app = open_page(trained_model=name)
    model, one = load_shipped(name), task(name)
    found = answer(one, model, one.inputs[0])
    layer, head = one.watched
    same(panel(app, "trained_weights").blocks, expected(found.traces[layer], "weights")[head : head + 1])
    now, then = accuracy(app)
    wanted = measure(one, model, one.batch("held_out", 64, 2))
    assert now == then == pytest.approx(wanted.accuracy, abs=0.0051)
    assert alerts(app) == []


def test_another_model_brings_its_own_text() -> None:
    app = open_page(trained_model="coreference", trained_mask_self1="causal", trained_patches="self2-0-first")
    app.button_group(key="trained_model").set_value("dates").run()
    healthy(app)
    assert "“1987-03-12”" in header(app, "trained_answer")["sentence"]
    assert app.session_state["trained_text"] == "12 March 1987"
    assert app.session_state["trained_patches"] == ""
    assert app.query_params["trained_model"] == "dates"


def test_other_words_change_the_answer() -> None:
    app = open_page(trained_model="coreference")
    app.text_input(key="trained_text").set_value(TIRED.replace("tired", "wide")).run()
    healthy(app)
    assert "“street”" in header(app, "trained_answer")["sentence"]
    key = TIRED.split().index("street")
    row = panel(app, "trained_weights").blocks[0][TIRED.split().index("it")]
    assert int(row.argmax()) == key


def test_an_unknown_word_is_said_with_what_is_known_and_the_picture_stays() -> None:
    app = open_page(trained_model="coreference")
    before = panel(app, "trained_weights").blocks
    app.text_input(key="trained_text").set_value("the <b>dragon</b> slept because it was tired").run()
    healthy(app)
    (words,) = alerts(app)
    assert "“<b>dragon</b>”" in words and "“slept”" in words and "…" not in words
    detail = header(app, "trained_wrong")["detail"]
    known = len(task("coreference").words.words)
    assert f"these {known}:" in detail and "animal" in detail and "tired" in detail
    assert detail.endswith("The picture still shows the last valid input.")
    same(panel(app, "trained_weights").blocks, before)


def test_of_many_unknown_words_the_first_are_named() -> None:
    app = open_page(trained_model="reversal", trained_text="1234567890")
    assert alerts(app) == [f"The model has never seen {', '.join(f'“{n}”' for n in range(1, 9))}, …."]
    detail = header(app, "trained_wrong")["detail"]  # there was no input before it
    assert detail.endswith("The page shows an example instead.")


def test_a_wrong_length_is_no_question_of_words() -> None:
    app = open_page(trained_model="induction", trained_text="moon " * 60)
    assert alerts(app) == ["60 words: allowed are 1 to 48"]
    assert "It knows" not in header(app, "trained_wrong")["detail"]
    app.text_input(key="trained_text").set_value("moon, cat. moon,").run()
    healthy(app)
    assert alerts(app) == [] and "After “moon” it expects “cat”" in header(app, "trained_answer")["sentence"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"trained_removed": "self1.7"}, "trained_removed='self1.7': the heads of this model are self1.0"),
        ({"trained_removed": "self1.0 zzz.9"}, "trained_removed='zzz.9': the heads"),
        ({"trained_patches": "self1-5-same"}, "trained_patches='self1.5': the heads"),
    ],
)
def test_heads_that_there_are_not_are_named(query: dict[str, str], named: str) -> None:
    app = open_page(trained_model="reversal", **query)
    (words,) = alerts(app)
    assert words.startswith(named) and words.endswith("what is usual is taken instead")
    assert not set(query) & set(app.query_params) and accuracy(app) == (1.0, 1.0)


def test_a_probability_is_never_rounded_to_0_or_1() -> None:
    one = task("reversal")
    found = answer(one, load_shipped("reversal"), one.inputs[0])
    shown = header(open_page(trained_model="reversal"), "trained_probabilities")["rows"]
    assert len(shown) == len(found.places)
    for (_, _, likely, _, next_likely), chances in zip(shown, found.probabilities, strict=True):
        for text, chance in zip((likely, next_likely), chances.topk(2).values.tolist(), strict=True):
            wanted = f"{chance:.3f}"
            assert text == {"1.000": "> 0.999", "0.000": "< 0.001"}.get(wanted, wanted) and 0 < chance < 1


def test_an_example_is_taken_and_the_list_closes() -> None:
    app = open_page(trained_model="reversal")
    app.session_state["trained_examples"] = True
    app.button(key="trained_example_1").click().run()
    healthy(app)
    assert app.session_state["trained_text"] == "helloworld" and app.session_state["trained_examples"] is False


def test_pictures_are_no_higher_than_they_need() -> None:
    long = "Wednesday, 22 September 1999"
    app = open_page(trained_model="dates", trained_layer="cross1", trained_text=long)
    for key in ("trained_weights", "trained_encoder1_map", "trained_stage_weights", "trained_stage_q"):
        message = panel(app, key)
        assert message.header["height"] == message.meta["height"], key
    assert panel(app, "trained_weights").header["height"] < 320  # 11 rows of 28 columns


def test_on_a_phone_many_words_do_not_make_one_block() -> None:
    app = open_page(trained_model="induction", trained_text=" ".join(["moon cat key boat"] * 10))
    assert panel(app, "trained_lines").meta["query"] is None
    app.session_state["narrow"] = True
    app.run()
    healthy(app)
    assert panel(app, "trained_lines").meta["query"] is not None


def test_a_head_is_taken_out() -> None:
    app = open_page(trained_model="coreference", trained_removed="self2.0")
    change = Change(removed=frozenset({("self2", 0)}))
    model, one = load_shipped("coreference"), task("coreference")
    found = answer(one, model, TIRED, change)
    assert f"“{found.words[0]}”" in header(app, "trained_answer")["sentence"]
    assert "“animal”" in header(app, "trained_answer")["detail"]
    now, then = accuracy(app)
    assert now == pytest.approx(measure(one, model, one.batch("held_out", 64, 2), change).accuracy, abs=0.0051)
    assert now < 0.5 < 0.95 <= then
    assert not np.nan_to_num(panel(app, "trained_stage_dropped_weights").z).any()
    assert "This head is taken out" in header(app, "trained_out")["sentence"]
    pills = app.button_group(key="trained_working")
    pills.set_value([("self1", 0), ("self2", 0)]).run()
    healthy(app)
    assert accuracy(app)[0] == then and "trained_removed" not in app.query_params
    app.button_group(key="trained_working").set_value([("self2", 0)]).run()
    assert app.query_params["trained_removed"] == "self1.0"


def test_another_mask_and_a_temperature() -> None:
    app = open_page(trained_model="reversal", trained_mask_self1="causal")
    assert accuracy(app) == (0.0, 1.0)
    change = Change(masks=(("self1", Causal()),))
    trace = answer(task("reversal"), load_shipped("reversal"), "attentions", change).traces["self1"]
    same(panel(app, "trained_weights").blocks, expected(trace, "weights"))
    assert np.isnan(panel(app, "trained_weights").blocks[0][0, 1:]).all()
    app = open_page(trained_model="reversal", trained_temperature="10.0")
    plain = (
        answer(task("reversal"), load_shipped("reversal"), "attentions").traces["self1"].heads.scaled_scores
    )
    warm = torch.softmax(plain / 10.0, dim=-1)[0].numpy()
    np.testing.assert_allclose(panel(app, "trained_weights").blocks, warm, atol=1e-6)
    one, now = task("reversal"), accuracy(app)[0]
    warmed = measure(one, load_shipped("reversal"), one.batch("held_out", 64, 2), Change(temperature=10.0))
    assert now == pytest.approx(warmed.accuracy, abs=0.0051) and now < 0.9


def test_a_click_opens_the_arithmetic() -> None:
    app = tell(open_page(trained_model="reversal"), "trained_weights", cell=["weights", 0, 3, 6])
    words = header(app, "sentence")
    assert words["detail"] == "Weights, head 1"
    assert panel(app, "trained_lines").meta["query"] == 3


def test_the_lessons_have_their_numbers(app: AppTest) -> None:
    masked, unmasked = header(app, "trained_forcing")["rows"]
    assert float(masked[1]) >= 0.95 and float(masked[2]) >= 0.95
    assert float(unmasked[1]) >= 0.95 and float(unmasked[2]) <= 0.1
    (_, right, aligned), (_, also_right, astray) = header(app, "trained_explanation")["rows"]
    assert float(right) >= 0.95 and float(also_right) >= 0.9
    assert float(aligned) >= 0.95 and float(astray) < 0.5


def test_what_a_model_writes_is_what_is_shown() -> None:
    app = open_page(trained_model="translation", trained_text="the farmer sat on the bank to catch fish")
    assert header(app, "trained_answer")["sentence"] == "It writes “农民 坐 在 河岸 钓鱼”."
    written = [row[1] for row in header(app, "trained_probabilities")["rows"]]
    assert written == ["农民", "坐", "在", "河岸", "钓鱼", "[end]"]
    assert panel(app, "trained_lines").meta["tokens"] == written
    assert {key for key in panels(app) if key.endswith("1_map")} == {
        f"trained_{layer}_map" for layer in ("encoder1", "decoder1", "cross1")
    }


def test_induction_says_where_nothing_follows() -> None:
    app = open_page(trained_model="induction", trained_text="moon cat key")
    assert "has not stood there before" in header(app, "trained_answer")["sentence"]
    assert "trained_probabilities" not in panels(app)  # a head without a row says nothing


@pytest.mark.parametrize(
    "query",
    [
        {"trained_model": "chess"},
        {"trained_model": "dates", "trained_text": "x" * 5000},
        {"trained_model": "dates", "trained_layer": "self1", "trained_head": "9"},
        {"trained_removed": "<script>", "trained_mask": "none", "trained_temperature": "-1"},
        {"trained_mask_self1": "<b>", "trained_mask_cross1": "causal", "trained_mask_self9": "full"},
        {"trained_temperature": "inf", "trained_forced": "self1.0.999.0 self1.0.3"},
        {"trained_forced": "self1.0.3.3 self1.9.3.3 cross1.0.3.3 self1.0.٣.3"},
        {"trained_patches": "self1-0-last"},
        {"trained_patches": "self9-0-first.self1-7-first.cross1-0-same"},
        {"trained_patches": "self1-0-b_____w"},
        {"trained_patches": "x" * 20_000},
        {"trained_removed": "self1.7 decoder1.0"},
        {"cell": "weights.9.99.99", "trained_model": "induction"},
    ],
)
def test_odd_input_is_no_error(query: dict[str, str]) -> None:
    app = open_page(**query)
    assert panel(app, "trained_weights").blocks.size
