"""The Plotly layout round a heatmap: axes, head titles, frames, the hatching of what is forbidden."""

from __future__ import annotations

from typing import Any

import numpy as np

from attention_core.remembered import remembered
from attention_viz.colors import FRAME, INK, MUTED, hatch, theme_name
from attention_viz.frame import ALL_LABELS, AXIS_SIZE, FONT, GRID_FROM, LEGEND_SIZE, RIGHT, TICK_SIZE, TITLE_SIZE, Frame
from attention_viz.labels import dim_title, escape, isolate, shorten, text_width, tick
from attention_viz.panel import Panel, Say

MAX_SIGNS = 200  # signs for numbers that are none; meta lists more
SIGN_FROM = 16.0  # pixels of a cell from which such a sign can be read; below, signs would run into each other


def layout(shown: Panel, frame: Frame, *, dark: bool, title: str, say: Say) -> dict[str, Any]:
    """The layout as a dict; every colour in it but the ink is the same on light and dark paper."""
    mosaic = frame.mosaic
    down, across = mosaic.shape
    columns, column_texts = mosaic.column_ticks(
        [tick(t, frame.widest) for t in shown.col_labels], frame.columns
    )
    rows, row_texts = mosaic.row_ticks([tick(t, frame.widest) for t in shown.row_labels], frame.rows)
    axis = {
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "tickmode": "array",
        "tickfont": {"size": TICK_SIZE},
        "ticklabeloverflow": ALL_LABELS,
        "constrain": "domain",
        "automargin": False,
    }
    made: dict[str, Any] = {
        "margin": {
            "l": frame.left,
            "r": RIGHT,
            "t": frame.top,
            "b": frame.bottom,
            "pad": 5,
            "autoexpand": False,
        },
        "xaxis": {
            **axis,
            "range": [-0.5, across - 0.5],
            "tickvals": columns,
            "ticktext": column_texts,
            "tickangle": frame.angle,
        },
        "yaxis": {
            **axis,
            "range": [down - 0.5, -0.5],
            "tickvals": rows,
            "ticktext": row_texts,
            "constraintoward": "top",
            **({} if frame.ratio is None else {"scaleanchor": "x", "scaleratio": frame.ratio}),
        },
        "font": {"family": FONT, "size": TITLE_SIZE, "color": INK[theme_name(dark)]},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "images": _hatching(shown, frame),
        "shapes": [*_frames(frame), *_dividers(shown)],
        "annotations": [*_titles(shown, frame), *_axis_titles(shown, frame, say)],
        # Zoom survives new numbers, and ends where the picture changes its shape.
        "uirevision": f"{shown.field} {shown.heads} {down} {across}",
    }
    if title:
        made["title"] = {
            "text": escape(title),
            "x": 0,
            "xref": "paper",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 8},
            "font": {"size": 14},
        }
    return made


def colorbar(kind: str, zmin: float, zmax: float, frame: Frame) -> dict[str, Any]:
    """A slim scale above the map, at a fixed distance from the top, so that it takes part in no margin."""
    values = [zmin, zmax] if kind == "weight" else [zmin, 0.0, zmax]
    return {
        "orientation": "h",
        "x": 0.5,
        "xanchor": "center",
        "y": 1,
        "yref": "container",
        "yanchor": "top",
        "ypad": frame.legend,
        "xpad": 0,
        "thickness": 6,
        "lenmode": "pixels",
        "len": 120,
        "outlinewidth": 0,
        "ticklabeloverflow": ALL_LABELS,
        "tickvals": values,
        "ticktext": [f"{value:.3g}".replace("-", "\u2212") for value in values],
        "tickfont": {"size": LEGEND_SIZE, "color": MUTED},
        "ticks": "",
        "ticklabelposition": "outside bottom",
    }


def signs(unusual: list[dict[str, Any]], shown: Panel, frame: Frame) -> list[dict[str, Any]]:
    """What is written in a cell whose value is no finite number: NaN, ∞ or −∞."""
    if frame.mosaic.cell[0] < SIGN_FROM:
        return []  # the hatching behind it is seen, and the number is named to who points at it
    words = {"NaN": "NaN", "Infinity": "∞", "-Infinity": "\u2212∞"}
    size = max(6, min(11, round(0.4 * frame.mosaic.cell[0])))
    written = []
    for one in unusual[:MAX_SIGNS]:
        x0, y0 = frame.mosaic.origin(shown.heads.index(one["head"]))
        place = {"x": x0 + one["col"], "y": y0 + one["row"], "xref": "x", "yref": "y"}
        written.append({"text": words[one["value"]], **place, "showarrow": False, "font": {"size": size}})
    return written


def _axis_titles(shown: Panel, frame: Frame, say: Say) -> list[dict[str, Any]]:
    """What runs down and across; Plotly's own axis titles lose their place on a constrained axis."""
    style = {
        "showarrow": False,
        "font": {"size": AXIS_SIZE, "color": MUTED},
        "xref": "x domain",
        "yref": "y domain",
    }
    across, down = shown.dims[-1], shown.dims[-2] if len(shown.dims) > 1 else ""
    below = {"x": 0.5, "xanchor": "center", "y": 0, "yanchor": "top", "yshift": 18 - frame.bottom}
    beside = {
        "x": 0,
        "xanchor": "right",
        "xshift": 16 - frame.left,
        "y": 0.5,
        "yanchor": "middle",
        "textangle": -90,
    }
    return [
        {"text": escape(say(dim_title(dim))), **style, **place}
        for dim, place in ((across, below), (down, beside))
        if dim
    ]


def _titles(shown: Panel, frame: Frame) -> list[dict[str, Any]]:
    if not frame.titles:
        return []
    mosaic = frame.mosaic
    wide = mosaic.cols * mosaic.cell[0]
    size = TITLE_SIZE if wide >= 56 else TITLE_SIZE - 2
    titles = []
    for place, name in enumerate(shown.names):
        x0, y0 = mosaic.origin(place)
        titles.append(
            {
                "text": isolate(escape(_fitting(name, shown.short[place] if shown.short else "", (wide + 10) / size))),
                "x": x0 + (mosaic.cols - 1) / 2,
                "y": y0 - 0.5,
                "xref": "x",
                "yref": "y",
                "xanchor": "center",
                "yanchor": "bottom",
                "yshift": 2,
                "showarrow": False,
                "font": {"size": size},
            }
        )
    return titles


def _fitting(name: str, short: str, room: float) -> str:
    """The name, shortened, or where nothing of it can be read what stands in its place."""
    return short if short and text_width(name) > room and room < 5.0 else shorten(name, room)


def _frames(frame: Frame) -> list[dict[str, Any]]:
    """A thin line round each block: a cell at 0 is as pale as the paper, yet belongs to its block."""
    mosaic = frame.mosaic
    frames = []
    for place in range(mosaic.heads):
        x0, y0 = mosaic.origin(place)
        frames.append(
            {
                "type": "rect",
                "xref": "x",
                "yref": "y",
                "x0": x0 - 0.5,
                "y0": y0 - 0.5,
                "x1": x0 + mosaic.cols - 0.5,
                "y1": y0 + mosaic.rows - 0.5,
                "line": {"color": FRAME, "width": 1},
            }
        )
    return frames


def _dividers(shown: Panel) -> list[dict[str, Any]]:
    """Where one head's slice ends and the next begins, in a field that lays the heads side by side."""
    rows = shown.values.shape[1]
    ends = {"type": "line", "xref": "x", "yref": "y", "y0": -0.5, "y1": rows - 0.5}
    return [
        {**ends, "x0": place - 0.5, "x1": place - 0.5, "line": {"color": MUTED, "width": 2}}
        for place in shown.dividers
    ]


def _hatching(shown: Panel, frame: Frame) -> list[dict[str, Any]]:
    """Behind each block with cells that are forbidden or hold no finite number, as where one of two traces forbids.

    It is cut to those cells where hairlines would let it shine through.
    """
    empty = ~np.isfinite(shown.values)
    if shown.forbidden is not None:
        empty |= shown.forbidden
    mosaic = frame.mosaic
    cut = hairline(frame) > 0
    images = []
    for place, block in enumerate(empty):
        if not block.any():
            continue
        x0, y0 = mosaic.origin(place)
        images.append(
            {
                "source": hatch(_clip(block.tobytes(), *block.shape) if cut else None),
                "xref": "x",
                "yref": "y",
                "x": x0 - 0.5,
                "y": y0 - 0.5,
                "sizex": mosaic.cols,
                "sizey": mosaic.rows,
                "xanchor": "left",
                "yanchor": "top",
                "sizing": "stretch",
                "layer": "below",
            }
        )
    return images


def hairline(frame: Frame) -> int:
    """Pixels of paper between cells: one between large cells."""
    return 1 if min(frame.mosaic.cell) >= GRID_FROM else 0


@remembered(4 * 2**20)
def _clip(forbidden: bytes, rows: int, cols: int) -> str:
    """The forbidden cells as one SVG path in fractions of the block, a rectangle for each run in a row."""
    cells = np.frombuffer(forbidden, dtype=np.bool_).reshape(rows, cols)
    edges = np.diff(np.pad(cells, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    lines, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    return "".join(
        f"M{a / cols:.5g} {line / rows:.5g}H{b / cols:.5g}V{(line + 1) / rows:.5g}H{a / cols:.5g}Z"
        for line, a, b in zip(lines.tolist(), starts.tolist(), ends.tolist(), strict=True)
    )
