"""What each field of an experiment may be; refusals name the field, the value and what is allowed."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING

from attention_core.embeddings import EMBEDDINGS
from attention_core.experiment.hand_built import LEAST_HEAD, LEAST_WIDTH
from attention_core.experiment.recipes import SCORES, WEIGHTS
from attention_core.masks import Mask
from attention_core.masks.fields import shown
from attention_core.positions import POSITIONS
from attention_core.tokens import TOKENIZERS

if TYPE_CHECKING:
    from attention_core.experiment import Experiment

__all__ = ["MODES", "ExperimentError", "check_field", "check_fields"]

MODES = ("self", "causal", "cross")
MAX_CHARACTERS = 1_000_000
EAGER_TOKENS = 4096  # up to here an experiment cuts its text into tokens when it is made
MAX_SEED = 2**63 - 1
COOLEST, HOTTEST = 0.001, 1000.0

_CHOICES = {
    "mode": MODES,
    "tokenizer": TOKENIZERS,
    "position": POSITIONS,
    "score": SCORES,
    "weights": WEIGHTS,
    "embedding": EMBEDDINGS,
}


class ExperimentError(ValueError):
    """A field of an experiment that cannot be.

    `fields` names it first, then others that it does not go together with; `allowed` is the message
    without name and value.
    """

    def __init__(self, fields: tuple[str, ...], message: str, allowed: str = "") -> None:
        super().__init__(message)
        self.fields = fields
        self.allowed = allowed or message


class EmptyText(ExperimentError):
    """A text in which the tokenizer finds no token; `fields` names it."""

    def __init__(self, field: str, text: str, tokenizer: str) -> None:
        allowed = "allowed is a text with at least one token"
        super().__init__((field,), f"{field}={text!r:.60}: {allowed}; the {tokenizer} tokenizer finds none here")


def check_fields(experiment: Experiment) -> None:
    """ExperimentError for the first field that is wrong, alone or beside the others."""
    for name, value in vars(experiment).items():
        # Numbers are stored as Python's own, so that equal experiments print alike.
        object.__setattr__(experiment, name, check_field(name, value))
    _check_together(experiment)


def check_field(name: str, value: object) -> object:
    """The value as an experiment keeps it; ExperimentError where it is wrong whatever the other fields are.

    >>> check_field("temperature", 2)
    2.0
    >>> check_field("num_heads", 0)
    Traceback (most recent call last):
    attention_core.experiment.checks.ExperimentError: num_heads=0: allowed are whole numbers from 1
    """
    if name == "text":
        return _text(name, value)
    if name == "source_text":
        return None if value is None else _text(name, value)
    if name in _CHOICES:
        if not isinstance(value, str) or value not in _CHOICES[name]:
            raise _refusal(name, value, f"allowed are {', '.join(_CHOICES[name])}")
        return value
    if name in ("num_heads", "d_model"):
        return _whole(name, value, 1)
    if name in ("d_k", "d_v", "num_kv_heads"):
        return None if value is None else _whole(name, value, 1)
    if name == "seed":
        return _whole(name, value, 0, MAX_SEED)
    if name == "temperature":
        return _number(name, value, COOLEST, HOTTEST)
    if name == "dropout":
        return _number(name, value, 0.0, math.nextafter(1.0, 0.0), "0 up to, not including, 1")
    if name == "mask":
        if not isinstance(value, Mask):
            raise _refusal(name, value, "allowed are masks, Causal() for instance")
        return value
    if not isinstance(value, bool):
        raise _refusal(name, value, "allowed are True, False")
    return value


def _refusal(name: str, value: object, allowed: str) -> ExperimentError:
    return ExperimentError((name,), f"{name}={shown(value)}: {allowed}", allowed)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _refusal(name, value, "allowed is a text")
    if len(value) > MAX_CHARACTERS:
        raise _refusal(name, value, f"{len(value)} characters, allowed are at most {MAX_CHARACTERS}")
    try:
        value.encode()
    except UnicodeEncodeError as problem:
        at = problem.start
        raise _refusal(
            name, value, f"half a character, {value[at]!a}, at {at}; allowed are whole Unicode characters"
        ) from None
    return value


def _whole(name: str, value: object, least: int, most: int | None = None) -> int:
    allowed = f"allowed are whole numbers from {least}" + ("" if most is None else f" to {most}")
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise _refusal(name, value, allowed)
    number = int(value)
    if number < least or (most is not None and number > most):
        raise _refusal(name, value, allowed)
    return number


def _number(name: str, value: object, least: float, most: float, said: str = "") -> float:
    """The number, if it is from `least` to `most`, which `said` puts in words where figures would not do."""
    allowed = f"allowed are numbers from {said or f'{least:g} to {most:g}'}"
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise _refusal(name, value, allowed)
    try:
        number = float(value) + 0.0  # turns -0.0 into 0.0
    except OverflowError:
        raise _refusal(name, value, allowed) from None
    if not least <= number <= most:  # NaN is not
        raise _refusal(name, value, allowed)
    return number


def _check_together(experiment: Experiment) -> None:
    """What has to fit together."""
    heads, width = experiment.num_heads, experiment.d_model
    if experiment.mode == "cross" and experiment.source_text is None:
        raise ExperimentError(
            ("mode", "source_text"),
            "source_text=None: mode='cross' needs a source text to take keys and values from",
        )
    missing = [name for name in ("d_k", "d_v") if getattr(experiment, name) is None]
    if missing and width % heads:
        raise ExperimentError(
            ("num_heads", "d_model"),
            f"d_model={width}: cannot be divided among num_heads={heads}; allowed head counts are "
            f"{_divisors(width)}, or any with {' and '.join(missing)} given",
        )
    shared = experiment.num_kv_heads
    if shared is not None and heads % shared:
        raise ExperimentError(
            ("num_kv_heads", "num_heads"),
            f"num_kv_heads={shared}: allowed are divisors of num_heads={heads}: {_divisors(heads)}",
        )
    if experiment.weights == "hand_built":
        _check_hand_built(experiment)


def _check_hand_built(experiment: Experiment) -> None:
    heads, width = experiment.num_heads, experiment.d_model
    if width < LEAST_WIDTH:
        raise ExperimentError(
            ("weights", "d_model"),
            f"d_model={width}: hand-built heads need room for words and positions, "
            f"allowed are whole numbers from {LEAST_WIDTH}",
        )
    if experiment.widths.d_k >= LEAST_HEAD:
        return
    if experiment.d_k is not None:
        raise ExperimentError(
            ("weights", "d_k"),
            f"d_k={experiment.d_k}: hand-built heads need {LEAST_HEAD} numbers or more, "
            f"allowed are whole numbers from {LEAST_HEAD}",
        )
    raise ExperimentError(
        ("weights", "num_heads", "d_model"),
        f"num_heads={heads}: leaves each head d_k={width // heads} of d_model={width}, hand-built heads need "
        f"{LEAST_HEAD} or more; allowed are at most {width // LEAST_HEAD} heads here",
    )


def _divisors(number: int) -> str:
    """The divisors of a number in words, found in at most a thousand steps."""
    small = [n for n in range(1, min(math.isqrt(number), 1000) + 1) if number % n == 0]
    found = sorted({*small, *(number // n for n in small)})
    return ", ".join(map(str, found)) if len(found) <= 24 else ", ".join(map(str, found[:24])) + ", ..."
