"""Formulas in plain letters: read by eye once and written down here."""

from __future__ import annotations

import re
from html import unescape

import pytest

from attention_core.derivation import stage_formula
from attention_core.experiment import Experiment
from attention_viz.formula import formula_html


def read(html: str) -> str:
    """Indices in brackets, powers after a caret."""
    html = re.sub(r"<sub>(.*?)</sub>", r"[\1]", html)
    html = re.sub(r"<sup>(.*?)</sup>", r"^(\1)", html)
    return " ".join(unescape(re.sub(r"</?i>", "", html)).split())


@pytest.mark.parametrize(
    ("changes", "stage", "wanted"),
    [
        ({}, "scaled_scores", "s[ij] = r[ij] / √(d[k])"),
        ({"temperature": 2.0}, "scaled_scores", "s[ij] = r[ij] / (√(d[k]) T)"),
        ({"score": "cosine"}, "raw_scores", "r[ij] = q[i] · k[j] / (‖ q[i] ‖ ‖ k[j] ‖)"),
        ({"score": "additive"}, "raw_scores", "r[ij] = u^(⊤) tanh(W[1] q[i] + W[2] k[j])"),
        ({"position": "rope"}, "raw_scores", "r[ij] = ∑[c] q′[ic] k′[jc]"),
        ({"mode": "causal"}, "masked_scores", "m[ij] = { s[ij] A[ij] = 1 ; −∞ A[ij] = 0"),
        ({"num_heads": 4}, "concat", "o[i] = [ c[i]^(1); c[i]^(2); …; c[i]^(4) ]"),
        ({"dropout": 0.5}, "context", "c[i] = ∑[j] w\u0303[ij] v[j]"),
    ],
)
def test_formulas_read_as_they_are_said(changes: dict[str, object], stage: str, wanted: str) -> None:
    experiment = Experiment("one two", **{"num_heads": 2, "d_model": 8, **changes})  # type: ignore[arg-type]
    found = read(formula_html(stage_formula(experiment.run(), stage)))
    assert found == wanted


def test_no_command_is_left_over() -> None:
    rope = {"position": "rope", "dropout": 0.1}
    for changes in ({}, rope, {"position": "alibi"}, {"score": "bilinear", "bias": True}):
        trace = Experiment("one two", num_heads=2, d_model=8, **changes).run()  # type: ignore[arg-type]
        for stage in ("embedding", "qkv", "rotated", "modified_scores", "weights", "dropped_weights", "output"):
            if formula := stage_formula(trace, stage):
                assert re.search(r"[a-z]{4,}|\\", read(formula_html(formula))) is None, formula
