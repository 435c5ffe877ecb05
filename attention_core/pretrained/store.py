"""From a name to a folder with a model in it: what the cache holds, and, if asked for, a download."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attention_core.checks import whole
from attention_core.pretrained.library import installed, transformers
from attention_core.pretrained.problem import PretrainedError

__all__ = ["ModelLimits", "cached", "check_folder", "check_name", "find", "forward", "is_name", "no_tokenizer"]

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
# What a model consists of. Pickled weights are not among it: they are never fetched and never opened.
FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "*.spm",
    "*.model",
    "model.safetensors",
    "model-*.safetensors",
    "model.safetensors.index.json",
)
_TOKENIZERS = ("tokenizer*", "vocab*", "*.spm", "*.model")  # one of these comes with every tokenizer
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".msgpack", ".h5")


@dataclass(frozen=True)
class ModelLimits:
    """The most that a model may have: bytes of weights in its files, parameters, layers and heads.

    max_tokens of a text, max_numbers in the weights of all its layers and heads together.
    Raises ValueError unless all are whole numbers from 1.

    >>> ModelLimits(max_layers=0)
    Traceback (most recent call last):
    ValueError: max_layers=0: allowed are whole numbers from 1
    """

    max_bytes: int = 2**31
    max_parameters: int = 600_000_000
    max_layers: int = 48
    max_heads: int = 64
    max_tokens: int = 512
    max_numbers: int = 2**26

    def __post_init__(self) -> None:
        """Check that each limit is a whole number from 1."""
        for name, value in vars(self).items():
            whole(name, value, 1)


def is_name(text: str) -> bool:
    """Whether a text has the form of a model's name on Hugging Face, "owner/model" or "model".

    >>> is_name("google-bert/bert-base-uncased"), is_name("../secret"), is_name("a/b/c"), is_name("a/..")
    (True, False, False, False)
    """
    return bool(_NAME.fullmatch(text)) and ".." not in text and "--" not in text


def check_name(text: str) -> str:
    """The name. PretrainedError where it has not the form of one."""
    if not is_name(text):
        raise PretrainedError(
            f"{_short(text)} is no name of a model: allowed are letters, digits, - _ . and one /.",
            "On Hugging Face a name looks like google-bert/bert-base-uncased.",
        )
    return text


def cached(name: str) -> bool:
    """Whether the model of this name lies in the cache of Hugging Face; False where the extra is not installed."""
    if not installed():
        return False
    import huggingface_hub

    return isinstance(huggingface_hub.try_to_load_from_cache(check_name(name), "config.json"), str)


def find(name: str, limits: ModelLimits, *, download: bool = False) -> Path:
    """The folder of the model `name` in the cache of Hugging Face; with `download` it is fetched first.

    Without `download` nothing is asked of any server. Raises PretrainedError that says what to type.
    """
    check_name(name)
    transformers()
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    if download:
        return _fetch(name, limits)
    try:
        return Path(huggingface_hub.snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, OSError, ValueError) as problem:
        raise PretrainedError(
            f"{name} is not on this machine, and nothing is downloaded unless you ask for it.",
            f"To have it, type, in the environment that runs the playground (.venv): hf download {name} "
            "--exclude '*.bin' '*.h5' '*.msgpack' '*.onnx'",
        ) from problem


def _fetch(name: str, limits: ModelLimits) -> Path:
    import huggingface_hub

    try:
        found = huggingface_hub.HfApi().model_info(name, files_metadata=True, timeout=10)
        files = [file for file in found.siblings or [] if "/" not in file.rfilename]
        size = sum(file.size or 0 for file in files if file.rfilename.endswith(".safetensors"))
        if not size:
            raise PretrainedError(f"{name} has no safetensors weights there, and no other kind is opened.")
        _hold(name, size, limits)
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=list(FILES), etag_timeout=10))
    except PretrainedError:
        raise
    except Exception as problem:  # the library raises many kinds: no network, no such model, no permission
        raise PretrainedError(
            f"{name} could not be downloaded: {_short(type(problem).__name__)}.",
            "Is the name right, and does this machine reach huggingface.co? A model that was downloaded elsewhere can "
            "be copied here as a folder.",
        ) from problem


def check_folder(folder: Path, shown: str, limits: ModelLimits) -> dict[str, Any]:
    """The folder's config.json, after a look at what lies beside it. `shown` is what messages call the folder.

    Raises PretrainedError where there is no model or no tokenizer, where its weights are pickled, or where it is too
    large.
    """
    weights = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    config = folder / "config.json"
    if not config.is_file():
        raise PretrainedError(
            f"{_short(shown)} holds no model: there is no config.json.",
            "A folder of a model is what save_pretrained writes, or what hf download fetches.",
        )
    if not weights:
        pickled = [file.name for file in sorted(folder.iterdir()) if file.suffix in _PICKLES]
        if pickled:
            raise PretrainedError(
                f"{_short(shown)} has its weights as {_short(pickled[0])} only. Such a file can run any code when it "
                "is read, so it is not opened: allowed are .safetensors.",
                "Where you trust it, load it elsewhere and write it again: "
                "AutoModel.from_pretrained(folder).save_pretrained(new_folder)",
            )
        raise PretrainedError(f"{_short(shown)} has no weights: there is no file that ends in .safetensors.")
    _hold(shown, sum(file.stat().st_size for file in weights), limits)
    if not any(file for pattern in _TOKENIZERS for file in folder.glob(pattern)):
        raise no_tokenizer(shown)
    return _config(config, shown)


def forward(folder: Path) -> bool:
    """Whether the model in a folder reads from left to right, as all of its family do; nothing is loaded.

    Raises PretrainedError where its config.json cannot be read.
    """
    transformers()
    from transformers.models.auto import modeling_auto as auto

    config = _config(folder / "config.json", folder.name)
    kind = config.get("model_type")
    both = kind in auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES or bool(config.get("is_encoder_decoder"))
    return kind in auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and not both


def _config(file: Path, shown: str) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8")) if file.stat().st_size < 2**20 else None
    except (OSError, ValueError) as problem:
        raise PretrainedError(f"{_short(shown)}: its config.json cannot be read.") from problem
    if not isinstance(found, dict):
        raise PretrainedError(f"{_short(shown)}: its config.json describes no model.")
    return found


def no_tokenizer(shown: str) -> PretrainedError:
    """What to say of a folder whose model could read no text."""
    return PretrainedError(
        f"{_short(shown)} has no tokenizer: without its vocabulary no text can be cut into tokens that it knows.",
        "Copy the tokenizer's files beside the weights, for example tokenizer.json and tokenizer_config.json: "
        "AutoTokenizer.from_pretrained(name).save_pretrained(folder) writes them.",
    )


def _hold(shown: str, size: int, limits: ModelLimits) -> None:
    if size > limits.max_bytes:
        raise PretrainedError(
            f"{_short(shown)} has {size:,} bytes of weights: the limit here (max_bytes) is {limits.max_bytes:,}."
        )


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:97]}..."
