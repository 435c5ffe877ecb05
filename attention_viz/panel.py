"""What a heatmap of one field shows, before it is drawn: numbers of one batch row, and what its axes are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from attention_viz.colors import Kind
from attention_viz.labels import names

if TYPE_CHECKING:
    from attention_core.trace import AttentionTrace

Say = Callable[[str], str]

# What a forbidden cell holds by definition, for the fields in which forbidding has already happened.
IMPLIED = {"weights": 0.0, "dropped_weights": 0.0, "masked_scores": -math.inf}
GAP = {"weights": "0", "dropped_weights": "0", "masked_scores": "-inf"}
_KINDS: dict[str, Kind] = {"weights": "weight", "dropped_weights": "weight", "allowed": "mask"}


@dataclass(frozen=True, eq=False)
class Panel:
    """One field of one batch row: values (block, row, col) and their meaning."""

    field: str
    dims: tuple[str, ...]  # of the whole field, batch included
    values: NDArray[np.float32]
    forbidden: (
        NDArray[np.bool_] | None
    )  # same shape; None where nothing is forbidden or the field knows no forbidding
    heads: tuple[int | None, ...]  # the head each block shows; None for a field without heads
    names: tuple[str, ...]  # not escaped
    row_labels: list[str]
    col_labels: list[str]
    rows_are: str
    cols_are: str
    kind: Kind
    row_spans: tuple[str, ...] = ()  # where a row stands for several tokens: the first and the last of them
    col_spans: tuple[str, ...] = ()
    line: int | None = None  # blocks a line, where that has a meaning
    group: int = 0  # blocks that begin a new line together; 0 for all of them
    ticks: bool = True  # whether rows and columns are named beside the picture
    short: tuple[str, ...] = ()  # what stands in place of a name that there is no room for
    dividers: tuple[int, ...] = ()  # columns at which another head begins, where the heads lie side by side

    @property
    def square(self) -> bool:
        """An attention map: both axes are tokens."""
        return self.rows_are != "feature" and self.cols_are != "feature"


def panel(
    trace: AttentionTrace,
    field: str,
    *,
    batch: int = 0,
    head: int | None = None,
    difference_to: AttentionTrace | None = None,
    say: Say = str,
) -> Panel:
    """The panel of a field; of all heads, or of one. With `difference_to`, trace - difference_to.

    `head` counts query heads; for a field of key/value heads it picks the one that this query head reads. A
    field without heads is shown whole. ValueError where the batch row or head does not exist, or the traces
    differ in size.
    """
    dims = trace.dims(field)
    values, forbidden = _values(trace, field, batch)
    kind: Kind = _KINDS.get(field, "signed")
    if difference_to is not None:
        values, forbidden = _difference(trace, difference_to, field, batch)
        kind = "difference"
    has_heads = values.ndim == 3
    if not has_heads:
        values, forbidden = values[None], None if forbidden is None else forbidden[None]
    heads: tuple[int | None, ...] = tuple(range(len(values))) if has_heads else (None,)
    shared = "kv_head" in dims and has_heads
    if head is not None and has_heads:
        chosen = _chosen(trace, head, len(values), shared)
        values, heads = values[chosen : chosen + 1], (chosen,)
        forbidden = None if forbidden is None else forbidden[chosen : chosen + 1]
    rows_are, cols_are = _axis(dims[-2]) if len(dims) > 1 else "feature", _axis(dims[-1])
    return Panel(
        field=field,
        dims=dims,
        values=values,
        forbidden=forbidden if forbidden is not None and forbidden.any() else None,
        heads=heads,
        names=tuple("" if h is None else head_name(trace, h, shared=shared, say=say) for h in heads),
        short=tuple("" if h is None else str(h + 1) for h in heads),
        row_labels=names(_tokens(trace, rows_are), values.shape[1]),
        col_labels=names(_tokens(trace, cols_are), values.shape[2]),
        rows_are=rows_are,
        cols_are=cols_are,
        kind=kind,
        dividers=_dividers(trace, dims[-1], values.shape[-1]),
    )


def head_name(trace: AttentionTrace, head: int, *, shared: bool = False, say: Say = str) -> str:
    """Head 1, or 1 · previous token where the head has a name; key/value heads that are shared say so."""
    if shared and head_count(trace) != trace.shape("k")[1]:
        return say("Key/value head {number}").format(number=head + 1)
    if head < len(trace.head_names) and trace.head_names[head]:
        return f"{head + 1} · {say(trace.head_names[head])}"
    return say("Head {number}").format(number=head + 1)


def head_count(trace: AttentionTrace) -> int:
    """The number of query heads."""
    return int(trace.shape("weights")[1])


def signed_scale(*panels: tuple[AttentionTrace, str], batch: int = 0) -> float:
    """One scale for several (trace, field) pairs: their largest finite magnitude, 1 where all are 0."""
    return max_magnitude([_values(trace, field, batch)[0] for trace, field in panels])


def max_magnitude(arrays: Sequence[NDArray[np.float32]]) -> float:
    """The largest finite magnitude; 1.0 where there is none above 0."""
    largest = 0.0
    for array in arrays:
        finite = array if np.isfinite(array).all() else array[np.isfinite(array)]
        if finite.size:
            largest = max(largest, float(finite.max()), -float(finite.min()))
    return largest or 1.0


def to_numpy(tensor: Any) -> NDArray[np.float32]:
    """A tensor as a float32 array; True is 1."""
    return np.asarray(tensor.detach().cpu().float().numpy(), dtype=np.float32)


def _values(
    trace: AttentionTrace, field: str, batch: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """(head, row, col) or (row, col) of one batch row, and where the value is the one forbidding implies."""
    tensor, dims = trace.field(field), trace.dims(field)
    if dims[0] == "batch":
        _within("batch", batch, tensor.shape[0])
        tensor = tensor[batch]
    values = np.atleast_2d(to_numpy(tensor))
    if field not in IMPLIED and field != "allowed":
        return values, None
    allowed = trace.field("allowed")
    mask = np.broadcast_to(allowed[min(batch, allowed.shape[0] - 1)].detach().cpu().numpy(), values.shape)
    if field == "allowed":
        return np.broadcast_to(values, values.shape), ~mask
    # A forbidden cell that holds anything else is a fault of the computation, and is shown, not covered up.
    return values, ~mask & (values == IMPLIED[field])


def _difference(
    trace: AttentionTrace, other: AttentionTrace, field: str, batch: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    here, forbidden = _values(trace, field, batch)
    there, forbidden_there = _values(other, field, batch)
    if here.shape != there.shape:
        raise ValueError(
            f"difference_to: {field} measures {' x '.join(map(str, here.shape))} here and "
            f"{' x '.join(map(str, there.shape))} in the other trace: allowed are traces of one size"
        )
    both = forbidden & forbidden_there if forbidden is not None and forbidden_there is not None else None
    with np.errstate(invalid="ignore"):
        return here - there, both


def _chosen(trace: AttentionTrace, head: int, blocks: int, shared: bool) -> int:
    count = head_count(trace)
    _within("head", head, count)
    return head // (count // blocks) if shared else head


def _within(name: str, value: int, count: int) -> None:
    if not 0 <= value < count:
        raise ValueError(f"{name}={value}: allowed are whole numbers from 0 to {count - 1}")


def _dividers(trace: AttentionTrace, dim: str, width: int) -> tuple[int, ...]:
    return tuple(range(0, width, trace.shape("context")[-1])[1:]) if dim == "heads*d_v" else ()


def _axis(dim: str) -> str:
    return dim if dim in ("query", "key") else "feature"


def _tokens(trace: AttentionTrace, axis: str) -> Sequence[str]:
    return {"query": trace.tokens, "key": trace.source_tokens}.get(axis, ())
