"""The encoder block: one token on its way through, lengths over twelve blocks, rank collapse, and dropout."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st

from attention_core.lessons import encoder
from attention_viz import lines_spec
from attention_viz.labels import visible
from attention_viz.lessons.encoder import alike_picture, depth_spec, dropout_pictures, stage_words, token_pictures
from playground import lesson as lesson_frame
from playground import panel, predict, state, told
from playground.i18n import _
from playground.lesson_parts import choice, draw, number, slider

FIELDS = {"text", "num_heads", "d_model", "weights", "position", "seed", "tokenizer"}
PROBABILITIES = tuple(f"0.{tenths}" for tenths in range(10))
COUNTS = tuple(str(2**power) for power in range(9))
PARTS = ("whole", "no_feed_forward", "no_residual", "attention_alone")


def pick(widget: Any, name: str, label: str, options: Any, default: str, **more: Any) -> str:
    """One of several words, which belongs into the link."""
    choice(name, default, tuple(options))
    return str(widget(label, options, key=name, **more))


lesson = lesson_frame.begin("encoder", only=FIELDS)
chosen, narrow = encoder.setting(lesson.experiment), panel.narrow()
tokens, width = [visible(word) for word in encoder.words(chosen)], chosen.d_model
with st.container():  # a place that stays, see frame.header
    if len(lesson.experiment.tokens()) > encoder.MOST:
        st.caption(_("This page uses the first {count} tokens.").format(count=encoder.MOST))
    if lesson.experiment.d_model > encoder.WIDEST:
        st.caption(_("This page computes twelve blocks; it takes a width of {width}.").format(width=encoder.WIDEST))

with st.container(horizontal=True, gap="large", vertical_alignment="bottom"):
    norms = {"pre": _("Before each part"), "post": _("Behind each sum")}
    more = {"format_func": norms.get, "required": True}
    norm = pick(told.segmented_control, "encoder_norm", _("Layer norm"), norms, "pre", **more)
    state.page_setting("encoder_residual", True, state.option_of((True, False)))
    residual = told.toggle(_("Residual connections"), key="encoder_residual")
lesson.section(norm if residual else f"{norm}_bare")
every = encoder.passes(chosen, norm)
passes = every["whole" if residual else "no_residual"]

with st.container(horizontal=True, gap="large"):
    at = slider("encoder_block", _("Block"), 1, 1, encoder.DEPTH)
    number("encoder_token", len(tokens) // 2, 0, len(tokens) - 1)
    named = [f"{place} · {word}" for place, word in enumerate(tokens)]
    token = told.selectbox(_("Token"), range(len(tokens)), key="encoder_token", format_func=named.__getitem__)
one = passes[at - 1]
pictures = {picture.name: picture for picture in token_pictures(one, norm, token, tokens, narrow=narrow, say=_)}
lesson.section("token", block=at, width=width, root=f"{math.sqrt(width):.3g}")
draw("encoder_stages", pictures["stages"])
words = stage_words(norm, _)
lengths = {name: float(encoder.lengths(stage)[token]) for name, stage in one.stages.items()}
panel.table(
    "encoder_lengths",
    [[*words[name], f"{length:.2f}"] for name, length in lengths.items()],
    head=[_("Step"), _("What happens"), _("Length")],
)
lesson.section("looks")
weights = predict.Map(one.weights, encoder.words(chosen), encoder.words(chosen))
covered = predict.cover("encoder", weights, about=(chosen, norm, residual, at, token), head=0, row=token)
if not covered:
    draw("encoder_looks", pictures["looks"])
lesson.section("inside", hidden=4 * width, width=width, zeros=int((one.activated[token] == 0).sum()))
draw("encoder_inside", pictures["inside"])

lesson.section("depth")
means = {
    _("enters the block"): encoder.mean_lengths(passes, "input"),
    _("attention brings"): encoder.mean_lengths(passes, "attention"),
    _("feed-forward makes"): encoder.mean_lengths(passes, "feed_forward"),
    _("leaves the block"): encoder.mean_lengths(passes, "output"),
}
most = 1.08 * max(map(max, means.values()))
spec = depth_spec(means, at=at, first=1, most=most, x_title=_("block"), y_title=_("mean length"))
panel.plot("encoder_depth", spec, height=270)

number("encoder_after", 3, 0, encoder.DEPTH)
after = int(st.session_state["encoder_after"])
apart = {name: encoder.distance_to_mean(encoder.after(every[name], after)) for name in ("whole", "no_residual")}
lesson.section("collapse", blocks=after, whole=f"{apart['whole']:.2g}", bare=f"{apart['no_residual']:.2g}")
measures = {"distance": _("Distance to the mean token"), "cosine": _("Smallest cosine of two tokens")}
control, more = told.segmented_control, {"format_func": measures.get, "required": True}
measure = pick(control, "encoder_measure", _("Measure"), measures, "distance", label_visibility="collapsed", **more)
parts = dict(
    zip(PARTS, (_("the whole block"), _("no feed-forward"), _("no residuals"), _("attention alone")), strict=True)
)
by_depth = encoder.spread_by_depth(chosen, norm, measure)
after = slider("encoder_after", _("Blocks passed"), 3, 0, encoder.DEPTH)
spec = depth_spec(
    {parts[name]: by_depth[name] for name in PARTS},
    at=after,
    first=0,
    log=measure == "distance",
    x_title=_("blocks passed"),
    y_title=_("distance") if measure == "distance" else _("cosine"),
)
panel.plot("encoder_collapse", spec, height=270)
lesson.section("alike", blocks=after)
for column, name in zip(st.columns(2), ("whole", "no_residual"), strict=True):
    with column:
        cosines = encoder.cosines(encoder.after(every[name], after))
        draw(f"encoder_alike_{name}", alike_picture(cosines, tokens, name, parts[name], narrow=narrow, say=_))

lesson.section("dropout")
with st.container(horizontal=True, gap="large"):
    p = float(pick(told.select_slider, "encoder_p", _("Probability p"), PROBABILITIES, "0.3"))
    count = int(pick(told.select_slider, "encoder_count", _("Draws in the mean"), COUNTS, "8"))
    head = slider("encoder_head", _("Head"), 1, 1, chosen.num_heads) - 1
draws = encoder.draws(chosen, norm, head, p)
for picture in () if covered else dropout_pictures(draws, count, p, tokens, narrow=narrow, say=_):
    draw(f"encoder_{picture.name}", picture)
counts = [int(text) for text in COUNTS]
off = {_("measured"): draws.distance(counts), _("theory"): draws.expected(counts, p)}
titles = {"x_title": _("draws in the mean"), "y_title": _("distance from evaluation")}
panel.plot("encoder_off", lines_spec(counts, off, log_x=True, log_y=p > 0, dashed=[_("theory")], **titles), height=250)
lesson.close()
