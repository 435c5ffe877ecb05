"""The message that a panel is drawn from: a JSON header, and numbers as they lie in memory."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import numpy as np
import orjson


def pack(header: dict[str, Any], **beside: Any) -> bytes:
    """The message: length of the header, the header as JSON, zeros up to a multiple of 4, float32 numbers.

    Every two-dimensional numpy array in `header` becomes `{"$f32": [offset, rows, columns]}`. A `revision` is added,
    a hash of it, by which the browser knows that there is nothing new to draw. What stands `beside` becomes part of the
    header too, but not of the revision: it changes no picture.
    """
    numbers: list[np.ndarray] = []
    offset = 0

    # orjson walks the header, much faster than Python could, and asks here about what is no JSON by itself.
    def refer(value: Any) -> Any:
        nonlocal offset
        if isinstance(value, np.ndarray) and value.ndim == 2:
            array = np.ascontiguousarray(value, dtype=np.float32)
            numbers.append(array)
            reference = {"$f32": [offset, *array.shape]}
            offset += array.size
            return reference
        if isinstance(value, np.ndarray | np.generic):
            return orjson.Fragment(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY))
        raise TypeError(f"{type(value).__name__} cannot be sent to a panel")

    text = orjson.dumps(header, default=refer)
    body = b"".join(array.tobytes() for array in numbers)
    revision = hashlib.blake2b(text, digest_size=8)
    revision.update(body)
    more = orjson.dumps({"revision": revision.hexdigest(), **beside})
    text = text[:-1] + b"," + more[1:]
    return struct.pack("<I", len(text)) + text + b"\0" * (-(4 + len(text)) % 4) + body
