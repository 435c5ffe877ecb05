"""A whole trace in one file: JSON, NPZ, or a page that opens anywhere."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from attention_viz.labels import storable
from attention_viz.page import html_page, html_pieces
from attention_viz.pieces import NUMBERS, gathered

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
    return b"".join(json_pieces(trace, experiment, names))


def json_pieces(
    trace: AttentionTrace, experiment: Experiment | None = None, names: Sequence[str] | None = None
) -> Iterator[bytes]:
    """`trace_json`, piece by piece. KeyError at once for a field that the trace has not."""
    about = {
        "format": FORMAT,
        "version": VERSION,
        **_about(trace),
        "experiment": None if experiment is None else orjson.loads(experiment.to_json()),
    }
    return gathered(_json(trace, about, _names(trace, names)))


def _json(trace: AttentionTrace, about: dict[str, Any], names: Sequence[str]) -> Iterator[bytes]:
    yield orjson.dumps(about)[:-1] + b',"fields":{'
    for number, name in enumerate(names):
        array = _array_of(trace, name)
        facts = {"dims": trace.dims(name), "shape": array.shape, "dtype": str(array.dtype)}
        yield (b"," if number else b"") + orjson.dumps(name) + b":" + orjson.dumps(facts)[:-1] + b',"values":'
        yield from _nested(array)
        yield b"}"
    yield b"}}"


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
    return b"".join(npz_pieces(trace, names))


def npz_pieces(trace: AttentionTrace, names: Sequence[str] | None = None) -> Iterator[bytes]:
    """`trace_npz`, piece by piece. KeyError at once for a field that the trace has not."""
    return gathered(_npz(trace, _names(trace, names)))


def _npz(trace: AttentionTrace, names: Sequence[str]) -> Iterator[bytes]:
    words = _about(trace)
    about = {"format": FORMAT, "version": VERSION, **words, "dims": {name: trace.dims(name) for name in names}}
    texts = {name: np.array(words[name], dtype=np.str_) for name in ("tokens", "source_tokens", "head_names")}
    texts["about"] = np.array(json.dumps(about))
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as file:  # type: ignore[call-overload]
        for name, array in chain(texts.items(), ((name, _array_of(trace, name)) for name in names)):
            with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array_header_1_0(member, np.lib.format.header_data_from_array_1_0(array))
                for some in np.array_split(array.reshape(-1), -(-array.size // NUMBERS) or 1):
                    member.write(some.tobytes())
                    yield sink.taken()
    yield sink.taken()


class _Sink:
    """What an archive is written to: it keeps what has not been taken yet."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._held.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """There is nothing behind it."""

    def taken(self) -> bytes:
        """What was written since the last time."""
        held, self._held = self._held, []
        return b"".join(held)


def _names(trace: AttentionTrace, names: Sequence[str] | None) -> tuple[str, ...]:
    """The fields to be written; KeyError where the trace has not one of them."""
    known = (*trace.fields(), *trace.parameters())
    for name in names or ():
        if name not in known:
            trace.field(name)  # raises, and names those that there are
    return known if names is None else tuple(names)


def _array_of(trace: AttentionTrace, name: str) -> NDArray[Any]:
    return np.ascontiguousarray(trace.field(name).detach().cpu().numpy())


def _about(trace: AttentionTrace) -> dict[str, Any]:
    return {
        "tokens": [storable(token) for token in trace.tokens],
        "source_tokens": [storable(token) for token in trace.source_tokens],
        "head_names": [storable(name) for name in trace.head_names],
        "score_name": trace.score_name,
        "scale": trace.scale,
    }


def _nested(array: NDArray[Any]) -> Iterator[bytes]:
    """An array as JSON, its largest parts of a few thousand numbers one after the other."""
    if array.ndim <= 1 or array.size <= NUMBERS:
        yield _dumped(array)
        return
    for number, part in enumerate(array):
        yield b"," if number else b"["
        yield from _nested(part)
    yield b"]"


def _dumped(array: NDArray[Any]) -> bytes:
    """An array as JSON; what is no number, for which orjson writes null, in words."""
    text = orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY)
    if array.dtype.kind != "f":
        return text
    none = array[~np.isfinite(array)].tolist()  # in the order of the text
    if not none:
        return text
    words = [b'"NaN"' if number != number else b'"Infinity"' if number > 0 else b'"-Infinity"' for number in none]
    between = text.split(b"null")
    return b"".join(chain.from_iterable(zip(between, words, strict=False))) + between[-1]


def _array(name: str, entry: dict[str, Any]) -> NDArray[Any]:
    values = np.array(entry["values"], dtype=object)
    for word, value in _NON_FINITE.items():
        values[values == word] = value
    array = values.astype(entry["dtype"])
    if list(array.shape) != list(entry["shape"]):
        raise ValueError(f"{name} measures {list(array.shape)}: its shape says {list(entry['shape'])}")
    return array


__all__ = ["html_page", "html_pieces", "json_pieces", "npz_pieces", "read_trace_json", "trace_json", "trace_npz"]
