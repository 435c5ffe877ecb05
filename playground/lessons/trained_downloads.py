"""Files of the page on trained models: the trace of a layer, a field's numbers, the weights and their card.

A link carries what is shown, as the address does: nothing is kept on the server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import streamlit as st

from attention_core.trace import AttentionTrace
from attention_core.trained.shipped import FOLDER, model_card
from attention_viz.export import html_page, trace_json, trace_npz
from attention_viz.labels import field_title, visible
from playground.downloads import File, Refused, csv_file
from playground.i18n import _
from playground.lessons import trained_models as models
from playground.lessons.trained_link import from_query, to_query
from playground.lessons.trained_models import Setting
from playground.service.outgoing import whole

Maker = Callable[[Setting, AttentionTrace], bytes]


def _page(setting: Setting, trace: AttentionTrace) -> bytes:
    words = " ".join(visible(token) for token in trace.tokens)
    title = _("{model}, {layer}: {words}")
    title = title.format(model=models.title(setting.model), layer=models.layer_title(setting.layer), words=words)
    return html_page(trace, title=title, say=_said).encode()


def _said(words: str) -> str:
    # Nothing here is dropped at random: what differs from the softmax was set by hand or taken out.
    return _("Weights that count") if words == field_title("dropped_weights") else _(words)


TRACE: dict[str, tuple[str, Maker]] = {
    "attention.html": ("text/html; charset=utf-8", _page),
    "trace.json": ("application/json", lambda setting, trace: trace_json(trace)),
    "trace.npz": ("application/octet-stream", lambda setting, trace: trace_npz(trace)),
}
MODEL: dict[str, tuple[str, Callable[[str], bytes]]] = {
    "model.safetensors": ("application/octet-stream", lambda model: (FOLDER / f"{model}.safetensors").read_bytes()),
    "model-card.md": ("text/markdown; charset=utf-8", lambda model: model_card(model).encode()),
}


def link(name: str, setting: Setting) -> str:
    """Where the file `name` is served, relative to the app's root."""
    return f"download/{name}?{urlencode(to_query(setting))}"


def build(name: str, query: Mapping[str, str]) -> File:
    """The file `name` for what `query` says: a name of `TRACE` or `MODEL`, or `<field>.csv`.

    The file is called after the model and the layer, names of this package alone. Raises Refused where the query says
    nothing that can be shown, or the name is unknown.
    """
    try:
        setting = from_query(query)
        if name in MODEL:
            media_type, read = MODEL[name]
            return File(f"{setting.model}-{name}", media_type, whole(read(setting.model)))
        trace = models.answered(setting.model, setting.text, setting.change).traces[setting.layer]
    except ValueError as problem:
        raise Refused(str(problem)) from problem
    called = f"{setting.model}-{setting.layer}-{name}"
    if name in TRACE:
        media_type, make = TRACE[name]
        return File(called, media_type, whole(make(setting, trace)))
    return csv_file(name, called, trace, (*TRACE, *MODEL))


def menu(setting: Setting) -> None:
    """What to take away from the layer that is shown, and the model itself."""
    names = {
        "attention.html": _("This layer as a page that works offline"),
        "trace.json": _("Every tensor of this layer as JSON"),
        "trace.npz": _("Every tensor of this layer as NumPy arrays (NPZ)"),
        "model.safetensors": _("The trained weights of the model (safetensors)"),
        "model-card.md": _("Its card: what it is and how it was trained"),
    }
    with st.popover(_("Download")):
        links = [f"- [{title}]({link(name, setting)})" for name, title in names.items()]
        st.markdown(
            "\n".join([*links, "", _("Each picture also offers itself as PNG and SVG and its numbers as CSV.")])
        )
