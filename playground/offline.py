"""The page to keep: an experiment's stages as the playground shows them, in words of the same language."""

from __future__ import annotations

from attention_core.derivation import stage_formula
from attention_core.experiment import Experiment
from attention_core.trace import AttentionTrace
from attention_viz.page import Passage, html_page
from playground import stages
from playground.frame import honest_label
from playground.i18n import _, language


def page(trace: AttentionTrace, experiment: Experiment) -> bytes:
    """The page as a file: the sentence as it was typed, what its weights are, and stage by stage words and pictures."""
    passages = [
        Passage(
            f"{number} · {stage.title}",
            stages.words(trace, stage.name).lead,
            stage_formula(trace, stage.name),
            {field: (stages.field_title(field), stages.note(trace, field)) for field in stage.fields},
        )
        for number, stage in enumerate(stages.walk(trace), start=1)
    ]
    written = html_page(
        trace,
        experiment,
        passages=passages,
        title=stages.texts(experiment),
        note=honest_label(experiment),
        language=language(),
        say=_,
    )
    return written.encode()
