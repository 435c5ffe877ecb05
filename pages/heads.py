"""One head or many: the same weights cut into heads, what each adds, what heads cost, and what they may share."""

from __future__ import annotations

from playground import lesson as lesson_frame
from playground.i18n import _
from playground.lessons import head_costs, heads

lesson = lesson_frame.begin("heads", only={"text", "mode", "source_text", "d_model", "weights", "seed"})
tokens = max(lesson.trace.shape("weights")[2:])

cuts = heads.choose_cuts(lesson.experiment, tokens)
lesson.section("cuts", width=cuts.base.widths.num_heads * cuts.base.widths.d_k)
counts = list(cuts.traces)
lesson.cover(cuts.traces[counts[0]], about=cuts.base, head=0)
heads.maps(cuts)

own = cuts.base.num_heads
count = heads.choose("heads_cut", counts, own if own in counts else counts[-1], _("Look closer at"), heads.many)
trace = cuts.traces[count]

lesson.section("similarity")
heads.similarity(trace)

lesson.section("contributions")
heads.contributions(trace)

lesson.section("off")
heads.off(trace)

lesson.section("drop")
heads.drop(trace, lesson.experiment.seed)

lesson.section("cost")
head_costs.cost(cuts, tokens)

lesson.section("table")
head_costs.paper()

lesson.section("groups")
head_costs.groups(cuts, count)

lesson.close()
