"""Before, after, and what changed: the same experiment without the mask (or with another one) and with it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.mask_lab import mask_effect, row_effects, summarise
from attention_core.masks import Causal, Full, Mask
from attention_core.trace import AttentionTrace
from attention_viz import signed_scale
from attention_viz.labels import visible
from playground import compute, panel, stages, state
from playground.i18n import _

FIELDS = ("weights", "masked_scores", "context", "output")
BASES: dict[str, Mask] = {"full": Full(), "causal": Causal()}


def base(experiment: Experiment) -> Experiment:
    """The experiment A that the mask is compared with."""
    name = state.page_setting("mask_lab_base", "full", state.one_of(BASES))
    return replace(experiment, mask=BASES[name])


def draw(experiment: Experiment, after: AttentionTrace) -> None:
    """Three panels on one scale, and the numbers."""
    labels = {"full": _("A: nothing forbidden"), "causal": _("A: causal")}
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        before_experiment = base(experiment)
        st.selectbox(_("Compare with"), list(BASES), key="mask_lab_base", format_func=labels.__getitem__, width=220)
        state.page_setting("mask_lab_stage", "weights", state.one_of(FIELDS))
        field = st.selectbox(_("Stage"), FIELDS, key="mask_lab_stage", format_func=stages.field_title, width=220)
    before = compute.run(before_experiment)
    signed = field != "weights"
    scale = signed_scale((before, field), (after, field)) if signed else None
    columns = st.columns(3)
    with columns[0]:
        stages.field_panel(
            before,
            field,
            key="mask_lab_a",
            title=_("A, before"),
            scale=scale,
            width=270,
            height=320,
            csv=False,
            marks=False,
        )
    with columns[1]:
        stages.field_panel(after, field, key="mask_lab_b", title=_("B, your mask"), scale=scale, width=270, height=320)
    with columns[2]:
        stages.field_panel(
            after, field, key="mask_lab_d", title=_("B − A"), difference_to=before, width=270, height=320, csv=False
        )
    _numbers(before, after)


def _numbers(before: AttentionTrace, after: AttentionTrace) -> None:
    effect = mask_effect(before, after)
    heads = range(after.shape("weights")[1])
    rows = []
    for head in (*heads, None):
        found = summarise(effect, head)
        rows.append(
            (
                _("all") if head is None else str(head + 1),
                f"{found.removed:.1%}",
                f"{found.gained:.1%}",
                str(found.rows_emptied),
                f"{found.entropy_before:.3f} → {found.entropy_after:.3f}",
                f"{found.context_moved:.3f}",
                f"{found.output_moved:.3f}" if head is None else "",
            )
        )
    panel.table(
        "mask_lab_heads",
        rows[:-1],
        head=(
            _("Head"),
            _("mass removed"),
            _("redistributed"),
            _("rows emptied"),
            _("entropy, nats"),
            _("head output moved"),
            _("output moved"),
        ),
        total=rows[-1],
        more=_("Show all heads"),
    )
    worst = summarise(effect, None).conservation_error
    st.caption(
        _(
            "Removed and redistributed are means over the rows: what the forbidden cells held goes to those that "
            "remain, in proportion to what they had. They agree to {error} in every row that has anything left."
        ).format(error=f"{worst:.0e}")
    )
    with st.expander(_("Row by row")):
        head = min(state.view().head or 0, len(heads) - 1)
        panel.table(
            "mask_lab_rows",
            [
                (
                    visible(row.token),
                    f"{row.removed:.2%}",
                    f"{row.gained:.2%}",
                    f"{row.entropy_before:.3f} → {row.entropy_after:.3f}",
                    f"{row.context_moved:.3f}",
                    f"{row.output_moved:.3f}",
                )
                for row in row_effects(effect, head)
            ],
            head=(
                _("Query"),
                _("removed"),
                _("gained"),
                _("entropy, nats"),
                _("head output moved"),
                _("output moved"),
            ),
            more=_("Show all rows"),
        )
