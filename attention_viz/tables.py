"""A field of a trace as a table: pandas for people, CSV for other programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

from attention_viz.labels import names, storable
from attention_viz.pieces import NUMBERS, gathered

if TYPE_CHECKING:
    from attention_core.trace import AttentionTrace

# What a spreadsheet takes for a formula when a cell begins with it (OWASP, "CSV Injection"), full-width too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_SPECIAL = frozenset(',"\r\n')


def table(trace: AttentionTrace, field: str, head: int | None = None, *, batch: int = 0) -> pd.DataFrame:
    """A field as a table: wide for one matrix, long for several heads.

    A field without heads, or one `head` of it, is wide: a row a query, a column a key or feature, labelled
    "2 cat" (position from 0, token), so that equal tokens stay apart. With heads and head=None it is long:
    columns head, query_index, query, key_index, key, value (or those that the field has), heads and
    positions counted from 0 as in the tensors, tokens as they are. `head` counts the heads of the field
    itself.

    Raises ValueError where the head or the batch row does not exist, KeyError for a field that the trace has
    not.

    >>> import torch
    >>> from attention_core.modules import MultiHeadAttention
    >>> words = ("the", "the")
    >>> trace = MultiHeadAttention(8, 2).trace(torch.ones(1, 2, 8), tokens=words, source_tokens=words)
    >>> table(trace, "weights", head=0).round(2)
    key    0 the  1 the
    query
    0 the    0.5    0.5
    1 the    0.5    0.5
    """
    values, dims = _values(trace, field, batch)
    if values.ndim == 3 and head is not None:
        if not 0 <= head < len(values):
            raise ValueError(f"head={head}: allowed are whole numbers from 0 to {len(values) - 1}")
        values, dims = values[head], dims[1:]
    if values.ndim == 3:
        return _long(trace, values, dims)
    values, dims = (values, dims) if values.ndim == 2 else (values[None], ("", *dims))
    return pd.DataFrame(
        values,
        index=pd.Index(_labels(trace, dims[0], values.shape[0]), name=dims[0]),
        columns=pd.Index(_labels(trace, dims[1], values.shape[1]), name=dims[1]),
    )


def to_csv(trace: AttentionTrace, field: str, *, batch: int = 0) -> str:
    r"""A field as CSV in the long form of `table`, each number with the digits that give back its float.

    A token that a spreadsheet would run as a formula gets a ' in front; numbers, -inf and NaN among them,
    are left as they are. Lines end as RFC 4180 has it.

    >>> import torch
    >>> from attention_core.modules import MultiHeadAttention
    >>> words = ("=1+1", "cat")
    >>> trace = MultiHeadAttention(8, 2).trace(torch.ones(1, 2, 8), tokens=words, source_tokens=words)
    >>> print(to_csv(trace, "weights").splitlines()[:3])
    ['head,query_index,query,key_index,key,value', "0,0,'=1+1,0,'=1+1,0.5", "0,0,'=1+1,1,cat,0.5"]
    """
    return b"".join(csv_pieces(trace, field, batch=batch)).decode()


def csv_pieces(trace: AttentionTrace, field: str, *, batch: int = 0) -> Iterator[bytes]:
    """`to_csv` in UTF-8, piece by piece; the trace itself is let go of."""
    values, dims = _values(trace, field, batch)
    axes = [_axis(trace, dim, count) for dim, count in zip(dims, values.shape, strict=True)]
    return gathered(_written(values, axes))


def _written(values: NDArray[Any], axes: Sequence[tuple[str, list[str]]]) -> Iterator[bytes]:
    """The head, then some thousand lines at a time."""
    yield "".join([*(head for head, _ in axes), "value\r\n"]).encode()
    *before, places = (parts for _, parts in axes)
    rows, starts = values.reshape(-1, len(places)), map("".join, product(*before))
    at_once = max(1, NUMBERS // len(places))
    for first in range(0, len(rows), at_once):
        some = rows[first : first + at_once]
        numbers = iter(_digits(some.ravel()))
        lines = [
            f"{start}{place}{number}\r\n"
            for start in islice(starts, len(some))
            for place, number in zip(places, numbers, strict=False)
        ]
        yield "".join(lines).encode()


def _axis(trace: AttentionTrace, dim: str, count: int) -> tuple[str, list[str]]:
    """How the columns of a dimension are called, and what stands in them at each place; each ends with a comma."""
    tokens = _tokens(trace, dim)
    if len(tokens) != count:
        return f"{dim},", [f"{place}," for place in range(count)]
    return f"{dim}_index,{dim},", [f"{place},{_quoted(_inert(token))}," for place, token in enumerate(tokens)]


def _digits(numbers: NDArray[Any]) -> list[str]:
    """The fewest digits that give back each number; what is none in words."""
    texts = orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY).decode()[1:-1].split(",")
    if numbers.dtype == np.bool_:
        return [text.capitalize() for text in texts]
    if numbers.dtype.kind == "f":
        none = ~np.isfinite(numbers)
        for place, number in zip(np.flatnonzero(none).tolist(), numbers[none].tolist(), strict=True):
            texts[place] = "NaN" if number != number else "inf" if number > 0 else "-inf"
    return texts


def _quoted(text: str) -> str:
    """A text as RFC 4180 writes it: in quotes where it holds a comma, a quote or the end of a line."""
    return '"' + text.replace('"', '""') + '"' if _SPECIAL.intersection(text) else text


def _values(trace: AttentionTrace, field: str, batch: int) -> tuple[NDArray[Any], tuple[str, ...]]:
    tensor, dims = trace.field(field), trace.dims(field)
    if dims[0] == "batch":
        if not 0 <= batch < tensor.shape[0]:
            raise ValueError(f"batch={batch}: allowed are whole numbers from 0 to {tensor.shape[0] - 1}")
        tensor, dims = tensor[batch], dims[1:]
    return tensor.detach().cpu().numpy(), dims


def _labels(trace: AttentionTrace, dim: str, count: int) -> list[str]:
    tokens = _tokens(trace, dim)
    if len(tokens) != count:
        return [str(place) for place in range(count)]
    return [f"{place} {token}" for place, token in enumerate(names(tokens, count))]


def _tokens(trace: AttentionTrace, dim: str) -> tuple[str, ...]:
    return {"query": trace.tokens, "key": trace.source_tokens}.get(dim, ())


def _long(trace: AttentionTrace, values: NDArray[Any], dims: tuple[str, ...]) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for axis, (dim, count) in enumerate(zip(dims, values.shape, strict=True)):
        places = np.arange(count)
        shape = [1] * values.ndim
        shape[axis] = count
        spread = np.broadcast_to(places.reshape(shape), values.shape).ravel()
        tokens = _tokens(trace, dim)
        if len(tokens) != count:
            columns[dim] = spread
            continue
        columns[f"{dim}_index"] = spread
        columns[dim] = np.array(tokens, dtype=object)[spread]
    columns["value"] = values.ravel()
    return pd.DataFrame(columns)


def _inert(token: str) -> str:
    """A token as text that a spreadsheet shows and never runs."""
    text = storable(token)
    return "'" + text if text.startswith(_FORMULA) else text
