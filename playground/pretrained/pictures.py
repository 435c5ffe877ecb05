"""The pictures of the page on pretrained models: every head small, one large, and its arithmetic."""

from __future__ import annotations

from math import prod

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.pretrained import Reading
from attention_core.pretrained.overview import small_maps
from attention_core.trace import AttentionTrace
from attention_viz import heatmap_spec, needed_height
from attention_viz.export import trace_json, trace_npz
from attention_viz.lessons.small_maps import small_maps_spec
from playground import inspector, panel, stages, state
from playground.i18n import _
from playground.panel import Cell
from playground.pretrained import choose

CELLS = 60_000  # numbers in an overview: more would be smaller than a point on the screen
HEIGHT = 460


def overview(reading: Reading) -> None:
    """Every head of every layer, a picture for each part; a click shows that head large."""
    for part in reading.parts:
        _overview(reading, part)


def _overview(reading: Reading, part: str) -> None:
    layers = [layer for layer in reading.layers.values() if layer.part == part]
    maps, forbidden = small_maps(layers, CELLS)
    heads = layers[0].weights.shape[0]
    spec = small_maps_spec(
        maps.numpy(),
        forbidden.numpy(),
        heads=heads,
        tokens=layers[0].tokens,
        source_tokens=layers[0].source_tokens,
        shape=(maps.shape[1], maps.shape[2]),
        width=350 if panel.narrow() else 860,
        say=_,
    )

    def clicked(cell: Cell) -> None:
        layer, head = divmod(cell.head, heads)
        choose.show(layers[layer].name, head)

    panel.heatmap(
        f"pretrained_{part}_maps",
        lambda: spec,
        cells=maps.numel(),
        title=choose.part_title(part),
        note=_("{layers} layers × {heads} heads").format(layers=len(layers), heads=heads),
        height=spec["meta"]["height"],
        twins=False,
        on_cell=clicked,
    )


def hero(trace: AttentionTrace, layer: str, head: int) -> None:
    """The weights of one head, large; a click opens the arithmetic."""
    place = state.view().cell
    box = (350 if panel.narrow() else 520, HEIGHT)
    panel.heatmap(
        "pretrained_weights",
        lambda: heatmap_spec(trace, "weights", head=head, box=box, titled=False, say=_),
        cells=prod(trace.shape("weights")[2:]),
        title=_("{layer} · head {head}").format(layer=choose.layer_title(layer).split(":")[0], head=head + 1),
        note=stages.shape(trace, "weights"),
        height=needed_height(trace, "weights", head=head, box=box),
        group="scores",
        cell=place if place is not None and place.field in stages.SCORES else None,
        twins=trace.source_tokens == trace.tokens,
        on_cell=state.open_cell,
    )


def arithmetic(trace: AttentionTrace, head: int) -> None:
    """Where a number comes from: the playground's inspector on the recorded trace."""
    inspector.draw(Experiment("attention"), trace, head)


def downloads(trace: AttentionTrace, layer: str) -> None:
    """The recorded layer as files, made when they are asked for."""
    with st.container(horizontal=True):
        for kind, media_type, make in (
            ("npz", "application/octet-stream", trace_npz),
            ("json", "application/json", trace_json),
        ):
            st.download_button(
                _("This layer as {kind}").format(kind=kind.upper()),
                lambda make=make: make(trace),  # type: ignore[misc]
                file_name=f"attention-{layer}.{kind}",
                mime=media_type,
                on_click="ignore",
                key=f"pretrained_download_{kind}",
            )
