"""Attention as lines between words: the source above, the queries below, a line for each weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from attention_viz.colors import MUTED
from attention_viz.frame import FONT, LINE
from attention_viz.labels import escape, isolate, places, shorten, text_width, tick, visible
from attention_viz.lessons.boxes import ACCENT
from attention_viz.panel import Say, to_numpy

if TYPE_CHECKING:
    from attention_core.trace import AttentionTrace

SIZE = 13  # of a token's label
LEAST = 0.02  # weights below this get no line
STEPS = 40  # shades and widths of lines: finer ones cannot be told apart, and each is one drawing to Plotly
WIDEST = 7.0  # pixels, of a line of weight 1, where there is room for it
SIDE = 18  # pixels left and right
MOST_HOVERED = 5  # keys that are named when a query is pointed at


def alignment_spec(
    trace: AttentionTrace,
    head: int | None,
    *,
    query: int | None = None,
    least: float = LEAST,
    width: float = 860,
    height: int = 320,
    batch: int = 0,
    say: Say = str,
) -> dict[str, Any]:
    """The weights of one head, or the mean over all (`head` None), as lines from source words to query words.

    The words of the source stand above, those of the query below. The larger a weight, the wider and stronger its line,
    none wider than half the way from one word to the next; weights below `least` have none. `query` picks one word: its
    lines keep the colour and have their weights written above, the others turn to pale grey. A source word that no
    query may look at is pale too. `width` is what the figure will have, to fit the labels.

    `meta["lines"]` lists [query, key, weight] of every line, `meta["padding"]` the source words that may not be seen.
    Raises ValueError where the head, the query or the batch row does not exist.

    >>> import torch
    >>> from attention_core.modules import MultiHeadAttention
    >>> trace = MultiHeadAttention(8, 2).trace(torch.ones(1, 2, 8), torch.ones(1, 4, 8))
    >>> alignment_spec(trace, head=None)["meta"]["lines"][:2]
    [[0, 0, 0.25], [0, 1, 0.25]]
    """
    weights, seen = _weights(trace, head, batch)
    queries, keys = weights.shape
    if query is not None and not 0 <= query < queries:
        raise ValueError(f"query={query}: allowed are whole numbers from 0 to {queries - 1}")
    above, below = _along(keys), _along(queries)
    room = width - 2 * SIDE
    top_angle, top = _hang(trace.source_tokens, room / keys)
    bottom_angle, bottom = _hang(trace.tokens, room / queries)
    # Slanted labels lean over the sides: above to the right, below to the left.
    left = _lean(trace.tokens[0], bottom_angle, room / queries)
    right = _lean(trace.source_tokens[-1], top_angle, room / keys)
    room = width - left - right
    numbers = query is not None and room / keys >= 26
    lines = [
        [int(i), int(j), round(float(weights[i, j]), 6)]
        for i, j in np.argwhere(weights >= least)  # NaN is no line, and is written where the heatmap stands
    ]
    labels = [
        *_labels(trace.source_tokens, above, 1.0, room / keys, top_angle, pale=[not s for s in seen], numbers=numbers),
        *_labels(trace.tokens, below, 0.0, room / queries, bottom_angle, chosen=query),
    ]
    if numbers and query is not None:
        labels += _written(weights[query], above, least)
    layout = {
        "height": height,
        "margin": {
            "l": left,
            "r": right,
            "t": top + (16 if numbers else 0) + 4,
            "b": bottom + 4,
            "autoexpand": False,
        },
        "xaxis": {"range": [0, 1], "visible": False, "fixedrange": True},
        "yaxis": {"range": [0, 1], "visible": False, "fixedrange": True},
        "annotations": labels,
        "font": {"family": FONT, "size": SIZE},
        "showlegend": False,
        "hovermode": "closest",
        "dragmode": False,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }
    data = [
        *_drawn(lines, below, above, query, min(WIDEST, 0.5 * room / max(keys, queries))),
        _points(above, 1.0, _source_words(trace, weights, seen, say)),
        _points(below, 0.0, _query_words(trace, weights, say)),
    ]
    meta = {
        "field": "weights",
        "head": head,
        "query": query,
        "least": least,
        "lines": lines,
        "left_out": int((weights < least).sum()),
        "padding": [key for key, may in enumerate(seen) if not may],
        "tokens": [visible(token) for token in trace.tokens],
        "source_tokens": [visible(token) for token in trace.source_tokens],
        "width": width,
        "height": height,
    }
    return {"data": data, "layout": layout, "meta": meta}


def _weights(trace: AttentionTrace, head: int | None, batch: int) -> tuple[NDArray[np.float32], list[bool]]:
    """(query, key) of one head or the mean, and which keys at least one query may see there."""
    rows, heads = trace.shape("weights")[:2]
    for name, value, count in (("batch", batch, rows), ("head", head or 0, heads)):
        if not 0 <= value < count:
            raise ValueError(f"{name}={value}: allowed are whole numbers from 0 to {count - 1}")
    chosen = slice(None) if head is None else slice(head, head + 1)
    weights = to_numpy(trace.field("weights")[batch, chosen]).mean(axis=0)
    allowed = trace.field("allowed")[batch, chosen].any(dim=0).any(dim=0)
    return weights, allowed.tolist()


def _along(count: int) -> list[float]:
    return [(place + 0.5) / count for place in range(count)]


def _hang(tokens: Sequence[str], pixels: float) -> tuple[int, int]:
    """The angle at which the labels fit `pixels` apart, and the height that they take."""
    widest = SIZE * max(text_width(shorten(visible(token))) for token in tokens)
    for angle, needed, tall in ((0, widest + 4, LINE + 6), (45, 1.35 * LINE, 0.71 * (widest + LINE))):
        if pixels >= needed:
            return angle, round(tall + 4)
    return 90, round(widest + 8)


def _lean(token: str, angle: int, pixels: float) -> int:
    """The margin that an outermost label needs, half a place beyond which it begins."""
    slanted = 0.71 * SIZE * (text_width(shorten(visible(token))) + 1) if angle == 45 else 0.0
    return max(SIDE, round(slanted - pixels / 2) + 4)


def _labels(
    tokens: Sequence[str],
    at: list[float],
    y: float,
    pixels: float,
    angle: int,
    *,
    chosen: int | None = None,
    pale: Sequence[bool] = (),
    numbers: bool = False,
) -> list[dict[str, Any]]:
    labels = []
    shown = places(len(tokens), pixels, 1.2 * LINE if angle else 1.0, most=len(tokens))
    if chosen is not None and chosen not in shown:  # whose lines these are has to be said
        step = len(tokens) if len(shown) < 2 else shown[1] - shown[0]
        shown = list(range(chosen % step, len(tokens), step))
    for place in shown:
        text = tick(tokens[place])
        # Labels hang away from the lines: turned ones above begin at their word, those below end at it.
        side = {0: "center", 45: "left", 90: "center"}[angle] if y else {0: "center", 45: "right", 90: "center"}[angle]
        labels.append(
            {
                "x": at[place],
                "y": y,
                "text": f"<b>{text}</b>" if place == chosen else text,
                "showarrow": False,
                "textangle": -angle,
                "xanchor": side,
                "yanchor": "bottom" if y else "top",
                "yshift": (18 if numbers else 2) if y else -2,
                "opacity": 0.35 if pale and pale[place] else 1.0,
                "font": {"size": SIZE},
            }
        )
    return labels


def _written(weights: NDArray[np.float32], at: list[float], least: float) -> list[dict[str, Any]]:
    """The weights of the chosen query, over the lines' upper ends."""
    return [
        {
            "x": at[key],
            "y": 1.0,
            "text": f"{weight:.2f}",
            "showarrow": False,
            "yanchor": "bottom",
            "yshift": 1,
            "font": {"size": 11, "color": ACCENT},
        }
        for key, weight in enumerate(weights.tolist())
        if weight >= least
    ]


def _drawn(
    lines: list[list[Any]], below: list[float], above: list[float], query: int | None, widest: float
) -> list[dict[str, Any]]:
    """Lines of one strength are one trace with gaps; weak ones first, the chosen query's last, over all others."""
    groups: dict[tuple[bool, int], list[list[Any]]] = {}
    for line in lines:
        mine = query is None or line[0] == query
        step = max(1, round(min(line[2], 1.0) * STEPS))
        groups.setdefault((mine, step), []).append(line)
    data = []
    for (mine, step), members in sorted(groups.items()):
        strength = step / STEPS
        x: list[float | None] = []
        y: list[float | None] = []
        for i, j, _ in members:
            x += [below[i], above[j], None]
            y += [0.0, 1.0, None]
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": x,
                "y": y,
                "opacity": 0.12 + 0.88 * strength if mine else 0.1 + 0.25 * strength,
                "line": {"color": ACCENT if mine else MUTED, "width": 0.6 + (widest - 0.6) * strength},
                "hoverinfo": "skip",
            }
        )
    return data


def _points(at: list[float], y: float, words: list[str]) -> dict[str, Any]:
    """What the pointer finds at a word: nothing to see, a sentence to read."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": at,
        "y": [y] * len(at),
        "marker": {"size": 16, "color": MUTED, "opacity": 0},
        "cliponaxis": False,
        "hovertext": words,
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _word(token: str) -> str:
    return isolate(escape(shorten(visible(token), 16)))


def _query_words(trace: AttentionTrace, weights: NDArray[np.float32], say: Say) -> list[str]:
    texts = []
    for place, row in enumerate(weights):
        best = sorted(range(len(row)), key=lambda key: (-float(row[key]), key))[:MOST_HOVERED]
        found = [f"{_word(trace.source_tokens[key])} {row[key]:.3f}" for key in best if row[key] > 0]
        head = say("{token} looks at").format(token=_word(trace.tokens[place]))
        texts.append("<br>".join([head, *found]) if found else head + " –")
    return texts


def _source_words(trace: AttentionTrace, weights: NDArray[np.float32], seen: Sequence[bool], say: Say) -> list[str]:
    texts = []
    for place, token in enumerate(trace.source_tokens):
        total = float(weights[:, place].sum())
        text = say("{token}: seen with {total} in all").format(token=_word(token), total=f"{total:.3f}")
        texts.append(text if seen[place] else say("{token}: masked, seen by nobody").format(token=_word(token)))
    return texts
