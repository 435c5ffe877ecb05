"""What attention was given while a model ran: recorded through the attention interface of `transformers`.

The model calls a function of ours with its queries, keys, values, mask and scale. That function lets the model's own
eager code do the work, so the model computes what it always computes, and keeps both what went in and what came out.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from torch import Tensor, nn

from attention_core.pretrained.library import transformers
from attention_core.pretrained.problem import PretrainedError
from attention_core.pretrained.projections import Call, Made, made_by, output_of

__all__ = ["IMPLEMENTATION", "Heard", "listen", "listening", "register", "unheard"]

IMPLEMENTATION = "attention_playground"
_NEAR = 16  # linear layers before an attention that may have made its queries, keys and values
_here = threading.local()  # each visitor's model runs in a thread of its own


@dataclass(eq=False)
class Heard:
    """One call of attention: its inputs, what the model's own code made of them, and the linear layers around it.

    query (batch, head, query, d_k), key and value (batch, kv_head, key, width), mask and bias None or
    (batch, 1 or head, query, key), weights (batch, head, query, key), concat (batch, query, head * d_v).
    `made` says which layers made query, key and value, `after` is the one that took in concat.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    bias: Tensor | None
    scaling: float | None
    cap: float | None
    weights: Tensor
    concat: Tensor
    made: tuple[Made | None, Made | None, Made | None]
    after: Call | None = None


@dataclass(eq=False)
class _Ear:
    heard: list[Heard] = field(default_factory=list)
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=_NEAR))


@cache
def register() -> str:
    """Make the recording known to `transformers`, once; the name to load models with."""
    library = transformers()
    from transformers.masking_utils import eager_mask

    library.AttentionInterface.register(IMPLEMENTATION, _attend)
    library.AttentionMaskInterface.register(IMPLEMENTATION, eager_mask)  # masks as 0 and the lowest number
    return IMPLEMENTATION


def unheard(family: str) -> PretrainedError:
    """What to say of a family whose attention goes past the interface."""
    return PretrainedError(
        f"Models of the family {family} do not use the attention interface of transformers: they compute their "
        "attention by themselves, or have none. So it cannot be recorded.",
        "BERT, DistilBERT, RoBERTa, GPT-2, Llama, Mistral, Qwen2, T5, BART and Marian can.",
    )


@contextmanager
def listen() -> Iterator[list[Heard]]:
    """Record every attention of the models that run in this thread, in order, into the list."""
    before = getattr(_here, "ear", None)
    ear = _here.ear = _Ear()
    try:
        yield ear.heard
    finally:
        _here.ear = before


def listening(model: nn.Module) -> None:
    """Let the linear layers of a model be heard; costs next to nothing while nobody listens."""
    from transformers.pytorch_utils import Conv1D

    for layer in model.modules():
        if isinstance(layer, nn.Linear | Conv1D):
            layer.register_forward_hook(_linear)


def _linear(layer: nn.Module, given: tuple[Tensor, ...], gave: Tensor) -> None:
    ear: _Ear | None = getattr(_here, "ear", None)
    if ear is None or not given:
        return
    call = Call.of(layer, given[0], gave)
    ear.calls.append(call)
    last = ear.heard[-1] if ear.heard else None
    if last is not None and last.after is None and output_of(call, last.concat):
        last.after = call


def _attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **rest: Any
) -> tuple[Tensor, Tensor]:
    own = _own(type(module).__module__)
    output, weights = own(module, query, key, value, attention_mask, **rest)
    ear: _Ear | None = getattr(_here, "ear", None)
    if ear is not None:
        ear.heard.append(
            Heard(
                query=query,
                key=key,
                value=value,
                mask=attention_mask,
                bias=rest.get("position_bias"),
                scaling=rest.get("scaling"),
                cap=rest.get("softcap"),
                weights=weights,
                concat=output.flatten(2),
                # Found at once, so that what else the layers computed need not be kept.
                made=_made(list(ear.calls), query, key, value),
            )
        )
        ear.calls.clear()
    return output, weights


def _made(
    calls: list[Call], query: Tensor, key: Tensor, value: Tensor
) -> tuple[Made | None, Made | None, Made | None]:
    kv_heads = key.shape[1]
    return (
        made_by(calls, query, kv_heads, 0, turns=True),
        made_by(calls, key, kv_heads, 1, turns=True),
        made_by(calls, value, kv_heads, 2),
    )


@cache
def _own(file: str) -> Callable[..., tuple[Tensor, Tensor]]:
    """The eager attention in the file of a model."""
    found = getattr(sys.modules[file], "eager_attention_forward", None)
    if found is None:
        raise PretrainedError(f"{file} has no eager attention of its own, so there is nothing to compare with.")
    attend: Callable[..., tuple[Tensor, Tensor]] = found
    return attend
