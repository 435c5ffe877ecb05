"""Lines between words: each stands for one weight, and no token is markup."""

from __future__ import annotations

import json

import pytest
import torch

from attention_core.experiment import Experiment
from attention_core.lessons.cross import setting
from attention_core.trace import AttentionTrace
from attention_viz.labels import text_width
from attention_viz.lessons.alignment import LEAST, SIZE, alignment_spec


def trace(
    text: str = "one two three", source: str = "four five six seven eight", real: int | None = None
) -> AttentionTrace:
    return setting(Experiment(text, num_heads=2, d_model=14, seed=2), source, real=real).run()


def segments(spec: dict) -> list[tuple[float, float, float]]:
    """(x of the query, x of the key, opacity) of every line that is drawn, as Plotly will cut it at the gaps."""
    found = []
    for line in spec["data"]:
        if line["mode"] != "lines":
            continue
        assert line["x"][2::3] == [None] * (len(line["x"]) // 3) == line["y"][2::3]
        assert set(line["y"][0::3]) == {0.0} and set(line["y"][1::3]) == {1.0}
        found += [(a, b, line["opacity"]) for a, b in zip(line["x"][0::3], line["x"][1::3], strict=True)]
    return found


@pytest.mark.parametrize("head", [0, 1, None])
def test_every_weight_above_the_least_is_a_line_at_its_words(head: int | None) -> None:
    shown = trace()
    weights = shown.heads.weights[0].mean(dim=0) if head is None else shown.heads.weights[0, head]
    spec = alignment_spec(shown, head)
    expected = {(i, j): float(weights[i, j]) for i in range(3) for j in range(5) if weights[i, j] >= LEAST}
    assert {(i, j): w for i, j, w in spec["meta"]["lines"]} == pytest.approx(expected, abs=1e-6)
    assert spec["meta"]["left_out"] == 15 - len(expected)
    drawn = {(round(x0 * 3 - 0.5), round(x1 * 5 - 0.5)): opacity for x0, x1, opacity in segments(spec)}
    assert drawn.keys() == expected.keys()
    # A stronger weight is never the paler line.
    by_weight = sorted(expected, key=lambda pair: expected[pair])
    opacities = [drawn[pair] for pair in by_weight]
    assert opacities == sorted(opacities) and opacities[0] < opacities[-1]


def test_a_weight_of_one_is_the_widest_line_and_a_small_one_is_thin() -> None:
    alone = alignment_spec(trace(source="alone"), 0)
    [line] = [data for data in alone["data"] if data["mode"] == "lines"]
    assert line["opacity"] == 1.0
    spread = alignment_spec(trace(), 0)
    widths = [data["line"]["width"] for data in spread["data"] if data["mode"] == "lines"]
    assert max(widths) < line["line"]["width"]


def test_among_many_words_lines_are_thin() -> None:
    words = " ".join(f"t{n}" for n in range(48))
    for width in (350, 860):
        spec = alignment_spec(trace(words, words), 0, width=width, least=0.0)
        room = width - spec["layout"]["margin"]["l"] - spec["layout"]["margin"]["r"]
        alone = alignment_spec(trace(words, "alone"), 0, width=width)
        for one in (spec, alone):
            widths = [data["line"]["width"] for data in one["data"] if data["mode"] == "lines"]
            assert max(widths) <= 0.5 * room / 48 + 0.6


def test_the_word_whose_lines_are_shown_is_always_named() -> None:
    words = " ".join(f"t{n}" for n in range(48))
    for query in range(48):
        labels = alignment_spec(trace(words, words), 0, width=350, query=query)["layout"]["annotations"]
        below = [label for label in labels if label["y"] == 0.0]
        assert f"<b>t{query}</b>" in [label["text"] for label in below] and 12 <= len(below) <= 24


def test_words_stand_in_their_order_the_source_above() -> None:
    labels = alignment_spec(trace(), 0)["layout"]["annotations"]
    above = [(label["x"], label["text"]) for label in labels if label["y"] == 1.0]
    below = [(label["x"], label["text"]) for label in labels if label["y"] == 0.0]
    assert [text for _, text in sorted(above)] == ["four", "five", "six", "seven", "eight"]
    assert [text for _, text in sorted(below)] == ["one", "two", "three"]


def test_equal_words_keep_a_place_each() -> None:
    labels = alignment_spec(trace("the the", "a a a"), 0)["layout"]["annotations"]
    assert len({label["x"] for label in labels if label["text"] == "a"}) == 3


def test_one_query_stands_out() -> None:
    shown = trace()
    spec = alignment_spec(shown, 1, query=2)
    lines = [data for data in spec["data"] if data["mode"] == "lines"]
    colours = {data["line"]["color"] for data in lines}
    assert len(colours) == 2
    last = lines[-1]["line"]["color"]  # drawn over the others
    mine = [data for data in lines if data["line"]["color"] == last]
    assert {x for data in mine for x in data["x"][0::3]} == {2.5 / 3}
    assert {x for data in lines if data not in mine for x in data["x"][0::3]} == {0.5 / 3, 1.5 / 3}
    written = [label["text"] for label in spec["layout"]["annotations"] if label["text"][0].isdigit()]
    weights = shown.heads.weights[0, 1, 2]
    assert written == [f"{weight:.2f}" for weight in weights.tolist() if weight >= LEAST]
    assert "<b>three</b>" in [label["text"] for label in spec["layout"]["annotations"]]


def test_padding_is_pale_and_has_no_line() -> None:
    spec = alignment_spec(trace(real=3), 0)
    assert spec["meta"]["padding"] == [3, 4]
    pale = {label["text"] for label in spec["layout"]["annotations"] if label["opacity"] < 1}
    assert pale == {"seven", "eight"}
    assert {key for _, key, _ in spec["meta"]["lines"]} <= {0, 1, 2}
    nothing = alignment_spec(trace(real=0), 0)
    assert segments(nothing) == [] and nothing["meta"]["padding"] == [0, 1, 2, 3, 4]


def test_tokens_are_text() -> None:
    spec = alignment_spec(trace("<b>bold</b> $x$ &amp;", "<a href='x'>y</a> שלום"), None)
    said = [label["text"] for label in spec["layout"]["annotations"]]
    said += [text for data in spec["data"] for text in data.get("hovertext", ())]
    for text in said:
        markup = text.replace("<br>", "")
        assert "<" not in markup and "$" not in markup, text
    json.dumps({"data": spec["data"], "layout": spec["layout"]})  # plain values alone


@pytest.mark.parametrize(("count", "width", "angles"), [(3, 860, {0}), (25, 860, {-45}), (25, 350, {-90})])
def test_labels_turn_when_they_get_narrow(count: int, width: float, angles: set[int]) -> None:
    words = " ".join(f"token{n:02}" for n in range(count))
    spec = alignment_spec(trace(words, words), 0, width=width)
    assert {label["textangle"] for label in spec["layout"]["annotations"]} == angles
    labels = [label for label in spec["layout"]["annotations"] if label["y"] == 0.0]
    assert len(labels) == count or (width < 400 and len(labels) >= count / 2)
    margin, height = spec["layout"]["margin"], spec["layout"]["height"]
    assert height - margin["t"] - margin["b"] > 100  # room is left for the lines
    if angles == {-45}:  # the outermost labels lean over the sides, and have room there
        half = (width - margin["l"] - margin["r"]) / count / 2
        assert min(margin["l"], margin["r"]) + half > 0.71 * SIZE * text_width("token00")


def test_five_hundred_lines_are_few_drawings() -> None:
    words = " ".join(f"t{n}" for n in range(25))
    spec = alignment_spec(trace(words, words), None, least=0.0)
    assert len(segments(spec)) == 625
    assert len(spec["data"]) < 45


def test_what_does_not_exist_is_named() -> None:
    shown = trace()
    for wrong, message in (
        ({"head": 2}, "head=2"),
        ({"head": 0, "query": 3}, "query=3"),
        ({"head": 0, "batch": 1}, "batch=1"),
    ):
        with pytest.raises(ValueError, match=f"{message}: allowed are whole numbers from 0 to"):
            alignment_spec(shown, **wrong)


def test_the_trace_stays_as_it_was() -> None:
    shown = trace()
    before = shown.heads.weights.clone()
    alignment_spec(shown, None, query=1)
    assert torch.equal(shown.heads.weights, before)
