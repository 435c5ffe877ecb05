"""Worked examples to start from: each an experiment, a title and a sentence that says why to look."""

from __future__ import annotations

from dataclasses import dataclass

from attention_core.experiment import Experiment

__all__ = ["DEFAULT", "PRESETS", "Preset", "preset", "preset_of"]


@dataclass(frozen=True)
class Preset:
    """A worked example. `id` is short and stable, for addresses; `title` and `why` are for people."""

    id: str
    title: str
    why: str
    experiment: Experiment


def _article(mode: str, num_heads: int = 1, d_v: int = 4) -> Experiment:
    return Experiment(
        "The sun rises in the east",
        source_text="The sun sets in the west every evening" if mode == "cross" else None,
        mode=mode,
        num_heads=num_heads,
        d_model=3,
        d_k=2,
        d_v=d_v,
        weights="article",
        seed=123,
        embedding="sorted_vocabulary",
        out_proj=False,
    )


PRESETS = (
    Preset(
        "animal",
        "The animal didn't cross the street",
        "Each map of a built head can be explained; the random one stands there for comparison.",
        Experiment(
            "The animal didn't cross the street because it was too tired", weights="hand_built", num_heads=4, d_model=48
        ),
    ),
    Preset(
        "article-self",
        "The article: self-attention",
        "One head small enough to recompute on paper; values are 4 wide, queries and keys 2.",
        _article("self"),
    ),
    Preset(
        "article-causal",
        "The article: causal",
        "The same numbers, but no token sees what comes after it.",
        _article("causal"),
    ),
    Preset(
        "article-cross",
        "The article: cross-attention",
        "Queries from one sentence of 6 tokens, keys and values from another of 8.",
        _article("cross"),
    ),
    Preset(
        "article-heads",
        "The article: four heads",
        "Four heads side by side, each with queries of width 2 and values of width 1.",
        _article("self", num_heads=4, d_v=1),
    ),
    Preset(
        "translation",
        "English and Chinese",
        "Each Chinese token asks the English sentence: rows and columns are different texts.",
        Experiment(
            "太阳从东方升起", source_text="The sun rises in the east", mode="cross", num_heads=4, d_model=48, seed=3
        ),
    ),
    Preset(
        "chinese",
        "A Chinese sentence",
        "Han characters are tokens of their own; the character that comes twice finds itself again.",
        Experiment("小猫没有过马路,因为小猫太累了。", weights="hand_built", num_heads=4, d_model=48),
    ),
    Preset(
        "paragraph",
        "A paragraph of forty words",
        "Larger maps: the built patterns stay sharp, and repeated words light up far apart.",
        Experiment(
            "The river bends around the old town and the town listens to the river at night when the "
            "market is closed and the boats are tied to the stones while the moon draws a road of light on "
            "the river",
            weights="hand_built",
            num_heads=4,
            d_model=48,
        ),
    ),
    Preset(
        "five-tokens",
        "Five tokens, two heads, width 4",
        "The smallest case with everything in it: every number fits on the screen.",
        Experiment("The cat sat down quietly", num_heads=2, d_model=4),
    ),
    Preset(
        "base-512",
        "Transformer base: 8 heads",
        "Width 512, as in the first Transformer, with sines and cosines as positions and dropout 0.1.",
        Experiment(
            "The animal didn't cross the street because it was too tired",
            num_heads=8,
            d_model=512,
            position="sinusoidal",
            dropout=0.1,
        ),
    ),
    Preset(
        "base-768",
        "BERT base: 12 heads",
        "Width 768, 64 for each head, with a position table and dropout 0.1, before any training.",
        Experiment(
            "The animal didn't cross the street because it was too tired",
            num_heads=12,
            d_model=768,
            position="learned",
            dropout=0.1,
        ),
    ),
)
DEFAULT = PRESETS[0]


def preset(id: str) -> Preset:
    """The preset of that id; ValueError names the ids there are.

    >>> preset("five-tokens").experiment.d_model
    4
    """
    for known in PRESETS:
        if known.id == id:
            return known
    raise ValueError(f"preset={id!r:.60}: allowed are {', '.join(known.id for known in PRESETS)}")


def preset_of(experiment: Experiment) -> Preset | None:
    """The preset that this experiment is, if it is one.

    >>> preset_of(preset("chinese").experiment).id
    'chinese'
    """
    return next((known for known in PRESETS if known.experiment == experiment), None)
