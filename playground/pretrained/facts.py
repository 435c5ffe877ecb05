"""What kind of model it is, and how far the recomputed weights are from its own."""

from __future__ import annotations

import streamlit as st

from attention_core.pretrained import Reading
from attention_core.pretrained.findings import ahead
from attention_core.trace import AttentionTrace
from attention_viz.labels import visible
from playground import panel, stages
from playground.i18n import _
from playground.pretrained.shelf import Loaded


def say(loaded: Loaded, reading: Reading) -> None:
    """Sizes, direction, and the check of the recomputation."""
    one = loaded.model
    if one.writes:
        direction = _("an encoder reads the text in both directions, a decoder writes")
    elif ahead(reading, "layer") == 0.0:
        direction = _("it reads from left to right (causal)")
    else:
        direction = _("it reads in both directions")
    shared = _(", {count} key/value heads").format(count=one.kv_heads) if one.kv_heads != one.heads else ""
    sizes = _(
        "{family}: {layers} layers of {heads} heads{shared}, width {width}, {parameters} parameters; {direction}."
    )
    panel.statement(
        "pretrained_facts",
        sizes.format(
            family=one.family,
            layers=one.layers,
            heads=one.heads,
            shared=shared,
            width=one.width,
            parameters=f"{one.parameters:,}",
            direction=direction,
        ),
        _(
            "Recomputed here from the recorded queries, keys and values; the largest difference to the model's own "
            "weights, over all layers and heads: {difference}."
        ).format(difference=f"{reading.difference:.1e}" if reading.difference else "0"),
    )
    if reading.target is not None:
        written = next(layer.tokens for layer in reading.layers.values() if layer.part == "cross")
        panel.statement(
            "pretrained_written",
            _("What is written: {tokens}").format(tokens=" ".join(visible(token) for token in written)),
            _("Rows of the cross-attention are named after the token that is being written."),
        )


def what_is_known(trace: AttentionTrace) -> None:
    """Which of the stages this model shows, and which it keeps to itself."""
    lines = []
    weights = trace.projections
    if weights is None or weights.w_q is None or weights.w_k is None:
        lines.append(
            _(
                "Between the linear layers of this model and its attention more happens than a rotation, so its "
                "queries and keys are shown as they enter the scores, without the matrices that made them."
            )
        )
    if trace.output is trace.concat:
        lines.append(_("The output projection of this layer was not found; the output is the concatenation."))
    if trace.heads.rotated_q is not trace.heads.q:
        lines.append(_("This model turns its queries and keys by their position (RoPE)."))
    if trace.cap is not None:
        lines.append(_("This model keeps its scores within a cap before the softmax."))
    elif trace.heads.modified_scores is not trace.heads.scaled_scores:
        lines.append(_("This model adds a learned number to each score, by the distance of the two tokens."))
    if lines:
        st.caption(" ".join(lines))


def walk(trace: AttentionTrace, head: int) -> None:
    """Which stages of a layer are known, and all of them."""
    what_is_known(trace)
    stages.draw_walk(trace, head, csv=False)
