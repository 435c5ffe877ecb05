"""What the page says beside the pictures, and every stage of the step that is looked at."""

from __future__ import annotations

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.trained import Change
from playground import inspector, told
from playground.i18n import _
from playground.lesson_parts import choice, number
from playground.lessons import trained
from playground.lessons import trained_models as models
from playground.lessons.trained_models import Setting
from playground.live.run import Run
from playground.live.view import opened


def still() -> str:
    """Beside a message on what cannot be trained."""
    return _("The page shows the task’s own recipe instead.")


def honest_label(run: Run) -> str:
    """What is trained here, and on what."""
    words = _(
        "Trained here and now, from seed {seed}, on made-up samples: {data}. {count} numbers learn; the curves are "
        "measured on {samples} samples that are held out. It will know this task and nothing else."
    )
    return words.format(seed=run.plan.seed, data=run.data, count=f"{run.numbers:,}", samples=run.samples)


def stages(run: Run, step: int) -> None:
    """The layer that is looked at, stage by stage, and the arithmetic of a cell."""
    _moment, seen = run.seen(step)
    layers = list(seen.traces)
    choice("live_layer", run.watched, layers)
    st.markdown(f"### {_('Every stage at this step')}")
    with st.container(horizontal=True):
        layer = str(
            told.segmented_control(_("Layer"), layers, key="live_layer", required=True, format_func=models.layer_title)
        )
        trace = seen.traces[layer]
        count = trace.shape("weights")[1]
        head = number("live_head", 1, 1, count)
        if count > 1:
            heads = list(range(1, count + 1))
            head = int(told.segmented_control(_("Head"), heads, key="live_head", required=True) or 1)
    left, right = st.columns([1.62, 1], gap="medium")
    with left:
        trained.walk(Setting(run.plan.name, "", Change(), layer), trace, head - 1, files=False)
    with right:
        if not opened(seen):
            inspector.draw(Experiment("attention"), trace, head - 1)
