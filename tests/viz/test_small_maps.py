"""All heads of a model in one picture: a line of maps for each layer, whatever the room."""

from __future__ import annotations

import numpy as np
import pytest

from attention_viz.lessons.small_maps import small_maps_spec


@pytest.mark.parametrize("box", [(860.0, 1200.0), (860.0, 400.0), (350.0, 900.0)])
@pytest.mark.parametrize(("layers", "heads"), [(12, 12), (3, 4), (24, 16), (1, 5)])
def test_a_line_is_a_layer(layers: int, heads: int, box: tuple[float, float]) -> None:
    generator = np.random.default_rng(0)
    maps = generator.random((layers * heads, 3, 7), dtype=np.float32)
    forbidden = maps < 0.2
    tokens = tuple(f"t{place}" for place in range(6))
    sources = tuple(f"s{place}" for place in range(7))
    spec = small_maps_spec(
        maps, forbidden, heads=heads, tokens=tokens, source_tokens=sources, shape=(3, 7), box=box
    )
    meta, z = spec["meta"], spec["data"][0]["z"]
    assert len({block["y0"] for block in meta["blocks"]}) == layers
    for place, block in enumerate(meta["blocks"]):
        assert block["name"] == f"{place // heads + 1}.{place % heads + 1}"
        drawn = z[block["y0"] : block["y0"] + 3, block["x0"] : block["x0"] + 7]
        np.testing.assert_array_equal(np.isnan(drawn), forbidden[place])
        np.testing.assert_array_equal(drawn[~forbidden[place]], maps[place][~forbidden[place]])
    firsts = [block["x0"] for block in meta["blocks"][::heads]]
    assert firsts == [0] * layers
    assert meta["row_labels"] == ["t0 …", "t2 …", "t4 …"] and meta["col_labels"] == list(sources)
    assert (meta["zmin"], meta["zmax"]) == (0.0, 1.0)
