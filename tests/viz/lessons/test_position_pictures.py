"""The pictures of the pages on positions and on cross-attention show the numbers that the core computes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from attention_core.experiment import Experiment
from attention_core.lessons import cross, position, rotation, waves
from attention_core.positions import ALiBi, T5Buckets, sinusoidal, t5_buckets
from attention_viz.lessons import schemes
from attention_viz.lessons.boxes import Arrow, Box, boxes_spec
from attention_viz.lessons.cross import difference_picture, sides_spec
from attention_viz.lessons.picture import Picture
from attention_viz.lessons.position import patches_picture, places_spec, products_picture, shuffle_pictures, turn_spec

EXPERIMENT = Experiment("the sun rises <b>", num_heads=2, d_model=10, seed=1)
WORDS = 6  # the, sun, rises, <, b, >
TITLES = {name: name.upper() for name in position.SCHEMES}


def blocks(picture: Picture) -> np.ndarray:
    meta, z = picture.spec["meta"], picture.spec["data"][0]["z"]
    rows, cols = meta["rows"], meta["cols"]
    return np.stack([z[b["y0"] : b["y0"] + rows, b["x0"] : b["x0"] + cols] for b in meta["blocks"]])


def named(scheme: str, **more: object) -> dict[str, Picture]:
    return {picture.name: picture for picture in schemes.pictures(EXPERIMENT, scheme, **more)}


def shows(picture: Picture, values: object) -> None:
    wanted = np.asarray(values, dtype=np.float32)
    np.testing.assert_array_equal(blocks(picture), wanted if wanted.ndim == 3 else wanted[None])
    assert picture.cells == wanted.size


def lines(picture: Picture) -> dict[str, list[float]]:
    return {line["name"]: line["y"] for line in picture.spec["data"]}


def test_shuffled_outputs_share_one_scale() -> None:
    found = position.shuffle(EXPERIMENT, "none", 0)
    drawn = shuffle_pictures(found)
    shows(drawn[0], found.before.output[0])
    shows(drawn[1], found.after.output[0])
    shows(drawn[2], found.difference)
    assert len({picture.spec["meta"]["zmax"] for picture in drawn}) == 1
    assert drawn[1].spec["meta"]["row_labels"] == list(found.after.tokens) != drawn[0].spec["meta"]["row_labels"]


def test_changes_have_a_block_a_scheme() -> None:
    picture = schemes.changes_picture(EXPERIMENT, 1, TITLES, narrow=False, say=str)
    shows(picture, position.changes(EXPERIMENT, 1))
    assert [block["name"] for block in picture.spec["meta"]["blocks"]] == [TITLES[s] for s in position.SCHEMES]


def test_sinusoids() -> None:
    drawn = named("sinusoidal", length=20)
    table = sinusoidal(20, 10)
    shows(drawn["table"], table)
    assert lines(drawn["wavelengths"])["wavelength"] == waves.wavelengths(10)
    assert drawn["wavelengths"].spec["layout"]["yaxis"]["type"] == "log"
    for name, values in lines(drawn["waves"]).items():
        np.testing.assert_array_equal(values, table[:, int(name.split()[-1]) - 1])  # columns count from 1
    assert drawn["likeness"].spec["meta"]["zmax"] == 1.0
    # Positions count from 0; of a picture with many, a round step shows round numbers.
    meta = drawn["table"].spec["meta"]
    assert (meta["row_labels"][0], meta["col_labels"][0], meta["row_labels"][-1]) == ("0", "1", "19")
    likeness = drawn["likeness"].spec
    assert likeness["meta"]["row_labels"] == likeness["meta"]["col_labels"] == [str(n) for n in range(20)]
    steps = {int(label) % 2 for label in likeness["layout"]["xaxis"]["ticktext"]}
    assert steps <= {0} or likeness["layout"]["xaxis"]["ticktext"][:3] == ["0", "1", "2"]


def test_learned_table() -> None:
    drawn = named("learned", length=7)
    assert blocks(drawn["table"]).shape == (1, 7, 10) and "waves" not in drawn


def test_alibi() -> None:
    drawn = named("alibi")
    shows(drawn["bias"], ALiBi(2).bias(WORDS, WORDS))
    first = next(iter(lines(drawn["slopes"]).values()))
    assert first == [-0.0625 * d for d in range(WORDS)]


@pytest.mark.parametrize("both", [True, False])
def test_t5(both: bool) -> None:
    drawn = named("t5", length=40, both=both)
    mod = T5Buckets(2, seed=1, bidirectional=both)
    shows(drawn["buckets"], mod.buckets(40, 40))
    shows(drawn["bias"], mod.bias(WORDS, WORDS))
    ahead, behind = lines(drawn["curve"]).values()
    offsets = range(-schemes.REACH, schemes.REACH + 1)
    drawn_buckets = [a if math.isnan(b) else b for a, b in zip(ahead, behind, strict=True)]
    assert drawn_buckets == t5_buckets(torch.tensor(offsets), bidirectional=both).tolist()
    assert all(math.isnan(a) == (o >= 0) for a, o in zip(ahead, offsets, strict=True))


def test_shaw_and_transformer_xl() -> None:
    shaw = named("shaw")
    assert shaw["table"].spec["meta"]["row_labels"][::16] == ["−16", "0", "+16"]
    mod = position.scheme_mod(EXPERIMENT, "shaw")
    shows(shaw["bias"], position.added_to_scores(position.traced(EXPERIMENT, "shaw"), mod))
    xl = named("transformer_xl")
    terms = position.transformer_xl_terms(
        position.traced(EXPERIMENT, "transformer_xl"), position.scheme_mod(EXPERIMENT, "transformer_xl")
    )
    for name, values in zip(("content", "position"), terms, strict=True):
        shows(xl[name], values)
    assert xl["content"].spec["meta"]["zmax"] == xl["position"].spec["meta"]["zmax"]


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("d_model", [1, 2, 3, 64])
@pytest.mark.parametrize("scheme", [s for s in position.SCHEMES if s != "rope"])
def test_any_width_can_be_drawn(scheme: str, d_model: int, narrow: bool) -> None:
    assert schemes.pictures(Experiment("a", num_heads=1, d_model=d_model), scheme, narrow=narrow)


def test_products_and_patches() -> None:
    q = torch.linspace(-1, 1, 6)
    shows(products_picture(rotation.products(q, q, 16)), rotation.products(q, q, 16))
    alike = waves.patch_likeness(5, 5, 8, 1, 2)
    shows(patches_picture(alike), alike)


def test_the_turned_pair_is_drawn_where_it_is() -> None:
    q, k = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 1.0])
    turned = rotation.turned_pair(q, k, pair=0, query_position=2, key_position=1)
    spec = turn_spec(turned)
    arrows = {line["name"]: (line["x"][1], line["y"][1]) for line in spec["data"] if "name" in line}
    assert arrows["query, position 2"] == pytest.approx((math.cos(2), math.sin(2)))
    assert arrows["key, position 1"] == pytest.approx((-math.sin(1), math.cos(1)))
    assert arrows["query before"] == (1.0, 0.0)
    assert spec["meta"]["turned_query"] == pytest.approx((3 * math.cos(2), 3 * math.sin(2)))  # the true length
    assert spec["layout"]["yaxis"]["scaleanchor"] == "x"  # a circle is a circle
    still = rotation.turned_pair(torch.zeros(2), k, pair=0, query_position=2, key_position=1)
    assert turn_spec(still)["data"][0]["type"] == "scatter"


@pytest.mark.parametrize("scheme", position.SCHEMES)
def test_the_chosen_scheme_stands_out_at_its_place(scheme: str) -> None:
    spec = places_spec(scheme, position.PLACES, TITLES)
    place = position.PLACES[scheme]
    assert spec["meta"]["strong"] == [place, f"enter_{place}"]
    assert f"<b>{TITLES[scheme]}</b>" in spec["meta"]["boxes"][f"enter_{place}"]
    assert ["qk", "scores"] in spec["meta"]["arrows"]


def test_sides_carry_the_sizes() -> None:
    trace = cross.setting(Experiment("a b c", num_heads=2, d_model=14, d_v=3), "d e f g h").run()
    said = sides_spec(trace)["meta"]["boxes"]
    sizes = {name: text.split("<br>")[1] for name, text in said.items()}
    assert sizes == {
        **{"source": "5 tokens", "text": "3 tokens", "q": "3 × 7", "k": "5 × 7", "v": "5 × 3"},
        **{"weights": "3 × 5", "output": "3 × 3"},
    }


def test_boxes_keep_their_arrows_apart() -> None:
    boxes = [Box("a", 0.1, 0.5, 0.1, 0.2, ("a",)), Box("b", 0.9, 0.5, 0.1, 0.2, ("b",))]
    [arrow] = [a for a in boxes_spec(boxes, [Arrow("a", "b")], height=99)["layout"]["annotations"] if a["showarrow"]]
    assert (arrow["ax"], arrow["x"]) == pytest.approx((0.15, 0.85)) and arrow["ay"] == arrow["y"] == 0.5
    with pytest.raises(ValueError, match="box='c': allowed are a, b"):
        boxes_spec(boxes, [Arrow("a", "c")], height=99)


def test_the_difference_names_its_head() -> None:
    e = Experiment("a b c", num_heads=2, d_model=14)
    free, masked = cross.setting(e, "d e").run(), cross.setting(e, "d e", real=1).run()
    change = cross.weight_difference(free, masked, 1)
    picture = difference_picture(masked, change, 1)
    shows(picture, change)
    assert [block["name"] for block in picture.spec["meta"]["blocks"]] == ["Head 2"]
    assert picture.spec["meta"]["col_labels"] == ["d", "e"]
