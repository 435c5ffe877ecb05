"""The one panel of the app: a Streamlit component that draws in place with plotly.js (see panel.js beside this file).

`heatmap`, `chips` and `plot` mount it. Each packs what the browser needs into one binary message: numbers travel as
float32 and are drawn as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import streamlit as st

from attention_viz.labels import escape
from playground.assets import addresses
from playground.i18n import _, language
from playground.panel import screen
from playground.panel.message import pack
from playground.panel.received import Cell, Grid, cell_of, grid_of, serial_of, strokes_of
from playground.panel.screen import narrow, unseen

__all__ = [
    "Cell",
    "Grid",
    "bars",
    "chips",
    "heatmap",
    "narrow",
    "painted_grid",
    "plot",
    "pool_of",
    "statement",
    "strokes",
    "table",
    "unseen",
]

# The scripts come from a route of the app, where the browser keeps them: Streamlit would send them with every panel.
_STUB = """
const here = (path) => new URL(path, document.baseURI).href;
if (!document.getElementById("ap-style")) {
  const style = document.createElement("link");
  Object.assign(style, { id: "ap-style", rel: "stylesheet", href: here("%(panel.css)s") });
  document.head.appendChild(style);
}
const script = document.createElement("link");
Object.assign(script, { rel: "preload", as: "script", href: here("%(plotly.min.js)s") });
document.head.appendChild(script);
const panel = import(here("%(panel.js)s"));
export default async (component) => (await panel).default(component);
"""

LARGE = 20_000  # cells: a panel with more than this is sent its numbers only while it is near the screen


@cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component("attention_panel", js=_STUB % addresses(), isolate_styles=False)


@cache
def _words(_language: str) -> dict[str, str]:
    return {
        "column": _("column"),
        "forbidden_weight": _("forbidden: the weight is 0"),
        "forbidden_score": _("forbidden: −∞"),
        "allowed": _("allowed"),
        "forbidden": _("forbidden"),
        "save_png": _("Save as PNG picture"),
        "save_svg": _("Save as SVG picture"),
        "save_csv": _("Save the numbers as CSV"),
    }


def heatmap(
    key: str,
    spec: Callable[[], dict[str, Any]],
    *,
    cells: int,
    title: str,
    note: str = "",
    height: int = 300,
    csv: str | None = None,
    file: str | None = None,
    caption: Sequence[str] = (),
    group: str | None = None,
    cell: Cell | None = None,
    twins: bool = True,
    on_cell: Callable[[Cell], None] | None = None,
    brush: int = 1,
    on_paint: Callable[[Grid], None] | None = None,
    painted_now: Grid | None = None,
    steps: tuple[str, str] = ("mask_undo", "mask_redo"),
) -> None:
    """Draw a heatmap in place. `on_cell` is called, before the next run, with the cell that was clicked.

    `spec` makes the figure (`attention_viz.heatmap_spec`) and is called only if the panel needs its numbers: not while
    the browser says that it is far from the screen, and above `LARGE` cells only once it says that it is near. Where
    the figure draws several cells as one the note says so, and `on_cell` is given a row and column of the picture.
    A picture that is saved is called `file` and carries `caption`, one or two lines; by default the title.
    Panels of one `group` mark the same open `cell`. `twins`
    says that queries and keys are the same tokens. With `on_paint` cells can be painted, `brush` of them wide, and the
    whole grid comes back after each stroke. What is painted is the picture itself, or `painted_now`, where the picture
    shows what comes of it. `steps` are the keys of the buttons that Ctrl+Z and Ctrl+Y press.
    """

    def said(name: str) -> Any:
        return (st.session_state.get(key) or {}).get(name)

    large = cells > LARGE
    away = on_paint is None and unseen(key)
    figure = spec() if (said("near") if large else not away) else None
    meta = figure["meta"] if figure else {}
    rows, cols = meta.get("pool", (1, 1))
    if rows * cols > 1:
        drawn = _("each square: the largest of {rows} × {cols} cells")
        note = " · ".join(filter(None, (drawn.format(rows=rows, cols=cols), note)))
    name = group or meta.get("field", key)
    label = _("{title}: a heatmap. Arrow keys move, page keys change the head, Enter opens a cell.")
    if on_paint:
        label = _(
            "{title}: a grid to paint on. Arrow keys move, Space flips a cell, Shift with an arrow key pulls it along, "
            "R flips the row, C the column, Ctrl+Z undoes."
        )
    header = {
        "kind": "heatmap",
        "id": key,
        "height": height,
        "title": title,
        "note": note,
        "label": label.format(title=title),
        "figure": {"data": figure["data"], "layout": figure["layout"]} if figure else None,
        "meta": meta,
        "large": large,
        "plotly": addresses()["plotly.min.js"],
        "file": file or key,
        "group": name,
        "twins": twins,
        "selectable": on_cell is not None,
        "narrow": narrow(),
        "words": _words(language()),
        "paint": _paint(serial_of(said("mask")), brush, painted_now, steps) if on_paint else None,
    }
    marked = {"group": name, "head": cell.head, "row": cell.row, "col": cell.col} if cell else None

    def clicked() -> None:
        cell = cell_of(said("cell"), st.session_state.get(f"{key}_meta", {}))
        if cell is not None and on_cell is not None:
            on_cell(cell)

    def painted() -> None:
        grid = grid_of(said("mask"), st.session_state.get(f"{key}_meta", {}))
        if grid is not None and on_paint is not None:
            on_paint(grid)

    if figure:
        st.session_state[f"{key}_meta"] = meta
    sent = _component()(
        key=key,
        data=pack(header, csv=csv, cell=marked, caption=[escape(line) for line in caption or (title,)]),
        on_back_change=_heard,
        on_cell_change=clicked,
        on_near_change=_heard,
        on_narrow_change=lambda: screen.hear(screen.NARROW, said(screen.NARROW)),
        on_far_change=lambda: screen.hear(screen.FAR, said(screen.FAR)),
        on_mask_change=painted,
    )
    screen.recall(sent)


def _paint(serial: int, brush: int, grid: Grid | None, steps: tuple[str, str]) -> dict[str, Any]:
    cells = None if grid is None else np.array(grid, dtype=np.float32)  # (row, col)
    return {"serial": serial, "brush": brush, "grid": cells, "steps": {"z": steps[0], "y": steps[1]}}


def painted_grid(key: str) -> tuple[int, Grid | None]:
    """The number of the mask that the browser sent last, and the mask: in a callback perhaps not yet handed over."""
    sent = (st.session_state.get(key) or {}).get("mask")
    return serial_of(sent), grid_of(sent, st.session_state.get(f"{key}_meta", {}))


def strokes(key: str) -> tuple[tuple[int, Grid], ...]:
    """The masks that the browser sent last, each with its number; see `received.strokes_of`."""
    return strokes_of((st.session_state.get(key) or {}).get("mask"), st.session_state.get(f"{key}_meta", {}))


def pool_of(key: str) -> tuple[int, int]:
    """How many rows and columns of cells a picture draws as one."""
    rows, cols = st.session_state.get(f"{key}_meta", {}).get("pool", (1, 1))
    return rows, cols


def _heard() -> None:
    """Nothing more to do than what the run does that follows: see reconnect.js."""


def chips(key: str, rows: Sequence[dict[str, Any]]) -> None:
    """Show tokens as chips, one line a row: `{"label", "axis": "query"|"key"|"both", "tokens", "shown"}`."""
    _component()(key=key, data=pack({"kind": "chips", "id": key, "rows": list(rows)}))


def bars(key: str, spec: dict[str, Any]) -> None:
    """Draw one row of weights (`attention_viz.bars_spec`) in place."""
    header = {
        "kind": "bars",
        "id": key,
        "height": spec["layout"]["height"],
        "figure": {"data": spec["data"], "layout": spec["layout"]},
        "meta": spec["meta"],
    }
    _component()(key=key, data=pack(header))


def plot(key: str, spec: dict[str, Any], *, height: int) -> None:
    """Draw a plain Plotly figure in place."""
    header = {
        "kind": "plot",
        "id": key,
        "height": height,
        "figure": {"data": spec["data"], "layout": spec["layout"]},
        "meta": spec.get("meta", {}),
        "plotly": addresses()["plotly.min.js"],
    }
    _component()(key=key, data=pack(header))


def table(
    key: str,
    rows: Sequence[Sequence[str]],
    *,
    head: Sequence[str] = (),
    total: Sequence[str] = (),
    more: str = "",
) -> None:
    """Show a small table of texts; of a long one the first rows, with a button that says `more`."""
    header = {
        "kind": "table",
        "id": key,
        "rows": list(rows),
        "head": list(head),
        "total": list(total),
        "more": more,
    }
    _component()(key=key, data=pack(header))


def statement(key: str, sentence: str, detail: str = "", *, alert: bool = False) -> None:
    """Show a sentence that may hold a visitor's text; as an `alert` it says what is wrong."""
    header = {"kind": "statement", "id": key, "sentence": sentence, "detail": detail, "alert": alert}
    _component()(key=key, data=pack(header))
