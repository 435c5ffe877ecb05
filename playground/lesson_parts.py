"""What several concept pages need beside their frame: numbers that belong into the link, and pictures with titles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from attention_viz.lessons.picture import Picture
from playground import panel, state, told


def number(name: str, default: int, least: int, most: int) -> int:
    """A whole number of a page that its link carries; kept within its bounds when these change."""
    value = int(state.page_setting(name, default, state.whole(least, most)))
    st.session_state[name] = min(max(value, least), most)
    return int(st.session_state[name])


def slider(name: str, label: str, default: int, least: int, most: int, *, step: int = 1, **more: Any) -> int:
    """A slider of such a number; where there is nothing to choose, none is drawn."""
    value = number(name, default, least, most)
    if least == most:
        return value
    if (value - least) % step:
        st.session_state[name] = value - (value - least) % step
    return int(told.slider(label, least, most, step=step, key=name, **more))


def choice(name: str, default: str, allowed: Sequence[str]) -> str:
    """A word of a page that its link carries: one of `allowed`."""
    value = str(state.page_setting(name, default, state.one_of(allowed)))
    if value not in allowed:
        st.session_state[name] = default
    return str(st.session_state[name])


def draw(key: str, picture: Picture, on_cell: Callable[[panel.Cell], None] | None = None, **more: Any) -> None:
    """A picture in its panel: a heatmap, or lines under their title."""
    if picture.cells:
        panel.heatmap(
            key,
            lambda: picture.spec,
            cells=picture.cells,
            title=picture.title,
            note=picture.note,
            height=picture.height,
            twins=False,
            on_cell=on_cell,
            **more,
        )
        return
    if picture.title:
        st.markdown(f"**{picture.title}**")
    panel.plot(key, picture.spec, height=picture.height)


def draw_all(key: str, pictures: Sequence[Picture]) -> None:
    """Several pictures in their order: a wide one alone, others two a line."""
    waiting = list(pictures)
    while waiting:
        alone = waiting[0].wide or len(waiting) == 1 or waiting[1].wide
        line, waiting = waiting[: 1 if alone else 2], waiting[1 if alone else 2 :]
        if line[0].wide:
            draw(f"{key}_{line[0].name}", line[0])
            continue
        for column, picture in zip(st.columns(2), line, strict=False):
            with column:
                draw(f"{key}_{picture.name}", picture)


def decimal(number: float, digits: int = 3) -> str:
    """A number with so many decimals and a true minus sign.

    >>> decimal(-0.25), decimal(1e-9)
    ('−0.250', '0.000')
    """
    text = f"{number:.{digits}f}"
    return (text if text.strip("-0.") else text.lstrip("-")).replace("-", "−")


def amount(difference: float) -> str:
    """A difference of float64 numbers in words: what rounding alone leaves is 0.

    >>> amount(-3e-16), amount(0.12345)
    ('0', '0.123')
    """
    return "0" if abs(difference) < 1e-12 else f"{difference:.3g}"
