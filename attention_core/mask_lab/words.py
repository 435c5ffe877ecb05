"""The English words of the mask lab, each message whole, so that it can be translated."""

from __future__ import annotations

from attention_core.derivation.steps import Phrase
from attention_core.derivation.words import percent

__all__ = ["MESSAGES", "say", "share"]

MESSAGES: dict[str, str] = {
    # what a mask changed for one query
    "row_blind": "'{token}' may look at nothing, before and after.",
    "row_same": "Nothing changes for '{token}'.",
    "row_emptied": "'{token}' may look at nothing any more: all its weights are 0, and its head output is 0.",
    "row_filled": "'{token}' could look at nothing before; now its weights sum to 1.",
    "row_closed": "'{token}' loses the {removed} of its attention that was on forbidden tokens; "
    "the tokens that remain gain it, each in proportion to what it had.",
    "row_closed_untouched": "'{token}' had no measurable attention on what is now forbidden.",
    "row_opened": "'{token}' gives {opened} of its attention to tokens it may now look at; "
    "the others lose it, each in proportion to what it had.",
    "row_both": "'{token}' had {forbidden} of its attention on tokens that are now forbidden "
    "and gives {opened} to tokens that are now open: {removed} of it changes place.",
    # where a mask is applied
    "way_after": "After the softmax, nothing else",
    "way_after_renormalised": "After the softmax, rows divided by their sum",
    "way_before_inf": "Before the softmax, minus infinity in place of the score",
    "way_before_1e9": "Before the softmax, -1e9 in place of the score",
    "way_additive": "Before the softmax, a bias added to the score",
    "ending_empty": "A row with nothing left: minus infinity and renormalising divide 0 by 0, -1e9 makes all "
    "keys equal, forbidden ones too, and only masking after the softmax leaves zeros.",
    "ending_half": "In float16 -1e9 does not exist: masked_fill refuses it, and any other way it becomes "
    "minus infinity, so a row with nothing left is NaN where float32 gives equal weights.",
    "ending_underflow": "All that remains had a weight too small for float32: it was 0 before the row was "
    "renormalised, and 0 / 0 is NaN; masked before the softmax the row is right.",
    "ending_half_underflow": "In float16 a weight below 0.00000003 is 0: a gap of 18 between two scores is "
    "enough for renormalising to fail.",
    "ending_weak": "A bias of -10 is no prohibition: a forbidden score that is 12 higher still takes most of the row.",
    "ending_absorbed": "In float64 a score keeps its digits beside -1e9: added to a whole row the bias "
    "cancels, and the row looks as if there were no mask.",
    # a row with nothing left
    "convention_softmax": "The bare softmax of minus infinity",
    "convention_additive": "A bias of minus infinity, added",
    "convention_finfo_min": "The most negative number instead of minus infinity",
    "convention_minus_1e9": "-1e9 instead of minus infinity",
    "convention_sdpa": "F.scaled_dot_product_attention, bool mask",
    "convention_sdpa_additive": "F.scaled_dot_product_attention, additive mask",
    "convention_mha": "nn.MultiheadAttention, with weights",
    "convention_mha_no_weights": "nn.MultiheadAttention, need_weights=False",
    "convention_mha_inference": "nn.MultiheadAttention, need_weights=False, without gradients",
    "convention_ours": "This playground",
    "verdict_nan": "Not a number: 0 divided by 0.",
    "verdict_uniform": "Every key gets the same weight, the forbidden ones too.",
    "verdict_zeros": "Zeros: nothing is looked at, nothing is passed on.",
    "verdict_bias": "The bias of the output projection alone: nothing was looked at.",
    "verdict_other": "Something else.",
    "gradient_finite": "The other rows can still be trained.",
    "gradient_nan": "The gradients of all keys become NaN too, although no loss looks at this row.",
    # the same mask in every library
    "sdpa_title": "PyTorch: scaled_dot_product_attention",
    "sdpa_polarity": "True = may attend, False = forbidden",
    "mha_title": "PyTorch: nn.MultiheadAttention",
    "mha_polarity": "True = forbidden, False = may attend: the opposite of scaled_dot_product_attention",
    "additive_title": "By hand: a bias added to the scores",
    "additive_polarity": "0 = may attend, -inf = forbidden",
    "hf_padding_title": "Hugging Face transformers: attention_mask of two dimensions",
    "hf_padding_polarity": "1 = may attend, 0 = forbidden",
    "hf_title": "Hugging Face transformers: attention_mask of four dimensions",
    "hf_polarity": 'bool for "sdpa": True = may attend; float for "eager": 0 = may attend, '
    "the most negative number = forbidden",
    "flex_title": "PyTorch: FlexAttention",
    "flex_polarity": "mask_mod returns True = may attend",
    # a painted mask in words
    "open_cells": "{open} of {cells} cells are open.",
    "open_cells_blind": "{open} of {cells} cells are open; queries that see nothing: {blind} of {queries}.",
    # a mask that was painted on
    "by_hand_opened": "changed by hand: {opened} opened",
    "by_hand_closed": "changed by hand: {closed} forbidden",
    "by_hand_opened_closed": "changed by hand: {opened} opened, {closed} forbidden",
}


def say(key: str, /, **values: str) -> Phrase:
    """A message with its numbers; `.text(translate)` gives it in a language.

    >>> say("open_cells", open="3", cells="9").text()
    '3 of 9 cells are open.'
    """
    return Phrase(key, MESSAGES[key], values)


def share(part: float) -> str:
    """A part of 1 in per cent, never rounded to a lie: only an exact 0 is 0 %, only an exact 1 is 100 %.

    >>> [share(part) for part in (0.0, 1e-7, 0.25, 0.99999, 1.0)]
    ['0 %', 'less than 0.01 %', '25 %', 'more than 99.99 %', '100 %']
    """
    if part in (0.0, 1.0):
        return f"{part:.0%}".replace("%", " %")
    if part < 0.0001:
        return "less than 0.01 %"
    if part > 0.9999:
        return "more than 99.99 %"
    return f"{percent(part)} %"
