"""What the page on heads draws, section by section; the page says in which order."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.lessons import heads
from attention_core.lessons.head_costs import TABLE_3A
from attention_core.metrics import head_similarity
from attention_core.trace import AttentionTrace
from attention_viz import lines_spec, matrix_spec
from attention_viz.labels import visible
from attention_viz.lessons.heads import parts_spec
from attention_viz.panel import head_name
from playground import compute, panel, stages, state, told
from playground.i18n import _
from playground.settings import limits

PAPER = tuple(row.heads for row in TABLE_3A)
PAPER_TOKENS = 64  # texts of up to so many tokens are cut at the paper's width, which is beyond a visitor's limits
WIDEST = 64  # features that are drawn one by one
DRAWS, SHOWN = 200, 12
field = partial(stages.field_panel, csv=False, marks=False)


@dataclass(frozen=True)
class Cuts:
    """The experiment whose weights are cut, and the traces by number of heads."""

    base: Experiment
    wide: bool
    traces: dict[int, AttentionTrace]


def choose(name: str, options: Any, default: Any, label: str, words: Any = str) -> Any:
    """One of several, as buttons; it belongs into the link."""
    options = list(options)
    state.page_setting(name, default, state.option_of(options))
    if st.session_state[name] not in options:
        st.session_state[name] = default
    return told.segmented_control(label, options, key=name, format_func=words, required=True)


def many(count: int) -> str:
    """1 head, 2 heads."""
    return _("1 head") if count == 1 else _("{count} heads").format(count=count)


def choose_cuts(mine: Experiment, tokens: int) -> Cuts:
    """The visitor's width or the paper's; the experiment cut into as many heads as it can be."""
    widths = {"own": _("Your width, {width}").format(width=mine.d_model), "paper": _("The paper's width, 512")}
    options = list(widths) if tokens <= PAPER_TOKENS else ["own"]
    wide = choose("heads_width", options, "own", _("Width"), widths.get) == "paper"
    base = mine
    if wide:
        made_for = mine.num_heads if 512 % mine.num_heads == 0 else 8
        base = replace(mine, d_model=512, num_heads=made_for, d_k=None, d_v=None, num_kv_heads=None)
    counts = heads.cuts(base, PAPER) if wide else heads.cuts(base, most=limits().max_heads)
    return Cuts(base, wide, {count: compute.run(heads.cut(base, count)) for count in counts})


def maps(cuts: Cuts) -> None:
    """The weights of every cut, two side by side."""
    counts = list(cuts.traces)
    for pair in (counts[place : place + 2] for place in range(0, len(counts), 2)):
        for column, count in zip(st.columns(2, gap="medium"), pair, strict=False):
            trace = cuts.traces[count]
            words = _("{heads}, d_k = {width}").format(heads=many(count), width=trace.shape("q")[-1])
            with column:
                field(trace, "weights", key=f"heads_map_{count}", width=420, height=340, title=words)
    if heads.scores_add_up(cuts.base) and len(counts) > 1:
        one, last = heads.summed_scores(cuts.traces[counts[0]]), heads.summed_scores(cuts.traces[counts[-1]])
        words = _("The raw scores of the {heads} add up to those of the one head; the largest difference is {off:.1e}.")
        st.caption(words.format(heads=many(counts[-1]), off=float((one - last).abs().max())))


def similarity(trace: AttentionTrace) -> None:
    """The matrix of how alike the heads are."""
    measures = {"cosine": _("Cosine"), "jensen_shannon": _("Jensen-Shannon")}
    measure = choose("heads_measure", measures, "cosine", _("Similarity"), measures.get)
    alike = head_similarity(trace.heads.weights, measure=measure)[0]
    labels = [str(head + 1) for head in range(len(alike))]
    height = max(340, 110 + 15 * len(labels))
    panel.heatmap(
        "heads_similarity",
        lambda: matrix_spec(
            alike.numpy(),
            row_labels=labels,
            col_labels=labels,
            kind="weight",
            dims=(_("head"), _("head")),
            field="similarity",
            box=(350 if panel.narrow() else 520, height),
            say=_,
        ),
        cells=alike.numel(),
        title=_("How alike the maps are"),
        note=_("mean of two different heads: {mean:.2f}").format(mean=heads.mean_similarity(alike)),
        height=height,
        group="similarity",
    )


def contributions(trace: AttentionTrace) -> None:
    """What each head adds, the sum, what is missing from it, and the shares."""
    names = _names(trace)
    if trace.shape("output")[-1] <= WIDEST:
        scale = float(trace.head_contributions().abs().max().maximum(trace.output.abs().max())) or 1.0
        field(trace, "head_contributions", key="heads_contributions", width=860, height=330, scale=scale)
        field(trace, "output", key="heads_output", width=860, height=270, scale=scale)
    else:
        _by_token("heads_lengths", heads.lengths(trace).numpy(), trace, _("Length of what each head adds"), None)
    words = _("The contributions add up to the output: the largest difference, the residual, is {off:.1e}.")
    panel.statement("heads_residual", words.format(off=heads.residual(trace)))
    shares = heads.shares(trace).tolist()
    title = _("share of the output")
    panel.plot(
        "heads_shares",
        parts_spec(names, {title: shares}, x_title=title, number=".0%", height=_height(len(names))),
        height=_height(len(names)),
    )


def off(trace: AttentionTrace) -> None:
    """Each head switched off alone, and any of them together."""
    names = _names(trace)
    moved = heads.one_by_one(trace)
    _by_token("heads_one_by_one", moved.numpy(), trace, _("Movement of the output, one head off"), 1.0)
    state.page_setting("heads_off", [0], lambda text: _heads_of(text, len(names)))
    st.session_state["heads_off"] = [head for head in st.session_state["heads_off"] if head < len(names)]
    chosen = told.pills(
        _("Heads switched off"),
        range(len(names)),
        selection_mode="multi",
        key="heads_off",
        format_func=lambda head: str(head + 1),
    )
    left = heads.switched(trace, (head for head in range(len(names)) if head not in chosen))
    words = _("{off} of {heads} off: the output of a token moves by {part:.0%} of its length on average.")
    part = float(heads.movement(trace, left).mean())
    panel.statement("heads_moved", words.format(off=len(chosen), heads=many(len(names)), part=part))
    if trace.shape("output")[-1] <= WIDEST:
        scale = float(trace.output.abs().max()) or 1.0
        title = _("Change of the output")
        change("heads_change", trace, left, "output", title=title, scale=scale, width=860, height=270)


def change(
    key: str,
    trace: AttentionTrace,
    other: AttentionTrace,
    name: str,
    *,
    title: str,
    scale: float,
    width: int,
    height: int,
) -> None:
    """One field of `other` minus that of `trace`, on a scale that stays where it is."""
    values = heads.change(trace, other, name)
    blocks = values.dim() == 3
    panel.heatmap(
        key,
        lambda: matrix_spec(
            values.numpy(),
            row_labels=[visible(token) for token in trace.tokens],
            col_labels=[visible(token) for token in trace.source_tokens] if blocks else None,
            kind="difference",
            rows_are="query",
            cols_are="key" if blocks else "feature",
            names=_names(trace) if blocks else (),
            dims=(_("query"), _("key") if blocks else "d_model"),
            field=f"{name} change",
            forbidden=~trace.heads.allowed[0].numpy() if blocks else None,
            scale=scale,
            box=(350 if panel.narrow() else width, height),
            say=_,
        ),
        cells=values.numel(),
        title=title,
        height=height,
        group=key,
    )


def drop(trace: AttentionTrace, seed: int) -> None:
    """Draws of whole-head dropout, and how their mean comes back to the output."""
    count = trace.shape("weights")[1]
    state.page_setting("heads_p", 0.25, _probability)
    p = told.slider(_("p, the probability that a head is dropped"), 0.0, 0.9, step=0.05, key="heads_p")
    gates = heads.draw_gates(count, p, DRAWS, seed)
    left, right = st.columns(2, gap="medium")
    with left:
        panel.heatmap(
            "heads_gates",
            lambda: matrix_spec(
                gates[:SHOWN].numpy(),
                row_labels=[str(draw + 1) for draw in range(SHOWN)],
                col_labels=[str(head + 1) for head in range(count)],
                kind="weight",
                dims=(_("draw"), _("head")),
                field="head factor",
                scale=float(count),
                box=(350 if panel.narrow() else 420, 330),
                say=_,
            ),
            cells=SHOWN * count,
            title=_("Factor of each head"),
            height=330,
            group="gates",
        )
    with right:
        floor = p**count
        series = {
            _("mean output, distance from the output"): heads.mean_distance(trace, gates).tolist(),
            _("p to the power of the heads, {floor:.3g}").format(floor=floor): [floor] * DRAWS,
        }
        spec = lines_spec(
            range(1, DRAWS + 1),
            series,
            x_title=_("draws in the mean"),
            y_title=_("part of the output's length"),
            log_x=True,
            dashed=tuple(series)[1:],
        )
        spec["layout"]["yaxis"]["range"] = [0, 1.6]
        panel.plot("heads_mean", spec, height=330)


def _names(trace: AttentionTrace) -> list[str]:
    return [head_name(trace, head, say=_) for head in range(trace.shape("weights")[1])]


def _height(bars: int) -> int:
    return 60 + max(3, bars) * 20


def _by_token(key: str, values: Any, trace: AttentionTrace, title: str, scale: float | None) -> None:
    """A row a head, a column a token; numbers from 0."""
    most = max(float(values.max()), 1e-6)
    height = 130 + 24 * min(len(values), 16)
    panel.heatmap(
        key,
        lambda: matrix_spec(
            values,
            row_labels=[str(head + 1) for head in range(len(values))],
            col_labels=[visible(token) for token in trace.tokens],
            kind="weight",
            cols_are="query",
            dims=(_("head"), _("token")),
            field=key,
            scale=most if scale is None else max(scale, most),
            box=(350 if panel.narrow() else 860, height),
            say=_,
        ),
        cells=values.size,
        title=title,
        height=height,
        group=key,
    )


def _heads_of(text: str, count: int) -> list[int]:
    found = [int(number) for number in re.findall(r"\d{1,3}", text)]
    if not re.fullmatch(r"\[(\d{1,3}(, \d{1,3})*)?\]", text) or max(found, default=0) >= count:
        raise ValueError(f"{text[:40]!r}: allowed are heads such as [0, 1], counted from 0, here to {count - 1}")
    return found


def _probability(text: str) -> float:
    try:
        value = float(text[:40])
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 0.9:
        raise ValueError(f"{text[:40]!r}: allowed are numbers from 0 to 0.9")
    return value
