"""Masks as values: who may attend to whom. True = may attend, everywhere, always.

`rules` holds the masks one names, `tables` those one writes out, `base` how they combine; `conventions` says the same
mask as four libraries write it, `text` writes it into a link, `words` says it to a person.
"""

from attention_core.masks.rules import (
    And,
    Blocks,
    Causal,
    Dilated,
    Documents,
    Explicit,
    Full,
    Global,
    Mask,
    Not,
    Or,
    Padding,
    Prefix,
    Window,
)

__all__ = [
    "And",
    "Blocks",
    "Causal",
    "Dilated",
    "Documents",
    "Explicit",
    "Full",
    "Global",
    "Mask",
    "Not",
    "Or",
    "Padding",
    "Prefix",
    "Window",
]
