"""The pictures of the position page that belong to no one table: shuffled words, the three places, RoPE, patches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attention_viz.colors import FRAME, MUTED
from attention_viz.frame import FONT
from attention_viz.labels import escape, names
from attention_viz.lessons.boxes import ACCENT, Arrow, Box, boxes_spec
from attention_viz.lessons.picture import Picture
from attention_viz.matrix import matrix_spec
from attention_viz.panel import Say, max_magnitude, to_numpy

if TYPE_CHECKING:
    from torch import Tensor

    from attention_core.lessons.position import Shuffled
    from attention_core.lessons.rotation import TurnedPair

OTHER = "#d9822b"  # the key, beside the query in the accent colour


def shuffle_pictures(found: Shuffled, *, narrow: bool = False, say: Say = str) -> list[Picture]:
    """The outputs, those of the shuffled words, and the difference of the same words; all on the outputs' scale.

    >>> from attention_core.experiment import Experiment
    >>> from attention_core.lessons.position import shuffle
    >>> [picture.name for picture in shuffle_pictures(shuffle(Experiment("a b"), "none", draw=0))]
    ['before', 'after', 'difference']
    """
    before, after = found.before, found.after
    scale = max_magnitude([to_numpy(before.output)])
    parts = (
        ("before", say("Outputs"), before.output[0], before.tokens),
        ("after", say("Outputs, words shuffled"), after.output[0], after.tokens),
        ("difference", say("Same words: difference"), found.difference, before.tokens),
    )
    drawn = []
    for name, title, values, tokens in parts:
        spec = matrix_spec(
            to_numpy(values),
            row_labels=names(tokens, len(tokens)),
            dims=(say("token"), say("column of the output")),
            kind="difference" if name == "difference" else "signed",
            scale=scale,
            field=f"position_{name}",
            box=(350 if narrow else 275, 230),
            say=say,
        )
        drawn.append(Picture(name, title, spec, 230, values.numel()))
    return drawn


def products_picture(products: Tensor, *, narrow: bool = False, say: Say = str) -> Picture:
    """q . k of one word at every pair of positions, (query position, key position)."""
    spec = matrix_spec(
        to_numpy(products),
        row_labels=[str(place) for place in range(products.shape[0])],
        col_labels=[str(place) for place in range(products.shape[1])],
        dims=(say("query position"), say("key position")),
        field="position_products",
        box=(350 if narrow else 480, 340),
        say=say,
    )
    return Picture("products", say("Products q · k of one word, by position"), spec, 340, products.numel())


def patches_picture(alike: Tensor, *, narrow: bool = False, say: Say = str) -> Picture:
    """How alike the chosen patch is to all others: the four pictures of `waves.patch_likeness`."""
    titles = (
        say("Rows' half"),
        say("Columns' half"),
        say("Both halves: 2-D"),
        say("Patch number: 1-D"),
    )
    height = 420 if narrow else 290
    spec = matrix_spec(
        to_numpy(alike),
        names=titles,
        dims=(say("row of patches"), say("column of patches")),
        scale=1.0,
        field="position_patches",
        box=(350 if narrow else 860, height),
        max_columns=2 if narrow else 4,
        say=say,
    )
    return Picture("patches", say("Likeness to the chosen patch (cosine)"), spec, height, alike.numel())


def places_spec(
    chosen: str, places: Mapping[str, str], names: Mapping[str, str], *, narrow: bool = False, say: Say = str
) -> dict[str, Any]:
    """The way from x to the weights, and below each tensor the schemes that enter there; `chosen` stands out.

    `places` says where each scheme enters ("x", "qk" or "scores"), `names` what it is called.

    >>> spec = places_spec("rope", {"rope": "qk", "alibi": "scores"}, {"rope": "RoPE", "alibi": "ALiBi"})
    >>> spec["meta"]["strong"], spec["meta"]["boxes"]["enter_qk"]
    (['qk', 'enter_qk'], '<b>RoPE</b>')
    """
    steps = (("x", "x"), ("qk", "q, k"), ("scores", say("scores")), ("weights", say("weights")))
    how = {"x": say("added to x"), "qk": say("turns q and k"), "scores": say("changes the scores")}
    across = {"x": 0.13, "qk": 0.38, "scores": 0.64, "weights": 0.9}
    wide, entry = 0.15, {"x": 0.23, "qk": 0.2, "scores": 0.28}
    boxes = [
        Box(name, across[name], 0.85, wide, 0.24, (text,), strong=name == places.get(chosen)) for name, text in steps
    ]
    arrows = [
        Arrow("x", "qk", "" if narrow else "W<sub>Q</sub>, W<sub>K</sub>"),
        Arrow("qk", "scores", "" if narrow else "q · k / √d<sub>k</sub>"),
        Arrow("scores", "weights", "" if narrow else "softmax"),
    ]
    for place in how:
        schemes = [name for name in places if places[name] == place]
        if not schemes:
            continue
        mine = places.get(chosen) == place
        lines = tuple(f"<b>{escape(names[n])}</b>" if n == chosen else escape(names[n]) for n in schemes)
        boxes.append(Box(f"enter_{place}", across[place], 0.24, entry[place], 0.46, lines, strong=mine))
        arrows.append(Arrow(f"enter_{place}", place, "" if narrow else escape(how[place]), strong=mine))
    return boxes_spec(boxes, arrows, height=210, size=11 if narrow else 13)


def turn_spec(turned: TurnedPair, *, height: int = 300, say: Say = str) -> dict[str, Any]:
    """One pair of a query and of a key as arrows in its plane: thin before the turn, thick after it.

    All arrows have length 1, since a turn does not change lengths and a short vector would be hard to see; what the
    pointer finds are the true numbers, as in `meta`.

    >>> from attention_core.lessons.rotation import TurnedPair
    >>> pair = TurnedPair(0, 1, 0, 1.57, (2.0, 0.0), (1.0, 0.0), (0.0, 2.0), (1.0, 0.0))
    >>> turn_spec(pair)["meta"]["turned_query"]
    [0.0, 2.0]
    """
    query, key = say("query, position {p}"), say("key, position {p}")
    data = [
        _circle(),
        _arc(turned.query, turned.query_position * turned.step, ACCENT, 0.38),
        _arc(turned.key, turned.key_position * turned.step, OTHER, 0.3),
        _vector(turned.query, ACCENT, say("query before"), thin=True),
        _vector(turned.key, OTHER, say("key before"), thin=True),
        _vector(turned.turned_query, ACCENT, query.format(p=turned.query_position)),
        _vector(turned.turned_key, OTHER, key.format(p=turned.key_position)),
    ]
    axis = {
        "range": [-1.12, 1.12],
        "showgrid": False,
        "zeroline": True,
        "zerolinecolor": FRAME,
        "showticklabels": False,
        "constrain": "domain",
        "fixedrange": True,
    }

    def title(column: int) -> dict[str, Any]:
        text = escape(say("column {n}").format(n=column))
        return {"text": text, "font": {"size": 11, "color": MUTED}, "standoff": 4}

    layout = {
        "height": height,
        "margin": {"l": 24, "r": 8, "t": 40, "b": 24, "autoexpand": False},
        "xaxis": {**axis, "title": title(2 * turned.pair)},
        "yaxis": {**axis, "title": title(2 * turned.pair + 1), "scaleanchor": "x"},
        "font": {"family": FONT, "size": 12},
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 11}},
        "dragmode": False,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }
    meta = {
        "height": height,
        "turned_query": list(turned.turned_query),
        "turned_key": list(turned.turned_key),
        "product": turned.product,
    }
    return {"data": data, "layout": layout, "meta": meta}


def _vector(end: Sequence[float], colour: str, name: str, *, thin: bool = False) -> dict[str, Any]:
    length = math.hypot(*end) or 1.0
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [0.0, end[0] / length],
        "y": [0.0, end[1] / length],
        "name": escape(name),
        "opacity": 0.5 if thin else 1.0,
        "line": {"color": colour, "width": 1.5 if thin else 3, "dash": "dot" if thin else "solid"},
        "marker": {"color": colour, "size": [0, 7 if thin else 13], "symbol": "arrow", "angleref": "previous"},
        "showlegend": not thin,
        "hovertemplate": f"{escape(name)}: ({end[0]:.3f}, {end[1]:.3f})<extra></extra>",
    }


def _arc(start: Sequence[float], angle: float, colour: str, radius: float) -> dict[str, Any]:
    """The way of the turn; whole rounds are left out, for a spiral of many would be a blot."""
    first, way = math.atan2(start[1], start[0]), math.fmod(angle, 2 * math.pi)
    return _round([first + way * step / 40 for step in range(41)], radius, colour, 1.5)


def _circle() -> dict[str, Any]:
    return _round([2 * math.pi * step / 90 for step in range(91)], 1.0, FRAME, 1)


def _round(angles: list[float], radius: float, colour: str, width: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [radius * math.cos(angle) for angle in angles],
        "y": [radius * math.sin(angle) for angle in angles],
        "line": {"color": colour, "width": width},
        "showlegend": False,
        "hoverinfo": "skip",
    }
