"""The stages of attention in the order of the computation: which fields each shows, and what they are called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from attention_core.derivation import scales, score_kind, stage_formula
from attention_core.experiment import Experiment
from attention_core.experiment.hand_built import BUILT
from attention_core.trace import AttentionTrace
from attention_viz import heatmap_spec, needed_height, signed_scale
from attention_viz.labels import visible
from attention_viz.pool import strongest
from playground import panel, state
from playground.as_before import as_before
from playground.downloads import link
from playground.folded import folded
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


def field_title(field: str, trace: AttentionTrace | None = None) -> str:
    """What a field is called above its panel, where it is one of this trace."""
    if field == "modified_scores" and trace is not None and trace.cap is not None:
        return _("Scores within the cap")
    return {
        "token_embedding": _("Token embeddings"),
        "position_encoding": _("Positions"),
        "embedding": _("x, the input"),
        "source_token_embedding": _("Source token embeddings"),
        "source_position_encoding": _("Source positions"),
        "source_embedding": _("Source x"),
        "value_embedding": _("x̂, what the values are made of"),
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
        yield Stage(f"{side}embedding", _entrance(trace, side), _entering(trace, side, keys=bool(side) or not cross))
    yield Stage("qkv", _("Queries, keys, values"), ("q", "k", "v"))
    if trace.heads.rotated_q is not trace.heads.q:
        yield Stage("rotated", _("Rotation by position"), ("rotated_q", "rotated_k"))
    yield Stage("raw_scores", _("Raw scores"), ("raw_scores",), 400)
    yield Stage("scaled_scores", _("Scaled scores"), ("scaled_scores",), 400)
    if trace.heads.modified_scores is not trace.heads.scaled_scores:
        title = _("Position in the scores") if trace.cap is None else _("A cap on the scores")
        yield Stage("modified_scores", title, ("modified_scores",), 400)
    yield Stage("masked_scores", _("Masked scores"), ("allowed", "masked_scores"), 400)
    yield Stage("weights", _("Weights"), ("weights",), 400)
    if trace.heads.dropped_weights is not trace.heads.weights:
        yield Stage("dropped_weights", _("Dropout"), ("dropped_weights",), 400)
    yield Stage("context", _("Head outputs"), ("context",))
    yield Stage("concat", _("Concatenation"), ("concat",))
    projected = trace.output is not trace.concat
    title = _("Output projection and output") if projected else _("Output")
    yield Stage("output", title, ("head_contributions", "output"))


def _entrance(trace: AttentionTrace, side: str) -> str:
    """The heading over what enters the queries (`side` "") or the keys ("source_")."""
    return {
        "tokens": _("Source embedding") if side else _("Embedding"),
        "layer": _("What enters this layer"),
        "attention": _("What enters the cross-attention"),
        "encoder": _("What the encoder gives"),
    }[_of_side(trace, side, "origin")]


def _entering(trace: AttentionTrace, side: str, keys: bool) -> tuple[str, ...]:
    """The fields that show how x came about; on the side of the `keys` also what the values are made of."""
    token, position, x = (f"{side}{part}" for part in ("token_embedding", "position_encoding", "embedding"))
    values = ["value_embedding"] if keys and trace.value_embedding is not None else []
    if position not in trace.fields():  # then x is the token embedding itself: one picture, not three
        return (x, *values)
    return (token, position, x, *values) if token in trace.fields() else (*values, position, x)


def _of_side(trace: AttentionTrace, side: str, name: str) -> Any:
    return getattr(trace, f"{side}{name}")


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
    plain, variant = known[name], _variant(trace, stage)
    ways = [".".join((name, *variant[:count])) for count in range(len(variant), -1, -1)]
    section = next(known[way] for way in ways if way in known)
    return Section(section.lead, section.why or plain.why)


def _variant(trace: AttentionTrace, stage: str) -> tuple[str, ...]:
    """What of a stage's words is to be said differently here; the parts of a section's name after its first."""
    if stage.endswith("embedding"):
        return _variant_of_entering(trace, stage.removesuffix("embedding"))
    if stage == "qkv":
        weights = trace.projections
        known = weights is not None and weights.w_q is not None and weights.w_k is not None
        return ("given",) if not known else () if trace.value_embedding is None else ("values",)
    if stage == "modified_scores":
        return () if trace.cap is None else ("cap",)
    if stage == "raw_scores":
        return (score_kind(trace),)
    if stage == "scaled_scores":
        if score_kind(trace) == "own_scale":
            return ("own",)
        below = [symbol for symbol, _number in scales(trace)]
        plain = () if below and below[0] != "T" else ("plain",)
        return (*plain, *(("temperature",) if "T" in below else ()))
    if stage == "concat":
        return ("one",) if trace.shape("q")[1] == 1 else ()
    if stage == "output":
        return ("none",) if trace.output is trace.concat else ()
    return ()


def _variant_of_entering(trace: AttentionTrace, side: str) -> tuple[str, ...]:
    origin, normed, token, position = (
        _of_side(trace, side, name) for name in ("origin", "normed", "token_embedding", "position_encoding")
    )
    how = ("normed",) if normed else ()
    if position is not None:
        how = (*how, "apart" if token is None else "positions")
    if origin != "tokens":
        return (origin, *how)
    if any(name in BUILT for name in trace.head_names):
        return ("built",)
    return how if token is not None or position is not None else ("whole", *how)


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
    snug: bool = False,
) -> None:
    """Draw one field of `trace` in a panel that opens the arithmetic of the cell that is clicked.

    `csv` is the link of its numbers; True is that of the experiment on the screen. `hint` stands in place of the shape
    on a phone, where what is said beside the picture on a wide screen is far below. A saved picture says `caption`,
    else field, head and title; and the `sentence`, by default that of the experiment on the screen. `of_a`: the trace
    is that of the pinned experiment, and so is the arithmetic of its cells. `snug`: no higher than the picture needs,
    for one whose shape no slider changes.
    """
    beside = note(trace, field, one_head=head is not None)
    if panel.narrow():
        width, beside = min(width, 350), hint or legend(field) or beside
    seen = state.view()
    shown = (
        None if head is not None and "head" not in trace.dims(field) and "kv_head" not in trace.dims(field) else head
    )

    if snug:
        height = min(height, needed_height(trace, field, head=shown, box=(width, height)))

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
        title=title or field_title(field, trace),
        note=beside,
        height=height,
        csv=link(f"{field}.csv") if csv is True else csv or None,
        file=_file(key, field, shown),
        caption=(
            caption or " · ".join(filter(None, (_field_and_head(trace, field, shown), title))),
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


def _field_and_head(trace: AttentionTrace, field: str, head: int | None) -> str:
    title = field_title(field, trace)
    return title if head is None else _("{field} · head {head}").format(field=title, head=head + 1)


def _file(key: str, field: str, head: int | None) -> str:
    """The name of a saved picture without its ending: that of the field, where no other panel shows it."""
    name = field if key in ("hero", f"stage_{field}") else key if field in key else f"{key}_{field}"
    return name if head is None else f"{name}_head_{head + 1}"


def _marked(cell: panel.Cell | None, field: str) -> panel.Cell | None:
    if cell is None:
        return None
    same = cell.field == field or (cell.field in SCORES and field in SCORES)
    return cell if same else None


def _cut(trace: AttentionTrace, stage: str) -> str:
    """How many tokens there are, where a stage makes vectors of them; else nothing."""
    side = {"embedding": "", "source_embedding": "source_"}.get(stage)
    if side is None or _of_side(trace, side, "origin") != "tokens":
        return ""
    count = len(_of_side(trace, side, "tokens"))
    if side:
        return plural("The source text is one token.", "The source text is cut into {n} tokens.", count).format(n=count)
    return plural("The text is one token.", "The text is cut into {n} tokens.", count).format(n=count)


def common_scale(trace: AttentionTrace, stage: Stage) -> float | None:
    """The end of the colours that the pictures of a stage share; None where each has its own."""
    shared = len(stage.fields) > 1 and "allowed" not in stage.fields
    return signed_scale(*((trace, field) for field in stage.fields)) if shared else None


def draw_walk(trace: AttentionTrace, head: int | None, *, csv: bool = True) -> None:
    """All stages, one under the other; `csv`: the trace is that of the experiment in the address."""
    for number, stage in enumerate(walk(trace), start=1):
        section = passage(trace, stage.name)
        lead = " ".join(filter(None, (_cut(trace, stage.name), section.lead)))
        words = f"### {number} · {stage.title}\n\n{lead}", section.why
        far = all(panel.unseen(f"stage_{field}") for field in stage.fields)

        def draw(stage: Stage = stage, words: tuple[str, str] = words, far: bool = far) -> None:
            folded(*words)
            scale = None if far else common_scale(trace, stage)
            for field in stage.fields:
                # Nobody clicks what is out of sight; and what takes clicks would keep this trace as long as it stands.
                field_panel(
                    trace,
                    field,
                    key=f"stage_{field}",
                    width=520,
                    height=stage.height,
                    head=head,
                    scale=scale,
                    csv=csv,
                    marks=not far,
                )

        if far:  # what stands beside such a picture is of the same run as the picture, and comes anew with it
            as_before(f"stage {stage.name}", (words, stage, head, csv, language(), panel.narrow()), draw)
        else:
            draw()
