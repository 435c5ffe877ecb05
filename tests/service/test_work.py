"""Programs and downloads stand in the line of the pages, each address as one visitor."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import weakref

import pytest
from starlette.requests import Request

from attention_core.experiment import Experiment
from attention_viz import to_csv
from playground import compute, routes
from playground.downloads import Refused
from playground.service import asking, metrics, work
from playground.service.asking import caller
from playground.service.line import Line
from playground.service.problem import Problem
from playground.service.settings import Service
from tests.service.asgi import ask, post
from tests.service.test_line import LONG, Visits, until


def refuse() -> None:
    raise Problem(422, "no")


def test_who_was_refused_was_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise whoever is refused again and again would be the next one for ever."""
    visits = Visits(Line(patience=LONG))
    monkeypatch.setattr(work, "line", lambda: visits.line)
    visits.come("page")
    visits.go("page")
    with pytest.raises(Problem):
        work._in_line(refuse, "program")
    visits.come("now")
    visits.come("program")
    visits.come("page")
    visits.order.clear()
    visits.go("now")
    until(lambda: len(visits.order) > 0)
    assert visits.order == ["page"]
    visits.go("page")
    visits.go("program")


def test_a_refused_body_goes_with_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the collector, which seldom looks: whoever sends one wrong body after the other fills nothing."""

    class Body:
        def refuse(self) -> None:
            refuse()

    own = Line(patience=LONG)
    monkeypatch.setattr(work, "line", lambda: own)
    body = Body()
    held = weakref.ref(body)
    gc.disable()
    try:
        with contextlib.suppress(Problem):
            work._in_line(body.refuse, "program")
        del body
        assert held() is None
    finally:
        gc.enable()


def test_nothing_is_worked_on_out_of_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    visits = Visits(Line(patience=LONG))
    monkeypatch.setattr(work, "line", lambda: visits.line)
    visits.come("page")
    read: list[str] = []

    async def both() -> list[str]:
        working = asyncio.create_task(work.workers().run(lambda: read.append("worked"), "program"))
        while not visits.line.waiting:
            await asyncio.sleep(0.002)
        before = list(read)
        visits.go("page")
        await working
        return before

    assert asyncio.run(both()) == [] and read == ["worked"]


@pytest.mark.parametrize(
    ("host", "visitor"),
    [
        ("192.0.2.7", "from 192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "from 2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "from 2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "from 2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "from ::ffff:192.0.2.7"),
        ("testclient", "from testclient"),
    ],
)
def test_one_address_is_one_visitor(host: str, visitor: str) -> None:
    assert caller(Request({"type": "http", "client": (host, 4711)})) == visitor


def test_a_download_is_its_visitor_s(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def build(name: str, query: dict[str, str]) -> None:
        asked.append(asking.now().visitor)
        raise Refused("no")

    monkeypatch.setattr(routes, "build", build)
    assert ask("GET", "/download/weights.csv", "text=a").status == 400
    assert asked == ["from 192.0.2.1"]


def test_a_long_download_arrives_whole() -> None:
    experiment = Experiment(" ".join(f"w{number}" for number in range(150)), num_heads=4, d_model=8)
    answer = ask("GET", "/download/weights.csv", experiment.to_query())
    assert answer.status == 200 and "content-length" not in answer.headers
    assert answer.body.decode() == to_csv(compute.run(experiment), "weights")
    assert ask("HEAD", "/download/weights.csv", experiment.to_query()).status == 200


def test_a_body_that_is_too_large_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    from playground.service import api

    def refused() -> float:
        return metrics.REGISTRY.get_sample_value("attention_refusals_total", {"reason": "body_too_large"}) or 0.0

    before = refused()
    monkeypatch.setattr(api, "service", lambda: Service(api_body_kb=1))
    assert post(json.dumps({"text": "a" * 2000}).encode()).status == 413
    assert refused() == before + 1
