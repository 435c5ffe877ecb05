"""Bars made of parts, and lines with a mark: the numbers are drawn as they are, names are never markup."""

from __future__ import annotations

import math

import pytest

from attention_viz.lessons.heads import parts_spec
from attention_viz.lessons.scale import cloud_spec, marked_spec

EVIL = "<b>$x$</b>"


def test_a_bar_for_each_group_and_a_part_for_each_name() -> None:
    spec = parts_spec(["the", "the"], {"a": [1, 2], "b": [3, 4]}, x_title="numbers", most=9)
    assert [(bar["name"], bar["x"], bar["y"]) for bar in spec["data"]] == [("a", [1, 2], [0, 1]), ("b", [3, 4], [0, 1])]
    assert spec["layout"]["barmode"] == "relative"
    assert spec["layout"]["xaxis"]["range"] == [0.0, 9]
    assert spec["layout"]["yaxis"]["range"] == [1.5, -0.5], "the first on top"
    assert len({bar["marker"]["color"] for bar in spec["data"]}) == 2


def test_negative_parts_are_inside_the_axis() -> None:
    spec = parts_spec(["1"], {"a": [-2.0]}, x_title="share", most=1.0)
    assert spec["layout"]["xaxis"]["range"] == [-2.0, 1.0]


def test_a_part_without_a_value_for_each_group() -> None:
    with pytest.raises(ValueError, match="a: has 1 values, allowed are 2"):
        parts_spec(["1", "2"], {"a": [1]}, x_title="")


def test_names_are_never_markup() -> None:
    spec = parts_spec([EVIL], {EVIL: [1.0]}, x_title=EVIL)
    assert "<b>" not in repr(spec) and "$x$" not in repr(spec)
    lines = marked_spec([1, 10], {EVIL: [0, 1]}, at=1, x_title=EVIL, y_title=EVIL, y_range=(0, 1))
    assert "<b>" not in repr(lines) and "$x$" not in repr(lines)


def test_the_mark_is_on_the_lines() -> None:
    spec = marked_spec([1, 2, 4], {"a": [5, 6, 7], "b": [8, 9, 10]}, at=2, x_title="", y_title="", y_range=(0, 10))
    assert [(dot["x"], dot["y"]) for dot in spec["data"][2:]] == [([2], [6]), ([2], [9])]
    assert spec["data"][2]["marker"]["color"] == spec["data"][0]["line"]["color"]
    [upright] = spec["layout"]["shapes"]
    assert (upright["x0"], upright["x1"]) == (2, 2)
    assert spec["layout"]["xaxis"]["ticktext"] == ["1", "2", "4"]
    assert spec["layout"]["yaxis"]["range"] == [0, 10]


def test_a_mark_that_is_not_on_the_axis() -> None:
    with pytest.raises(ValueError):
        marked_spec([1, 2], {"a": [5, 6]}, at=3, x_title="", y_title="", y_range=(0, 1))


def test_every_draw_is_a_dot() -> None:
    spec = cloud_spec([1, 100], {"a": [[1, 2, 3], [4, 5, 6]]}, {"b": [7, 8]}, at=1, x_title="", y_title="")
    cloud, theory = spec["data"]
    assert (cloud["x"], cloud["y"], cloud["mode"]) == ([1, 1, 1, 100, 100, 100], [1, 2, 3, 4, 5, 6], "markers")
    assert (theory["x"], theory["y"], theory["line"]["dash"]) == ([1, 100], [7, 8], "dash")
    low, high = spec["layout"]["xaxis"]["range"]
    assert low < 0 < math.log10(100) < high
