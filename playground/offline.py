"""The page to keep: an experiment's stages as the playground shows them, in words of the same language."""

from __future__ import annotations

from collections.abc import Iterator

from attention_core.derivation import stage_formula
from attention_core.experiment import Experiment
from attention_core.trace import AttentionTrace
from attention_viz.page import Passage, html_pieces
from playground import stages
from playground.frame import honest_label
from playground.i18n import _, language


def page_pieces(trace: AttentionTrace, experiment: Experiment) -> Iterator[bytes]:
    """The page as a file: the sentence as it was typed, what its weights are, and stage by stage words and pictures."""
    passages = [
        Passage(
            f"{number} · {stage.title}",
            stages.words(trace, stage.name).lead,
            stage_formula(trace, stage.name),
            {field: (stages.field_title(field, trace), stages.note(trace, field)) for field in stage.fields},
        )
        for number, stage in enumerate(stages.walk(trace), start=1)
    ]
    return html_pieces(
        trace,
        experiment,
        passages=passages,
        title=stages.texts(experiment),
        note=honest_label(experiment),
        language=language(),
        say=_,
    )
