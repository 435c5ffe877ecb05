"""Pretrained models: their true queries, keys and values, recorded while they read a text.

Needs the optional extra `pretrained`; importing this package does not.
"""

from attention_core.pretrained.library import INSTALL, installed
from attention_core.pretrained.loading import Pretrained, load
from attention_core.pretrained.problem import PretrainedError
from attention_core.pretrained.reading import Reading, Side, read
from attention_core.pretrained.store import ModelLimits, cached, find, forward, is_name

__all__ = [
    "INSTALL",
    "ModelLimits",
    "Pretrained",
    "PretrainedError",
    "Reading",
    "Side",
    "cached",
    "find",
    "forward",
    "installed",
    "is_name",
    "load",
    "read",
]
