"""The same mask in every library: which tensor each expects, what True means there, and code that runs."""

from __future__ import annotations

import math

import numpy as np
import streamlit as st

from attention_core.experiment import Experiment
from attention_core.mask_lab import LIBRARIES, Snippet, snippets
from attention_core.trace import AttentionTrace
from attention_viz import matrix_spec
from attention_viz.labels import visible
from playground import panel, state, told
from playground.i18n import _


def settings() -> None:
    """What the link may say of this section, read also while it is closed."""
    state.page_setting("mask_lab_library", "sdpa", state.one_of(LIBRARIES))


def draw(experiment: Experiment, trace: AttentionTrace) -> None:
    """One library at a time: its tensor as a picture, and the code."""
    settings()
    names = {
        "sdpa": "PyTorch SDPA",
        "mha": "nn.MultiheadAttention",
        "additive": _("Additive bias"),
        "hf": "Hugging Face",
        "flex": "FlexAttention",
    }
    library = told.segmented_control(
        _("Library"),
        LIBRARIES,
        key="mask_lab_library",
        format_func=names.__getitem__,
        required=True,
        label_visibility="collapsed",
    )
    _batch, heads, queries, keys = trace.shape("weights")
    found = snippets(experiment.effective_mask(), queries, keys, heads=heads)
    one = found[LIBRARIES.index(library)]
    st.markdown(f"{_(one.title)}  \n**{_(one.polarity)}**")
    picture, code = st.columns([1, 2])
    with picture:
        _tensor(one, trace)
    with code:
        st.code(one.code, language="python", wrap_lines=True)


def _tensor(one: Snippet, trace: AttentionTrace) -> None:
    numbers = one.shown.detach().double()
    while numbers.dim() > 2:
        numbers = numbers[0]  # the same for every batch row and head of this experiment
    if numbers.dim() == 1:
        numbers = numbers[None]
    values = numbers.numpy()
    lowest, highest = float(values.min()), float(values.max())
    biases = lowest < 0  # minus infinity or the most negative number: drawn as -1, said in words
    rows = [visible(token) for token in trace.tokens] if len(values) == len(trace.tokens) else [_("all")]
    panel.heatmap(
        "mask_lab_tensor",
        lambda: matrix_spec(
            np.where(values < -1e30, -1.0, values) if biases else values,
            row_labels=rows,
            col_labels=[visible(token) for token in trace.source_tokens],
            kind="signed" if biases else "mask",
            rows_are="query" if len(rows) == len(trace.tokens) else "feature",
            cols_are="key",
            dims=("query", "key"),
            box=(270, 290),
            scale=1.0,
            legend=False,
            say=_,
        ),
        cells=values.size,
        title=one.variable,
        height=310,
        group="tensor",
        twins=False,
    )
    st.caption(f"`{one.tensor}`")
    dark = _("coloured: {value}").format(value=_written(lowest if biases else highest))
    pale = _("pale: {value}").format(value=_written(highest if biases else lowest))
    st.caption(f"{dark}, {pale}" if highest != lowest else dark if biases or highest else pale)


def _written(value: float) -> str:
    if math.isinf(value) or value < -1e30:
        return "−∞" if math.isinf(value) else f"{value:.3g}".replace("-", "−")
    return f"{value:g}".replace("-", "−")
