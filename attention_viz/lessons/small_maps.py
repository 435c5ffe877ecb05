"""All heads of a model at a glance: a row of small maps a layer."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

from numpy.typing import ArrayLike

from attention_viz.labels import visible
from attention_viz.matrix import matrix_spec
from attention_viz.panel import Say


def small_maps_spec(
    maps: ArrayLike,
    forbidden: ArrayLike,
    *,
    heads: int,
    tokens: Sequence[str],
    source_tokens: Sequence[str],
    shape: tuple[int, int],
    box: tuple[float, float],
    say: Say = str,
) -> dict[str, Any]:
    """A heatmap spec of maps (layer * head, row, column), `heads` a line, each named "layer.head".

    `forbidden` has the same shape; such cells are hatched.
    `shape` is (rows, columns) of a map. Where a cell stands for several tokens it is named after the first of them.

    >>> import numpy as np
    >>> maps = np.zeros((4, 1, 2))
    >>> spec = small_maps_spec(
    ...     maps, maps > 0, heads=2, tokens="ab", source_tokens="abcd", shape=(1, 2), box=(300, 200)
    ... )
    >>> [block["name"] for block in spec["meta"]["blocks"]], spec["meta"]["col_labels"]
    (['1.1', '1.2', '2.1', '2.2'], ['a …', 'c …'])
    """
    count = len(maps)  # type: ignore[arg-type]
    rows, columns = shape
    return matrix_spec(
        maps,
        row_labels=_labels(tokens, rows),
        col_labels=_labels(source_tokens, columns),
        kind="weight",
        rows_are="query",
        cols_are="key",
        names=[f"{place // heads + 1}.{place % heads + 1}" for place in range(count)],
        dims=("query", "key"),
        field="weights",
        forbidden=forbidden,
        box=box,
        line=heads,
        say=say,
    )


def _labels(tokens: Sequence[str], count: int) -> list[str]:
    step = ceil(len(tokens) / count)
    return [visible(tokens[place * step]) + (" …" if step > 1 else "") for place in range(count)]
