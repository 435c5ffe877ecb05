"""What the page on trained models shows, as the parameters of a link, and back: for the address and for downloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attention_core.masks import Mask
from attention_core.trained import Change, load_shipped, task
from attention_core.trained.patch_text import format_patches, parse_patches
from playground.lessons import trained_models as models
from playground.lessons.trained_models import OWN, Setting

LONGEST = 400  # characters that may be typed
TEMPERATURES = (0.1, 10.0)
PLAIN = ("model", "text", "layer", "removed", "temperature", "patches")


def removed_of(text: str) -> str:
    """A list of heads that were taken out, "self1.0 cross1.0". ValueError otherwise."""
    if not all(part.replace(".", "").isalnum() and part.count(".") == 1 for part in text.split()):
        raise ValueError(f"{text[:40]!r}: allowed are layer.head, with spaces between")
    return " ".join(text.split()[:32])


def removed_for(model: str) -> Callable[[str], str]:
    """A parser of `removed_of` that allows the heads of a model alone."""

    def parse(text: str) -> str:
        found = removed_of(text)
        _check_heads(model, found.split())
        return found

    return parse


def patches_for(model: str) -> Callable[[str], str]:
    """A parser of `patches_of` that allows the heads of a model alone."""

    def parse(text: str) -> str:
        found = patches_of(text)
        _check_heads(model, [f"{patch.layer}.{patch.head}" for patch in parse_patches(found)])
        return found

    return parse


def _check_heads(model: str, asked: Sequence[str]) -> None:
    known = [f"{layer}.{head}" for layer, head in models.heads(model)]
    unknown = [head for head in asked if head not in known]
    if unknown:
        raise ValueError(f"{' '.join(unknown)[:40]!r}: the heads of this model are {', '.join(known)}")


def temperature_of(text: str) -> float:
    """A temperature to one decimal. ValueError otherwise."""
    plain = text.isascii() and len(text) < 8 and text.replace(".", "", 1).isdecimal()
    if not plain or not TEMPERATURES[0] <= float(text) <= TEMPERATURES[1]:
        raise ValueError(f"{text[:40]!r}: allowed are numbers from {TEMPERATURES[0]} to {TEMPERATURES[1]}")
    return round(float(text), 1)


def patches_of(text: str) -> str:
    """Weights set by hand, as `format_patches` writes them. ValueError otherwise."""
    return format_patches(parse_patches(text))


def change_of(model: str, removed: str, chosen: Mapping[str, str], temperature: float, patches: str) -> Change:
    """The change that the settings of a link ask for; heads that the model has not are left out."""
    known = {f"{layer}.{head}": (layer, head) for layer, head in models.heads(model)}
    masks: list[tuple[str, Mask]] = []
    for layer, name in chosen.items():
        if name != OWN:
            masks.append((layer, models.masks(model, layer)[name]))
    own = tuple(patch for patch in parse_patches(patches) if (patch.layer, patch.head) in known.values())
    gone = frozenset(known[one] for one in removed.split() if one in known)
    return Change(gone, tuple(masks), temperature, own)


def to_query(setting: Setting) -> dict[str, str]:
    """The link of what is shown: `from_query` gives the same back."""
    change = setting.change
    query = {"model": setting.model, "text": setting.text, "layer": setting.layer}
    if change.removed:
        query["removed"] = " ".join(f"{layer}.{head}" for layer, head in sorted(change.removed))
    for layer, mask in change.masks:
        known = models.masks(setting.model, layer)
        query[f"mask_{layer}"] = next(name for name, one in known.items() if one == mask)
    if change.temperature != 1.0:
        query["temperature"] = str(change.temperature)
    if change.patches:
        query["patches"] = format_patches(change.patches)
    return {f"trained_{name}": value for name, value in query.items()}


def from_query(query: Mapping[str, str]) -> Setting:
    """What a link asks for. ValueError that names the parameter, its value and what is allowed."""
    model = query.get("trained_model", "")
    if model not in models.models():
        raise ValueError(f"trained_model={model[:40]!r}: allowed are {', '.join(models.models())}")
    layers = tuple(load_shipped(model).heads())
    allowed = [*PLAIN, *(f"mask_{layer}" for layer in layers)]
    for name in query:
        if name.removeprefix("trained_") not in allowed or not name.startswith("trained_"):
            names = ", ".join(f"trained_{one}" for one in allowed)
            raise ValueError(f"{name[:40]!r} is no parameter; allowed are {names}")
    text = query.get("trained_text", task(model).inputs[0])
    if len(text) > LONGEST:
        raise ValueError(f"trained_text has {len(text)} characters: allowed are {LONGEST}")
    layer = _one_of("trained_layer", query.get("trained_layer", task(model).watched[0]), layers)
    chosen = {
        layer: _one_of(f"trained_mask_{layer}", query[f"trained_mask_{layer}"], (OWN, *models.masks(model, layer)))
        for layer in layers
        if f"trained_mask_{layer}" in query
    }
    try:
        change = change_of(
            model,
            removed_for(model)(query.get("trained_removed", "")),
            chosen,
            temperature_of(query.get("trained_temperature", "1.0")),
            patches_for(model)(query.get("trained_patches", "")),
        )
    except ValueError as problem:
        raise ValueError(f"trained_removed, trained_temperature or trained_patches: {problem}") from problem
    return Setting(model, text, change, layer)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{name}={value[:40]!r}: allowed are {', '.join(allowed)}")
    return value
