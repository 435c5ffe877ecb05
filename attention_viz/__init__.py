"""Figures, tables and files made from attention traces; nothing here computes, or needs Streamlit.

>>> import torch
>>> from attention_core.modules import MultiHeadAttention
>>> trace = MultiHeadAttention(8, 2).trace(torch.ones(1, 3, 8), tokens=("the", "the", "cat"))
>>> figure = heatmap(trace, "weights")  # shows itself in a notebook
"""

from __future__ import annotations

from attention_viz.bars import bars_spec, row_bars
from attention_viz.export import html_page, read_trace_json, trace_json, trace_npz
from attention_viz.figure import heatmap
from attention_viz.heatmap import heatmap_spec, needed_height
from attention_viz.lines import lines_spec
from attention_viz.matrix import matrix_spec
from attention_viz.panel import signed_scale
from attention_viz.tables import table, to_csv

__all__ = [
    "bars_spec",
    "heatmap",
    "heatmap_spec",
    "html_page",
    "lines_spec",
    "matrix_spec",
    "needed_height",
    "read_trace_json",
    "row_bars",
    "signed_scale",
    "table",
    "to_csv",
    "trace_json",
    "trace_npz",
]
