"""Which linear layers made the queries, keys and values that attention was given: found by their numbers.

Libraries name and fuse these layers differently in every family. What a layer gave out, and what attention took in, can
be compared instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["Call", "Made", "made_by", "output_of"]

_CLOSE = 1e-4  # of the largest number: float32 sums in another order differ by less, another layer by far more


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a linear layer: what went in and out; `weight` is (d_in, d_out), whatever the layer stores."""

    weight: Tensor
    bias: Tensor | None
    given: Tensor
    gave: Tensor

    @classmethod
    def of(cls, layer: nn.Module, given: Tensor, gave: Tensor) -> Call:
        """The call of an `nn.Linear`, or of a layer that stores its weight the other way round."""
        weight: Tensor = layer.weight  # type: ignore[assignment]
        bias: Tensor | None = getattr(layer, "bias", None)
        turned = weight.T if isinstance(layer, nn.Linear) else weight
        return cls(turned.detach(), None if bias is None else bias.detach(), given, gave)


@dataclass(frozen=True, eq=False)
class Made:
    """How a tensor of heads was made: given @ weight[h] + bias[h] = values of head h.

    given (batch, position, d_in), values (batch, head, position, width), weight (head, d_in, width),
    bias (head, width) or None. `turned`: attention got the values after a rotation.
    """

    given: Tensor
    values: Tensor
    weight: Tensor
    bias: Tensor | None
    turned: bool


def made_by(
    calls: Sequence[Call], wanted: Tensor, kv_heads: int, part: int, *, turns: bool = False
) -> Made | None:
    """The call, the latest first, that made `wanted` (batch, head, position, width); None where none did.

    A layer may make this tensor alone, or queries, keys and values together, `part` 0, 1 or 2 of them. A constant
    factor between the two counts as part of the weight. With `turns` a rotation may lie between: it keeps the length
    of every vector, and the first one as it is (Su et al. 2021).
    """
    for call in reversed(calls):
        for columns in _slices(call.gave.shape[-1], wanted, kv_heads, part):
            if call.gave.dim() != 3 or call.gave.shape[:2] != (wanted.shape[0], wanted.shape[2]):
                continue
            values = _heads(call.gave[..., columns], wanted)
            factor = _factor(values, wanted, turns)
            if factor is None:
                continue
            heads, width = wanted.shape[1], wanted.shape[3]
            weight = call.weight[:, columns].reshape(-1, heads, width).permute(1, 0, 2)  # (head, d_in, width)
            bias = None if call.bias is None else call.bias[columns].reshape(heads, width)
            turned = turns and not _same(values * factor, wanted)
            if factor != 1.0:
                values, weight = values * factor, weight * factor
                bias = None if bias is None else bias * factor
            # Where nothing lies between, the very tensor that attention got: no other roundings.
            return Made(call.given, values if turned else wanted, weight, bias, turned)
    return None


def output_of(call: Call, concat: Tensor) -> bool:
    """Whether a linear layer took in the concatenated heads (batch, query, heads * d_v)."""
    return call.given.shape == concat.shape and torch.equal(call.given, concat)


def _slices(width: int, wanted: Tensor, kv_heads: int, part: int) -> Iterator[Tensor]:
    """The columns of a layer's output that may hold the tensor."""
    heads, d = wanted.shape[1], wanted.shape[3]
    if width == heads * d:
        yield torch.arange(width)
    all_heads = heads if part == 0 else 0
    if part and width % d == 0:
        all_heads = width // d - 2 * kv_heads  # query heads, where the keys are as wide as the queries
    if all_heads > 0 and width == (all_heads + 2 * kv_heads) * d:
        start = (0, all_heads, all_heads + kv_heads)[part] * d
        yield torch.arange(start, start + heads * d)
        if all_heads == kv_heads:  # head by head: query, key, value
            yield torch.arange(width).view(heads, 3, d)[:, part].flatten()


def _heads(flat: Tensor, wanted: Tensor) -> Tensor:
    batch, heads, positions, width = wanted.shape
    return flat.reshape(batch, positions, heads, width).transpose(1, 2)  # (batch, head, position, width)


def _same(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() <= _CLOSE * b.abs().max())


def _factor(values: Tensor, wanted: Tensor, turns: bool) -> float | None:
    """The constant between the two; None where they have nothing to do with each other."""
    if _same(values, wanted):
        return 1.0
    square = float((values * values).sum())
    factor = float((values * wanted).sum()) / square if square else 0.0
    if factor and _same(values * factor, wanted):
        return factor
    lengths = values.norm(dim=-1), wanted.norm(dim=-1)
    return 1.0 if turns and _same(*lengths) and _same(values[:, :, 0], wanted[:, :, 0]) else None
