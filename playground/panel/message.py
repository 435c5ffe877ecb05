"""The message that a panel is drawn from: a JSON header, and numbers as they lie in memory."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import numpy as np
import orjson


def pack(header: dict[str, Any]) -> bytes:
    """The message: length of the header, the header as JSON, zeros up to a multiple of 4, float32 numbers.

    Every two-dimensional numpy array in `header` becomes `{"$f32": [offset, rows, columns]}`. A `revision` is added,
    a hash of everything, by which the browser knows that there is nothing new to draw.
    """
    numbers: list[np.ndarray] = []
    offset = 0

    def refer(value: Any) -> Any:
        nonlocal offset
        if not isinstance(value, np.ndarray) or value.ndim != 2:  # a list of places, a number: short
            return orjson.Fragment(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY))
        array = np.ascontiguousarray(value, dtype=np.float32)
        numbers.append(array)
        reference = {"$f32": [offset, *array.shape]}
        offset += array.size
        return reference

    text = orjson.dumps(header, default=refer)
    body = b"".join(array.tobytes() for array in numbers)
    revision = hashlib.blake2b(text + body, digest_size=8).hexdigest()
    text = text[:-1] + b',"revision":"' + revision.encode() + b'"}'
    return struct.pack("<I", len(text)) + text + b"\0" * (-(4 + len(text)) % 4) + body
