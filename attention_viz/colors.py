"""Colours: one accent hue, one scale a meaning, a light and a dark variant of each.

The scales are straight lines of lightness in OKLCh (Ottosson 2020,
https://bottosson.github.io/posts/oklab/), so that equal steps of the number look like equal steps. Blue
means more; the other end of a signed scale is ochre, which stays apart from blue for all common forms of
colour blindness.
"""

from __future__ import annotations

import math
from typing import Literal

Colorscale = list[list[float | str]]
Kind = Literal["weight", "signed", "mask", "difference"]

THEMES: tuple[str, str] = ("light", "dark")
INK = {"light": "#1f2430", "dark": "#e8eaf0"}
PAPER = {"light": "#ffffff", "dark": "#0e1117"}
# Greys with alpha: they read on both papers, so that a change of theme does not touch them.
MUTED = "rgba(128,132,142,1)"
FRAME = "rgba(128,132,142,0.55)"
HATCH_LINE = "rgb(128,132,142)"

_CLIPPED = " clip-path='url(#c)'"
_BLUE, _OCHRE = 256.0, 62.0
_STOPS = 17


def oklch(lightness: float, chroma: float, hue: float) -> str:
    """The sRGB colour "#rrggbb" of an OKLCh colour; lightness 0..1, hue in degrees; out of gamut is clipped.

    >>> oklch(1.0, 0.0, 0.0), oklch(0.0, 0.0, 0.0)
    ('#ffffff', '#000000')
    """
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _gamma(channel)):02x}" for channel in linear)


def _gamma(linear: float) -> float:
    """The sRGB transfer function on one channel, clipped to 0..1."""
    if linear <= 0.0031308:
        return max(0.0, 12.92 * linear)
    return float(min(1.0, 1.055 * linear ** (1 / 2.4) - 0.055))


def _arm(strength: float, hue: float, theme: str) -> str:
    """One arm of every scale: `strength` 0 lies near the paper, 1 is the strongest colour."""
    if theme == "light":
        return oklch(0.972 - 0.592 * strength, 0.006 + 0.134 * strength**0.8, hue)
    return oklch(0.235 + 0.635 * strength, 0.012 + 0.108 * strength**0.8, hue)


def _sequential(theme: str) -> Colorscale:
    steps = [i / (_STOPS - 1) for i in range(_STOPS)]
    return [[step, _arm(step, _BLUE, theme)] for step in steps]


def _diverging(theme: str) -> Colorscale:
    steps = [i / (_STOPS - 1) for i in range(_STOPS)]
    return [[s, _arm(abs(2 * s - 1), _BLUE if s >= 0.5 else _OCHRE, theme)] for s in steps]


def _two_colours(theme: str) -> Colorscale:
    """Forbidden is see-through: the hatching behind it is its colour."""
    allowed = _arm(0.55, _BLUE, theme)
    clear = "rgba(128,132,142,0)"
    return [[0.0, clear], [0.5, clear], [0.5, allowed], [1.0, allowed]]


_SCALES: dict[str, dict[str, Colorscale]] = {
    "weight": {theme: _sequential(theme) for theme in THEMES},
    "signed": {theme: _diverging(theme) for theme in THEMES},
    "difference": {theme: _diverging(theme) for theme in THEMES},
    "mask": {theme: _two_colours(theme) for theme in THEMES},
}


def colorscales(kind: Kind) -> dict[str, Colorscale]:
    """Both variants of one scale, {"light": ..., "dark": ...}, each a fresh list that Plotly takes.

    >>> colorscales("weight")["light"][0]
    [0.0, '#f3f6fa']
    """
    return {theme: [list(stop) for stop in scale] for theme, scale in _SCALES[kind].items()}


def shade(scale: Colorscale, strength: float) -> str:
    """The colour at `strength` (0..1, clipped) of a scale of "#rrggbb" stops, mixed as Plotly mixes it.

    >>> shade([[0.0, "#000000"], [1.0, "#ff0000"]], 0.5)
    '#800000'
    """
    place = min(max(strength, 0.0), 1.0) * (len(scale) - 1)
    below = min(int(place), len(scale) - 2)
    part = place - below
    low, high = (bytes.fromhex(str(scale[i][1])[1:]) for i in (below, below + 1))
    return "#" + bytes(round(a + (b - a) * part) for a, b in zip(low, high, strict=True)).hex()


def theme_name(dark: bool) -> str:
    """The theme's name, a key of `INK`, `PAPER` and `colorscales()`."""
    return "dark" if dark else "light"


def hatch(clip: str | None = None) -> str:
    """A data URI: a hatched grey rectangle that fills the image it is given; no network, no script.

    The hatching is measured in pixels and so keeps its weight at every zoom. `clip` is an SVG path in
    fractions (0..1) of the rectangle, to hatch a part of it alone.
    """
    clipping = (
        f"<clipPath id='c' clipPathUnits='objectBoundingBox'><path d='{clip}'/></clipPath>" if clip else ""
    )
    svg = (
        "<svg xmlns='http://www.w3.org/2000/svg' width='100%' height='100%'><defs>"
        "<pattern id='h' width='5' height='5' patternUnits='userSpaceOnUse' patternTransform='rotate(45)'>"
        f"<path d='M0 0V5' stroke='{HATCH_LINE}' stroke-opacity='.48' stroke-width='2'/></pattern>"
        f"{clipping}</defs>"
        f"<g{_CLIPPED if clip else ''}>"
        f"<rect width='100%' height='100%' fill='{HATCH_LINE}' fill-opacity='.15'/>"
        "<rect width='100%' height='100%' fill='url(#h)'/></g></svg>"
    )
    for raw, quoted in (("%", "%25"), ("#", "%23"), ("<", "%3C"), (">", "%3E"), ('"', "%22"), (" ", "%20")):
        svg = svg.replace(raw, quoted)
    return "data:image/svg+xml," + svg
