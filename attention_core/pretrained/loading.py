"""A model and its tokenizer from a folder: safetensors only, no code but that of the library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from attention_core.pretrained import recording
from attention_core.pretrained.library import transformers
from attention_core.pretrained.problem import PretrainedError
from attention_core.pretrained.store import ModelLimits, check_folder, no_tokenizer

__all__ = ["Pretrained", "load"]

# Weights that only serve what comes after the layers; a file that lacks them still has every attention.
_SPARE = ("pooler",)


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A model that is ready to be read: `name` as it is shown, `family` as its library calls it, its sizes."""

    name: str
    family: str
    model: nn.Module
    tokenizer: Any
    writes: bool  # an encoder with a decoder that writes
    layers: int
    heads: int
    kv_heads: int
    width: int
    parameters: int
    most_tokens: int
    limits: ModelLimits


def load(folder: str | Path, *, name: str | None = None, limits: ModelLimits | None = None) -> Pretrained:
    """The model in a folder, in float32, on the CPU, ready to be recorded.

    Nothing is asked of any server; weights are read from safetensors files only; code that comes with a model is never
    run. Raises PretrainedError, with what to do, where that is not possible.
    """
    folder, limits = Path(folder), limits or ModelLimits()
    shown = name or folder.name
    check_folder(folder, shown, limits)
    library = transformers()
    given = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = library.AutoConfig.from_pretrained(str(folder), **given)
        writes = bool(getattr(config, "is_encoder_decoder", False))
        kind = library.AutoModelForSeq2SeqLM if writes else library.AutoModel
        parameters = _check_size(config, kind, shown, limits)
        tokenizer = library.AutoTokenizer.from_pretrained(str(folder), **given)
        if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):  # the library makes up an empty one
            raise no_tokenizer(shown)
        model, said = kind.from_pretrained(
            str(folder),
            **given,
            use_safetensors=True,
            attn_implementation=recording.register(),
            dtype=torch.float32,
            output_loading_info=True,
        )
    except PretrainedError:
        raise
    except ImportError as problem:
        raise PretrainedError(
            f"{shown} needs a package that is not installed: {_said(problem, folder, shown)}",
            "The pins in requirements-pretrained.txt cover BERT, GPT-2, Llama, T5, Marian and their relatives.",
        ) from problem
    except KeyError as problem:
        if problem.args == (recording.IMPLEMENTATION,):  # some families keep a list of their own
            raise recording.unheard(str(config.model_type)) from problem
        raise PretrainedError(f"{shown} could not be loaded: {_said(problem, folder, shown)}") from problem
    except Exception as problem:  # the library raises many kinds for a broken or unknown model
        raise PretrainedError(f"{shown} could not be loaded: {_said(problem, folder, shown)}") from problem
    lacking = [key for key in sorted(said["missing_keys"]) if not any(part in key for part in _SPARE)]
    if lacking or said["mismatched_keys"]:
        raise PretrainedError(
            f"The file of {shown} does not hold all weights of the model, for example {lacking[:1] or 'other shapes'}: "
            "the others would be random."
        )
    model.eval().requires_grad_(False)
    recording.listening(model)
    heads = _number(config, "num_attention_heads")
    return Pretrained(
        name=shown,
        family=str(config.model_type),
        model=model,
        tokenizer=tokenizer,
        writes=writes,
        layers=_number(config, "num_hidden_layers"),
        heads=heads,
        kv_heads=_number(config, "num_key_value_heads") or heads,
        width=_number(config, "hidden_size"),
        parameters=parameters,
        most_tokens=_most_tokens(config, limits),
        limits=limits,
    )


def _check_size(config: Any, kind: Any, shown: str, limits: ModelLimits) -> int:
    """The number of parameters, counted on a model without memory. PretrainedError beyond a limit."""
    for limit, size in (
        ("max_layers", _number(config, "num_hidden_layers")),
        ("max_heads", _number(config, "num_attention_heads")),
    ):
        if size > getattr(limits, limit):
            raise PretrainedError(f"{shown} has {size}: the limit here ({limit}) is {getattr(limits, limit)}.")
    with torch.device("meta"):
        empty = kind.from_config(config, attn_implementation="eager")
    parameters: int = sum(parameter.numel() for parameter in empty.parameters())
    if parameters > limits.max_parameters:
        raise PretrainedError(
            f"{shown} has {parameters:,} parameters: the limit here (max_parameters) is {limits.max_parameters:,}."
        )
    return parameters


def _most_tokens(config: Any, limits: ModelLimits) -> int:
    """How many tokens a text may have: the limit here, or what the model has positions for."""
    own = _number(config, "max_position_embeddings")
    if config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        own -= 2  # their positions begin after the number of the padding token
    return min(own, limits.max_tokens) if own > 0 else limits.max_tokens


def _number(config: Any, name: str) -> int:
    value = getattr(config, name, None)
    return value if isinstance(value, int) else 0


def _said(problem: Exception, folder: Path, shown: str) -> str:
    """The first line of what the library said, without the path of the folder: a visitor need not know it."""
    line = (str(problem).strip() or type(problem).__name__).splitlines()[0]
    return line.replace(str(folder), shown)[:300]
