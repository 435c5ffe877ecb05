"""Where position enters attention, by name (`registry`).

`added` to x, a `rotary` turn of q and k, or a change of the scores (`score_bias`, `relative`).
"""

from attention_core.positions.registry import (
    POSITIONS,
    ALiBi,
    RoPE,
    Shaw,
    T5Buckets,
    TransformerXL,
    alibi_slopes,
    learned,
    position_encoding,
    position_mods,
    relative_positions,
    sinusoidal,
    sinusoids,
    t5_buckets,
)

__all__ = [
    "POSITIONS",
    "ALiBi",
    "RoPE",
    "Shaw",
    "T5Buckets",
    "TransformerXL",
    "alibi_slopes",
    "learned",
    "position_encoding",
    "position_mods",
    "relative_positions",
    "sinusoidal",
    "sinusoids",
    "t5_buckets",
]
