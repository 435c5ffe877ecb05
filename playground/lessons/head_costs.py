"""What the page on heads says of their cost: by their number, in the first paper, and with shared keys and values."""

from __future__ import annotations

import streamlit as st

from attention_core.lessons.head_costs import LLAMA_2_70B, TABLE_3A, cache_rows, costs
from attention_core.lessons.heads import CUTS, cut, grouped_difference
from attention_viz.lessons.heads import parts_spec
from playground import compute, panel
from playground.i18n import _
from playground.lessons.heads import PAPER, Cuts, change, choose, field, many

CONTEXTS = (1024, 4096, 32_768, 131_072)


def cost(cuts: Cuts, tokens: int) -> None:
    """Parameters and operations by part, for the cuts that the width allows."""
    d_model = cuts.base.d_model
    counts = [count for count in (PAPER if cuts.wide else CUTS) if d_model % count == 0]
    fixed = max(1, d_model // 8)
    words = {
        "cut": _("d_k = d_v = d_model / heads"),
        "fixed": _("d_k = d_v = {width} for every head").format(width=fixed),
    }
    how = choose("heads_cost", words, "cut", _("Width of a head"), words.get)
    both = {
        "cut": costs(counts, d_model=d_model, tokens=tokens),
        "fixed": costs(counts, d_model=d_model, tokens=tokens, d_head=fixed),
    }
    names = {
        "w_q": "W_Q",
        "w_k": "W_K",
        "w_v": "W_V",
        "w_o": "W_O",
        "projections": _("projections"),
        "scores": _("scores"),
        "softmax": _("softmax"),
        "weighted_sum": _("weighted sum"),
        "output": _("output"),
    }
    titles = {"parameters": _("parameters"), "flops": _("operations, {tokens} tokens").format(tokens=tokens)}
    for column, (what, title) in zip(st.columns(2, gap="medium"), titles.items(), strict=True):
        found = [getattr(one, what) for one in both[how]]
        parts = {names[part]: [one[part] for one in found] for part in found[0]}
        most = 1.04 * max(sum(getattr(one, what).values()) for rows in both.values() for one in rows)
        with column:
            panel.plot(
                f"heads_{what}",
                parts_spec([many(count) for count in counts], parts, x_title=title, most=most, height=250),
                height=250,
            )
    panel.table(
        "heads_totals",
        [
            [many(one.heads), str(one.d_k), f"{sum(one.parameters.values()):,}", f"{sum(one.flops.values()):,}"]
            for one in both[how]
        ],
        head=[_("Heads"), "d_k", _("parameters"), titles["flops"]],
    )


def paper() -> None:
    """Table 3 (A), with what the layer costs at each row."""
    by_heads = {one.heads: one for one in costs(PAPER, d_model=512, tokens=64)}
    panel.table(
        "heads_paper",
        [
            [
                many(row.heads),
                str(row.d_k),
                str(row.d_v),
                f"{sum(by_heads[row.heads].parameters.values()):,}",
                f"{row.perplexity:.2f}",
                f"{row.bleu:.1f}",
            ]
            for row in TABLE_3A
        ],
        head=[_("Heads"), "d_k", "d_v", _("parameters, one layer"), _("perplexity"), "BLEU"],
    )


def groups(cuts: Cuts, count: int) -> None:
    """Fewer heads for keys and values: what becomes of the maps, and the size of the cache."""
    trace = cuts.traces[count]
    options = [kv for kv in range(1, count + 1) if count % kv == 0]
    kv = choose("heads_kv", options, options[-2] if count > 1 else 1, _("Heads for keys and values"), str)
    shared = compute.run(cut(cuts.base, count, kv))
    words = _("{heads}, {kv} for keys and values").format(heads=many(count), kv=kv)
    left, right = st.columns(2, gap="medium")
    with left:
        field(shared, "weights", key="heads_shared", width=420, height=340, title=words)
    with right:
        title = _("Change of the weights")
        change("heads_shared_change", trace, shared, "weights", title=title, scale=1.0, width=420, height=340)
    moved = grouped_difference(trace, shared)
    words = _("{part:.0%} of the weight of a row has moved to other keys, on average.")
    own = {
        row.kv_heads: row.total
        for row in cache_rows(
            heads=count, d_k=trace.shape("k")[-1], d_v=trace.shape("v")[-1], layers=1, tokens=len(trace.source_tokens)
        )
    }
    cache = _("The keys and values of this text take {shared} instead of {all}, as 2-byte numbers.")
    panel.statement(
        "heads_shared_moved",
        words.format(part=moved),
        cache.format(shared=_size(own[kv]), all=_size(own[count])),
    )
    tokens = choose("heads_context", CONTEXTS, 4096, _("Tokens kept"), lambda number: f"{number:,}")
    sizes = {name: LLAMA_2_70B[name] for name in ("heads", "d_k", "d_v", "layers")}
    rows = cache_rows(tokens=tokens, **sizes)
    kinds = {1: _("multi-query"), sizes["heads"]: _("multi-head")}
    panel.table(
        "heads_cache",
        [
            [
                str(row.kv_heads),
                kinds.get(row.kv_heads, _("grouped-query")),
                _size(row.per_token),
                _size(row.total),
            ]
            for row in rows
        ],
        head=[
            _("Key/value heads"),
            _("called"),
            _("a token"),
            _("{tokens:,} tokens").format(tokens=tokens),
        ],
    )


def _size(count: int) -> str:
    """Bytes in the unit that reads best: 1,024 bytes are 1 KiB."""
    for unit, size, least in (("GiB", 2**30, 2**30), ("MiB", 2**20, 2**20), ("KiB", 2**10, 10 * 2**10)):
        if count >= least:
            return f"{count / size:,.4g} {unit}"
    return f"{count:,} B"
