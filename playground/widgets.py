"""Which widget shows which field of the experiment, and what it shows."""

from __future__ import annotations

from typing import Any

import streamlit as st

from attention_core.experiment import Experiment
from playground.mask_choice import CUSTOM, KINDS, kind_of

# What cross-attention begins with: it shares words with the first sentence, so that "same token" has some to find.
FIRST_SOURCE = "A tired animal waits where it is"
PREFIX = "c_"  # of the key of every widget that shapes the experiment
MAX_SEED = 2**53 - 1  # whole numbers beyond are not exact in the browser
# The widget of a field, where its short name differs from the field's.
_NAMES = {
    "source_text": "source",
    "num_heads": "heads",
    "d_model": "width",
    "d_k": "dk",
    "d_v": "dv",
    "num_kv_heads": "kv",
    "out_proj": "wo",
}


def key(name: str) -> str:
    """The key of a widget in the session."""
    return PREFIX + name


def key_of(field: str) -> str:
    """The key of the widget that shows a field of the experiment."""
    return key(_NAMES.get(field, field))


def ends(field: str, low: float, high: float) -> tuple[float, float]:
    """The ends of a slider: `low` and `high`, unless a link or an example has brought a value beyond them."""
    brought = st.session_state.get("brought", {}).get(_NAMES.get(field, field), low)
    return min(low, brought), max(high, brought)


def widget_values(wanted: Experiment) -> dict[str, Any]:
    """What each widget shows for `wanted`, by the widget's name."""
    kind, numbers = kind_of(wanted.mask)
    d_head = max(1, wanted.d_model // wanted.num_heads)
    values: dict[str, Any] = {
        "text": wanted.text,
        "source": wanted.source_text or FIRST_SOURCE,
        "mode": wanted.mode,
        "tokenizer": wanted.tokenizer,
        "heads": wanted.num_heads,
        "width": wanted.d_model,
        "unlock": wanted.d_k is not None or wanted.d_v is not None,
        "dk": wanted.d_k or d_head,
        "dv": wanted.d_v or d_head,
        "kv": wanted.num_kv_heads or wanted.num_heads,
        "position": wanted.position,
        "score": wanted.score,
        "temperature": wanted.temperature,
        "mask": kind,
        "dropout": wanted.dropout,
        "bias": wanted.bias,
        "weights": wanted.weights,
        "seed": wanted.seed,
        "embedding": wanted.embedding,
        "wo": wanted.out_proj,
    }
    for index, number in enumerate(KINDS[kind].numbers if kind in KINDS else ()):
        values[f"mask_{kind}_{index}"] = numbers[index] if numbers else number.start
    st.session_state["custom_mask"] = wanted.mask if kind == CUSTOM else st.session_state.get("custom_mask")
    return values
