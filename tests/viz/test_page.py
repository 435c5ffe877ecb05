"""The page to keep: it opens without a network, holds the numbers, and runs nothing that a user wrote."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, sync_playwright

from attention_core.experiment import Experiment
from attention_core.trace import AttentionTrace
from attention_viz import html_page, plotlyjs
from attention_viz.page import Passage
from tests.viz.conftest import Make

HOSTILE = (
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "<!--",
    "<a href='https://example.com'>x</a>",
    '"><svg onload=window.hacked=1>',
)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


class Elements(HTMLParser):
    """Every element with its attributes, and the text of each script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.inside = tag == "script"
        if self.inside:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts[-1] += data


def without_plotly(page: str) -> str:
    return page.replace(plotlyjs.source(), "")


@pytest.fixture(scope="module")
def browser(chromium_path: str | None) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, args=FLAGS)
        yield chromium
        chromium.close()


def test_nothing_is_fetched_from_anywhere(causal: AttentionTrace) -> None:
    page = html_page(causal)
    for tag, attributes in Elements(page).found:
        assert not {"src", "href", "srcset", "action", "background"} & set(attributes), tag
        assert tag not in {"link", "iframe", "object", "embed", "base", "img", "form"}
    addresses = set(re.findall(r"https?:[^\s\"'%]*", without_plotly(page).replace("\\u002f", "/")))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # the name of SVG, in the hatching
    assert "@import" not in page.split("</style>")[0] and "url(" not in page.split("</style>")[0]


def test_the_policy_allows_its_two_scripts_by_hash_and_no_network(causal: AttentionTrace) -> None:
    elements = Elements(html_page(causal))
    policy = next(a["content"] for _, a in elements.found if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules["default-src"] == ["'none'"] and "connect-src" not in rules
    hashes = {
        "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"
        for script in elements.scripts[1:]
    }
    assert set(rules["script-src"]) == hashes and len(hashes) == 2


def test_what_a_user_wrote_is_text(make: Make) -> None:
    trace = make(HOSTILE, names=("</script>", "<b>", "c"))
    page = html_page(trace, title="</title><script>window.hacked=1</script>")
    elements = Elements(page)
    assert len(elements.scripts) == 3
    assert not {"a", "b", "img", "svg"} & {tag for tag, _ in elements.found}
    assert not any(name.startswith("on") for _, attributes in elements.found for name in attributes)
    figures = json.loads(elements.scripts[0])
    assert "<" not in elements.scripts[0] and len(figures) > 5


def test_every_stage_is_there_once(causal: AttentionTrace) -> None:
    headings = re.findall(r"<h2>(.*?)</h2>", html_page(causal))
    assert "weights" in headings and "output" in headings and "masked scores" in headings
    # Nothing rotates, nothing is dropped, queries and keys have one embedding: none of these is drawn twice.
    assert not {"rotated q", "dropped weights", "source embedding", "modified scores"} & set(headings)
    chosen = re.findall(r"<h2>(.*?)</h2>", html_page(causal, fields=["weights", "q"]))
    assert chosen == ["weights", "q"]
    with pytest.raises(KeyError, match="weights"):
        html_page(causal, fields=["attention"])


def test_passages_say_in_words_what_each_picture_shows(causal: AttentionTrace) -> None:
    vectors = {"q": ("Q, queries", "wide"), "k": ("K", "<i>")}
    passages = [
        Passage("1 · Queries", "Each $x_i$ < 1 & asks.", "q_i = x_i W_Q", vectors),
        Passage("2 · Weights", "Shares.", "", {"weights": ("Weights", "2 heads")}),
    ]
    page = html_page(causal, passages=passages, title="as typed", note="Nothing was trained.")
    assert "<h1>as typed</h1>\n<p class=note>Nothing was trained.</p>" in page
    assert "<p>Each <i>x</i><sub><i>i</i></sub> &lt; 1 &amp; asks.</p>" in page
    assert re.findall(r"<p class=formula>(.*?)</p>", page) == [
        "<i>q</i><sub><i>i</i></sub> = <i>x</i><sub><i>i</i></sub> <i>W</i><sub><i>Q</i></sub>"
    ]
    assert re.findall(r"<h[23]>(.*?)</h[23]>", page) == ["1 · Queries", "Q, queries", "K", "2 · Weights"]
    assert re.findall(r"<p class=shape>(.*?)</p>", page) == ["wide", "&lt;i&gt;", "2 heads"]
    assert len(re.findall(r'<div id="stage-\d"', page)) == 3


def drawn(page: Any, place: int) -> np.ndarray:
    """The numbers of a plot as plotly.js holds them; NaN where it draws nothing."""
    rows = page.evaluate(
        "place => document.getElementById('stage-' + place).calcdata[0][0].z"
        ".map(row => Array.from(row, value => Number.isFinite(value) ? value : null))",
        place,
    )
    return np.array([[np.nan if value is None else value for value in row] for row in rows])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_in_a_browser_and_shows_the_numbers(browser: Browser, tmp_path: Path, scheme: Any) -> None:
    experiment = Experiment("<b>the</b> cat the </script> cat", num_heads=2, d_model=8, mode="causal")
    trace = experiment.run()
    file = tmp_path / "attention.html"
    file.write_text(html_page(trace, experiment, fields=["embedding", "weights"]), encoding="utf-8")
    context = browser.new_context(color_scheme=scheme, offline=True)
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_function("document.querySelectorAll('.hm').length === 2")
    assert asked == [file.as_uri()] and said == []

    assert np.allclose(drawn(page, 0), trace.embedding[0].numpy(), atol=0)
    blocks = drawn(page, 1)
    count = len(trace.tokens)
    found = []
    for head in range(2):
        weights = trace.heads.weights[0, head].numpy().astype(float)
        weights[~trace.heads.allowed[0, head].numpy()] = np.nan
        found.append(
            [
                (y, x)
                for y in range(blocks.shape[0] - count + 1)
                for x in range(blocks.shape[1] - count + 1)
                if np.array_equal(blocks[y : y + count, x : x + count], weights, equal_nan=True)
            ]
        )
    assert all(len(places) == 1 for places in found) and found[0] < found[1]

    labels = page.locator("#stage-1 .ytick").all_text_contents()
    assert [label.strip() for label in labels[:count]] == list(trace.tokens)
    assert page.locator("h1").inner_text() == experiment.text
    shapes = page.locator(".shape").all_text_contents()
    assert shapes[1] == f"2 heads × {count} queries × {count} keys"
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == {"light": "rgb(255, 255, 255)", "dark": "rgb(14, 17, 23)"}[scheme]
    context.close()


def test_a_browser_runs_nothing_but_the_two_scripts(browser: Browser, make: Make, tmp_path: Path) -> None:
    file = tmp_path / "hostile.html"
    trace = make(HOSTILE, names=HOSTILE[:3])
    file.write_text(html_page(trace, title=HOSTILE[0], fields=["weights"]), encoding="utf-8")
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    page.wait_for_selector(".hm")
    page.locator("#stage-0 .plotly .nsewdrag").hover()
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None and asked == [file.as_uri()]
    # Were one to slip in all the same, the policy would stop it.
    page.evaluate(
        "() => { window.stopped = [];"
        "addEventListener('securitypolicyviolation', event => stopped.push(event.effectiveDirective));"
        "const script = document.createElement('script'); script.textContent = 'window.hacked = 2';"
        "document.body.append(script); }"
    )
    assert page.evaluate("window.hacked") is None
    page.evaluate("fetch('https://example.com/').catch(() => 0)")
    page.wait_for_function("window.stopped.length === 2")
    assert page.evaluate("window.stopped") == ["script-src-elem", "connect-src"]
    page.close()
