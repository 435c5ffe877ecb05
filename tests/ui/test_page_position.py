"""The page on positions as a visitor finds it: pictures, numbers in words, and clicks."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from attention_core.lessons import position, rotation, waves
from attention_core.presets import DEFAULT
from tests.conftest import ROOT
from tests.ui.reading import healthy, open_app, panel, panels, same, tell

EXPERIMENT = DEFAULT.experiment


def open_page(**query: str) -> AppTest:
    app = open_app()
    app.query_params.update(query)
    app.switch_page("../pages/position.py").run()
    healthy(app)
    return app


@pytest.fixture(scope="module")
def app() -> AppTest:
    return open_page()


def said(app: AppTest) -> str:
    return "\n".join(text.value for text in (*app.main.markdown, *app.main.caption))


def test_it_opens_with_its_question_and_its_answer(app: AppTest) -> None:
    words = [text.value for text in app.main.markdown]
    assert words[0].startswith("# ") and words[0].endswith("?")
    assert "bag of words" in words[1]
    assert "What to try next" in words[-1]


def test_without_positions_the_difference_is_zero_in_words_and_in_the_picture(app: AppTest) -> None:
    assert "**Without positions** · largest difference: **0**" in said(app)
    difference = panel(app, "pos_without_difference")
    assert np.abs(difference.z).max() < 1e-12
    before, after = panel(app, "pos_without_before"), panel(app, "pos_without_after")
    order = position.shuffled_order(11, 0)
    np.testing.assert_allclose(after.blocks[0], before.blocks[0][list(order)], atol=1e-6)
    assert after.meta["row_labels"] == [before.meta["row_labels"][place] for place in order]


@pytest.mark.parametrize("scheme", position.SCHEMES)
def test_every_scheme_makes_a_difference_and_draws_its_pictures(scheme: str) -> None:
    app = open_page(position_scheme=scheme)
    found = position.shuffle(EXPERIMENT, scheme, 0)
    assert f"largest difference: **{found.largest:.3g}**" in said(app)
    same(panel(app, "pos_with_difference").blocks[0], found.difference.numpy().astype(np.float32))
    names = {"rope": {"pos_turn", "pos_products"}}.get(scheme, {f"pos_{scheme}_bias"})
    if position.PLACES[scheme] == "x":
        names = {f"pos_{scheme}_table", f"pos_{scheme}_likeness"}
    if scheme == "transformer_xl":
        names = {"pos_transformer_xl_content", "pos_transformer_xl_position"}
    assert names <= set(panels(app))
    assert panel(app, "pos_places").meta["strong"][0] == position.PLACES[scheme]


def test_the_schemes_are_compared_on_one_scale(app: AppTest) -> None:
    shown = panel(app, "pos_changes")
    same(shown.blocks, position.changes(EXPERIMENT, 0).numpy().astype(np.float32))
    assert len(shown.blocks) == 7


def test_a_click_on_a_scheme_chooses_it() -> None:
    app = tell(open_page(), "pos_changes", cell=["position_changes", 3, 0, 0])
    assert "pos_alibi_bias" in panels(app)
    assert app.query_params["position_scheme"] == "alibi"


def test_shuffle_again_takes_another_order() -> None:
    app = open_page()
    before = panel(app, "pos_without_after").meta["row_labels"]
    [again] = [button for button in app.main.button if button.label == "Shuffle again"]
    again.click().run()
    healthy(app)
    assert panel(app, "pos_without_after").meta["row_labels"] != before
    assert "**Without positions** · largest difference: **0**" in said(app)


def test_rope_shows_the_clicked_pair_of_positions() -> None:
    app = open_page(position_scheme="rope")
    heads = position.traced(EXPERIMENT, "none").heads
    products = rotation.products(heads.q[0, 0, 0], heads.k[0, 0, 0], 16)
    same(panel(app, "pos_products").blocks[0], products.numpy().astype(np.float32))
    tell(app, "pos_products", cell=["position_products", 0, 9, 1])
    pair = rotation.turned_pair(heads.q[0, 0, 0], heads.k[0, 0, 0], pair=0, query_position=9, key_position=1)
    assert panel(app, "pos_turn").meta["turned_query"] == pytest.approx(pair.turned_query)
    assert f"{abs(float(products[9, 1])):.3f}" in said(app)
    assert "Largest difference on one diagonal: **0**." in said(app)


def test_patches_are_picked_by_a_click() -> None:
    app = tell(open_page(), "pos_patches", cell=["position_patches", 2, 7, 3])
    same(panel(app, "pos_patches").blocks, waves.patch_likeness(12, 12, 32, 7, 3, 100).numpy().astype(np.float32))
    assert app.query_params["position_row"] == "7"


def test_t5_has_both_directions() -> None:
    app = open_page(position_scheme="t5")
    two = panel(app, "pos_t5_buckets").blocks[0]
    assert two[0, 1] == 17 and two[1, 0] == 1 and "from 91 on" in said(app)
    app.toggle(key="position_both").set_value(False).run()
    healthy(app)
    one = panel(app, "pos_t5_buckets").blocks[0]
    assert one[0, 1] == 0 and one[1, 0] == 1 and "from 113 on" in said(app)


@pytest.mark.parametrize(
    "query",
    [
        {"text": "alone"},
        {"text": "the the"},
        {"text": "$x$ <b>&amp;</b> 猫 ` * _"},
        {"text": " ".join(f"w{n}" for n in range(60))},
        {"preset": "x", "text": "a b", "heads": "1", "width": "1", "position_scheme": "rope"},
        {"text": "a b c", "heads": "3", "width": "9", "position_scheme": "rope", "position_pair": "40"},
        {"text": "a b", "position_scheme": "nonsense", "position_row": "-1", "position_side": "1e9"},
        {"text": "a b", "mode": "causal", "mask": "window(2)", "score": "additive", "kv": "2"},
        {"text": "a b", "position_side": "2", "position_row": "19", "position_width": "7"},
    ],
)
def test_odd_input_is_no_error(query: dict[str, str]) -> None:
    app = open_page(**query)
    assert panel(app, "pos_patches").z.size
    assert "largest difference" in said(app)


def test_the_page_exists_in_the_menu() -> None:
    assert (ROOT / "pages" / "position.py").exists()
