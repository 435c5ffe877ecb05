"""What is drawn in the browser, read back from the plots themselves."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import BrowserContext, Page

Numbers = NDArray[np.float64]

# The matrix goes over as bytes, so that no digit is lost; the frames say where the blocks of the heads lie.
_READ = """(key) => {
  const plot = document.querySelector(`.st-key-${key} .js-plotly-plot`);
  const { z, ...data } = plot.data[0];
  const flat = new Float32Array(z.length * z[0].length);
  z.forEach((row, i) => flat.set(row, i * z[0].length));
  const bytes = new Uint8Array(flat.buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  const { shapes, annotations, xaxis, yaxis, font, paper_bgcolor, width } = plot.layout;
  return JSON.stringify({
    bytes: btoa(text), rows: z.length, data, shapes, annotations, xaxis, yaxis, font, paper_bgcolor, width,
    colours: plot.data[0].colorscale,
    painted: plot.closest(".ap").dataset.painted,
  });
}"""

_AT = """([key, x, y]) => {
  const plot = document.querySelector(`.st-key-${key} .js-plotly-plot`);
  const { xaxis, yaxis } = plot._fullLayout;
  const box = plot.getBoundingClientRect();
  return [box.left + xaxis._offset + xaxis.l2p(x), box.top + yaxis._offset + yaxis.l2p(y)];
}"""


@dataclass(frozen=True)
class Drawn:
    """A heatmap as Plotly holds it."""

    z: NDArray[np.float32]
    layout: dict[str, Any]

    @property
    def origins(self) -> list[tuple[int, int]]:
        """(column, row) of the first cell of each head: the frame round its block begins half a cell before."""
        frames = [shape for shape in self.layout["shapes"] if shape["type"] == "rect"]
        return [(round(frame["x0"] + 0.5), round(frame["y0"] + 0.5)) for frame in frames]

    @property
    def blocks(self) -> Numbers:
        """(head, row, col)."""
        frame = next(shape for shape in self.layout["shapes"] if shape["type"] == "rect")
        rows, cols = round(frame["y1"] - frame["y0"]), round(frame["x1"] - frame["x0"])
        return np.stack([self.z[y : y + rows, x : x + cols] for x, y in self.origins]).astype(np.float64)

    @property
    def labels(self) -> list[str]:
        """What stands along the bottom."""
        texts: list[str] = self.layout["xaxis"]["ticktext"]
        return texts


def drawn(page: Page, key: str) -> Drawn:
    """The heatmap in the panel `key`."""
    found = json.loads(page.evaluate(_READ, key))
    z = np.frombuffer(base64.b64decode(found.pop("bytes")), dtype="<f4").reshape(found["rows"], -1)
    return Drawn(z, found)


def stage(page: Page, field: str) -> Numbers:
    """(head, row, col) of a field, out of its place in the walk through the stages."""
    return drawn(page, f"stage_{field}").blocks


def into_view(page: Page, selector: str) -> None:
    """Scroll an element to the middle of the screen. In one step: a run of the script may put another in its place."""
    page.wait_for_function(
        """(selector) => {
          const element = document.querySelector(selector);
          element?.scrollIntoView({ block: "center" });
          return Boolean(element);
        }""",
        arg=selector,
    )


def cell_at(page: Page, key: str, head: int, row: int, col: int) -> tuple[float, float]:
    """Where the middle of a cell is on the screen."""
    into_view(page, f".st-key-{key}")
    x0, y0 = drawn(page, key).origins[head]
    x, y = page.evaluate(_AT, [key, x0 + col, y0 + row])
    return x, y


@contextlib.contextmanager
def repainted(page: Page, *keys: str) -> Iterator[None]:
    """Wait, at the end of the block, until these panels show something else than at its beginning."""
    marks = {key: painted(page, key) for key in keys}
    yield
    for key, mark in marks.items():
        page.wait_for_function(
            """([key, mark]) => {
              const panel = document.querySelector(`.st-key-${key} .ap`);
              return panel?.dataset.painted && panel.dataset.painted !== mark;
            }""",
            arg=[key, mark],
        )


def painted(page: Page, key: str) -> str | None:
    """The mark of what a panel shows now; another picture has another."""
    mark: str | None = page.evaluate(
        "(key) => document.querySelector(`.st-key-${key} .ap`)?.dataset.painted ?? null", key
    )
    return mark


def in_the_address(page: Page, **wanted: str | None) -> None:
    """Wait until the address says so; None: says nothing about it."""
    page.wait_for_function(
        """(wanted) => {
          const said = new URLSearchParams(location.search);
          return Object.entries(wanted).every(([name, value]) => said.get(name) === value);
        }""",
        arg=wanted,
    )


def listen(context: BrowserContext, *, tall: bool = True) -> None:
    """Let the pages of a visitor note when they last asked the server and when they last heard of it, for `settled`.

    With `tall` the browser takes the whole page for near the screen, as on a very tall one: every picture is of the
    present, and can be read without scrolling to it.
    """
    if tall:
        context.add_init_script(
            """
            window.IntersectionObserver = class extends IntersectionObserver {
              constructor(heard, options) { super(heard, { ...options, rootMargin: "100000px" }); }
            };
            const laidOut = new CSSStyleSheet();
            laidOut.replaceSync("* { content-visibility: visible !important; }");
            document.adoptedStyleSheets = [laidOut];
            """
        )
    context.add_init_script(
        """
        window.wire = { asked: 0, heard: 0 };
        window.WebSocket = class extends WebSocket {
          constructor(...given) {
            super(...given);
            this.addEventListener("message", () => { window.wire.heard = performance.now(); });
          }
          send(data) {
            window.wire.asked = performance.now();
            super.send(data);
          }
        };
        """
    )


def settled(page: Page) -> None:
    """Wait until nothing happens any more: nothing asked, no run of the script, no new picture in a row of frames.

    Between a click and the first word of the run that it starts the page looks at rest; `listen` tells the two apart.
    """
    page.evaluate(_SETTLED)


_SETTLED = """async () => {
  const frame = () => new Promise((next) => requestAnimationFrame(() => setTimeout(next)));
  const look = () => {
    const state = document.querySelector('[data-testid="stApp"]').dataset.testScriptState;
    const marks = [...document.querySelectorAll(".ap")].map((panel) => panel.dataset.painted ?? "");
    return [state, location.search, ...marks].join(" ");
  };
  const waits = () => {
    const { asked, heard } = window.wire ?? { asked: 0, heard: 1 };
    return asked >= heard && performance.now() - asked < 5000;
  };
  const busy = () => waits() || document.querySelector(".ap[aria-busy]");
  const end = performance.now() + 20000;
  let last = "";
  let since = performance.now();
  while (performance.now() < end) {
    const now = look();
    if (now !== last || busy() || !now.startsWith("notRunning")) since = performance.now();
    else if (performance.now() - since > 400) return;
    last = now;
    await frame();
  }
  throw new Error(`the page does not come to rest: ${last}`);
}"""


def focus(page: Page, key: str) -> None:
    """Give the keyboard to a panel."""
    page.locator(f".st-key-{key} .ap-heatmap").focus()


def softmax(scores: Numbers) -> Numbers:
    """Over the last axis, without what is -inf."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def weights_of(q: Numbers, k: Numbers, forbidden: NDArray[np.bool_] | None = None) -> Numbers:
    """softmax(q k^T / sqrt(d_k)); NaN where it is forbidden to look, as the picture has it."""
    scores = np.einsum("hqd,hkd->hqk", q, k) / np.sqrt(q.shape[-1])
    if forbidden is None:
        return softmax(scores)
    weights = softmax(np.where(forbidden, -np.inf, scores))
    return np.where(forbidden, np.nan, weights)


def attention_holds(page: Page, forbidden: NDArray[np.bool_] | None = None) -> Mapping[str, Numbers]:
    """Every stage follows from the ones before it, with numpy alone; gives the stages."""
    names = ("q", "k", "v", "raw_scores", "scaled_scores", "masked_scores", "weights", "context", "concat")
    settled(page)  # many pictures are read: all of one moment
    found = {name: stage(page, name) for name in names}
    raw = np.einsum("hqd,hkd->hqk", found["q"], found["k"])
    largest = np.abs(raw).max()
    scaled = raw / np.sqrt(found["q"].shape[-1])
    weights = weights_of(found["q"], found["k"], forbidden)
    context = np.nan_to_num(weights) @ found["v"]
    expected = {
        "raw_scores": raw,
        "scaled_scores": scaled,
        "masked_scores": scaled if forbidden is None else np.where(forbidden, np.nan, scaled),
        "weights": weights,
        "context": context,
        "concat": np.concatenate(list(context), axis=-1)[None],
    }
    for name, wanted in expected.items():
        np.testing.assert_allclose(found[name], wanted, rtol=1e-4, atol=2e-6 * (largest + 1), err_msg=name)
    np.testing.assert_allclose(drawn(page, "hero").blocks, weights, atol=2e-6 * (largest + 1), err_msg="hero")
    return found
