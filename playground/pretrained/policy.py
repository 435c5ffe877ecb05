"""Which pretrained models a visitor may ask for: what the operator says, and little where nothing is said.

`ATTENTION_MODELS` lists names on Hugging Face and folders of this machine, with commas between. `ATTENTION_ANY_MODEL=1`
lets a visitor type any name or folder: for one's own machine, since it lets strangers look for folders.
`ATTENTION_DOWNLOAD_MODELS=1` lets a visitor have models downloaded. `ATTENTION_MODEL_MAX_BYTES` and the like override
`ModelLimits`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from pathlib import Path

from attention_core.pretrained import ModelLimits, PretrainedError, cached, find, forward, is_name
from playground.settings import PREFIX
from playground.settings import limits as page_limits

# Offered where the operator says nothing, as far as they lie in this machine's cache.
WELL_KNOWN = (
    "google-bert/bert-base-uncased",
    "openai-community/gpt2",
    "distilbert/distilbert-base-uncased",
    "sentence-transformers/all-MiniLM-L6-v2",
    "HuggingFaceTB/SmolLM2-135M",
    "google-t5/t5-small",
    "Helsinki-NLP/opus-mt-en-zh",
)


@dataclass(frozen=True)
class Offer:
    """A model by the name that visitors see; `folder` is where it lies if the operator gave one."""

    name: str
    folder: Path | None = None

    def place(self, *, download: bool = False) -> Path:
        """Its folder. PretrainedError where it is not on this machine, and what to type then."""
        return self.folder or find(self.name, limits(), download=download)


def any_allowed() -> bool:
    """Whether visitors may type any name or folder."""
    return os.environ.get(f"{PREFIX}ANY_MODEL") == "1"


def download_allowed() -> bool:
    """Whether visitors may have models downloaded."""
    return os.environ.get(f"{PREFIX}DOWNLOAD_MODELS") == "1"


@cache
def limits() -> ModelLimits:
    """The limits in force. Raises ValueError where a variable is not a whole number from 1."""
    given = {"max_tokens": min(ModelLimits().max_tokens, page_limits().max_tokens)}
    for field in fields(ModelLimits):
        name = f"{PREFIX}MODEL_{field.name.upper()}"
        text = os.environ.get(name)
        if text is not None:
            if not text.isdecimal() or int(text) < 1:
                raise ValueError(f"{name}={text!r}: allowed are whole numbers from 1")
            given[field.name] = int(text)
    return ModelLimits(**given)


def offers() -> dict[str, Offer]:
    """What every visitor may choose, by name: the operator's list, or the well-known names that are in the cache."""
    listed = os.environ.get(f"{PREFIX}MODELS", "")
    if listed.strip():
        found = [_offer(entry.strip()) for entry in listed.split(",") if entry.strip()]
        return {one.name: one for one in found}
    return {name: Offer(name) for name in WELL_KNOWN if cached(name)}


@lru_cache(maxsize=64)
def goes_forward(one: Offer) -> bool | None:
    """Whether the model reads from left to right, as its family does; None where that is not known."""
    try:
        return forward(one.place())
    except PretrainedError:
        return None


def offer(text: str) -> Offer:
    """The model that a visitor asks for by name. PretrainedError where it is not for visitors to choose."""
    known = offers()
    if text in known:
        return known[text]
    if not any_allowed():
        raise PretrainedError(
            f"{text[:100]!r} is not among the models of this playground.",
            f"On your own machine, start it with {PREFIX}ANY_MODEL=1 to open any model.",
        )
    return _offer(text.strip())


def _offer(entry: str) -> Offer:
    """A folder where it is written as one, with / . or ~ at its beginning or a drive; else a name."""
    wrong = PretrainedError(
        f"{entry[:100]!r} is neither the name of a model nor a folder.",
        "A name looks like google-bert/bert-base-uncased, a folder like ./my-model.",
    )
    try:
        path = Path(entry).expanduser()
        if entry.startswith((".", "/", "~")) or path.is_absolute():
            return Offer(path.resolve().name, path.resolve())
    except (OSError, RuntimeError, ValueError):  # nobody's home, too long, or with a zero in it
        raise wrong from None
    if not is_name(entry):
        raise wrong
    return Offer(entry)
