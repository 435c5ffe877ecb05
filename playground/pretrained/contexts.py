"""One word in two contexts, and two models on one text."""

from __future__ import annotations

import streamlit as st

from attention_core.pretrained import PretrainedError
from attention_core.pretrained.findings import ahead
from attention_core.pretrained.vectors import likeness, places_of, word_vectors
from attention_viz import heatmap_spec, lines_spec
from attention_viz.labels import visible
from playground import panel
from playground.i18n import _
from playground.lesson_parts import decimal
from playground.pretrained import choose
from playground.pretrained.shelf import Loaded

WORD, FIRST, SECOND = "bank", "We sat on the bank of the river.", "He took the money to the bank."


def word(loaded: Loaded) -> None:
    """The vectors of a word in two sentences after each layer, and their cosine."""
    left, middle, right = st.columns([1, 2, 2])
    with left:
        wanted = choose.text_of("pretrained_word", WORD, _("A word"))
    with middle:
        first = choose.text_of("pretrained_first", FIRST, _("in this sentence"))
    with right:
        second = choose.text_of("pretrained_second", SECOND, _("and in this one"))
    try:
        sides = [loaded.read(sentence).source for sentence in (first, second)]
        places = [places_of(side, wanted) for side in sides]
    except PretrainedError as problem:
        panel.statement("pretrained_word_wrong", str(problem), problem.remedy, alert=True)
        return
    vectors = [word_vectors(side, place) for side, place in zip(sides, places, strict=True)]
    found = likeness(*vectors)
    read = [" ".join(visible(side.tokens[place]) for place in at) for side, at in zip(sides, places, strict=True)]
    panel.statement(
        "pretrained_word_said",
        _("The model reads the word as {first} and as {second}; layer 0 is the vector it begins with.").format(
            first=f"“{read[0]}”", second=f"“{read[1]}”"
        ),
    )
    layers = list(range(len(found)))
    spec = lines_spec(layers, {_("cosine"): found}, x_title=_("after layer"), y_title=_("cosine"), markers=True)
    spec["layout"]["yaxis"] |= {"range": [min(0.0, *found) - 0.05, 1.05]}
    spec["layout"]["xaxis"] |= {"dtick": 1 + len(layers) // 16}
    left, right = st.columns([2, 1], gap="medium")
    with left:
        panel.plot("pretrained_word_lines", spec, height=260)
    with right:
        rows = [(str(layer), decimal(value, 4)) for layer, value in enumerate(found)]
        panel.table("pretrained_word_numbers", rows, head=(_("after layer"), _("cosine")), more=_("Show all"))


def two(loaded: Loaded, text: str, layer: str, head: int) -> None:
    """Another model beside this one, on the same text, at the same layer and head where it has them."""
    other = choose.model("pretrained_beside", label=_("Another model"), besides=loaded.model.name)
    if other is None:
        return
    try:
        readings = [loaded.read(text), other.read(text)]
    except PretrainedError as problem:
        said = _("{model}: {problem}").format(model=other.model.name, problem=problem)
        panel.statement("pretrained_beside_wrong", said, problem.remedy, alert=True)
        return
    rows = []
    width = 350 if panel.narrow() else 420
    for place, (column, one, reading) in enumerate(
        zip(st.columns(2), (loaded, other), readings, strict=True), start=1
    ):
        name = layer if layer in reading.layers else next(iter(reading.layers))
        shown = reading.layers[name]
        which = min(head, shown.weights.shape[0] - 1)
        trace = shown.trace()
        with column:
            panel.heatmap(
                f"pretrained_beside_{place}",
                lambda trace=trace, which=which: heatmap_spec(  # type: ignore[misc]
                    trace, "weights", head=which, box=(width, 400), titled=False, say=_
                ),
                cells=shown.weights[0].numel(),
                title=one.model.name,
                note=_("{layer} · head {head}").format(
                    layer=choose.layer_title(name).split(":")[0], head=which + 1
                ),
                height=400,
            )
        rows += [
            (one.model.name, choose.part_title(part), decimal(ahead(reading, part)))
            for part in reading.parts
            if part != "cross"
        ]
    panel.table(
        "pretrained_ahead", rows, head=(_("model"), "", _("weight on later tokens, the mean of all heads"))
    )
