"""The app as Streamlit's AppTest runs it, and the numbers that its panels are sent to draw.

The messages are read here from their description alone (see `panel.js`), so that writer and reader check each other.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from attention_core.experiment import Experiment
from attention_core.trace import AttentionTrace
from tests.conftest import ROOT

Numbers = NDArray[np.float32]

# Where a cell that may not be attended to is left open in the picture.
WITH_GAPS = ("weights", "dropped_weights", "masked_scores")


@dataclass(frozen=True)
class Message:
    """What one panel was sent: the header, with every matrix in its place, and the raw bytes."""

    header: dict[str, Any]
    raw: bytes

    @property
    def meta(self) -> dict[str, Any]:
        found: dict[str, Any] = self.header["meta"]
        return found

    @property
    def z(self) -> Numbers:
        """The matrix that Plotly draws, gaps between the heads included."""
        found: Numbers = self.header["figure"]["data"][0]["z"]
        return found

    @property
    def blocks(self) -> Numbers:
        """(block, row, col): the heads cut out of the mosaic."""
        return cut(self.z, self.meta)

    @property
    def heads(self) -> list[int | None]:
        return [block["head"] for block in self.meta["blocks"]]


def cut(z: Numbers, meta: Mapping[str, Any]) -> Numbers:
    """The blocks of a mosaic, (block, row, col)."""
    rows, cols = meta["rows"], meta["cols"]
    return np.stack([z[b["y0"] : b["y0"] + rows, b["x0"] : b["x0"] + cols] for b in meta["blocks"]])


def read(raw: bytes) -> Message:
    """Decode a message: length of the header, the header, zeros up to a multiple of 4, float32 numbers."""
    (length,) = struct.unpack_from("<I", raw)
    start = 4 * math.ceil((4 + length) / 4)
    assert not any(raw[4 + length : start]), "the padding is not zero"
    numbers = np.frombuffer(raw, dtype="<f4", offset=start)
    used = 0

    def resolve(value: Any) -> Any:
        nonlocal used
        if isinstance(value, dict):
            if "$f32" in value:
                offset, rows, columns = value["$f32"]
                used += rows * columns
                return numbers[offset : offset + rows * columns].reshape(rows, columns)
            return {key: resolve(item) for key, item in value.items()}
        return [resolve(item) for item in value] if isinstance(value, list) else value

    header = resolve(json.loads(raw[4 : 4 + length]))
    assert used == len(numbers), "numbers that no matrix refers to"
    return Message(header, raw)


def open_app(query: Mapping[str, str] | str | None = None) -> AppTest:
    """A visitor who opens a link: parameters of the address, or an `Experiment`'s text."""
    app = AppTest.from_file(str(ROOT / "playground" / "main.py"), default_timeout=60)
    if query is not None:
        app.query_params.update({"text": query} if isinstance(query, str) else query)
    app.run()
    healthy(app)
    return app


def healthy(app: AppTest) -> None:
    """No run may end in an exception, whatever the input."""
    assert not app.exception, [problem.message for problem in app.exception]


def elements(app: AppTest) -> dict[str, Any]:
    """The panels that are on the page, by id."""
    found = {}
    for element in (*app.main, *app.sidebar):
        if element.type == "bidi_component":
            key = element.proto.id.rpartition("-")[2]
            assert key not in found, f"two panels are called {key}"
            found[key] = element
    return found


def panels(app: AppTest) -> dict[str, Message]:
    """What every panel of the page was sent, by id."""
    found = {}
    for key, element in elements(app).items():
        found[key] = read(element.proto.bytes)
        assert found[key].header["id"] == key
    return found


def panel(app: AppTest, key: str) -> Message:
    """What one panel was sent."""
    return read(elements(app)[key].proto.bytes)


def fields(app: AppTest) -> dict[str, Message]:
    """The heatmaps of the stages, by the field they show."""
    return {
        key.removeprefix("stage_"): message
        for key, message in panels(app).items()
        if key.startswith("stage_")
    }


def alerts(app: AppTest) -> list[str]:
    """What the page says is wrong, in words."""
    return [
        message.header["sentence"]
        for message in panels(app).values()
        if message.header["kind"] == "statement" and message.header["alert"]
    ]


def good(app: AppTest) -> Experiment:
    """The experiment on the screen."""
    found: Experiment = app.session_state["good"]
    return found


def tell(
    app: AppTest, key: str, *, cell: object = None, state: Mapping[str, object] | None = None
) -> AppTest:
    """Let the browser's half of a panel speak: a cell that was clicked, or a state such as `near`.

    AppTest knows no component of this kind, so its values go beside those that it collects from the widgets.
    """
    identity = elements(app)[key].proto.id
    states = app._tree.get_widget_states()
    if state is not None:
        states.widgets.add(id=identity, json_value=json.dumps(dict(state)))
    if cell is not None:
        events = json.dumps([{"event": "cell", "value": cell}])
        states.widgets.add(id=f"$$STREAMLIT_INTERNAL_KEY_{identity}__events", json_trigger_value=events)
    app._run(states)
    healthy(app)
    return app


def expected(trace: AttentionTrace, field: str) -> Numbers:
    """(block, row, col) as a picture of `field` has to show it: NaN where a cell is forbidden."""
    values = trace.field(field)[0].detach().numpy().astype(np.float32)
    values = values if values.ndim == 3 else values[None]
    if field in WITH_GAPS:
        allowed = np.broadcast_to(trace.field("allowed")[0].numpy(), values.shape)
        values = np.where(allowed, values, np.float32(np.nan))
    return values


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the last axis; -inf and NaN take no part; where nothing takes part all is 0."""
    lowest = np.where(np.isnan(scores), -np.inf, scores)
    highest = lowest.max(axis=-1, keepdims=True)
    powers = np.exp(lowest - np.where(np.isfinite(highest), highest, 0.0))
    total = powers.sum(axis=-1, keepdims=True)
    return np.divide(powers, total, out=np.zeros_like(powers), where=total > 0)


def same(shown: Numbers, wanted: Numbers, what: str = "") -> None:
    """The numbers of two computations of one thing; NaN equals NaN.

    Not bit for bit: the app may have computed its trace long before, and the last bits of a float32 product depend on
    where its operands lie in memory.
    """
    assert shown.shape == wanted.shape, f"{what}: {shown.shape} is drawn, {wanted.shape} was computed"
    finite = np.abs(wanted[np.isfinite(wanted)])
    largest = float(finite.max()) if finite.size else 0.0
    np.testing.assert_allclose(shown, wanted, rtol=1e-4, atol=2e-6 * max(1.0, largest), err_msg=what)
