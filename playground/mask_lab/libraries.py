"""The same mask in every library: which tensor each expects, what True means there, and code that runs."""

from __future__ import annotations

import math

import numpy as np
import streamlit as st

from attention_core.experiment import Experiment
from attention_core.mask_lab import LIBRARIES, MESSAGES, Snippet, empty_rows, snippets
from attention_core.trace import AttentionTrace
from attention_viz import matrix_spec
from attention_viz.labels import visible
from playground import panel, state
from playground.i18n import _

NAMES = {
    "sdpa": "PyTorch SDPA",
    "mha": "nn.MultiheadAttention",
    "additive": "Additive bias",
    "hf": "Hugging Face",
    "flex": "FlexAttention",
}


def draw(experiment: Experiment, trace: AttentionTrace) -> None:
    """One library at a time: its tensor as a picture, and the code."""
    state.page_setting("mask_lab_library", "sdpa", state.one_of(LIBRARIES))
    library = st.segmented_control(
        _("Library"),
        LIBRARIES,
        key="mask_lab_library",
        format_func=NAMES.__getitem__,
        required=True,
        label_visibility="collapsed",
    )
    _batch, heads, queries, keys = trace.shape("weights")
    found = snippets(experiment.effective_mask(), queries, keys, heads=heads)
    one = found[LIBRARIES.index(library)]
    st.markdown(f"**{_(one.title)}**  \n{_(one.polarity)}")
    picture, code = st.columns([1, 1.6])
    with picture:
        _tensor(one, trace)
    with code:
        st.code(one.code, language="python", height=400)


def _tensor(one: Snippet, trace: AttentionTrace) -> None:
    numbers = one.shown.detach().double()
    while numbers.dim() > 2:
        numbers = numbers[0]  # the same for every batch row and head of this experiment
    if numbers.dim() == 1:
        numbers = numbers[None]
    values = numbers.numpy()
    lowest = values.min()
    # A tensor of biases holds minus infinity or the most negative number: both are drawn as what they do.
    forbidding = np.isneginf(values) | (values < -1e30)
    labels = [visible(token) for token in trace.source_tokens]
    rows = [visible(token) for token in trace.tokens] if len(values) == len(trace.tokens) else ["batch row 0"]
    panel.heatmap(
        "mask_lab_tensor",
        lambda: matrix_spec(
            np.where(forbidding, -1.0, values),
            row_labels=rows,
            col_labels=labels,
            kind="signed" if lowest < 0 else "mask",
            rows_are="query",
            cols_are="key",
            dims=("query", "key"),
            box=(320, 360),
            scale=1.0,
            legend=False,
            say=_,
        ),
        cells=values.size,
        title=one.variable,
        note=one.tensor,
        height=380,
        group="tensor",
    )
    dark = _("dark: {value}").format(value=_written(values.max()))
    light = _("pale: {value}").format(value=_written(lowest))
    st.caption(f"{dark}, {light}" if values.max() != lowest else dark)


def _written(value: float) -> str:
    if math.isinf(value) or value < -1e30:
        return "−∞" if math.isinf(value) else f"{value:.3g}".replace("-", "−")
    return f"{value:g}".replace("-", "−")


def nothing_left(experiment: Experiment) -> None:
    """What each convention makes of a row that forbids everything, computed now by the real functions."""

    def vector(numbers: list[float]) -> str:
        return "(" + ", ".join(f"{number:.3f}" for number in numbers) + ")"

    rows = []
    for row in empty_rows(seed=experiment.seed):
        weights = _("not told") if row.weights is None else vector(row.weights.tolist())
        rows.append(
            (
                row.title.text(_),
                weights,
                vector(row.output.tolist()[:2])[:-1] + ", …)",
                _(MESSAGES[f"verdict_{row.verdict}"]),
            )
        )
    panel.table(
        "mask_lab_empty",
        rows,
        head=(_("Convention"), _("weights of that row"), _("its output"), _("in words")),
        more=_("Show all conventions"),
    )
