"""Where the mask is applied: five ways, what each gives on this experiment's scores, and where they part."""

from __future__ import annotations

import streamlit as st
import torch

from attention_core.mask_lab import MESSAGES, WAYS, Comparison, compare_applications, endings
from attention_core.trace import AttentionTrace
from attention_viz import matrix_spec
from attention_viz.labels import visible
from playground import panel, state
from playground.i18n import _

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, "float64": torch.float64}
BIASES = {"-inf": float("-inf"), "-10000": -10_000.0, "-10": -10.0, "-2": -2.0}


def draw(trace: AttentionTrace) -> None:
    """The five pictures of one head, the table, and the cases in which the agreement ends."""
    state.page_setting("mask_lab_dtype", "float32", state.one_of(DTYPES))
    state.page_setting("mask_lab_bias", "-inf", state.one_of(BIASES))
    heads = trace.shape("weights")[1]
    # Of the heads built by hand most look at one token, whatever is forbidden; the last one is random and shows more.
    state.page_setting("mask_lab_head", heads, state.whole(1, 1000))
    st.session_state["mask_lab_head"] = min(st.session_state["mask_lab_head"], heads)
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        head = st.selectbox(_("Head"), range(1, heads + 1), key="mask_lab_head", width=90) - 1
        dtype = st.selectbox(_("Number format"), list(DTYPES), key="mask_lab_dtype", width=180)
        bias = st.selectbox(
            _("Additive bias"),
            list(BIASES),
            key="mask_lab_bias",
            width=180,
            format_func=lambda text: text.replace("-inf", "−∞").replace("-", "−"),
        )
    found = compare_applications(
        trace.heads.modified_scores[0, head], trace.heads.allowed[0, head], dtype=DTYPES[dtype], bias=BIASES[bias]
    )
    columns = st.columns(len(WAYS))
    for column, application in zip(columns, found.ways, strict=True):
        with column:
            _picture(trace, application.way, application.weights)
    _table(found)
    st.markdown(f"**{_('Where the agreement ends')}**")
    for ending in endings():
        panel.statement(f"mask_lab_end_{ending.key}", ending.sentence.text(_), _outcomes(ending.comparison))


def _picture(trace: AttentionTrace, way: str, weights: torch.Tensor) -> None:
    panel.heatmap(
        f"mask_lab_way_{way}",
        lambda: matrix_spec(
            weights.float().numpy(),
            kind="weight",
            rows_are="query",
            cols_are="key",
            dims=("query", "key"),
            box=(165, 210),
            legend=False,
            scale=1.0,
            say=_,
            row_labels=[visible(token) for token in trace.tokens],
            col_labels=[visible(token) for token in trace.source_tokens],
        ),
        cells=weights.numel(),
        title=short_name(way),
        height=215,
        group="ways",
    )


def short_name(way: str) -> str:
    """The way in two or three words."""
    return {
        "after": _("after softmax"),
        "after_renormalised": _("after, renormalised"),
        "before_inf": _("before, −∞"),
        "before_1e9": _("before, −1e9"),
        "additive": _("before, bias"),
    }[way]


def _table(found: Comparison) -> None:
    def agrees(answer: bool | None) -> str:
        return {True: _("agrees"), False: _("differs"), None: _("nothing to compare")}[answer]

    empty = {
        "nan": _("NaN"),
        "zeros": _("zeros"),
        "uniform": _("equal weights"),
        "unmasked": _("as if unmasked"),
        "other": _("something else"),
        None: _("no such row"),
    }
    panel.table(
        "mask_lab_ways",
        [
            (
                _(MESSAGES[f"way_{one.way}"]),
                agrees(one.agrees),
                f"{one.difference:.1e}",
                f"{one.off_by:.4f}",
                f"{one.leak:.4f}",
                empty[one.empty],
            )
            for one in found.ways
        ],
        head=(
            _("Way"),
            _("against the exact softmax"),
            _("largest distance"),
            _("row sums off by"),
            _("weight on forbidden cells"),
            _("rows with nothing left"),
        ),
    )


def _outcomes(found: Comparison) -> str:
    def numbers(weights: torch.Tensor) -> str:
        return "(" + ", ".join(f"{weight:.3g}" for weight in weights.double().flatten().tolist()) + ")"

    return "   ".join(f"{short_name(one.way)} {numbers(one.weights)}" for one in found.ways)
