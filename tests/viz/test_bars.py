"""Bars of one row: each key has its own, in order, and what is forbidden says so."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from attention_core.trace import AttentionTrace
from attention_viz import bars_spec, row_bars
from tests.viz.conftest import Make


def test_bars_are_the_weights_of_the_row(causal: AttentionTrace) -> None:
    for head in range(3):
        for query in range(5):
            spec = bars_spec(causal, head, query)
            wanted = causal.heads.weights[0, head, query].detach().numpy()
            assert np.array_equal(spec["data"][0]["x"], wanted)
            assert spec["data"][0]["y"] == [0, 1, 2, 3, 4]
            assert spec["meta"]["forbidden"] == list(range(query + 1, 5))


def test_equal_tokens_keep_a_bar_each(causal: AttentionTrace) -> None:
    axis = bars_spec(causal, 0, 4)["layout"]["yaxis"]
    assert axis["tickvals"] == [0, 1, 2, 3, 4] and axis["ticktext"] == ["the", "cat", "sat", "on", "the"]
    assert axis["range"] == [4.5, -0.5]  # the first key on top


def test_forbidden_keys_lie_over_hatching_and_say_so(make: Make) -> None:
    mask = torch.tensor([True, False, False, True, False]).expand(5, 5)
    spec = bars_spec(make(mask=mask), 1, 2)
    images = [(image["y"], image["sizey"]) for image in spec["layout"]["images"]]
    assert images == [(0.5, 2), (3.5, 1)]
    assert [(note["y"], note["text"]) for note in spec["layout"]["annotations"]] == [
        (1, "forbidden"),
        (2, "forbidden"),
        (4, "forbidden"),
    ]
    words = spec["data"][0]["text"]
    assert words[1] == words[2] == words[4] == "" and words[0] != ""
    assert spec["data"][0]["hovertext"][1] == "cat<br>forbidden"


def test_the_axis_is_the_whole_of_attention(causal: AttentionTrace, change: Make) -> None:
    assert bars_spec(causal, 0, 4)["layout"]["xaxis"]["range"] == [0, 1]
    dropped = change(causal, dropped_weights=causal.heads.weights * 2)
    assert bars_spec(dropped, 0, 0, field="dropped_weights")["layout"]["xaxis"]["range"][1] == pytest.approx(
        2
    )


def test_a_longer_bar_is_a_stronger_colour(causal: AttentionTrace) -> None:
    spec = bars_spec(causal, 0, 4)
    weights = spec["data"][0]["x"]

    def brightness(colour: str) -> int:
        return sum(bytes.fromhex(colour[1:]))

    for theme, sign in (("light", -1), ("dark", 1)):
        colours = spec["meta"]["schemes"][theme]["marker"]["color"]
        order = sorted(range(5), key=lambda key: weights[key])
        bright = [sign * brightness(colours[key]) for key in order]
        assert bright == sorted(bright)
    assert spec["data"][0]["marker"] == spec["meta"]["schemes"]["light"]["marker"]


def test_tokens_are_escaped_and_the_marked_one_is_bold(make: Make) -> None:
    spec = bars_spec(make(("<i>", "$x$", "猫")), 0, 2, marked=0)
    assert spec["layout"]["yaxis"]["ticktext"] == ["<b>&lt;i&gt;</b>", "&#36;x&#36;", "猫"]
    assert spec["data"][0]["hovertext"][0].startswith("&lt;i&gt;<br>")


@pytest.mark.parametrize("count", [3, 40, 300])
def test_labels_of_many_keys_do_not_overlap(make: Make, count: int) -> None:
    spec = bars_spec(make([f"w{i}" for i in range(count)], heads=1), 0, count - 1)
    layout = spec["layout"]
    bar = (layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]) / count
    assert np.diff(layout["yaxis"]["tickvals"]).min() * bar >= 12
    go.Figure(data=spec["data"], layout=layout)


def test_wrong_input_is_named(causal: AttentionTrace) -> None:
    with pytest.raises(ValueError, match="head=3: allowed are whole numbers from 0 to 2"):
        bars_spec(causal, 3, 0)
    with pytest.raises(ValueError, match="query=5: allowed are whole numbers from 0 to 4"):
        bars_spec(causal, 0, 5)
    with pytest.raises(ValueError, match="marked=9: allowed are whole numbers from 0 to 4"):
        bars_spec(causal, 0, 0, marked=9)
    with pytest.raises(ValueError, match="field='q': allowed are 'weights' and 'dropped_weights'"):
        bars_spec(causal, 0, 0, field="q")


def test_the_figure_stands_on_paper(causal: AttentionTrace) -> None:
    figure = row_bars(causal, 0, 3, dark=True, width=500)
    assert figure.layout.width == 500 and figure.layout.paper_bgcolor == "#0e1117"
