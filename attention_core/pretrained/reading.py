"""A text read by a pretrained model: the trace of every layer, made by `attention` and held against the model's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from attention_core.pretrained.layer import Before, Layer, layer_of
from attention_core.pretrained.loading import Pretrained
from attention_core.pretrained.pieces import piece_texts
from attention_core.pretrained.problem import PretrainedError
from attention_core.pretrained.recording import listen, unheard

__all__ = ["Reading", "Side", "read"]

LONGEST = 20_000  # characters, before anything is cut into tokens
WRITTEN = 48  # tokens that a model may write by itself


@dataclass(frozen=True, eq=False)
class Side:
    """One text as a model has it: tokens as text, which of them are special, where each stands in the text.

    `hidden` are the vectors after each layer, (layer + 1, position, width); the first are the embeddings, and the last
    are as the library hands them over, in most families after a last normalisation.
    """

    text: str
    tokens: tuple[str, ...]
    special: tuple[bool, ...]
    spans: tuple[tuple[int, int], ...] | None
    hidden: Tensor


@dataclass(frozen=True, eq=False)
class Reading:
    """What a model did with a text: its layers of attention by name, in the order of the computation.

    Names are "layer1" ... for models with one stack, "encoder1", "decoder1", "cross1" ... for encoder-decoders.
    `difference` is the largest difference between a weight recomputed here and the model's own.
    """

    source: Side
    target: Side | None
    layers: dict[str, Layer]

    @property
    def parts(self) -> tuple[str, ...]:
        """The kinds of layers there are, "layer", or "encoder", "decoder" and "cross"."""
        return tuple(dict.fromkeys(layer.part for layer in self.layers.values()))

    @property
    def difference(self) -> float:
        """The largest difference of any weight in any layer and head."""
        return max(layer.difference for layer in self.layers.values())


def read(pretrained: Pretrained, text: str, target: str = "") -> Reading:
    """Let a model read a text, and record all its attention.

    An encoder-decoder also writes: `target`, word for word, or by itself, always the likeliest token next, where
    `target` is empty. Raises PretrainedError where the text is empty, too long, or where the model computes its
    attention in a way that cannot be recorded.
    """
    with torch.inference_mode():
        return _read_pair(pretrained, text, target) if pretrained.writes else _read_one(pretrained, text)


def _read_one(pretrained: Pretrained, text: str) -> Reading:
    numbers, spans = _encode(pretrained, text)
    with listen() as heard:
        found = _run(pretrained, input_ids=numbers, output_hidden_states=True, use_cache=False)
    side = _side(pretrained, text, numbers, spans, found.hidden_states)
    if not heard:
        raise unheard(pretrained.family)
    layers = [
        layer_of("layer", place, one, side.tokens, side.tokens, _before(side, place))
        for place, one in enumerate(heard, start=1)
    ]
    return Reading(side, None, {layer.name: layer for layer in layers})


def _read_pair(pretrained: Pretrained, text: str, target: str) -> Reading:
    numbers, spans = _encode(pretrained, text)
    model: Any = pretrained.model
    fed, written = _written(pretrained, numbers, target)
    with listen() as heard:
        found = _run(
            pretrained,
            input_ids=numbers,
            decoder_input_ids=fed,
            output_hidden_states=True,
            use_cache=False,
        )
    source = _side(pretrained, text, numbers, spans, found.encoder_hidden_states)
    reads = _side(pretrained, target, fed, None, found.decoder_hidden_states)
    writes = piece_texts(pretrained.tokenizer, written[0].tolist())
    if not heard:
        raise unheard(pretrained.family)
    below = int(getattr(model.config, "encoder_layers", 0) or model.config.num_hidden_layers)
    layers = [
        layer_of("encoder", place, one, source.tokens, source.tokens, _before(source, place))
        for place, one in enumerate(heard[:below], start=1)
    ]
    across = (Before("attention"), Before("encoder", source.hidden[-1]))
    for place, one in enumerate(heard[below:]):
        number = place // 2 + 1
        if place % 2:  # each layer of a decoder looks at itself first, then at the source
            layers.append(layer_of("cross", number, one, writes, source.tokens, across))
        else:
            layers.append(layer_of("decoder", number, one, reads.tokens, reads.tokens, _before(reads, number)))
    return Reading(source, reads, {layer.name: layer for layer in layers})


def _before(side: Side, number: int) -> tuple[Before, Before]:
    """What stands before the self-attention of a layer: the first one reads the tokens."""
    one = Before("tokens" if number == 1 else "layer", side.hidden[number - 1])
    return one, one


def _written(pretrained: Pretrained, numbers: Tensor, target: str) -> tuple[Tensor, Tensor]:
    """What the decoder is fed, and what is to be written after each of it, both (1, position)."""
    model: Any = pretrained.model
    start = model.config.decoder_start_token_id
    if start is None:
        raise PretrainedError(f"{pretrained.name} does not say how its decoder begins (decoder_start_token_id).")
    if target.strip():
        _hold_characters(target)
        wanted = pretrained.tokenizer(text_target=target, return_tensors="pt")["input_ids"]
        _hold_tokens(pretrained, wanted)
        return torch.cat([torch.tensor([[start]]), wanted[:, :-1]], dim=1), wanted
    found = model.generate(
        input_ids=numbers,
        attention_mask=torch.ones_like(numbers),
        max_new_tokens=min(WRITTEN, pretrained.most_tokens - 1),
        do_sample=False,
        num_beams=1,
    )
    return found[:, :-1], found[:, 1:]


def _encode(pretrained: Pretrained, text: str) -> tuple[Tensor, tuple[tuple[int, int], ...] | None]:
    """The numbers of the tokens, (1, position), and where each stands in the text if the tokenizer knows."""
    if not text.strip():
        raise PretrainedError("The text is empty: type a sentence.")
    _hold_characters(text)
    fast = bool(getattr(pretrained.tokenizer, "is_fast", False))
    found = pretrained.tokenizer(text, return_tensors="pt", return_offsets_mapping=fast)
    numbers = found["input_ids"]
    if numbers.shape[1] == 0:
        raise PretrainedError("The tokenizer finds no token in this text.")
    _hold_tokens(pretrained, numbers)
    spans = None
    if fast:
        spans = tuple((int(start), int(end)) for start, end in found["offset_mapping"][0].tolist())
    return numbers, spans


def _hold_characters(text: str) -> None:
    if len(text) > LONGEST:
        raise PretrainedError(f"The text has {len(text):,} characters: the limit here is {LONGEST:,}.")


def _hold_tokens(pretrained: Pretrained, numbers: Tensor) -> None:
    length, most = numbers.shape[1], pretrained.most_tokens
    if length > most:
        raise PretrainedError(
            f"The text has {length} tokens, counted by the model's own tokenizer: the limit here is {most}."
        )
    count = pretrained.layers * pretrained.heads * length**2
    if count > pretrained.limits.max_numbers:
        raise PretrainedError(
            f"The {length} tokens of this text make {count:,} weights in {pretrained.layers} layers of "
            f"{pretrained.heads} heads: the limit here (max_numbers) is {pretrained.limits.max_numbers:,}."
        )


def _run(pretrained: Pretrained, **given: Any) -> Any:
    given["attention_mask"] = torch.ones_like(given["input_ids"])
    try:
        return pretrained.model(**given, return_dict=True)
    except PretrainedError:
        raise
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as problem:
        raise PretrainedError(
            f"{pretrained.name} ({pretrained.family}) cannot read this text alone: {str(problem)[:200]}"
        ) from problem


def _side(
    pretrained: Pretrained,
    text: str,
    numbers: Tensor,
    spans: tuple[tuple[int, int], ...] | None,
    hidden: Sequence[Tensor],
) -> Side:
    known = numbers[0].tolist()
    special = set(pretrained.tokenizer.all_special_ids) - {pretrained.tokenizer.unk_token_id}
    return Side(
        text=text,
        tokens=piece_texts(pretrained.tokenizer, known),
        special=tuple(number in special for number in known),
        spans=spans,
        hidden=torch.cat(tuple(hidden)),  # (layer + 1, position, width)
    )
