"""The stages of attention in the order of the computation: which fields each shows, and what they are called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import streamlit as st

from attention_core.derivation import scales, score_kind, stage_formula
from attention_core.experiment import Experiment
from attention_core.experiment.hand_built import BUILT
from attention_core.trace import AttentionTrace
from attention_viz import heatmap_spec, signed_scale
from attention_viz.labels import visible
from attention_viz.pool import strongest
from playground import panel, state
from playground.downloads import link
from playground.i18n import _, language, plural
from playground.prose import Section, prose

ONE_LINE = 120  # characters of a sentence that a saved picture may carry

SCORES = (
    "raw_scores",
    "scaled_scores",
    "modified_scores",
    "allowed",
    "masked_scores",
    "weights",
    "dropped_weights",
)


@dataclass(frozen=True)
class Stage:
    """A stage: its name in the prose, its heading, and the fields it shows, one under the other."""

    name: str
    title: str
    fields: tuple[str, ...]
    height: int = 230


def field_title(field: str) -> str:
    """What a field is called above its panel."""
    return {
        "token_embedding": _("Token embeddings"),
        "position_encoding": _("Positions"),
        "embedding": _("x, the input"),
        "source_token_embedding": _("Source token embeddings"),
        "source_position_encoding": _("Source positions"),
        "source_embedding": _("Source x"),
        "q": _("Q, queries"),
        "k": _("K, keys"),
        "v": _("V, values"),
        "rotated_q": _("Q, rotated"),
        "rotated_k": _("K, rotated"),
        "raw_scores": _("Raw scores"),
        "scaled_scores": _("Scaled scores"),
        "modified_scores": _("Scores with position"),
        "allowed": _("Mask"),
        "masked_scores": _("Masked scores"),
        "weights": _("Weights"),
        "dropped_weights": _("Weights after dropout"),
        "context": _("Head outputs"),
        "concat": _("Concatenated heads"),
        "head_contributions": _("What each head adds to the output"),
        "output": _("Output"),
    }[field]


def walk(trace: AttentionTrace) -> Iterator[Stage]:
    """The stages this trace has: no stage is listed that would do nothing."""
    cross = trace.source_embedding is not trace.embedding
    for side in ("", "source_") if cross else ("",):
        parts = [f"{side}{part}" for part in ("token_embedding", "position_encoding", "embedding")]
        shown = [part for part in parts if part in trace.fields()]
        # Without positions x is the token embedding itself: one picture, not three.
        yield Stage(
            f"{side}embedding",
            _("Source embedding") if side else _("Embedding"),
            tuple(shown if len(shown) > 2 else shown[-1:]),
        )
    yield Stage("qkv", _("Queries, keys, values"), ("q", "k", "v"))
    if trace.heads.rotated_q is not trace.heads.q:
        yield Stage("rotated", _("Rotation by position"), ("rotated_q", "rotated_k"))
    yield Stage("raw_scores", _("Raw scores"), ("raw_scores",), 400)
    yield Stage("scaled_scores", _("Scaled scores"), ("scaled_scores",), 400)
    if trace.heads.modified_scores is not trace.heads.scaled_scores:
        yield Stage("modified_scores", _("Position in the scores"), ("modified_scores",), 400)
    yield Stage("masked_scores", _("Masked scores"), ("allowed", "masked_scores"), 400)
    yield Stage("weights", _("Weights"), ("weights",), 400)
    if trace.heads.dropped_weights is not trace.heads.weights:
        yield Stage("dropped_weights", _("Dropout"), ("dropped_weights",), 400)
    yield Stage("context", _("Head outputs"), ("context",))
    yield Stage("concat", _("Concatenation"), ("concat",))
    projected = trace.output is not trace.concat
    title = _("Output projection and output") if projected else _("Output")
    yield Stage("output", title, ("head_contributions", "output"))


def passage(trace: AttentionTrace, stage: str) -> Section:
    """The words of a stage as this trace was computed, with its formula."""
    section = words(trace, stage)
    formula = stage_formula(trace, stage)
    # In braces a formula is not broken in two; several stand side by side where there is room.
    formulas = "\u2003 ".join(f"${{{one}}}$" for one in formula.split(r" \qquad ") if one)
    return Section(f"{section.lead}\n{formulas}".strip(), section.why)


def words(trace: AttentionTrace, stage: str) -> Section:
    """The words of a stage as this trace was computed; why, where a variant has none of its own."""
    known, name = prose("playground", language()), stage.removeprefix("source_")
    plain = known[name]
    section = known.get(".".join((name, *_variant(trace, name))), plain)
    return Section(section.lead, section.why or plain.why)


def _variant(trace: AttentionTrace, stage: str) -> tuple[str, ...]:
    """What of a stage's words is to be said differently here; the parts of a section's name after its first."""
    if stage == "embedding":
        built = any(name in BUILT for name in trace.head_names)
        return ("built",) if built else ("positions",) if trace.position_encoding is not None else ()
    if stage == "raw_scores":
        return (score_kind(trace),)
    if stage == "scaled_scores":
        below = [symbol for symbol, _number in scales(trace)]
        plain = () if below and below[0] != "T" else ("plain",)
        return (*plain, *(("temperature",) if "T" in below else ()))
    if stage == "concat":
        return ("one",) if trace.shape("q")[1] == 1 else ()
    if stage == "output":
        return ("none",) if trace.output is trace.concat else ()
    return ()


def shape(trace: AttentionTrace, field: str, one_head: bool = False) -> str:
    """The shape of a field, or of one head of it, in words and numbers: "4 heads × 6 queries × 8 d_k"."""
    left_out = {"batch", "head", "kv_head"} if one_head else {"batch"}

    def counted(dim: str, size: int) -> str:
        return {
            "head": plural("head", "heads", size),
            "kv_head": plural("key/value head", "key/value heads", size),
            "query": plural("query", "queries", size),
            "key": plural("key", "keys", size),
            "heads*d_v": plural("column, heads × d_v", "columns, heads × d_v", size),
        }.get(dim, dim)

    sizes = zip(trace.dims(field), trace.shape(field), strict=True)
    return " × ".join(f"{size} {counted(dim, size)}" for dim, size in sizes if dim not in left_out)


def legend(field: str) -> str:
    """What the colours of a field mean where no scale stands above them."""
    return _("blue: may look, hatched: may not") if field == "allowed" else ""


def note(trace: AttentionTrace, field: str, one_head: bool = False) -> str:
    """What stands beside the title of a field: what its colours mean, and its shape."""
    return " · ".join(filter(None, (legend(field), shape(trace, field, one_head))))


def field_panel(
    trace: AttentionTrace,
    field: str,
    *,
    key: str,
    width: int,
    height: int,
    title: str | None = None,
    caption: str | None = None,
    sentence: str | None = None,
    head: int | None = None,
    scale: float | None = None,
    difference_to: AttentionTrace | None = None,
    csv: bool | str = True,
    marks: bool = True,
    of_a: bool = False,
    hint: str = "",
) -> None:
    """Draw one field of `trace` in a panel that opens the arithmetic of the cell that is clicked.

    `csv` is the link of its numbers; True is that of the experiment on the screen. `hint` stands in place of the shape
    on a phone, where what is said beside the picture on a wide screen is far below. A saved picture says `caption`,
    else field, head and title; and the `sentence`, by default that of the experiment on the screen. `of_a`: the trace
    is that of the pinned experiment, and so is the arithmetic of its cells.
    """
    beside = note(trace, field, one_head=head is not None)
    if panel.narrow():
        width, beside = min(width, 350), hint or legend(field) or beside
    seen = state.view()
    shown = (
        None if head is not None and "head" not in trace.dims(field) and "kv_head" not in trace.dims(field) else head
    )

    def opened(cell: panel.Cell) -> None:
        row, col = strongest(trace, field, cell.head, cell.row, cell.col, panel.pool_of(key))
        state.open_cell(panel.Cell(field, cell.head, row, col), of_a)

    panel.heatmap(
        key,
        lambda: heatmap_spec(
            trace,
            field,
            head=shown,
            box=(width, height),
            scale=scale,
            difference_to=difference_to,
            titled=False,
            pool=True,
            say=_,
        ),
        cells=prod(trace.shape(field)[1:]),
        title=title or field_title(field),
        note=beside,
        height=height,
        csv=link(f"{field}.csv") if csv is True else csv or None,
        file=_file(key, field, shown),
        caption=(
            caption or " · ".join(filter(None, (_field_and_head(field, shown), title))),
            sentence_of(state.experiment()) if sentence is None and csv is True else sentence or "",
        ),
        group=("a " if of_a else "") + ("scores" if field in SCORES else field),
        cell=_marked(seen.cell, field) if marks and of_a == seen.opens_a else None,
        twins=trace.source_tokens == trace.tokens,
        on_cell=opened if marks else None,
    )


def sentence_of(experiment: Experiment) -> str:
    """The text of an experiment in one line, in cross mode with its source; empty where it is too long for that."""
    line = texts(experiment)
    return line if len(line) <= ONE_LINE else ""


def texts(experiment: Experiment) -> str:
    """The text of an experiment as it was typed, in cross mode with its source."""
    typed = [experiment.text]
    if experiment.mode == "cross":
        typed.append(experiment.source_text or "")
    return " \u2192 ".join(visible(" ".join(text.split())) for text in typed)


def _field_and_head(field: str, head: int | None) -> str:
    if head is None:
        return field_title(field)
    return _("{field} · head {head}").format(field=field_title(field), head=head + 1)


def _file(key: str, field: str, head: int | None) -> str:
    """The name of a saved picture without its ending: that of the field, where no other panel shows it."""
    name = field if key in ("hero", f"stage_{field}") else key if field in key else f"{key}_{field}"
    return name if head is None else f"{name}_head_{head + 1}"


def _marked(cell: panel.Cell | None, field: str) -> panel.Cell | None:
    if cell is None:
        return None
    same = cell.field == field or (cell.field in SCORES and field in SCORES)
    return cell if same else None


def draw_walk(trace: AttentionTrace, head: int | None, *, csv: bool = True) -> None:
    """All stages, one under the other; `csv`: the trace is that of the experiment in the address."""
    for number, stage in enumerate(walk(trace), start=1):
        section = passage(trace, stage.name)
        st.markdown(f"### {number} · {stage.title}\n\n{section.lead}")
        many = len(stage.fields) > 1 and "allowed" not in stage.fields
        scale = signed_scale(*((trace, field) for field in stage.fields)) if many else None
        for field in stage.fields:
            key = f"stage_{field}"
            field_panel(trace, field, key=key, width=520, height=stage.height, head=head, scale=scale, csv=csv)
        if section.why:
            with st.expander(_("Why?")):
                st.markdown(section.why)
