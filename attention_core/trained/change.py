"""What is done to a trained model before it is asked: values, so that the model itself stays as it was."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from attention_core.encoder import drop_heads
from attention_core.masks import Mask
from attention_core.modules import MultiHeadAttention
from attention_core.scores import Tempered
from attention_core.trace import AttentionTrace
from attention_core.trained.patch import Patch, overwrite, patched

__all__ = ["Change", "attend"]


@dataclass(frozen=True)
class Change:
    """What is done to a model: nothing, unless said.

    removed      (layer, head) of heads whose output is replaced by 0
    masks        (layer, mask) in place of the mask that the layer was trained with; padding stays forbidden
    temperature  divides the scores of every head; above 0, else ValueError
    patches      weights in place of those that a head computes, see `Patch`; the mask still holds

    >>> Change(removed=frozenset({("self1", 0)})) == Change()
    False
    """

    removed: frozenset[tuple[str, int]] = frozenset()
    masks: tuple[tuple[str, Mask], ...] = ()
    temperature: float = 1.0
    patches: tuple[Patch, ...] = ()

    def __post_init__(self) -> None:
        """Check the temperature."""
        if not 0.0 < self.temperature < float("inf"):
            raise ValueError(f"temperature={self.temperature!r}: allowed are numbers above 0")


def attend(
    module: MultiHeadAttention,
    layer: str,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    own: Mask | None,
    real: Tensor,
    change: Change,
    names: tuple[tuple[str, ...], tuple[str, ...]] | None,
) -> AttentionTrace:
    """One layer of attention under a change, with every stage.

    `own` is the mask of the layer, `real` (batch, key) says which keys are no padding.
    """
    heads = module.num_heads
    size = (query.shape[0], heads, query.shape[1], key.shape[1])
    mask = dict(change.masks).get(layer, own)
    allowed = real[:, None, None, :]  # (batch, 1, 1, key)
    if mask is not None:
        allowed = allowed & mask.materialize(1, heads, *size[2:])  # (batch, head, query, key)
    if change.temperature != 1.0:
        module = copy.copy(module)  # the parameters stay shared; only the score of the copy is another
        module.score = Tempered(module.score, change.temperature)
    tokens, source_tokens = names if names is not None else (None, None)
    trace = module.trace(
        query,
        key,
        value,
        mask=None if bool(allowed.all()) else allowed,
        tokens=tokens,
        source_tokens=source_tokens,
    )
    patches = [patch for patch in change.patches if patch.layer == layer and patch.head < heads]
    if patches:
        trace = overwrite(trace, *patched(trace.heads.weights, trace.heads.allowed, patches))
    gone = [head for name, head in change.removed if name == layer and head < heads]
    if not gone:
        return trace
    gates = torch.ones(size[0], heads)  # (batch, head)
    gates[:, gone] = 0.0
    set_rows = torch.zeros(size[:3], dtype=torch.bool) if trace.by_hand is None else trace.by_hand.clone()
    set_rows[:, gone] = True  # (batch, head, query)
    return replace(drop_heads(trace, gates), by_hand=set_rows)
