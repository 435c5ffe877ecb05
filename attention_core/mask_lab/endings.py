"""Where the ways of applying a mask stop agreeing: small cases, each computed when it is asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from attention_core.derivation.steps import Phrase
from attention_core.mask_lab.application import Comparison, compare_applications
from attention_core.mask_lab.words import say

__all__ = ["Ending", "endings"]


@dataclass(frozen=True, eq=False)
class Ending:
    """One row of scores on which the ways of applying a mask part company.

    `scores` and `allowed` are (1, key), `bias` is what the additive way adds where it is forbidden.
    """

    key: str
    scores: Tensor
    allowed: Tensor
    dtype: torch.dtype
    bias: float
    comparison: Comparison

    @property
    def sentence(self) -> Phrase:
        """What happens, in words."""
        return say(f"ending_{self.key}")


_CASES: tuple[tuple[str, tuple[float, ...], tuple[bool, ...], torch.dtype, float], ...] = (
    ("empty", (0.0, 1.0, 2.0), (False, False, False), torch.float32, -math.inf),
    ("half", (0.0, 1.0, 2.0), (False, False, False), torch.float16, -1e9),
    ("underflow", (0.0, 1.0, 110.0), (True, True, False), torch.float32, -math.inf),
    ("half_underflow", (0.0, 0.5, 18.0), (True, True, False), torch.float16, -math.inf),
    ("weak", (0.0, 1.0, 13.0), (True, True, False), torch.float32, -10.0),
    ("absorbed", (0.0, 1.0, 2.0), (False, False, False), torch.float64, -1e9),
)


def endings() -> tuple[Ending, ...]:
    """Every case, computed now with torch's own operations.

    >>> {ending.key: ending.comparison["after_renormalised"].agrees for ending in endings()}["underflow"]
    False
    """
    cases = []
    for key, numbers, open_keys, dtype, bias in _CASES:
        scores, allowed = torch.tensor([numbers]), torch.tensor([open_keys])  # (1, key)
        compared = compare_applications(scores, allowed, dtype=dtype, bias=bias)
        cases.append(Ending(key, scores, allowed, dtype, bias, compared))
    return tuple(cases)
