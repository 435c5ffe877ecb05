"""Attention with weights: one head, causal, cross, and many heads.

Every `forward` is exactly `trace(...).output`: what is shown is what is computed.
"""

from __future__ import annotations

from attention_core.modules.multi_head import MultiHeadAttention
from attention_core.modules.single_head import CausalSelfAttention, CrossAttention, SelfAttention

__all__ = ["CausalSelfAttention", "CrossAttention", "MultiHeadAttention", "SelfAttention"]
