"""Which tokens the weight of a part gathers on."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from attention_core.pretrained.reading import Reading

__all__ = ["Received", "received"]


@dataclass(frozen=True)
class Received:
    """How much weight a token gets: `share` is the mean over all heads of a part and over all queries that may see it.

    `even` is what it would be if each query looked evenly at all it may see; `heads` counts the heads that put more
    than half of their weight there.
    """

    place: int
    token: str
    special: bool
    share: float
    even: float
    heads: int


def received(reading: Reading, part: str) -> list[Received]:
    """What each token gets in all heads of a part, "layer", "encoder", "decoder" or "cross"; the most first.

    A token that gathers weight from nearly everywhere, whatever is said, is called a sink (Xiao et al. 2024, "Efficient
    streaming language models with attention sinks"). The token's own query is left out where it looks at itself.
    ValueError for a part that the model has not.
    """
    layers = [layer for layer in reading.layers.values() if layer.part == part]
    if not layers:
        raise ValueError(f"part={part!r}: allowed are {', '.join(reading.parts)}")
    side = reading.target if part == "decoder" and reading.target is not None else reading.source
    allowed = layers[0].allowed.clone()  # (query, key)
    evenly = allowed / allowed.sum(dim=-1, keepdim=True).clamp(min=1)  # (query, key)
    if part != "cross":
        allowed.fill_diagonal_(False)
    rows = allowed.sum(dim=0).clamp(min=1)  # (key,)
    by_head = torch.cat([(layer.weights * allowed).sum(dim=1) / rows for layer in layers])  # (layer * head, key)
    share, even = by_head.mean(dim=0), (evenly * allowed).sum(dim=0) / rows  # (key,)
    found = [
        Received(place, token, special, float(share[place]), float(even[place]), int((by_head[:, place] > 0.5).sum()))
        for place, (token, special) in enumerate(zip(side.tokens, side.special, strict=True))
        if bool(allowed[:, place].any())
    ]
    return sorted(found, key=lambda one: -one.share)
