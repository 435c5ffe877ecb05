"""Pictures of the article's tensors, and the tensors as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attention_viz.colors import Kind
from attention_viz.lessons.picture import Picture
from attention_viz.matrix import matrix_spec
from attention_viz.panel import Say

if TYPE_CHECKING:
    from torch import Tensor


def written(name: str, tensor: Tensor) -> str:
    """A tensor as a table of four decimals under its name and shape, as text.

    >>> import torch
    >>> print(written("x", torch.tensor([[0.5, -1.0], [2.0, float("-inf")]])))
    x  2 × 2
     0.5000 -1.0000
     2.0000    -inf
    >>> print(written("ids", torch.tensor([0, 4])))
    ids  2
    0 4
    """
    shape = " × ".join(str(size) for size in tensor.shape)
    rows = tensor.tolist() if tensor.dim() == 2 else [tensor.tolist()]
    lines = [" ".join(f"{value:7.4f}" if isinstance(value, float) else str(value) for value in row) for row in rows]
    return "\n".join([f"{name}  {shape}", *lines])


def dictionary_picture(vocabulary: Mapping[str, int], words: Sequence[str], *, narrow: bool, say: Say) -> Picture:
    """Which row of the embedding table each word of the sentence takes."""
    values = np.zeros((len(words), len(vocabulary)))
    for row, word in enumerate(words):
        values[row, vocabulary[word]] = 1
    spec = matrix_spec(
        values,
        row_labels=list(words),
        col_labels=[str(number) for number in range(len(vocabulary))],
        kind="weight",
        rows_are="query",
        dims=("", say("number")),
        field="article_ids",
        legend=False,
        box=_box(narrow, 280),
        say=say,
    )
    return Picture("ids", say("The number of each word"), spec, 280, values.size)


def matrices_picture(matrices: Mapping[str, Tensor], *, narrow: bool, say: Say) -> Picture:
    """W_query, W_key and W_value beside each other."""
    values = np.concatenate([np.asarray(matrix) for matrix in matrices.values()], axis=1)
    labels = [
        f"{name[2:].lower()[0]}{column}" for name, matrix in matrices.items() for column in range(matrix.shape[1])
    ]
    spec = matrix_spec(
        values,
        col_labels=labels,
        dims=("d_model", say("column")),
        field="article_matrices",
        scale=1.0,
        box=_box(narrow, 250),
        say=say,
    )
    return Picture("matrices", say("W_query, W_key, W_value"), spec, 250, values.size)


def map_picture(
    name: str,
    title: str,
    values: Tensor,
    rows: Sequence[str],
    cols: Sequence[str] = (),
    *,
    kind: Kind = "signed",
    causal: bool = False,
    narrow: bool,
    say: Say,
) -> Picture:
    """A tensor with a row for each of `rows`, and a column for each of `cols` or, without them, for each number.

    A `causal` one has what lies ahead hatched; a field called "masked_scores" says -inf there, others nothing.
    """
    array = np.atleast_2d(np.asarray(values))
    height = 170 if len(rows) == 1 else 300
    spec = matrix_spec(
        array,
        row_labels=list(rows),
        col_labels=list(cols) or None,
        kind=kind,
        rows_are="query",
        cols_are="key" if cols else "feature",
        dims=("query" if len(rows) > 1 else "", "key" if cols else say("column")),
        forbidden=np.triu(np.ones(array.shape, dtype=bool), 1) if causal else None,
        field=name,
        box=_box(narrow, height),
        say=say,
    )
    return Picture(name, title, spec, height, array.size)


def _box(narrow: bool, height: int) -> tuple[float, float]:
    return 350 if narrow else 420, height
