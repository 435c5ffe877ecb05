"""The wire between Python and the panel: what goes out bit for bit, what comes back distrusted."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from playground.panel.message import pack
from playground.panel.received import MOST_STROKES, Cell, cell_of, grid_of, serial_of, strokes_of
from tests.ui.reading import read


@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=7)), st.text())
def test_numbers_arrive_bit_for_bit(z: np.ndarray, words: str) -> None:
    words = words.encode("utf-8", "replace").decode()
    message = read(pack({"a": words, "figure": {"data": [{"z": z}]}, "more": [z.T, {"z": z}]}))
    assert message.header["a"] == words
    assert message.z.tobytes() == z.tobytes()
    assert message.header["more"][0].tobytes() == np.ascontiguousarray(z.T).tobytes()


def test_the_layout_of_a_message() -> None:
    """By hand: what `unpack.js` reads."""
    raw = pack({"z": np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float64)})
    length = int.from_bytes(raw[:4], "little")
    header = json.loads(raw[4 : 4 + length])
    assert header["z"] == {"$f32": [0, 2, 3]} and len(header["revision"]) == 16
    start = -(-(4 + length) // 4) * 4
    assert raw[4 + length : start] == b"\0" * (start - 4 - length)
    assert raw[start:] == np.arange(1, 7, dtype="<f4").tobytes()


@pytest.mark.parametrize("more", range(5))
def test_numbers_begin_at_a_multiple_of_four(more: int) -> None:
    assert (read(pack({"x": "a" * more, "z": np.eye(2)})).header["z"] == np.eye(2)).all()


def test_a_transposed_view_is_sent_as_it_reads() -> None:
    z = np.arange(6, dtype=np.float32).reshape(2, 3).T
    assert read(pack({"z": z})).header["z"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_the_revision_changes_with_every_bit() -> None:
    z = np.zeros((2, 2), dtype=np.float32)
    other = z.copy()
    other[1, 1] = np.float32(1e-45)
    revisions = {
        read(pack(header)).header["revision"]
        for header in ({"z": z}, {"z": other}, {"z": z, "a": 1}, {"z": z.reshape(1, 4)})
    }
    assert len(revisions) == 4
    assert pack({"z": z}) == pack({"z": z.copy()})


def test_what_stands_beside_is_told_and_changes_no_picture() -> None:
    plain, more = (read(pack({"z": np.eye(2)}, **beside)).header for beside in ({}, {"csv": "a\u2028b", "cell": [1]}))
    assert (more["csv"], more["cell"]) == ("a\u2028b", [1]) and (more["z"] == plain["z"]).all()
    assert more["revision"] == plain["revision"]


META: dict[str, Any] = {
    "field": "weights",
    "rows": 3,
    "cols": 5,
    "blocks": [{"head": 1}, {"head": 2}],
}


def test_a_cell_of_the_picture() -> None:
    assert cell_of(["weights", 2, 2, 4], META) == Cell("weights", 2, 2, 4)
    assert cell_of(("weights", 1, 0, 0), META) == Cell("weights", 1, 0, 0)


def test_a_cell_of_a_field_without_heads() -> None:
    """The browser names no head where there is none."""
    meta = {**META, "field": "output", "blocks": [{"head": None}]}
    assert cell_of(["output", None, 1, 2], meta) == Cell("output", 0, 1, 2)
    assert cell_of(["output", 1, 1, 2], meta) is None


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        "weights",
        {},
        [],
        ["weights", 1, 0],
        ["weights", 1, 0, 0, 0],
        ["q", 1, 0, 0],
        ["weights", 0, 0, 0],
        ["weights", 3, 0, 0],
        ["weights", 1, 3, 0],
        ["weights", 1, 0, 5],
        ["weights", 1, -1, 0],
        ["weights", 1, 0, -1],
        ["weights", True, False, False],
        ["weights", 1.0, 0, 0],
        ["weights", 1, "0", 0],
        ["weights", 1, None, 0],
        ["weights", [], {}, 0],
        [["weights"], 1, 0, 0],
        ["weights", 1, 10**400, 0],
        ["weights", float("nan"), 0, 0],
    ],
    ids=lambda sent: repr(sent)[:30],
)
def test_what_is_no_cell(sent: object) -> None:
    assert cell_of(sent, META) is None
    assert cell_of(sent, {}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)


@given(JSON | st.tuples(st.sampled_from(["weights", "q"]), JSON, JSON, JSON))
def test_whatever_comes_back_is_a_cell_or_nothing(sent: object) -> None:
    found = cell_of(sent, META)
    if found is not None:
        assert found.field == "weights" and found.head in (1, 2)
        assert 0 <= found.row < 3 and 0 <= found.col < 5


def bits(grid: list[list[int]]) -> str:
    flat = [cell for row in grid for cell in row]
    return base64.b64encode(np.packbits(np.array(flat, dtype=np.uint8)).tobytes()).decode()


def test_a_painted_grid() -> None:
    grid = [[1, 0, 0, 1, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 0]]
    sent = {"serial": 4, "rows": 3, "cols": 5, "bits": bits(grid)}
    assert grid_of(sent, META) == tuple(tuple(map(bool, row)) for row in grid)
    assert serial_of(sent) == 4


FIRST, SECOND, PRESENT = ([[number, 0, 0, 1, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 0]] for number in (0, 1, 1))
PRESENT[1][4] = 1


def seen(grid: list[list[int]]) -> tuple[tuple[bool, ...], ...]:
    return tuple(tuple(map(bool, row)) for row in grid)


def test_strokes_come_the_oldest_first_and_what_is_none_is_left_out() -> None:
    sent = {"serial": 4, "rows": 3, "cols": 5, "bits": bits(PRESENT)}
    known = [{"serial": 2, "bits": bits(FIRST)}, {"serial": 3, "bits": bits(SECOND)}]
    both = ((2, seen(FIRST)), (3, seen(SECOND)))
    last = (4, seen(PRESENT))
    assert strokes_of({**sent, "earlier": known}, META) == (*both, last)
    odd = [7, None, {}, {"serial": 3}, {"serial": 3, "bits": "A"}, {"serial": 9, "bits": bits(FIRST)}]
    assert strokes_of({**sent, "earlier": [*odd, *known]}, META) == (*both, last)
    assert strokes_of({**sent, "earlier": known * MOST_STROKES}, META) == (last,)
    for none in (None, "x", 5, {}):
        assert strokes_of({**sent, "earlier": none}, META) == (last,)
    assert strokes_of({**sent, "bits": "A", "earlier": known}, META) == ()
    assert strokes_of([sent], META) == strokes_of(sent, {}) == ()


@given(
    JSON
    | st.fixed_dictionaries(
        {"rows": st.just(3) | JSON, "cols": st.just(5) | JSON, "bits": st.just("AAAA") | JSON, "serial": JSON}
    )
)
def test_whatever_comes_back_is_a_grid_or_nothing(sent: object) -> None:
    strokes_of({"rows": 3, "cols": 5, "bits": "AAAA", "serial": 5, "earlier": sent}, META)
    strokes_of({"rows": 3, "cols": 5, "bits": "AAAA", "serial": 5, "earlier": [sent]}, META)
    found = grid_of(sent, META)
    assert found is None or (len(found) == 3 and all(len(row) == 5 for row in found))
    assert 0 <= serial_of(sent) < 2**31


@pytest.mark.parametrize("payload", ["", "A", "AAA=", "AAAAAAAA", "A" * 10_000, "????", "ÄÄÄÄ", 5, None])
def test_bits_that_are_none(payload: object) -> None:
    assert grid_of({"rows": 3, "cols": 5, "bits": payload}, META) is None or payload == "AAA="
