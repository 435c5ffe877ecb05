"""Pictures of the playground in somebody's course page: the example of the documentation, opened."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Frame

from attention_core.experiment import Experiment
from attention_core.experiment.text import QUERY_NAMES
from tests import serving
from tests.browser.reading import drawn

EXAMPLE = serving.ROOT / "docs" / "course_page.html"
WAIT = "document.querySelector('.st-key-embedded_weights .ap-heatmap[data-painted]')"


def asked(link: str) -> Experiment:
    query = dict(parse_qsl(urlsplit(link).query))
    return Experiment.from_query({name: value for name, value in query.items() if name in QUERY_NAMES})


def blocks(frame: Frame) -> np.ndarray:
    return np.nan_to_num(drawn(frame, "embedded_weights").blocks)  # type: ignore[arg-type]  # a frame evaluates as a page


@pytest.fixture
def another_server(tmp_path: Path) -> Iterator[str]:
    """A server of files, as a course would have."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_course_page_of_the_documentation(
    address: str, chromium: Browser, another_server: str, tmp_path: Path
) -> None:
    page = chromium.new_page(viewport={"width": 900, "height": 1700})
    course = EXAMPLE.read_text(encoding="utf-8").replace("http://localhost:8501", address)
    (tmp_path / "course.html").write_text(course, encoding="utf-8")
    page.goto(f"{another_server}/course.html")
    frames = [frame.content_frame() for frame in page.query_selector_all("iframe")]
    soft, causal = [frame for frame in frames if frame is not None]
    for frame in (soft, causal):
        frame.wait_for_function(f"() => {WAIT}", timeout=60_000)
        wanted = asked(frame.url).run().field("weights")[0]
        np.testing.assert_allclose(blocks(frame), wanted.numpy(), atol=1e-6)
        assert frame.locator(".ap-heatmap").count() == 1, "the chosen picture alone"
        assert frame.get_by_text("Mask lab").count() == frame.get_by_text("Sentence").count() == 0, "no frame"
    assert asked(causal.url).mode == "causal" and causal.get_by_text("Where this number comes from").count() == 1
    assert soft.get_by_role("slider").count() == 1 and causal.get_by_role("slider").count() == 0

    # Hotter: another computation, in place; and the way to all the rest says so too.
    cold = asked(soft.url)
    before, mark = blocks(soft), soft.evaluate(f"() => {WAIT}.dataset.painted")
    soft.get_by_role("slider").press("End")
    soft.wait_for_function(f"() => {WAIT}.dataset.painted !== {mark!r}", timeout=60_000)
    way = soft.get_by_role("link", name="Open in the attention playground")
    soft.wait_for_function("() => [...document.links].some((link) => link.href.includes('temperature=5.0'))")
    hot = asked(str(way.get_attribute("href")))
    assert hot.temperature == 5.0 and hot.text == cold.text and "panels" not in str(way.get_attribute("href"))
    q, k = hot.run().field("q")[0], hot.run().field("k")[0]
    expected = torch.softmax(q @ k.transpose(-1, -2) / (q.shape[-1] ** 0.5 * 5.0), -1)
    np.testing.assert_allclose(blocks(soft), expected.numpy(), atol=1e-5)
    assert np.abs(before - expected.numpy()).max() > 0.05
    page.close()
