"""One moment of a run: its numbers, the answer to the sample, every head's map, and the curves up to there."""

from __future__ import annotations

from functools import partial
from math import ceil, prod

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.trace import AttentionTrace
from attention_core.trained.sample import Seen
from attention_core.trained.watch import Moment
from attention_viz import heatmap_spec
from attention_viz.curves import curves_spec
from playground import inspector, panel, stages, state
from playground.i18n import _
from playground.lesson_parts import decimal
from playground.live.run import Run
from playground.panel import Cell

MAP = 300  # pixels of a map's height
CURVES = 210
MOVED = "training_moved"  # set where something was clicked that what stands below the maps has to follow
_OPENED = "training_opened"  # the cell that was opened in a map


def draw_moment(run: Run, step: int, *, moving: bool) -> None:
    """Everything that changes while a model learns, in panels that keep their place and size.

    Where a cell of a map is open its arithmetic stands beside it, or on a phone as a sheet over it: so the curves stand
    under the map meanwhile.
    """
    moment, seen = run.seen(step)
    _answer(run, seen)
    layers = list(seen.traces.items())
    alone = len(layers) == 1
    box = (400, MAP + 86) if alone else (820 // len(layers), MAP + 6)
    above = not alone and not panel.narrow()  # several maps fill the whole width
    if above:
        _maps(layers, box=box, moving=moving)
    left, right = st.columns([1, 1.15] if alone else 2, gap="medium")
    with left:
        if not above:
            _maps(layers, box=box, moving=moving)
    open_layer = None if moving else opened(seen)
    first, second = (left, left) if open_layer else (right, right) if alone else (left, right)
    with first:
        _scores(run, moment, CURVES)
    with second:
        _loss(run, moment, MAP + 60 - CURVES + 30 if alone else CURVES)
    if open_layer:
        with right:
            inspector.draw(Experiment("attention"), seen.traces[open_layer])


def opened(seen: Seen) -> str:
    """The layer of which a cell was opened in these maps; empty where there is none, or it is one of the stages."""
    cell, layer = state.view().cell, str(st.session_state.get("live_layer"))
    mine = cell is not None and cell is st.session_state.get(_OPENED)
    return layer if mine and layer in seen.traces else ""


def _answer(run: Run, seen: Seen) -> None:
    """What the model makes of the sample."""
    sample = run.sample
    joined = ("" if run.plan.name in ("reversal", "sorting", "dates") else " ").join(seen.words)
    read = ("" if run.plan.name in ("reversal", "sorting", "dates") else " ").join(sample.tokens)
    words = {
        "induction": _("Where a word of the sample has stood before, it expects next: “{answer}”"),
        "coreference": _("In the sample it takes “it” for: “{answer}”"),
        "translation": _("Given the right words so far, it writes: “{answer}”"),
        "dates": _("Given the right characters so far, it writes: “{answer}”"),
    }.get(run.plan.name, _("It writes: “{answer}”"))
    panel.statement("live_answer", words.format(answer=joined), _("The sample: “{text}”").format(text=read))


def draw_numbers(run: Run, step: int) -> None:
    """What was measured at a step, one line."""
    moment, _seen = run.seen(step)
    first = [] if moment.first is None else [decimal(moment.first, 2)]
    row = [str(moment.step), _loss_text(moment), decimal(moment.accuracy, 2), decimal(moment.alignment, 2), *first]
    head = [_("step"), _("loss"), _("accuracy"), _("alignment"), *([first_name(run)] if first else [])]
    panel.table("live_numbers", [row], head=head)


def first_name(run: Run) -> str:
    """What layer 1 has to do first, where a task needs two layers."""
    return {
        "induction": _("layer 1: the word before"),
        "coreference": _("layer 1: the adjective"),
    }[run.plan.name]


def _loss_text(moment: Moment) -> str:
    return "–" if moment.loss != moment.loss else decimal(moment.loss, 3)


def _maps(layers: list[tuple[str, AttentionTrace]], *, box: tuple[int, int], moving: bool) -> None:
    """The weights of every head, a panel a layer. While they move nothing can be opened: it would be gone at once."""
    width, height = (350, box[1]) if panel.narrow() else box
    specs = {
        layer: heatmap_spec(trace, "weights", box=(width, height), titled=False, say=_)
        for layer, trace in layers
    }
    tallest = ceil(max(spec["meta"]["height"] for spec in specs.values()))
    place = state.view().cell
    for column, (layer, trace) in zip(st.columns(len(layers), gap="small"), layers, strict=True):
        mine = st.session_state.get("live_layer") == layer and place is not None and place.field in stages.SCORES
        with column:
            panel.heatmap(
                f"live_map_{layer}",
                partial(specs.__getitem__, layer),
                cells=prod(trace.shape("weights")[1:]),
                title=short_title(layer),
                note=stages.shape(trace, "weights"),
                height=tallest,
                group=f"live_{layer}",
                cell=place if mine and not moving else None,
                twins=trace.source_tokens == trace.tokens,
                on_cell=None if moving else partial(_open, layer),
            )


def _open(layer: str, cell: Cell) -> None:
    """The arithmetic of a cell that was clicked: that of its layer and head."""
    st.session_state["live_layer"], st.session_state["live_head"] = layer, cell.head + 1
    st.session_state[MOVED], st.session_state[_OPENED] = True, cell
    state.open_cell(cell)


def short_title(layer: str) -> str:
    """What a layer of attention is called above a small map."""
    return {
        "self1": _("Layer 1"),
        "self2": _("Layer 2"),
        "encoder1": _("Encoder"),
        "decoder1": _("Decoder"),
        "cross1": _("Cross-attention"),
    }[layer]


def _scores(run: Run, moment: Moment, height: int) -> None:
    moments = run.moments()
    series = {
        _("accuracy"): [one.accuracy for one in moments],
        _("alignment"): [one.alignment for one in moments],
    }
    if moments[0].first is not None:
        series[first_name(run)] = [one.first or 0.0 for one in moments]
    spec = curves_spec(
        [one.step for one in moments],
        series,
        last=run.plan.steps,
        at=moment.step,
        top=1.0,
        x_title=_("step"),
        y_title=_("share"),
        height=height,
    )
    panel.plot("live_scores", spec, height=height)


def _loss(run: Run, moment: Moment, height: int) -> None:
    moments = [one for one in run.moments() if one.loss == one.loss]
    spec = curves_spec(
        [one.step for one in moments],
        {_("loss"): [one.loss for one in moments]},
        last=run.plan.steps,
        at=moment.step,
        x_title=_("step"),
        y_title=_("loss"),
        height=height,
    )
    panel.plot("live_loss", spec, height=height)
