"""What stands in the way of a pretrained model, in words for the person who asked for it."""

from __future__ import annotations

__all__ = ["PretrainedError"]


class PretrainedError(ValueError):
    """A model that cannot be had, or a text that it cannot read; `remedy` says what to do about it.

    >>> str(PretrainedError("there is no model here", "install one"))
    'there is no model here'
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy
