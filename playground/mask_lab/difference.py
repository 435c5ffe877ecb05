"""Before, after, and what changed: the same experiment with mask A (none, causal, or one kept) and with B, the own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st
import torch

from attention_core.experiment import Experiment
from attention_core.mask_lab import resized
from attention_core.masks import Mask
from attention_core.masks.text import format_mask, parse_mask
from attention_core.trace import AttentionTrace
from attention_viz import matrix_spec, signed_scale
from attention_viz.labels import names
from attention_viz.panel import head_name, max_magnitude
from playground import compute, panel, stages, state, told
from playground.i18n import _
from playground.mask_lab.editor import shown_head

FIELDS = ("weights", "masked_scores", "context", "output")
GAPS = ("weights", "masked_scores")  # fields in which a forbidden cell has no number
WIDTH, HEIGHT = 270, 350


def draw(experiment: Experiment, after: AttentionTrace) -> AttentionTrace:
    """Three panels, A and B on one scale and B - A on its own; gives A."""
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom", key="mask_lab_compare"):
        before = _before(experiment)
        state.page_setting("mask_lab_stage", "weights", state.one_of(FIELDS))
        field = told.selectbox(_("Stage"), FIELDS, key="mask_lab_stage", format_func=stages.field_title, width=180)
    with st.container():  # a place that stays, see frame.header: the first stroke takes this sentence away
        if before.heads.allowed.equal(after.heads.allowed):
            st.caption(_("A and B allow the same cells, so nothing differs. Paint, or choose another A."))
    scale = signed_scale((before, field), (after, field)) if field != "weights" else None
    head = shown_head(after)
    first, second, third = st.columns(3)
    with first:
        stages.field_panel(
            before, field, key="mask_lab_a", title=_("A, before"), scale=scale, head=head, width=WIDTH, height=HEIGHT,
            csv=False, marks=False,
        )  # fmt: skip
    with second:
        stages.field_panel(
            after, field, key="mask_lab_b", title=_("B, your mask"), scale=scale, head=head, width=WIDTH, height=HEIGHT,
            marks=False,
        )  # fmt: skip
    with third:
        _difference(before, after, field, head)
    return before


def _before(experiment: Experiment) -> AttentionTrace:
    """The trace with mask A, and the tools to choose it."""
    labels = {"full": _("nothing forbidden"), "causal": _("causal")}
    chosen = state.page_setting("mask_lab_base", "full", _mask_text)
    mask = parse_mask(chosen)
    if chosen not in labels:
        labels[chosen] = mask.phrase(_)
    told.selectbox(_("A, compared with"), list(labels), key="mask_lab_base", format_func=labels.__getitem__, width=220)
    st.button(
        _("Keep this mask as A"),
        key="mask_lab_keep",
        on_click=_keep,
        help=_("Then paint on: the pictures show what differs from here."),
    )
    fitted = resized(mask, len(experiment.tokens()), len(experiment.source_tokens()))
    try:
        return compute.run(replace(experiment, mask=fitted))
    except ValueError:  # a mask from a link that fits no experiment, such as padding of two texts
        return compute.run(replace(experiment, mask=parse_mask("full")))


def _keep() -> None:
    mask: Mask = state.experiment().mask
    st.session_state["mask_lab_base"] = format_mask(mask)


def _mask_text(text: str) -> str:
    try:
        return format_mask(parse_mask(text))
    except ValueError as problem:
        # Said of the whole it begins with "mask=", and the link has another name for it; of a part, "width=0: ...".
        words = str(problem).removeprefix("mask=")
        raise ValueError(words if words != str(problem) else f"{text[:40]!r}: {words}") from None


def _difference(before: AttentionTrace, after: AttentionTrace, field: str, head: int | None) -> None:
    dims = after.dims(field)
    values = (after.field(field) - before.field(field))[0].detach()  # (head, row, col) or (row, col)
    forbidden = None
    if field in GAPS:
        was, now = before.heads.allowed[0], after.heads.allowed[0]  # (head, query, key)
        # What was closed has a number for its weight, which is now 0; a score of minus infinity has none.
        forbidden = (~now if field == "masked_scores" else ~now & ~was).expand(values.shape)
    heads = list(range(len(values))) if values.dim() == 3 else []
    if head is not None and heads:
        heads = [head]
        values = values[head : head + 1]
        forbidden = None if forbidden is None else forbidden[head : head + 1]
    # Rounding noise must not fill the scale.
    least = 0.01 * max_magnitude([trace.field(field).detach().numpy() for trace in (before, after)])
    narrow = panel.narrow()
    rows, cols = dims[-2], dims[-1] if dims[-1] == "key" else "feature"

    def spec() -> dict[str, Any]:
        made = matrix_spec(
            values.numpy(),
            forbidden=None if forbidden is None else forbidden.numpy(),
            kind="difference",
            field=field,
            names=[head_name(after, one, say=_) for one in heads],
            rows_are=rows,
            cols_are=cols,
            row_labels=names(after.tokens, values.shape[-2]),
            col_labels=names(after.source_tokens if cols == "key" else (), values.shape[-1]),
            dims=(dims[-2], dims[-1]),
            scale=max(_largest(values), least),
            box=(350 if narrow else WIDTH, HEIGHT),
            say=_,
        )
        for block, one in zip(made["meta"]["blocks"], heads, strict=False):
            block["head"] = one
        return made

    panel.heatmap(
        "mask_lab_d",
        spec,
        cells=values.numel(),
        title=_("B − A"),
        note=_("what the mask changed"),
        height=HEIGHT,
        group="scores" if field in GAPS else field,
        twins=after.source_tokens == after.tokens,
    )


def _largest(values: torch.Tensor) -> float:
    finite = values[values.isfinite()]
    return float(finite.abs().max()) if finite.numel() else 0.0
