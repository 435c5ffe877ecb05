"""Five score functions on the same queries and keys: what each says, what softmax makes of it, what it costs."""

from __future__ import annotations

import math

import streamlit as st

from attention_core.lessons import scores
from attention_viz import lines_spec
from attention_viz.lessons.scale import marked_spec
from playground import compute, panel, stages, state, told
from playground import lesson as lesson_frame
from playground.i18n import _
from playground.settings import limits

LENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
TOKENS = [2**step for step in range(12)]
TICKS = [digit * 10**power for power in range(6) for digit in (1, 2, 5)]
TITLES = {
    "dot": _("Dot product"),
    "scaled_dot": _("Scaled dot product"),
    "cosine": _("Cosine"),
    "bilinear": _("Bilinear"),
    "additive": _("Additive"),
}
RANGES = {
    "dot": _("any number"),
    "scaled_dot": _("any number"),
    "cosine": _("−1 to 1"),
    "bilinear": _("any number"),
    "additive": _("±Σ|v|"),
}


def choose(heads: int) -> tuple[int, float, bool]:
    """The head that is looked at, how long its queries and keys are, and whether all scores share one scale."""
    left, middle, right = st.columns([1, 1.4, 1.2], gap="medium")
    state.page_setting("scores_head", heads, state.whole(1, heads))
    st.session_state["scores_head"] = min(st.session_state["scores_head"], heads)
    state.page_setting("scores_length", 1.0, state.option_of(LENGTHS))
    state.page_setting("scores_colours", "own", state.one_of(("own", "one")))
    words = {"own": _("one a score"), "one": _("one for all")}
    with left:
        head = told.selectbox(_("Head"), range(1, heads + 1), key="scores_head")
    with middle:
        label = _("Length of every query and key")
        length = told.select_slider(label, LENGTHS, key="scores_length", format_func=lambda times: f"× {times:g}")
    with right:
        one = told.segmented_control(
            _("Colour scale of the scores"), words, key="scores_colours", format_func=words.get, required=True
        )
    return head - 1, length, one == "one"


lesson = lesson_frame.begin("scores", only={"text", "mode", "source_text", "d_model", "weights", "seed", "temperature"})
base = lesson.experiment
head, length, one_scale = choose(base.num_heads)

traces = {}
for name in scores.NAMES:
    wanted = scores.with_score(base, name, length)
    try:
        limits().check(wanted)
    except ValueError:
        continue  # the additive score of a long text needs more memory than a visitor may have
    traces[name] = compute.run(wanted)
ends = {name: scores.largest(trace, head) for name, trace in traces.items()}
if one_scale:
    ends = dict.fromkeys(ends, max(ends.values()))

lesson.section("same", head=head + 1)
lesson.cover(traces["scaled_dot"], about=(base, head), head=head)
for names in (scores.NAMES[:3], scores.NAMES[3:]):
    for column, name in zip(st.columns(3, gap="small"), names, strict=False):
        with column:
            with st.container(height=170, border=False):  # of one height, so that the pictures stand side by side
                st.markdown(f"#### {TITLES[name]}\n\n{lesson.words[name].lead}")
            if name not in traces:
                st.caption(_("This text is too long for it here."))
                continue
            for field, scale, title in (
                ("scaled_scores", ends[name], _("Scores")),
                ("weights", None, _("Weights")),
            ):
                key = f"scores_{name}_{field}"
                stages.field_panel(
                    traces[name],
                    field,
                    key=key,
                    width=272,
                    height=300,
                    title=title,
                    head=head,
                    scale=scale,
                    csv=False,
                    marks=False,
                )

lesson.section("readings")
readings = {name: scores.read(trace, head) for name, trace in traces.items()}
panel.table(
    "scores_readings",
    [
        [TITLES[name], RANGES[name], f"{one.spread:.3g}", f"{one.top:.3f}", f"{one.entropy:.2f}"]
        for name, one in readings.items()
    ],
    head=[_("Score"), _("range"), _("spread"), _("top weight"), _("entropy")],
)

lesson.section("length", length=f"{length:g}", square=f"{length**2:g}")
by_length = scores.entropy_by_length(base, lesson.trace, head, LENGTHS)
keys = lesson.trace.shape("weights")[-1]
panel.plot(
    "scores_entropy",
    marked_spec(
        LENGTHS,
        {TITLES[name]: values for name, values in by_length.items()},
        at=length,
        x_title=_("length of every query and key"),
        y_title=_("entropy of a row, in nats"),
        y_range=(0, max(0.1, 1.08 * math.log(keys))),
        level=math.log(keys),
    ),
    height=280,
)

queries, d_k = lesson.trace.shape("weights")[2], base.widths.d_k
lesson.section("cost", queries=queries, keys=keys, width=d_k)
costs = {name: scores.score_cost(name, queries, keys, d_k) for name in scores.NAMES}
panel.table(
    "scores_cost",
    [[TITLES[name], *(f"{n:,}" for n in (c.parameters, c.flops, c.numbers))] for name, c in costs.items()],
    head=[_("Score, one head"), _("learned"), _("operations"), _("largest tensor")],
)
spec = lines_spec(
    TOKENS,
    {TITLES[name]: [scores.flops_per_pair(name, n, d_k) for n in TOKENS] for name in scores.NAMES},
    x_title=_("tokens"),
    y_title=_("operations for each pair"),
    log_x=True,
    log_y=True,
    dashed=(TITLES["scaled_dot"],),
)
spec["layout"]["yaxis"] |= {"tickmode": "array", "tickvals": TICKS}
panel.plot("scores_flops", spec, height=300)

lesson.close()
