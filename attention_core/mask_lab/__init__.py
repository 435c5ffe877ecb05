"""The mathematics of the mask lab: paint a mask, and measure what it does."""

from attention_core.mask_lab.application import (
    WAYS,
    Application,
    Comparison,
    apply_mask,
    compare_applications,
)
from attention_core.mask_lab.cost import BlockCost, MaskCost, mask_cost
from attention_core.mask_lab.editing import (
    History,
    clear,
    fill,
    flip_column,
    flip_row,
    invert,
    paint,
    painted,
)
from attention_core.mask_lab.effect import MaskEffect, mask_effect
from attention_core.mask_lab.effect_rows import EffectSummary, RowEffect, row_effects, summarise
from attention_core.mask_lab.empty_rows import EmptyRow, empty_rows
from attention_core.mask_lab.endings import Ending, endings
from attention_core.mask_lab.reach import LAYERS, Reach, far_sight, reach
from attention_core.mask_lab.recognise import describe, recognise
from attention_core.mask_lab.resize import resized
from attention_core.mask_lab.snippets import LIBRARIES, Snippet, snippets
from attention_core.mask_lab.words import MESSAGES

__all__ = [
    "LAYERS",
    "LIBRARIES",
    "MESSAGES",
    "WAYS",
    "Application",
    "BlockCost",
    "Comparison",
    "EffectSummary",
    "EmptyRow",
    "Ending",
    "History",
    "MaskCost",
    "MaskEffect",
    "Reach",
    "RowEffect",
    "Snippet",
    "apply_mask",
    "clear",
    "compare_applications",
    "describe",
    "empty_rows",
    "endings",
    "far_sight",
    "fill",
    "flip_column",
    "flip_row",
    "invert",
    "mask_cost",
    "mask_effect",
    "paint",
    "painted",
    "reach",
    "recognise",
    "resized",
    "row_effects",
    "snippets",
    "summarise",
]
