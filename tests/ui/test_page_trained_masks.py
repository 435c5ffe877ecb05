"""Masks, temperature and removal on the page on trained models, for every layer and every model."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from attention_core.masks import Causal, Full, Mask, Window
from attention_core.trained import SHIPPED, Change, answer, load_shipped, measure, task
from playground.lessons import trained_models as models
from tests.ui.lessons import open_lesson
from tests.ui.reading import expected, healthy, panel, same
from tests.ui.test_page_trained_patch import measured, said

CAUSAL, NEAR, SELF, BEFORE = Causal(), Window(3), Window(1), Window(3) & Causal()
CHOICES: dict[tuple[str, str], dict[str, Mask]] = {
    ("reversal", "self1"): {"causal": CAUSAL, "window": NEAR, "itself": SELF},
    ("induction", "self2"): {"full": Full(), "window": BEFORE, "itself": SELF},
    ("translation", "encoder1"): {"causal": CAUSAL, "window": NEAR, "itself": SELF},
    ("translation", "decoder1"): {"full": Full(), "window": BEFORE, "itself": SELF},
    ("translation_unmasked", "decoder1"): {"causal": CAUSAL, "window": BEFORE, "itself": SELF},
    ("dates", "cross1"): {"causal": CAUSAL, "window": NEAR, "itself": SELF},
}


def check(app: AppTest, model: str, change: Change) -> None:
    """Answer, its probabilities, every map and what was measured are those of the model under the change."""
    healthy(app)
    one = task(model)
    found = answer(one, load_shipped(model), one.inputs[0], change)
    for layer, trace in found.traces.items():
        same(panel(app, f"trained_{layer}_map").blocks, expected(trace, "weights"), layer)
    chances = [row[1 if len(found.places) == 1 else 2] for row in panel(app, "trained_probabilities").header["rows"]]
    if len(found.places) > 1:
        wanted = [f"{float(row.max()):.3f}" for row in found.probabilities]
        assert len(chances) == len(wanted)
        shown = [float(chance.lstrip("<> ")) for chance in chances]
        assert all(abs(a - float(b)) <= 0.0011 for a, b in zip(shown, wanted, strict=True))
    result = measure(one, load_shipped(model), one.batch("held_out", 64, 2), change)
    assert measured(app)[0] == pytest.approx(result.accuracy, abs=0.0051)
    if result.forced is not None:
        assert measured(app, 1)[0] == pytest.approx(result.forced, abs=0.0051)


@pytest.mark.parametrize(("model", "layer"), CHOICES)
def test_a_mask_for_one_layer(model: str, layer: str) -> None:
    choices = CHOICES[model, layer]
    assert models.masks(model, layer) == choices
    app = open_lesson("trained", {"trained_open": "stages", "trained_model": model, "trained_layer": layer})
    for name, mask in choices.items():
        app.selectbox(key=f"trained_mask_{layer}").set_value(name).run()
        check(app, model, Change(masks=((layer, mask),)))
        assert app.query_params[f"trained_mask_{layer}"] == name
        allowed = panel(app, "trained_stage_allowed").blocks[0]
        rows, cols = allowed.shape
        wanted = mask.materialize(1, 1, rows, cols)[0, 0].numpy()
        if layer == "decoder1":
            wanted = wanted & np.tri(rows, cols, dtype=bool)
        np.testing.assert_array_equal(allowed == 1, wanted)


def test_each_layer_says_which_it_is_and_the_others_stay() -> None:
    app = open_lesson("trained", {"trained_open": "stages", "trained_model": "translation"})
    labels = [box.label for box in app.sidebar.selectbox]
    assert [label.split(":")[0] for label in labels] == [
        "Mask of the encoder", "Mask of the decoder", "Mask of the cross-attention",
    ]  # fmt: skip
    app.selectbox(key="trained_mask_cross1").set_value("itself").run()
    cross = panel(app, "trained_cross1_map").blocks[0]
    assert np.isfinite(cross).sum(axis=1).max() == 1
    assert np.isfinite(panel(app, "trained_encoder1_map").blocks).all()


def test_opening_later_words_to_a_model_that_writes_changes_nothing_and_the_page_says_so() -> None:
    """In one layer and greedy decoding nothing later is there yet: only teacher forcing shows the difference."""
    for model, name in (("translation", "full"), ("translation_unmasked", "causal"), ("dates", "full")):
        app = open_lesson("trained", {"trained_open": "stages", "trained_model": model, "trained_layer": "decoder1"})
        before, map_before = said(app), panel(app, "trained_weights").blocks
        forced_before = measured(app, 1)[1]
        app.selectbox(key="trained_mask_decoder1").set_value(name).run()
        healthy(app)
        assert said(app) == before
        np.testing.assert_allclose(panel(app, "trained_weights").blocks, map_before, atol=1e-6)
        now, then = measured(app)
        assert now == then
        forced, unchanged = measured(app, 1)
        assert unchanged == forced_before
        assert any("nothing later is there yet" in one.value for one in app.sidebar.caption)
        if model == "translation_unmasked":
            assert forced < 0.1 < 0.95 <= unchanged  # what it copied from is out of sight
        app.selectbox(key="trained_mask_decoder1").set_value("window").run()
        assert not any("nothing later is there yet" in one.value for one in app.sidebar.caption)


@pytest.mark.parametrize("model", SHIPPED)
def test_temperature_and_removal_of_every_head(model: str) -> None:
    app = open_lesson("trained", {"trained_open": "stages", "trained_model": model})
    every = models.heads(model)
    assert app.button_group(key="trained_working").value == every
    for place, head in enumerate(every):
        if place in (0, len(every) - 1):
            app.button_group(key="trained_working").set_value([one for one in every if one != head]).run()
            change = Change(removed=frozenset({head}))
            check(app, model, change)
            layer, number = head
            app.button_group(key="trained_layer").set_value(layer).run()
            parts = panel(app, "trained_stage_head_contributions").z
            if len(models.heads(model)) < 3 or layer == "cross1":
                assert not np.nan_to_num(parts).any(), (head, number)
    next(button for button in app.sidebar.button if button.label == "Undo all changes").click().run()
    app.slider(key="trained_temperature").set_value(2.5).run()
    check(app, model, Change(temperature=2.5))
    app.slider(key="trained_temperature").set_value(1.0).run()
    assert measured(app)[0] == measured(app)[1]


STRANGE = ("太阳 从 东方 升起", "🙂🙃", "<b>$x$</b>", "", "   ", "[x](javascript:1) :red[y] **z**")


@pytest.mark.parametrize("model", SHIPPED)
def test_words_that_a_model_cannot_take(model: str) -> None:
    app = open_lesson("trained", {"trained_open": "stages", "trained_model": model})
    before, words = panel(app, "trained_weights").blocks, task(model).words.words
    for text in STRANGE:
        app.text_input(key="trained_text").set_value(text).run()
        healthy(app)
        wrong = panel(app, "trained_wrong").header
        assert f"these {len(words)}:" in wrong["detail"]
        assert all(word.strip() in wrong["detail"] for word in words)
        if text.split():
            first = text.split()[0]
            whole = model in ("coreference", "induction") or model.startswith("translation")
            assert "has never seen" in wrong["sentence"]
            assert (first if whole else first[0]).lower() in wrong["sentence"].lower()
        np.testing.assert_array_equal(panel(app, "trained_weights").blocks, before)
        for passage in (*app.main.markdown, *app.main.caption):
            assert not text.strip() or text not in passage.value
