"""What strangers write is shown as they wrote it: it makes no element, runs no script, asks no server."""

from __future__ import annotations

import urllib.error
import urllib.request
from urllib.parse import quote

import pytest
import torch
from playwright.sync_api import Browser, Page

from attention_core.modules import MultiHeadAttention
from attention_viz import bars_spec, heatmap_spec
from playground.assets import addresses
from playground.panel.message import pack
from tests.browser.conftest import Visit
from tests.browser.reading import cell_at, in_the_address, repainted, settled

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "<b>$x$</b>",
    "<a href='javascript:alert(2)'>here</a>",
    "<script>alert(3)</script>",
    "[here](javascript:alert(4))",
    "</script><svg onload=alert(5)>",
    "$\\href{javascript:alert(6)}{x}$",
    "{{constructor.constructor('alert(7)')()}}",
)

# Elements that nothing of ours makes; what Streamlit draws itself was there before.
ELEMENTS = """() => {
  const panels = [...document.querySelectorAll(".ap")];
  const within = (selector) => panels.reduce((n, panel) => n + panel.querySelectorAll(selector).length, 0);
  return {
    scripts: document.querySelectorAll("script").length,
    links: [...document.querySelectorAll("a")].filter((a) => a.protocol === "javascript:").length,
    onerror: document.querySelectorAll("[onerror], [onload], [onclick]").length,
    inside: within("img, script, b, iframe, object, .katex, mjx-container, math"),
    anchors: within("a:not(.ap-tools a)"),
  };
}"""


def nothing_was_made(page: Page, before: dict[str, int]) -> None:
    assert page.evaluate(ELEMENTS) == before


def test_tokens_are_text(visit: Visit) -> None:
    page = visit({"text": "plain words here", "heads": "2"})
    before = page.evaluate(ELEMENTS)
    assert before["inside"] == before["anchors"] == before["links"] == 0
    text = " ".join(HOSTILE)
    with repainted(page, "hero", "tokens"):
        page.get_by_label("Sentence", exact=True).fill(text)
        in_the_address(page, text=None)  # it is long: the address carries it compressed
    settled(page)
    nothing_was_made(page, before)
    chips = "[...document.querySelectorAll('.st-key-tokens .ap-chip')].map((chip) => chip.firstChild.textContent)"
    shown = "".join(page.evaluate(chips)).replace("␣", "")
    assert shown == text.replace(" ", "")
    # Readout, inspector and its tables show the same tokens.
    page.mouse.move(*cell_at(page, "hero", 0, 1, 1))
    with repainted(page, "sentence"):
        page.mouse.click(*cell_at(page, "hero", 0, 0, 3))
    settled(page)
    nothing_was_made(page, before)


def test_pieces_of_markup_are_text_too(visit: Visit) -> None:
    """Byte pairs may hold more of a tag than words do, and begin with a space."""
    page = visit({"text": HOSTILE[0], "mode": "cross", "source": " ".join(HOSTILE), "heads": "2", "tokenizer": "bpe"})
    found = page.evaluate(ELEMENTS)
    assert found["inside"] == found["anchors"] == found["links"] == found["onerror"] == 0


def test_a_whole_tag_in_one_token_is_text(address: str, chromium: Browser) -> None:
    """No tokenizer of today leaves a tag in one piece: the panel gets such messages by hand, on a page without us."""
    trace = MultiHeadAttention(8, 2).trace(torch.ones(1, len(HOSTILE), 8), tokens=HOSTILE, source_tokens=HOSTILE)
    rows = [(words, words) for words in HOSTILE]
    chips = [{"label": words, "axis": "both", "tokens": HOSTILE, "shown": HOSTILE} for words in HOSTILE]
    spec = heatmap_spec(trace, "weights", box=(600, 600))
    bars = bars_spec(trace, 0, 1)
    words = dict.fromkeys(("column", "save_png", "save_svg", "save_csv"), HOSTILE[0])
    said = {"title": HOSTILE[0], "note": HOSTILE[1], "label": HOSTILE[2], "words": words}
    heatmap = {"group": "weights", "height": 600, **said}
    messages = [
        {"kind": "chips", "id": "a", "rows": chips},
        {"kind": "statement", "id": "b", "sentence": HOSTILE[0], "detail": HOSTILE[1], "alert": True},
        {"kind": "table", "id": "c", "rows": rows, "head": HOSTILE[:2], "total": HOSTILE[:2], "more": HOSTILE[0]},
        {"kind": "heatmap", "id": "d", "figure": {**spec}, "meta": spec["meta"], **heatmap},
        {"kind": "plot", "id": "e", "figure": {**bars}, "meta": bars["meta"], "height": 300},
        {"kind": "bars", "id": "f", "figure": {**bars}, "meta": bars["meta"], "height": 300},
    ]
    plotly = f"{address}/{addresses()['plotly.min.js']}"
    packed = [list(pack({**message, "plotly": plotly})) for message in messages]
    context = chromium.new_context()
    page = context.new_page()
    complaints: list[str] = []
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{address}/download/none?text=a")  # a page of this origin, of plain text
    page.evaluate(_MOUNT, [f"{address}/{addresses()['panel.js']}", packed])
    page.wait_for_function("() => document.querySelectorAll('.ap[data-painted]').length === 6")
    page.locator(".ap-heatmap").focus()
    page.keyboard.press("ArrowDown")  # the readout names its tokens
    shown = page.locator(".ap-chip, .ap-sentence, .ap-tip, .ap-table td").all_inner_texts()
    found = page.evaluate(ELEMENTS)
    context.close()
    assert complaints == []
    assert found["inside"] == found["anchors"] == found["links"] == found["onerror"] == 0
    for text in HOSTILE:
        assert any(text in words for words in shown), text


_MOUNT = """async ([address, messages]) => {
  const panel = (await import(address)).default;
  for (const bytes of messages) {
    const parentElement = document.body.appendChild(document.createElement("div"));
    panel({ parentElement, data: new Uint8Array(bytes), setTriggerValue() {}, setStateValue() {} });
  }
}"""


def test_an_address_may_hold_anything(visit: Visit) -> None:
    page = visit(
        {
            "text": HOSTILE[0],
            "mode": HOSTILE[1],
            "mask": HOSTILE[2],
            "cell": HOSTILE[3],
            "a": HOSTILE[4],
            "score": HOSTILE[6],
            "lang": HOSTILE[5],
            "hide": HOSTILE[7],
        }
    )
    found = page.evaluate(ELEMENTS)
    assert found["inside"] == found["anchors"] == found["links"] == 0
    alerts = page.locator(".ap-alert .ap-sentence").all_inner_texts()
    assert any("<b>$x$</b>" in words for words in alerts)
    assert page.locator(".ap-alert .katex").count() == 0


def test_a_downloaded_page_does_not_run_here(address: str) -> None:
    """The server hands out files made from a link: they must not become pages of its own origin."""
    with urllib.request.urlopen(f"{address}/download/attention.html?text={quote(HOSTILE[0])}", timeout=60) as answer:
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["content-security-policy"] == "sandbox"
        assert b"<img src=x" not in answer.read()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{address}/download/{quote('<b>x')}.csv?text=a", timeout=60)
    assert refused.value.code == 400 and refused.value.headers["content-type"].startswith("text/plain")
