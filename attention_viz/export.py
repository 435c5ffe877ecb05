"""A whole trace in one file: JSON, NPZ, or a page that opens anywhere."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from attention_viz.labels import storable
from attention_viz.page import html_page

if TYPE_CHECKING:
    from attention_core.experiment import Experiment
    from attention_core.trace import AttentionTrace

FORMAT, VERSION = "attention-trace", 1
_NON_FINITE = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}


def trace_json(
    trace: AttentionTrace, experiment: Experiment | None = None, names: Sequence[str] | None = None
) -> bytes:
    """A trace as JSON: tokens, and every field and weight (or those named) with its dims, shape, dtype and values.

    JSON has no NaN and no infinity: those values are the strings "NaN", "Infinity" and "-Infinity". float32
    values read back as the same float32. `read_trace_json` is the inverse.

    >>> import torch
    >>> from attention_core.modules import MultiHeadAttention
    >>> text = trace_json(MultiHeadAttention(8, 2).trace(torch.ones(1, 2, 8), tokens=("a", "b")))
    >>> read_trace_json(text)["fields"]["weights"].shape
    (1, 2, 2, 2)
    """
    fields = {
        name: {
            "dims": trace.dims(name),
            "shape": array.shape,
            "dtype": str(array.dtype),
            "values": _values(array),
        }
        for name, array in arrays(trace, names).items()
    }
    content = {
        "format": FORMAT,
        "version": VERSION,
        **_about(trace),
        "experiment": None if experiment is None else orjson.loads(experiment.to_json()),
        "fields": fields,
    }
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def read_trace_json(data: bytes | str) -> dict[str, Any]:
    """What `trace_json` wrote, the fields as numpy arrays: {"tokens", ..., "dims": {...}, "fields": {...}}.

    Raises ValueError for anything else.
    """
    content = orjson.loads(data)  # its JSONDecodeError is a ValueError
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != VERSION:
        raise ValueError(f"no trace: allowed is JSON with format {FORMAT!r} and version {VERSION}")
    fields = content["fields"]
    content["dims"] = {name: tuple(entry["dims"]) for name, entry in fields.items()}
    content["fields"] = {name: _array(name, entry) for name, entry in fields.items()}
    return content


def trace_npz(trace: AttentionTrace, names: Sequence[str] | None = None) -> bytes:
    """A trace as a compressed NPZ file, read with `numpy.load(file)`; no pickles.

    An array a field, or for each of those named; `tokens`, `source_tokens` and `head_names` as arrays of text, and in
    `about` a JSON text with the same names exactly (numpy drops NUL at the end of a text), the dims of each
    field, the score and its scale.

    >>> import io, torch
    >>> from attention_core.modules import MultiHeadAttention
    >>> file = np.load(io.BytesIO(trace_npz(MultiHeadAttention(8, 2).trace(torch.ones(1, 2, 8)))))
    >>> file["weights"].shape, file["tokens"].tolist()
    ((1, 2, 2, 2), ['0', '1'])
    """
    fields = arrays(trace, names)
    words = _about(trace)
    about = {
        "format": FORMAT,
        "version": VERSION,
        **words,
        "dims": {name: trace.dims(name) for name in fields},
    }
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        tokens=np.array(words["tokens"], dtype=np.str_),
        source_tokens=np.array(words["source_tokens"], dtype=np.str_),
        head_names=np.array(words["head_names"], dtype=np.str_),
        about=np.array(json.dumps(about)),
        **fields,
    )
    return buffer.getvalue()


def arrays(trace: AttentionTrace, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
    """Every field and projection weight of a trace as a numpy array, or those named: KeyError for another."""
    names = (*trace.fields(), *trace.parameters()) if names is None else names
    return {name: np.ascontiguousarray(trace.field(name).detach().cpu().numpy()) for name in names}


def _about(trace: AttentionTrace) -> dict[str, Any]:
    return {
        "tokens": [storable(token) for token in trace.tokens],
        "source_tokens": [storable(token) for token in trace.source_tokens],
        "head_names": [storable(name) for name in trace.head_names],
        "score_name": trace.score_name,
        "scale": trace.scale,
    }


def _values(array: NDArray[Any]) -> Any:
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return array
    written = array.astype(object)
    for name, value in _NON_FINITE.items():
        written[np.isnan(array) if name == "NaN" else array == value] = name
    return written.tolist()


def _array(name: str, entry: dict[str, Any]) -> NDArray[Any]:
    values = np.array(entry["values"], dtype=object)
    for word, value in _NON_FINITE.items():
        values[values == word] = value
    array = values.astype(entry["dtype"])
    if list(array.shape) != list(entry["shape"]):
        raise ValueError(f"{name} measures {list(array.shape)}: its shape says {list(entry['shape'])}")
    return array


__all__ = ["arrays", "html_page", "read_trace_json", "trace_json", "trace_npz"]
