"""The way to and from `torch.nn.MultiheadAttention`, weight by weight.

torch keeps q, k and v packed in one `in_proj_weight` where they read one width, and apart otherwise, as
`MultiHeadAttention` does; the exchange is a copy of each tensor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from attention_core.scores import ScaledDot

if TYPE_CHECKING:
    from attention_core.modules.multi_head import MultiHeadAttention

_NAMES = {  # ours: torch's
    "in_proj_weight": "in_proj_weight",
    "q_proj_weight": "q_proj_weight",
    "k_proj_weight": "k_proj_weight",
    "v_proj_weight": "v_proj_weight",
    "in_proj_bias": "in_proj_bias",
    "out_proj_weight": "out_proj.weight",
    "out_proj_bias": "out_proj.bias",
}


def from_torch(kind: type[MultiHeadAttention], theirs: nn.MultiheadAttention) -> MultiHeadAttention:
    """See `MultiHeadAttention.from_torch`."""
    for name in ("bias_k", "bias_v", "add_zero_attn"):
        if getattr(theirs, name) is not None and getattr(theirs, name) is not False:
            raise ValueError(f"{name} is set: allowed is a module without it, no key may come from nowhere")
    ours = kind(
        theirs.embed_dim,
        theirs.num_heads,
        kdim=theirs.kdim,
        vdim=theirs.vdim,
        bias=theirs.in_proj_bias is not None,
        dropout=theirs.dropout,
        dtype=theirs.out_proj.weight.dtype,
        device=theirs.out_proj.weight.device,
    )
    given = theirs.state_dict()
    ours.load_state_dict({name: given[their] for name, their in _NAMES.items() if their in given})
    return ours.train(theirs.training)


def to_torch(ours: MultiHeadAttention) -> nn.MultiheadAttention:
    """See `MultiHeadAttention.to_torch`."""
    width = ours.embed_dim / ours.num_heads
    weight = ours.out_proj_weight
    if weight is None:
        raise ValueError("out_proj=False: torch's class always has an output projection")
    for name, value, allowed in (
        ("num_kv_heads", ours.num_kv_heads, ours.num_heads),
        ("head_dim", ours.head_dim, width),
        ("value_dim", ours.value_dim, width),
    ):
        if value != allowed:
            raise ValueError(f"{name}={value}: torch's class allows {allowed:g} only")
    if type(ours.score) is not ScaledDot:
        raise ValueError(f"score={ours.score.name!r}: torch's class allows the scaled dot product only")

    # Made without memory first, because the constructor would draw its weights from the global generator.
    theirs = nn.MultiheadAttention(
        ours.embed_dim,
        ours.num_heads,
        dropout=ours.dropout,
        bias=ours.bias,
        kdim=ours.kdim,
        vdim=ours.vdim,
        batch_first=True,
        dtype=weight.dtype,
        device="meta",
    ).to_empty(device=weight.device)
    state: dict[str, Tensor] = {_NAMES[name]: tensor for name, tensor in ours.state_dict().items()}
    with torch.no_grad():
        theirs.load_state_dict(state)
    return theirs.train(ours.training)
