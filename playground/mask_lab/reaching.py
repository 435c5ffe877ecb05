"""Far sight and cost: what a token reaches through several layers of this mask, and what the mask saves."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.mask_lab import LAYERS, far_sight, mask_cost
from attention_core.masks import Causal, Padding
from attention_core.trace import AttentionTrace
from attention_viz import heatmap_spec, matrix_spec
from attention_viz.labels import visible
from playground import compute, panel, stages, state
from playground.i18n import _


def far(experiment: Experiment, trace: AttentionTrace) -> None:
    """What each token can know of after so many layers."""
    queries, keys = trace.shape("weights")[2:]
    if queries != keys:
        st.caption(_("In cross-attention the keys belong to another text, which no next layer looks at again."))
        return
    state.page_setting("mask_lab_layers", 1, state.whole(1, LAYERS))
    layers = st.slider(_("Layers"), 1, LAYERS, key="mask_lab_layers", width=420)
    seen = far_sight(experiment.effective_mask(), queries, keys)
    labels = [visible(token) for token in trace.tokens]
    panel.heatmap(
        "mask_lab_reach",
        lambda: matrix_spec(
            seen.layers[layers - 1].float().numpy(),
            forbidden=(~seen.layers[layers - 1]).numpy(),
            row_labels=labels,
            col_labels=labels,
            kind="mask",
            rows_are="query",
            cols_are="key",
            dims=("query", "key"),
            field="reach",
            box=(420, 420),
            say=_,
        ),
        cells=queries * keys,
        title=_("What each token can know of"),
        note=_("after {layers} layers").format(layers=layers),
        height=430,
        group="reach",
    )
    counts = seen.counts[layers - 1]
    words = _("On average a token reaches {mean} of {keys} tokens, at least {least} and at most {most}.").format(
        mean=f"{counts.double().mean():.1f}", keys=keys, least=int(counts.min()), most=int(counts.max())
    )
    if seen.saturated_at is not None:
        words += " " + _("From {layers} layers on nothing more is reached.").format(layers=seen.saturated_at)
    panel.statement("mask_lab_reach_words", words)


def cost(experiment: Experiment, trace: AttentionTrace) -> None:
    """The share of cells that are computed, and what that means."""
    _batch, heads, queries, keys = trace.shape("weights")
    widths = experiment.widths
    found = mask_cost(
        experiment.effective_mask(),
        queries,
        keys,
        d_k=widths.d_k,
        d_v=widths.d_v,
        heads=heads,
        block_sizes=(4, 16, 128),
    )
    rows = [
        (_("Cells"), f"{found.cells:,}", f"{found.allowed:,}", f"{found.share:.1%}"),
        (_("FLOPs of the scores"), f"{found.full_score_flops:,}", f"{found.score_flops:,}", f"{found.share:.1%}"),
        (_("FLOPs of the weighted sum"), f"{found.full_sum_flops:,}", f"{found.sum_flops:,}", f"{found.share:.1%}"),
    ]
    for size in (4, 16, 128):
        block = found.block(size)
        label = _("Blocks of {size} × {size} with an open cell").format(size=size)
        rows.append((label, f"{block.blocks:,}", f"{block.needed:,}", f"{block.share:.1%}"))
    kept = f"{found.kv_cells / found.full_kv_cells:.1%}"
    rows.append((_("Keys and values to keep"), f"{found.full_kv_cells:,}", f"{found.kv_cells:,}", kept))
    panel.table(
        "mask_lab_cost",
        rows,
        head=(_("What"), _("full attention"), _("with this mask"), _("share")),
        more=_("Show all"),
    )
    st.caption(
        _(
            "A dense kernel computes every cell and throws the forbidden ones away. A block-sparse kernel such as "
            "FlexAttention skips blocks without an open cell, so it saves what the row of 128 × 128 blocks says."
        )
    )


def lengths(experiment: Experiment) -> None:
    """Queries and keys of different number: padding of the source, and two ways to lay a causal mask."""
    source = experiment.source_text or _("The sun rises in the east every morning")
    cross = replace(experiment, mode="cross", source_text=source, mask=Causal(0))
    queries, keys = len(cross.tokens()), len(cross.source_tokens())
    state.page_setting("mask_lab_real", keys, state.whole(0, 512))
    if st.session_state["mask_lab_real"] > keys:
        st.session_state["mask_lab_real"] = keys
    real = st.slider(_("Source tokens that are real; the rest is padding"), 0, keys, key="mask_lab_real", width=420)
    shown = {
        _("Source padding"): Padding((real,)),
        _("Causal, top left"): Causal(0) & Padding((real,)),
        _("Causal, bottom right"): Causal.bottom_right(queries, keys) & Padding((real,)),
    }
    panel.chips(
        "mask_lab_lengths",
        [
            {"label": _("Queries"), "axis": "query", "tokens": t, "shown": [visible(x) for x in t]}
            for t in [tuple(token.text for token in cross.tokens())]
        ]
        + [
            {"label": _("Source"), "axis": "key", "tokens": t, "shown": [visible(x) for x in t]}
            for t in [tuple(token.text for token in cross.source_tokens())]
        ],
    )
    columns = st.columns(3)
    for number, (column, (title, mask)) in enumerate(zip(columns, shown.items(), strict=True)):
        trace = compute.run(replace(cross, mask=mask))
        with column:
            panel.heatmap(
                f"mask_lab_length_{number}",
                lambda trace=trace: heatmap_spec(trace, "weights", head=0, box=(270, 260), say=_),  # type: ignore[misc]
                cells=queries * keys,
                title=title,
                note=stages.shape(trace, "weights"),
                height=280,
                group="lengths",
                twins=False,
            )
            blind = int((~trace.heads.allowed[0, 0].any(dim=-1)).sum())
            panel.statement(f"mask_lab_blind_{number}", "", mask.sentence(_) + (" " + _blind(blind) if blind else ""))


def _blind(count: int) -> str:
    return _("Queries with nothing left to see: {count}.").format(count=count)
