"""How large an experiment may be where anyone may choose: settings of a server, not laws of attention."""

from __future__ import annotations

from dataclasses import dataclass, fields

from attention_core.checks import whole
from attention_core.experiment import Experiment

__all__ = ["LimitError", "Limits"]


COUNTED = 4  # times the limit: so many tokens are counted to be named in a refusal, which has to be cheap


class LimitError(ValueError):
    """An experiment beyond a limit: `limit` is its name, `value` what was asked for, `allowed` the most.

    Of tokens, `value` is the most that were counted.
    """

    def __init__(self, limit: str, what: str, value: int, allowed: int) -> None:
        super().__init__(f"{what} {value:,}: the limit here ({limit}) is {allowed:,}")
        self.limit = limit
        self.value = value
        self.allowed = allowed


@dataclass(frozen=True)
class Limits:
    """The most that an experiment may ask for; the defaults suit a public demo on a small machine.

    max_characters  of the text, and of the source text in cross mode: checked first, before anything is cut
                    into tokens
    max_tokens      of each of the two; counted before the text is cut into tokens
    max_heads, max_d_model, max_d_k, max_d_v
    max_numbers     in the largest tensor: head x query x key, times d_k for the additive score

    Raises ValueError unless all are whole numbers from 1.

    >>> Limits().check(Experiment("The sun rises in the east"))
    >>> Limits(max_heads=2).check(Experiment("The sun rises in the east"))
    Traceback (most recent call last):
    attention_core.limits.LimitError: num_heads is 4: the limit here (max_heads) is 2
    """

    max_characters: int = 20_000
    max_tokens: int = 512
    max_heads: int = 16
    max_d_model: int = 1024
    max_d_k: int = 256
    max_d_v: int = 256
    max_numbers: int = 2**26

    def __post_init__(self) -> None:
        """Check that each limit is a whole number from 1."""
        for field in fields(self):
            whole(field.name, getattr(self, field.name), 1)

    def check(self, experiment: Experiment) -> None:
        """LimitError, a ValueError, for the first limit that the experiment goes beyond."""
        cross = experiment.mode == "cross"
        self._hold("max_characters", "characters in the text:", len(experiment.text))
        if cross:
            self._hold("max_characters", "characters in the source text:", len(experiment.source_text or ""))
        widths = experiment.widths
        self._hold("max_heads", "num_heads is", widths.num_heads)
        self._hold("max_d_model", "d_model is", widths.d_model)
        self._hold("max_d_k", "d_k is", widths.d_k)
        self._hold("max_d_v", "d_v is", widths.d_v)
        counted = COUNTED * self.max_tokens
        queries, keys = experiment.count_tokens(counted)
        self._hold_tokens("tokens in the text:", queries, counted)
        if cross:
            self._hold_tokens("tokens in the source text:", keys, counted)
        largest = widths.num_heads * queries * keys * (widths.d_k if experiment.score == "additive" else 1)
        self._hold("max_numbers", "numbers in the largest tensor:", largest)

    def _hold_tokens(self, what: str, value: int, counted: int) -> None:
        self._hold("max_tokens", f"{what} more than" if value > counted else what, min(value, counted))

    def _hold(self, limit: str, what: str, value: int) -> None:
        allowed = getattr(self, limit)
        if value > allowed:
            raise LimitError(limit, what, value, allowed)
