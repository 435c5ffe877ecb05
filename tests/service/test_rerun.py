"""A visitor in front of a full machine: told the place in the queue, then served or told why not; the screen stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from attention_core.experiment import Experiment
from playground import compute
from playground.service import metrics, rerun
from playground.service.asking import Asking, asking
from playground.service.cost import Cost
from playground.service.gate import Gate
from playground.service.settings import Service
from tests.ui.reading import alerts, expected, good, open_app, panel, panels, same

SMALL = Experiment("one two three", num_heads=2, d_model=8)
LARGE = "w " * 120  # large enough for the gate below


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """A gate with little patience, for which what is large here is heavy."""
    found = Gate(Service(heavy_ms=4, queue_seconds=1))
    monkeypatch.setattr(compute, "gate", lambda: found)
    return found


class Full:
    """Somebody else who has the only turn, until `end`."""

    def __init__(self, gate: Gate) -> None:
        self._stack = ExitStack()
        with asking(Asking("somebody else", until_end=self._stack)), gate.turn(Cost(10**9, 0)):
            pass

    def end(self) -> None:
        self._stack.close()


@pytest.fixture
def full(gate: Gate) -> Iterator[Full]:
    found = Full(gate)
    yield found
    found.end()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was said while waiting."""
    found: list[str] = []
    original = rerun.waiting_words

    def words(place: int) -> str:
        found.append(original(place))
        return found[-1]

    monkeypatch.setattr(rerun, "waiting_words", words)
    return found


def reruns(outcome: str) -> float:
    labels = {"page": "playground", "outcome": outcome}
    return metrics.REGISTRY.get_sample_value("attention_reruns_total", labels) or 0.0


def test_the_last_picture_stays_while_the_machine_is_full(gate: Gate, full: Full, said: list[str]) -> None:
    app = open_app(SMALL.to_query())
    assert said == [] and alerts(app) == []
    before, address = panels(app), dict(app.query_params)
    app.text_input(key="c_text").set_value(LARGE).run()
    assert set(said) == {"This is a large computation, and others are being worked on. Yours is next."}
    assert alerts(app) == ["The machine is full: the turn of this computation did not come. Try again in a moment."]
    assert good(app) == SMALL and dict(app.query_params) == address
    after = panels(app)
    assert all(after[name].raw == message.raw for name, message in before.items())
    assert not app.info  # the place in the queue is gone
    full.end()
    app.run()  # anything the visitor does next
    assert alerts(app) == [] and len(good(app).tokens()) == 120
    same(panel(app, "stage_output").blocks, expected(good(app).run(), "output"))
    assert (gate.running, gate.waiting) == (0, 0)


def test_a_link_that_comes_too_early_is_not_lost(gate: Gate, full: Full) -> None:
    busy = reruns("busy")
    query = {"v": "1", "text": "x " * 120, "heads": "2", "width": "8"}
    app = open_app(query)
    assert alerts(app) == ["The machine is full: the turn of this computation did not come. Try again in a moment."]
    assert dict(app.query_params) == query
    assert reruns("busy") == busy + 1
    full.end()
    app.run()
    assert alerts(app) == [] and good(app).text == query["text"] and good(app).num_heads == 2


def test_it_is_served_when_its_turn_comes(gate: Gate, full: Full, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []

    def words(place: int) -> str:
        told.append(place)
        full.end()
        return "wait"

    monkeypatch.setattr(rerun, "waiting_words", words)
    app = open_app({"text": "y " * 130})
    assert told == [1] and alerts(app) == [] and len(good(app).tokens()) == 130
    assert not app.info


def test_what_is_heavy_and_on_the_screen_stays_there(gate: Gate) -> None:
    app = open_app({"text": "z " * 140, "heads": "2", "width": "8"})
    full = Full(gate)
    try:
        before = panel(app, "hero")
        app.text_input(key="c_text").set_value(LARGE + "z").run()
        assert len(alerts(app)) == 1
        assert panel(app, "hero").raw == before.raw
    finally:
        full.end()


def test_reruns_are_counted_by_page() -> None:
    done = reruns("done")
    app = open_app(SMALL.to_query())
    app.run()
    assert reruns("done") == done + 2
    count = metrics.REGISTRY.get_sample_value("attention_rerun_seconds_count", {"page": "playground"})
    assert count and count >= 2
