"""The page on cross-attention as a visitor finds it."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from attention_core.lessons import cross
from attention_core.presets import DEFAULT, preset
from tests.ui.reading import alerts, expected, healthy, open_app, panel, same, tell

SOURCE = "The street was wide and the animal was tired"


def open_page(**query: str) -> AppTest:
    app = open_app()
    app.query_params.update(query)
    app.switch_page("../pages/cross.py").run()
    healthy(app)
    return app


@pytest.fixture(scope="module")
def app() -> AppTest:
    return open_page()


def sentence(app: AppTest, key: str) -> str:
    header = panel(app, key).header
    return header["sentence"] or header["detail"]


def test_two_texts_of_different_lengths(app: AppTest) -> None:
    rows = panel(app, "tokens").header["rows"]
    assert [len(row["tokens"]) for row in rows] == [11, 9]
    shown = panel(app, "cross_weights")
    assert (shown.meta["rows"], shown.meta["cols"]) == (11, 9)
    boxes = panel(app, "cross_sides").meta["boxes"]
    assert boxes["weights"].endswith("11 × 9")
    for field, rows in (("q", 11), ("k", 9), ("v", 9)):
        assert panel(app, f"cross_{field}_map").meta["rows"] == rows


def test_the_map_and_the_lines_show_the_same_weights(app: AppTest) -> None:
    trace = cross.setting(DEFAULT.experiment, SOURCE).run()
    same(panel(app, "cross_weights").blocks, expected(trace, "weights")[2:3])
    for query, key, weight in panel(app, "cross_lines").meta["lines"]:
        assert weight == pytest.approx(float(trace.heads.weights[0, 2, query, key]), abs=1e-6)
    assert panel(app, "cross_lines").meta["head"] == 2  # the one that finds equal words


def test_a_clicked_row_is_followed_and_clicked_again_is_let_go() -> None:
    app = tell(open_page(), "cross_weights", cell=["weights", 2, 5, 0])
    assert panel(app, "cross_lines").meta["query"] == 5
    words = sentence(app, "cross_most")
    assert words.count("“street”") == 2 and words.endswith(".")
    app = tell(app, "cross_weights", cell=["weights", 2, 5, 3])
    assert panel(app, "cross_lines").meta["query"] is None


def test_the_mean_and_the_other_heads() -> None:
    app = open_page(cross_head="mean")
    trace = cross.setting(DEFAULT.experiment, SOURCE).run()
    mean = trace.heads.weights[0].mean(dim=0)
    for query, key, weight in panel(app, "cross_lines").meta["lines"]:
        assert weight == pytest.approx(float(mean[query, key]), abs=1e-6)
    assert len(panel(app, "cross_weights").blocks) == 4
    assert panel(open_page(cross_head="1"), "cross_lines").meta["head"] == 0


def test_padding() -> None:
    app = open_page()
    assert "nothing is forbidden" in sentence(app, "cross_effect")
    assert not panel(app, "cross_difference").z.any()
    app.slider(key="cross_padding").set_value(3).run()
    healthy(app)
    without = cross.setting(DEFAULT.experiment, SOURCE).run()
    masked = cross.setting(DEFAULT.experiment, SOURCE, real=6).run()
    shown = panel(app, "cross_weights").blocks[0]
    assert np.isnan(shown[:, 6:]).all()
    np.testing.assert_allclose(shown[:, :6].sum(axis=-1), 1.0, atol=1e-6)
    change = cross.weight_difference(without, masked, 2).numpy()
    same(panel(app, "cross_difference").blocks, change)
    effect = cross.padding_effect(without, masked, 2)
    assert f"{float(effect.lost[effect.most]):.3f}" in sentence(app, "cross_effect")
    assert panel(app, "cross_lines").meta["padding"] == [6, 7, 8]
    app.slider(key="cross_padding").set_value(9).run()
    healthy(app)
    assert "Nothing real is left" in sentence(app, "cross_effect")
    assert panel(app, "cross_lines").meta["lines"] == []


def test_another_source() -> None:
    app = open_page()
    app.text_input(key="cross_source").set_value("one two").run()
    healthy(app)
    assert panel(app, "cross_weights").meta["col_labels"] == ["one", "two"]
    assert app.query_params["cross_source"] == "one two"
    app.text_input(key="cross_source").set_value("   ").run()
    healthy(app)
    assert any("source_text" in words for words in alerts(app))
    assert panel(app, "cross_weights").meta["col_labels"] == ["one", "two"]


def test_it_takes_over_the_source_of_a_cross_experiment() -> None:
    wanted = preset("translation").experiment
    app = open_page(**wanted.to_query())
    assert panel(app, "cross_weights").meta["col_labels"] == ["The", "sun", "rises", "in", "the", "east"]


def test_every_word_of_the_link_is_kept() -> None:
    app = open_page(cross_padding="2", cross_query="4", cross_head="4")
    kept = {name: value for name, value in app.query_params.items() if name.startswith("cross_")}
    assert kept == {"cross_padding": "2", "cross_query": "4", "cross_head": "4"}


@pytest.mark.parametrize(
    "query",
    [
        {"text": "one", "cross_source": "one"},
        {"text": "$x$ <b>&amp;</b> 猫 ` *", "cross_source": "<i>שלום</i> $y$"},
        {"text": "a b", "cross_padding": "500", "cross_query": "77", "cross_head": "99"},
        {"text": "a b", "cross_source": " ", "cross_padding": "-3"},
        {"text": "a b", "heads": "6", "width": "24", "kv": "2", "cross_head": "5"},
        {"text": " ".join(f"w{n}" for n in range(70)), "cross_source": " ".join(f"v{n}" for n in range(80))},
        {"text": "a b c", "heads": "1", "width": "1", "weights": "random", "mask": "explicit(3x3:AAAA)"},
    ],
)
def test_odd_input_is_no_error(query: dict[str, str]) -> None:
    app = open_page(**query)
    assert panel(app, "cross_lines").meta["tokens"]
