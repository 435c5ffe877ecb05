"""Where the mask is applied: five ways, what each gives on this experiment's scores, and where they part."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import streamlit as st
import torch

from attention_core.mask_lab import MESSAGES, WAYS, Comparison, Ending, compare_applications, endings
from attention_core.trace import AttentionTrace
from attention_viz import matrix_spec
from attention_viz.labels import visible
from playground import panel, state, told
from playground.i18n import _
from playground.mask_lab.editor import one_head

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, "float64": torch.float64}
BIASES = {"-inf": float("-inf"), "-10000": -10_000.0, "-10": -10.0, "-2": -2.0}


def draw(trace: AttentionTrace) -> None:
    """The five pictures of one head, their row sums, the table, and the cases in which the agreement ends."""
    found = _compared(trace)
    narrow = panel.narrow()
    weights = torch.stack([way.weights.float() for way in found.ways])  # (way, query, key)
    sums = torch.stack([way.row_sums.float() for way in found.ways])  # (way, query)
    names = [short_name(way) for way in WAYS]
    queries = [visible(token) for token in trace.tokens]
    # Hatched where nothing is left on a forbidden cell; what a way does leave there is shown.
    hidden = ~trace.heads.allowed[0, 0] & (weights == 0)  # (way, query, key)

    def spec() -> dict[str, Any]:
        made = matrix_spec(
            weights.numpy(),
            forbidden=hidden.numpy(),
            kind="weight",
            field="weights",
            names=names,
            rows_are="query",
            cols_are="key",
            dims=("query", "key"),
            row_labels=queries,
            col_labels=[visible(token) for token in trace.source_tokens],
            box=(350, 430) if narrow else (850, 270),
            say=_,
        )
        return _one_sign_a_row(made)

    panel.heatmap(
        "mask_lab_ways",
        spec,
        cells=weights.numel(),
        title=_("The weights of head {number}, five ways").format(number=one_head(trace) + 1),
        note=_("same scores, same mask; the head is chosen at the top"),
        height=430 if narrow else 270,
        group="ways",
        twins=trace.source_tokens == trace.tokens,
    )
    panel.heatmap(
        "mask_lab_sums",
        lambda: matrix_spec(
            np.asarray(sums),
            kind="weight",
            field="row sums",
            rows_are="feature",
            cols_are="query",
            dims=("", "query"),
            row_labels=[shortest_name(way) for way in WAYS] if narrow else names,
            col_labels=queries,
            legend=False,
            box=(350 if narrow else 850, 260),
            say=_,
        ),
        cells=sums.numel(),
        title=_("What each row sums to"),
        note=_("1 where the weights are shared out"),
        height=260,
        group="row_sums",
        twins=False,
    )
    _table(found)
    _endings()


def _one_sign_a_row(spec: dict[str, Any]) -> dict[str, Any]:
    """A row that is NaN is NaN throughout: said once in its middle, where a sign in every cell could not be read."""
    layout, meta = spec["layout"], spec["meta"]
    origins = {block["head"]: (block["x0"], block["y0"]) for block in meta["blocks"]}
    rows = {(one["head"], one["row"]) for one in meta["nonfinite"]}
    layout["annotations"] = [note for note in layout["annotations"] if note["text"] != "NaN"] + [
        {
            "text": "NaN",
            "x": origins[head][0] + (meta["cols"] - 1) / 2,
            "y": origins[head][1] + row,
            "xref": "x",
            "yref": "y",
            "showarrow": False,
            "font": {"size": max(6, min(11, round(0.8 * meta["cell"][1])))},
        }
        for head, row in sorted(rows)
    ]
    return spec


def settings() -> None:
    """What the link may say of this section, read also while it is closed."""
    state.page_setting("mask_lab_dtype", "float32", state.one_of(DTYPES))
    state.page_setting("mask_lab_bias", "-inf", state.one_of(BIASES))


def _compared(trace: AttentionTrace) -> Comparison:
    settings()
    head = one_head(trace)
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        dtype = told.selectbox(_("Number format"), list(DTYPES), key="mask_lab_dtype", width=140)
        bias = told.selectbox(
            _("Additive bias"),
            list(BIASES),
            key="mask_lab_bias",
            width=140,
            format_func=lambda text: text.replace("-inf", "−∞").replace("-", "−"),
        )
    return compare_applications(
        trace.heads.modified_scores[0, head], trace.heads.allowed[0, head], dtype=DTYPES[dtype], bias=BIASES[bias]
    )


def short_name(way: str) -> str:
    """The way in two or three words."""
    return {
        "after": _("after softmax"),
        "after_renormalised": _("after, ÷ sum"),
        "before_inf": _("before, −∞"),
        "before_1e9": _("before, −1e9"),
        "additive": _("before, bias"),
    }[way]


def shortest_name(way: str) -> str:
    """The way where there is room for one word."""
    return {
        "after": _("after"),
        "after_renormalised": "÷ Σ",
        "before_inf": "−∞",
        "before_1e9": "−1e9",
        "additive": _("bias"),
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
        "mask_lab_agreement",
        [
            (
                _(MESSAGES[f"way_{one.way}"]),
                agrees(one.agrees),
                number(one.difference),
                number(one.off_by),
                number(one.leak),
                empty[one.empty],
            )
            for one in found.ways
        ],
        head=(
            _("Way"),
            _("exact softmax"),
            _("largest distance"),
            _("row sums off by"),
            _("leaks to forbidden"),
            _("rows with nothing left"),
        ),
    )
    st.caption(
        _(
            "Measured against the masked softmax in float64, over the rows that have anything left. In {dtype} two "
            "ways agree when they differ by at most {tolerance}."
        ).format(dtype=str(found.dtype).removeprefix("torch."), tolerance=number(found.tolerance))
    )


def number(value: float) -> str:
    """A number as short as it can be read.

    >>> number(0.25), number(2.2e-8), number(0.0), number(float("nan"))
    ('0.2500', '2.2e−08', '0', 'NaN')
    """
    if value != value:
        return "NaN"
    text = "0" if value == 0 else f"{value:.4f}" if abs(value) >= 0.001 else f"{value:.1e}"
    return text.replace("-", "−")


@cache
def _cases() -> tuple[Ending, ...]:
    return endings()  # computed by the real functions, once: nothing on the page changes them


def _endings() -> None:
    """The cases, a row of scores each: what every way gives, and why."""
    cases = _cases()
    titles = {
        "empty": _("1 · nothing left"),
        "half": _("2 · nothing left, float16"),
        "underflow": _("3 · tiny weights remain"),
        "half_underflow": _("4 · the same in float16"),
        "weak": _("5 · a bias of −10"),
        "absorbed": _("6 · −1e9 in float64"),
    }

    def vector(weights: torch.Tensor) -> str:
        numbers = [f"{weight:.2g}" for weight in weights.double().flatten().tolist()]
        return "(" + ", ".join(numbers).replace("nan", "NaN").replace("-", "−") + ")"

    st.markdown(f"**{_('Where the agreement ends')}**")
    panel.table(
        "mask_lab_endings",
        [(titles[case.key], *(vector(case.comparison[way].weights) for way in WAYS)) for case in cases],
        head=(_("three scores, case"), *(short_name(way) for way in WAYS)),
    )
    st.markdown("\n".join(f"{place}. {case.sentence.text(_)}" for place, case in enumerate(cases, 1)))
