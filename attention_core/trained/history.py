"""What is remembered of a training run: all numbers that were measured, and the weights at some of the steps."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from attention_core.checks import whole
from attention_core.trained.watch import Moment

__all__ = ["History"]

Weights = Mapping[str, Tensor]


class History:
    """The moments of a run, and at most `most` sets of weights, of at most `budget` bytes together.

    Where a new one would be too many, every second of the older ones is forgotten: what is left lies evenly over
    the whole run. The first and the newest moment always have their weights; so there are never fewer than two.

    >>> history = History(most=4, budget=10**6)
    >>> for step in range(0, 100, 10):
    ...     history.add(Moment(step, 0.0, 0.0, 0.0), {})
    >>> history.steps(), len(history.moments)
    ((0, 40, 80, 90), 10)
    """

    def __init__(self, most: int, budget: int) -> None:
        self._most, self._budget = whole("most", most, 3), whole("budget", budget, 1)
        self.moments: list[Moment] = []
        self._weights: dict[int, Weights] = {}  # by the place of its moment
        self._spacing = 1

    def add(self, moment: Moment, weights: Weights) -> None:
        """Remember the newest moment. ValueError where its step is not after the last one's."""
        if self.moments and moment.step <= self.moments[-1].step:
            raise ValueError(f"step={moment.step}: allowed are whole numbers from {self.moments[-1].step + 1}")
        place = len(self.moments)
        if (place - 1) % self._spacing:
            self._weights.pop(place - 1, None)  # it was kept only for being the newest
        self.moments.append(moment)
        self._weights[place] = weights
        room = max(2, min(self._most, self._budget // max(1, _bytes(weights))))
        while len(self._weights) > room and self._spacing <= place:
            self._spacing *= 2
            for old in [old for old in self._weights if old % self._spacing and old != place]:
                del self._weights[old]

    def steps(self) -> tuple[int, ...]:
        """The steps whose weights are remembered, in order."""
        return tuple(self.moments[place].step for place in self._weights)

    def nearest(self, step: int) -> int:
        """The remembered step that is nearest to `step`; the earlier of two. ValueError before the first moment."""
        if not self._weights:
            raise ValueError(f"step={step}: nothing is remembered yet")
        return min(self.steps(), key=lambda one: abs(one - step))

    def at(self, step: int) -> tuple[Moment, Weights]:
        """A moment and its weights. ValueError for a step whose weights are not remembered."""
        for place, weights in self._weights.items():
            if self.moments[place].step == step:
                return self.moments[place], weights
        raise ValueError(f"step={step}: remembered are {', '.join(map(str, self.steps()))}")

    def bytes(self) -> int:
        """How many bytes the weights take."""
        return sum(_bytes(weights) for weights in self._weights.values())


def _bytes(weights: Weights) -> int:
    return sum(weight.numel() * weight.element_size() for weight in weights.values())
