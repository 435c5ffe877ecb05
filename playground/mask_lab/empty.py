"""A row that forbids everything: what each convention makes of it, computed now by the real functions."""

from __future__ import annotations

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.mask_lab import MESSAGES, empty_rows
from playground import panel
from playground.i18n import _

TOKENS = 3  # of the small example: few enough to write its weights out


def draw(experiment: Experiment) -> None:
    """A line for each convention, ours last; and the code that was run."""

    def vector(numbers: list[float], most: int = TOKENS) -> str:
        words = [f"{number:.3f}" for number in numbers[:most]] + (["…"] if len(numbers) > most else [])
        return "(" + ", ".join(words).replace("nan", "NaN").replace("-", "−") + ")"

    found = empty_rows(TOKENS, blind=1, seed=experiment.seed)
    short = {"finite": _("finite"), "nan": _("NaN, all of them"), None: _("run without")}
    rows = [
        (
            row.title.text(_),
            _("not told") if row.weights is None else vector(row.weights.tolist()),
            vector(row.output.tolist(), 2),
            short[row.gradient],
        )
        for row in found
    ]
    panel.table(
        "mask_lab_empty",
        rows[:-1],
        head=(_("Convention"), _("weights of that row"), _("its output"), _("gradients of the keys")),
        total=rows[-1],
    )
    verdicts = dict.fromkeys(row.verdict for row in found)
    st.markdown("\n".join(f"- {_(MESSAGES[f'verdict_{verdict}'])}" for verdict in verdicts))
    with st.expander(_("The lines of code that were run")):
        st.code("\n".join(f"{row.call}" for row in found), language="python")
