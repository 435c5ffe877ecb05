"""What heads look at, measured on sentences: shares of weight, computed the same way for every model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from attention_core.pretrained.reading import Reading

__all__ = ["BY_PLACE", "Finding", "ahead", "findings", "share", "targets"]

BY_PLACE = ("previous", "next", "itself", "first")


@dataclass(frozen=True)
class Finding:
    """How much of its weight a head puts on one kind of token.

    `what` is one of `BY_PLACE` or the text of a special token, "[SEP]". `score` is the mean share over all tokens of
    all sentences that have such a token to look at, from 0 to 1; `even` is what the score would be if each of these
    tokens looked evenly at all that the mask lets it see.
    """

    layer: str
    head: int
    what: str
    score: float
    even: float


def targets(what: str, queries: int, keys: Sequence[str], special: Sequence[bool], *, cross: bool = False) -> Tensor:
    """Which cells of a map belong to a kind of looking, bool (query, key).

    "previous" is j = i - 1, "next" j = i + 1, "itself" j = i, "first" j = 0; another text is every special token
    of that name. Except for "itself", a token that is a target is not asked whether it looks there: the first token
    of a causal model, for example, can look nowhere else. In cross-attention, where the two sides count apart, all
    are asked, and there is no previous, next or itself.

    >>> targets("previous", 3, ("a", "b", "c"), (False,) * 3).int().tolist()
    [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    """
    count = len(keys)
    if what in ("previous", "next", "itself"):
        if cross:
            return torch.zeros(queries, count, dtype=torch.bool)
        offset = {"previous": -1, "next": 1, "itself": 0}[what]
        return torch.ones(queries, count, dtype=torch.bool).tril(offset).triu(offset)  # (query, key)
    if what == "first":
        columns = torch.arange(count) == 0  # (key,)
    else:
        columns = torch.tensor([one and name == what for name, one in zip(keys, special, strict=True)])
    found = columns.expand(queries, count).clone()  # (query, key)
    if not cross:
        found[columns] = False
    return found


def share(weights: Tensor, target: Tensor) -> tuple[Tensor, int]:
    """The weight on the target cells, (head, query, key) -> (head,), summed over the rows that have one; their number.

    >>> looks_back = torch.tensor([[[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> share(looks_back, targets("previous", 3, ("a", "b", "c"), (False,) * 3))
    (tensor([2.]), 2)
    """
    rows = target.any(dim=-1)  # (query,)
    return (weights * target).sum(dim=(-2, -1)), int(rows.sum())


def findings(readings: Sequence[Reading]) -> list[Finding]:
    """Every kind of looking of every head, over all sentences, the highest score first.

    Clark et al. 2019, "What does BERT look at? An analysis of BERT's attention", section 3, whose averages run over all
    tokens; here tokens without such a target are left out.
    """
    sums: dict[tuple[str, int, str], list[float]] = {}
    for reading in readings:
        for name, layer in reading.layers.items():
            cross = layer.part == "cross"
            side = reading.target if layer.part == "decoder" and reading.target is not None else reading.source
            even = _even(layer.allowed)
            named = {token for token, one in zip(side.tokens, side.special, strict=True) if one}
            for what in (*BY_PLACE, *sorted(named)):
                target = targets(what, layer.weights.shape[1], side.tokens, side.special, cross=cross)
                found, rows = share(layer.weights, target)
                if not rows:
                    continue
                expected = float((even * target).sum())
                for head, total in enumerate(found.tolist()):
                    entry = sums.setdefault((name, head, what), [0.0, 0.0, 0.0])
                    for place, part in enumerate((total, expected, rows)):
                        entry[place] += part
    made = [
        Finding(layer, head, what, total / rows, expected / rows)
        for (layer, head, what), (total, expected, rows) in sums.items()
    ]
    return sorted(made, key=lambda one: -one.score)


def ahead(reading: Reading, part: str) -> float:
    """The share of weight on later tokens, the mean over all heads and queries of a part: 0 under a causal mask."""
    layers = [layer for layer in reading.layers.values() if layer.part == part]
    if not layers:
        raise ValueError(f"part={part!r}: allowed are {', '.join(reading.parts)}")
    shares = [layer.weights.triu(1).sum(dim=-1).mean() for layer in layers]
    return float(torch.stack(shares).mean())


def _even(allowed: Tensor) -> Tensor:
    """Weights of one that looks evenly at all it may see, (query, key)."""
    return allowed / allowed.sum(dim=-1, keepdim=True).clamp(min=1)
