"""Why divide by the root of d_k? Random queries and keys of every width, with and without the division."""

from __future__ import annotations

import math
from dataclasses import replace

import streamlit as st

from attention_core.lessons import scale
from attention_viz import signed_scale
from attention_viz.lessons.scale import cloud_spec, marked_spec
from playground import compute, panel, stages, state, told
from playground import lesson as lesson_frame
from playground.i18n import _

TEMPERATURES = tuple(round(10 ** (step / 8), 3) for step in range(-8, 17))  # 0.1 to 100


def chosen(name: str, options: tuple[float, ...], default: float, label: str, **more: object) -> float:
    """A slider over `options` whose value belongs into the link."""

    state.page_setting(name, default, state.option_of(options))
    return told.select_slider(label, options, key=name, **more)


lesson = lesson_frame.begin("scale", only={"text", "mode", "source_text", "seed"})
seed = lesson.experiment.seed
left, right = st.columns(2)
with left:
    d_k = int(chosen("scale_dk", scale.WIDTHS, 64, _("d_k, the width of a query and a key")))
with right:
    heat = chosen("scale_t", TEMPERATURES, 1.0, _("Temperature T"), format_func=lambda value: f"{value:g}")
plain = scale.measure(seed, scaled=False, temperature=heat)
divided = scale.measure(seed, scaled=True, temperature=heat)
at, most = scale.WIDTHS.index(d_k), math.log(scale.KEYS)
WITH, WITHOUT = _("divided by √d_k"), _("not divided")

lesson.section("spread", draws=scale.DRAWS, width=d_k, root=f"{math.sqrt(d_k):.4g}")
left, right = st.columns([1.2, 1], gap="medium", vertical_alignment="center")
with left:
    panel.plot(
        "scale_spread",
        cloud_spec(
            scale.WIDTHS,
            {WITH: divided.variance.tolist(), WITHOUT: plain.variance.tolist()},
            {_("theory: variance d_k, or 1"): scale.WIDTHS, _("theory: 1"): [1.0] * len(scale.WIDTHS)},
            at=d_k,
            x_title=_("d_k"),
            y_title=_("variance of the scores"),
        ),
        height=300,
    )
with right:
    rows = [
        (_("Standard deviation of the scores"), ".2f", plain.deviation, divided.deviation),
        (_("… by the theory"), ".2f", [math.sqrt(width) for width in scale.WIDTHS], [1.0] * len(scale.WIDTHS)),
        (_("Largest weight of a row"), ".3f", plain.top, divided.top),
        (_("Entropy of a row, in nats"), ".2f", plain.entropy, divided.entropy),
        (_("Gradient that is left"), ".5f", plain.gradient, divided.gradient),
        (_("Rows that are stuck"), ".1%", plain.stuck, divided.stuck),
    ]
    panel.table(
        "scale_numbers",
        [[label, format(one[at], form), format(two[at], form)] for label, form, one, two in rows],
        head=[_("At d_k = {d_k}").format(d_k=d_k), WITHOUT, WITH],
    )

lesson.section("saturation", keys=scale.KEYS, most=f"{most:.2f}")
for column, name, title, values, end in zip(
    st.columns(2, gap="medium"),
    ("scale_entropy", "scale_gradient"),
    (_("entropy of a row, in nats"), _("mean |∂ weight / ∂ score|")),
    ((divided.entropy, plain.entropy), (divided.gradient, plain.gradient)),
    (most, scale.most_gradient()),
    strict=True,
):
    with column:
        series = dict(zip((WITH, WITHOUT), values, strict=True))
        spec = marked_spec(
            scale.WIDTHS,
            series,
            at=d_k,
            x_title=_("d_k"),
            y_title=title,
            y_range=(0, 1.08 * end),
            level=end,
        )
        panel.plot(name, spec, height=260)

lesson.section("temperature", width=d_k, root=f"{math.sqrt(d_k):.4g}")
by_heat = {
    name: scale.entropy_by_temperature(seed, d_k, TEMPERATURES, scaled=scaled)
    for name, scaled in ((WITH, True), (WITHOUT, False))
}
panel.plot(
    "scale_temperature",
    marked_spec(
        TEMPERATURES,
        by_heat,
        at=heat,
        x_title=_("temperature T"),
        y_title=_("entropy of a row, in nats"),
        y_range=(0, 1.08 * most),
        level=most,
    ),
    height=260,
)

lesson.section("sentence", width=d_k)
one_head = replace(
    lesson.experiment, num_heads=1, num_kv_heads=None, d_k=d_k, d_v=1, weights="random", position="none", dropout=0.0
)
traces = {name: compute.run(replace(one_head, score=name, temperature=heat)) for name in ("dot", "scaled_dot")}
lesson.cover(traces["scaled_dot"], about=one_head, head=0)
shared = signed_scale(*((trace, "scaled_scores") for trace in traces.values()))
for column, (name, trace), side in zip(st.columns(2), traces.items(), (WITHOUT, WITH), strict=True):
    with column:
        for field, end in (("scaled_scores", shared), ("weights", None)):
            stages.field_panel(
                trace,
                field,
                key=f"scale_{name}_{field}",
                width=420,
                height=300,
                title=f"{_('Scores') if field == 'scaled_scores' else _('Weights')}, {side}",
                scale=end,
                head=0,
                csv=False,
                marks=False,
            )

lesson.close()
