"""The mathematics of attention, every intermediate kept: tensors and text in, a trace out.

>>> import attention_core as ac
>>> trace = ac.Experiment("The sun rises in the east", num_heads=4).run()
>>> trace.shape("weights"), trace.dims("weights")
((1, 4, 6, 6), ('batch', 'head', 'query', 'key'))
"""

from attention_core.derivation import Derivation, Step, Term, derive
from attention_core.embeddings import EMBEDDINGS, embed
from attention_core.encoder import EncoderBlock, drop_heads
from attention_core.encoder_trace import EncoderTrace
from attention_core.experiment import MODES, Experiment, ExperimentError
from attention_core.experiment.recipes import SCORES, WEIGHTS
from attention_core.functional import Mod, attention, masked_softmax
from attention_core.limits import LimitError, Limits
from attention_core.masks import (
    Blocks,
    Causal,
    Dilated,
    Documents,
    Explicit,
    Full,
    Global,
    Mask,
    Padding,
    Prefix,
    Window,
)
from attention_core.masks.text import format_mask, parse_mask
from attention_core.metrics import (
    attention_distance,
    effective_tokens,
    entropy,
    flop_count,
    head_similarity,
    kv_cache_size,
    mean_attention_distance,
    parameter_count,
)
from attention_core.modules import CausalSelfAttention, CrossAttention, MultiHeadAttention, SelfAttention
from attention_core.positions import (
    POSITIONS,
    ALiBi,
    RoPE,
    Shaw,
    T5Buckets,
    TransformerXL,
    learned,
    position_encoding,
    position_mods,
    sinusoidal,
)
from attention_core.presets import DEFAULT, PRESETS, Preset, preset
from attention_core.scores import (
    Additive,
    Bilinear,
    Cosine,
    Dot,
    ScaledDot,
    Score,
    Tempered,
    cosine,
    dot_product,
    scaled_dot_product,
)
from attention_core.tokens import TOKENIZERS, Token, tokenize
from attention_core.trace import AttentionTrace, HeadTrace, Projections
from attention_core.weights_io import load_into, load_metadata, load_weights, save_weights, weights_to_bytes

__all__ = [
    "DEFAULT",
    "EMBEDDINGS",
    "MODES",
    "POSITIONS",
    "PRESETS",
    "SCORES",
    "TOKENIZERS",
    "WEIGHTS",
    "ALiBi",
    "Additive",
    "AttentionTrace",
    "Bilinear",
    "Blocks",
    "Causal",
    "CausalSelfAttention",
    "Cosine",
    "CrossAttention",
    "Derivation",
    "Dilated",
    "Documents",
    "Dot",
    "EncoderBlock",
    "EncoderTrace",
    "Experiment",
    "ExperimentError",
    "Explicit",
    "Full",
    "Global",
    "HeadTrace",
    "LimitError",
    "Limits",
    "Mask",
    "Mod",
    "MultiHeadAttention",
    "Padding",
    "Prefix",
    "Preset",
    "Projections",
    "RoPE",
    "ScaledDot",
    "Score",
    "SelfAttention",
    "Shaw",
    "Step",
    "T5Buckets",
    "Tempered",
    "Term",
    "Token",
    "TransformerXL",
    "Window",
    "attention",
    "attention_distance",
    "cosine",
    "derive",
    "dot_product",
    "drop_heads",
    "effective_tokens",
    "embed",
    "entropy",
    "flop_count",
    "format_mask",
    "head_similarity",
    "kv_cache_size",
    "learned",
    "load_into",
    "load_metadata",
    "load_weights",
    "masked_softmax",
    "mean_attention_distance",
    "parameter_count",
    "parse_mask",
    "position_encoding",
    "position_mods",
    "preset",
    "save_weights",
    "scaled_dot_product",
    "sinusoidal",
    "tokenize",
    "weights_to_bytes",
]
