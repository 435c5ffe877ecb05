"""The arithmetic behind any cell of any field of a trace, with the real numbers in it."""

from attention_core.derivation.dispatch import derive
from attention_core.derivation.formulas import scales, score_kind, stage_formula
from attention_core.derivation.steps import Derivation, Phrase, Step, Term

__all__ = ["Derivation", "Phrase", "Step", "Term", "derive", "scales", "score_kind", "stage_formula"]
