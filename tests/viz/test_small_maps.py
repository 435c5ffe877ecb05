"""All heads of a model in one picture: each layer begins a line, and every map can be seen and has its own name."""

from __future__ import annotations

import numpy as np
import pytest

from attention_viz.lessons.small_maps import LEAST, MOST, small_maps_spec


@pytest.mark.parametrize("width", [860.0, 350.0])
@pytest.mark.parametrize(("layers", "heads"), [(12, 12), (3, 4), (24, 16), (1, 5), (22, 32), (30, 9), (2, 64)])
def test_a_layer_begins_a_line(layers: int, heads: int, width: float) -> None:
    generator = np.random.default_rng(0)
    maps = generator.random((layers * heads, 3, 7), dtype=np.float32)
    forbidden = maps < 0.2
    tokens = tuple(f"t{place}" for place in range(6))
    sources = tuple(f"s{place}" for place in range(7))
    spec = small_maps_spec(
        maps, forbidden, heads=heads, tokens=tokens, source_tokens=sources, shape=(3, 7), width=width
    )
    meta, z = spec["meta"], spec["data"][0]["z"]
    by_layer = [meta["blocks"][start : start + heads] for start in range(0, layers * heads, heads)]
    lines = [{block["y0"] for block in layer} for layer in by_layer]
    assert len({len(one) for one in lines}) == 1 and sum(map(len, lines)) == len(set().union(*lines))
    assert [layer[0]["x0"] for layer in by_layer] == [0] * layers
    titles = [note["text"] for note in spec["layout"]["annotations"] if "." in note["text"]]
    assert titles == [block["name"] for block in meta["blocks"]]  # whole, whatever the room
    assert 0.9 * LEAST <= 7 * meta["cell"][0] <= MOST and meta["width"] <= width
    for place, block in enumerate(meta["blocks"]):
        assert block["name"] == f"{place // heads + 1}.{place % heads + 1}"
        drawn = z[block["y0"] : block["y0"] + 3, block["x0"] : block["x0"] + 7]
        np.testing.assert_array_equal(np.isnan(drawn), forbidden[place])
        np.testing.assert_array_equal(drawn[~forbidden[place]], maps[place][~forbidden[place]])
    assert meta["row_labels"] == ["t0 …", "t2 …", "t4 …"] and meta["col_labels"] == list(sources)
    assert (meta["zmin"], meta["zmax"]) == (0.0, 1.0)


def test_tokens_are_named_beside_large_maps_alone() -> None:
    def ticks(heads: int) -> list[str]:
        maps = np.full((2 * heads, 6, 6), 0.2, dtype=np.float32)
        spec = small_maps_spec(
            maps, maps > 1, heads=heads, tokens="abcdef", source_tokens="abcdef", shape=(6, 6), width=350
        )
        shown: list[str] = spec["layout"]["xaxis"]["ticktext"]
        return [text for text in shown if text]

    assert ticks(2)[:6] == list("abcdef") and ticks(12) == []
