"""The pictures of the cross-attention page: which sentence gives what, and what a padding mask changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attention_viz.labels import escape, names
from attention_viz.lessons.boxes import Arrow, Box, boxes_spec
from attention_viz.lessons.picture import Picture
from attention_viz.matrix import matrix_spec
from attention_viz.panel import Say, to_numpy

if TYPE_CHECKING:
    from torch import Tensor

    from attention_core.trace import AttentionTrace

HEIGHT = 330


def sides_spec(trace: AttentionTrace, *, narrow: bool = False, say: Say = str) -> dict[str, Any]:
    """The source above gives K and V, the sentence below gives Q; they meet in the weights.

    Sizes are (tokens x width) of one head.

    >>> import torch
    >>> from attention_core.modules import MultiHeadAttention
    >>> spec = sides_spec(MultiHeadAttention(8, 2).trace(torch.ones(1, 3, 8), torch.ones(1, 5, 8)))
    >>> spec["meta"]["boxes"]["weights"]
    'weights<br>3 × 5'
    """
    queries, keys = len(trace.tokens), len(trace.source_tokens)
    d_k, d_v = trace.shape("q")[-1], trace.shape("v")[-1]

    def size(rows: int, cols: int) -> str:
        return f"{rows} × {cols}"

    tall = 0.24
    boxes = [
        Box("source", 0.14, 0.7, 0.25, tall, (escape(say("source")), _tokens(keys, say))),
        Box("text", 0.14, 0.14, 0.25, tall, (escape(say("your sentence")), _tokens(queries, say))),
        Box("v", 0.43, 0.86, 0.15, tall, ("V", size(keys, d_v))),
        Box("k", 0.43, 0.5, 0.15, tall, ("K", size(keys, d_k))),
        Box("q", 0.43, 0.14, 0.15, tall, ("Q", size(queries, d_k))),
        Box("weights", 0.66, 0.32, 0.17, tall, (escape(say("weights")), size(queries, keys)), strong=True),
        Box("output", 0.9, 0.59, 0.19, tall, (escape(say("head output")), size(queries, d_v))),
    ]
    arrows = [
        Arrow("source", "v"),
        Arrow("source", "k"),
        Arrow("text", "q"),
        Arrow("q", "weights"),
        Arrow("k", "weights"),
        Arrow("weights", "output"),
        Arrow("v", "output"),
    ]
    return boxes_spec(boxes, arrows, height=230, size=10 if narrow else 13)


def difference_picture(
    trace: AttentionTrace, difference: Tensor, head: int | None, *, narrow: bool = False, say: Say = str
) -> Picture:
    """What a mask did to the weights (head, query, key): of one head, or of all side by side.

    >>> import torch
    >>> from attention_core.modules import MultiHeadAttention
    >>> trace = MultiHeadAttention(8, 2).trace(torch.ones(1, 3, 8), torch.ones(1, 5, 8))
    >>> difference_picture(trace, torch.zeros(1, 3, 5), head=1).spec["meta"]["blocks"][0]["name"]
    'Head 2'
    """
    first = head or 0
    spec = matrix_spec(
        to_numpy(difference),
        row_labels=names(trace.tokens, len(trace.tokens)),
        col_labels=names(trace.source_tokens, len(trace.source_tokens)),
        rows_are="query",
        cols_are="key",
        kind="difference",
        names=[say("Head {number}").format(number=first + place + 1) for place in range(len(difference))],
        dims=(say("query"), say("key")),
        field="cross_difference",
        scale=1.0,
        box=(350 if narrow else 480, HEIGHT),
        say=say,
    )
    return Picture("difference", say("Weights with the mask minus weights without"), spec, HEIGHT, difference.numel())


def _tokens(count: int, say: Say) -> str:
    return escape(say("{count} tokens").format(count=count))
