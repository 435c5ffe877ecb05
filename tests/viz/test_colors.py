"""Colours: even steps, apart for every eye, near the paper where there is nothing."""

from __future__ import annotations

from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest

from attention_viz.colors import INK, PAPER, colorscales, hatch, oklch, shade

# Linear-RGB simulations of protanopia, deuteranopia, tritanopia (Machado, Oliveira, Fernandes 2009, table 1).
BLIND = {
    "protan": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "deutan": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    "tritan": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}
THEMES = ("light", "dark")


def linear(colour: str) -> np.ndarray:
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b*, D65: written out here, independent of the OKLCh that makes the scales."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
    f = np.cbrt(np.clip(xyz / np.array([0.9505, 1.0, 1.089]), 0.008856, None))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def seen(colour: str, eye: str | None) -> np.ndarray:
    rgb = linear(colour)
    return lab(rgb if eye is None else np.clip(np.array(BLIND[eye]) @ rgb, 0, 1))


def test_primary_colours_come_back_from_oklch() -> None:
    # Ottosson's table: sRGB red is L 0.62796, C 0.25768, h 29.234; blue is L 0.45201, C 0.31321, h 264.052.
    assert oklch(0.62796, 0.25768, 29.234) == "#ff0000"
    assert oklch(0.45201, 0.31321, 264.052) == "#0000ff"


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("eye", [None, *BLIND])
def test_more_weight_is_always_further_from_the_paper(theme: str, eye: str | None) -> None:
    lightness = [seen(str(colour), eye)[0] for _, colour in colorscales("weight")[theme]]
    steps = np.diff(lightness) if theme == "dark" else -np.diff(lightness)
    assert (steps > 1.5).all()  # every one of 16 steps is visible
    assert steps.max() < 3 * steps.min()  # and none jumps


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("eye", [None, *BLIND])
def test_plus_and_minus_are_told_apart_by_every_eye(theme: str, eye: str | None) -> None:
    scale = [str(colour) for _, colour in colorscales("signed")[theme]]
    for minus, plus in zip(scale[:5], scale[-1:-6:-1], strict=True):
        assert np.linalg.norm(seen(minus, eye) - seen(plus, eye)) > 25
        # The same magnitude is the same lightness: neither sign shouts.
        assert abs(seen(minus, None)[0] - seen(plus, None)[0]) < 6


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("kind", ["weight", "signed"])
def test_nothing_is_near_the_paper(kind: str, theme: str) -> None:
    scale = colorscales(kind)[theme]
    zero = str(scale[0 if kind == "weight" else len(scale) // 2][1])
    assert np.linalg.norm(seen(zero, None) - seen(PAPER[theme], None)) < 12


@pytest.mark.parametrize("theme", THEMES)
def test_ink_reads_on_paper(theme: str) -> None:
    luminance = [np.dot((0.2126, 0.7152, 0.0722), linear(colour)) for colour in (INK[theme], PAPER[theme])]
    dim, bright = sorted(luminance)
    assert (bright + 0.05) / (dim + 0.05) > 7  # WCAG 2.2, level AAA


def test_positive_scores_and_weights_share_the_accent() -> None:
    for theme in THEMES:
        assert colorscales("weight")[theme][-1] == colorscales("signed")[theme][-1]


def test_a_forbidden_cell_of_the_mask_lets_the_hatching_through() -> None:
    low, *_, high = colorscales("mask")["light"]
    assert str(low[1]).endswith(",0)") and str(high[1]).startswith("#")


def test_scales_are_fresh_lists() -> None:
    colorscales("weight")["light"][0][1] = "#000000"
    assert colorscales("weight")["light"][0][1] != "#000000"


def test_shade_meets_the_stops() -> None:
    scale = colorscales("weight")["light"]
    assert [shade(scale, float(at)) for at, _ in scale] == [colour for _, colour in scale]
    assert shade(scale, -1.0) == scale[0][1] and shade(scale, 2.0) == scale[-1][1]


@pytest.mark.parametrize("clip", [None, "M0 0H0.5V1H0Z"])
def test_the_hatching_is_well_formed_and_inert(clip: str | None) -> None:
    uri = hatch(clip)
    kind, _, svg = uri.partition(",")
    assert kind == "data:image/svg+xml" and not set(svg) & set('<>"# ')
    root = ElementTree.fromstring(unquote(svg))
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "defs", "pattern", "path", "clipPath", "g", "rect"}
    assert ("clipPath" in tags) == (clip is not None)
