"""Far sight and cost: what a token reaches through several layers of this mask, and what the mask saves."""

from __future__ import annotations

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.mask_lab import LAYERS, Reach, far_sight, mask_cost
from attention_core.trace import AttentionTrace
from attention_viz import matrix_spec
from attention_viz.labels import visible
from playground import panel, state, told
from playground.i18n import _


def settings() -> None:
    """What the link may say of this section, read also while it is closed."""
    state.page_setting("mask_lab_layers", 1, state.whole(1, LAYERS))


def far(experiment: Experiment, trace: AttentionTrace) -> None:
    """What each token can know of after so many layers."""
    queries, keys = trace.shape("weights")[2:]
    if experiment.mode == "cross":
        st.caption(_("In cross-attention the keys belong to another text, which no next layer looks at again."))
        return
    settings()
    layers = told.slider(_("Layers"), 1, LAYERS, key="mask_lab_layers", width=420)
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
            box=(350 if panel.narrow() else 420, 420),
            say=_,
        ),
        cells=queries * keys,
        title=_("What each token can know of"),
        note=_("layers: {layers}").format(layers=layers),
        height=430,
        group="reach",
    )
    counts = seen.counts[layers - 1]
    words = _("On average a token reaches {mean} of {keys} tokens, at least {least} and at most {most}.").format(
        mean=f"{counts.double().mean():.1f}", keys=keys, least=int(counts.min()), most=int(counts.max())
    )
    panel.statement("mask_lab_reach_words", words, _saturated(seen))


def _saturated(seen: Reach) -> str:
    if seen.saturated_at is None:
        return _("After {layers} layers still more would be reached.").format(layers=LAYERS)
    if seen.saturated_at == 1:
        return _("More layers reach nothing more.")
    return _("From {layers} layers on nothing more is reached.").format(layers=seen.saturated_at)


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
        num_kv_heads=trace.shape("k")[1],
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
    words = _("Of {cells} cells {allowed} are computed: {share} of the {flops} FLOPs of full attention, {saved} saved.")
    panel.statement(
        "mask_lab_cost_words",
        words.format(
            cells=f"{found.cells:,}",
            allowed=f"{found.allowed:,}",
            share=f"{found.share:.1%}",
            flops=f"{found.full_flops:,}",
            saved=f"{found.full_flops - found.flops:,}",
        ),
    )
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
