"""What is taken away is what was seen."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

import numpy as np
import torch
from PIL import Image
from playwright.sync_api import Browser, Page

from attention_core.experiment import Experiment
from attention_viz.tables import to_csv
from playground.assets import addresses
from tests import serving
from tests.browser.conftest import SMALL, Visit
from tests.browser.lessons import open_lesson, painted
from tests.browser.reading import drawn, into_view

CAUSAL = {**SMALL, "mode": "causal"}


def take(page: Page, panel: str, what: str, folder: Path) -> Path:
    """Press a button of a panel's toolbar and keep the file."""
    bar = page.locator(f".st-key-{panel} .ap-tools")
    into_view(page, f".st-key-{panel} .ap-tools")
    with page.expect_download() as download:
        bar.get_by_text(what, exact=True).click()
    target = folder / download.value.suggested_filename
    download.value.save_as(target)
    return target


def test_pictures_and_numbers(visit: Visit, tmp_path: Path) -> None:
    page = visit(CAUSAL)
    png = take(page, "hero", "PNG", tmp_path)
    assert png.name == "weights.png"
    with Image.open(png) as opened:
        ink = np.asarray(opened.convert("L")) < 200
    # At twice its size, and with no more than its margin of paper on any side.
    rows, cols = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    assert 400 < ink.shape[0] < 1000
    assert rows[0] < 40 and ink.shape[0] - rows[-1] < 40 and cols[0] < 40 and ink.shape[1] - cols[-1] < 80

    svg = take(page, "stage_weights", "SVG", tmp_path)
    picture = ElementTree.parse(svg).getroot()
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    words = " ".join("".join(node.itertext()) for node in picture.iter("{http://www.w3.org/2000/svg}text"))
    assert "Weights" in words and CAUSAL["text"] in words
    for word in CAUSAL["text"].split():
        assert words.count(word) > 1
    # A forbidden cell says so in the picture as well: 10 above the diagonal, in each of 2 heads.
    assert words.count("×") == 20
    weights = drawn(page, "stage_weights").blocks
    assert f"{weights[0, 4, 1]:.2f}" in words

    for field in ("weights", "masked_scores", "q", "output"):
        table = take(page, f"stage_{field}", "CSV", tmp_path)
        rows = list(csv.DictReader(io.StringIO(table.read_text("utf-8"))))
        blocks = drawn(page, f"stage_{field}").blocks
        values = np.array([float(row["value"]) for row in rows], dtype=np.float32).reshape(blocks.shape)
        gaps = np.isnan(blocks)
        np.testing.assert_array_equal(values[~gaps], blocks[~gaps].astype(np.float32))
        assert (values[gaps] == {"weights": 0.0, "masked_scores": -np.inf}.get(field, 0.0)).all()
        assert gaps.any() == (field in ("weights", "masked_scores"))


def test_a_picture_without_a_link_gives_its_numbers_too(address: str, chromium: Browser, tmp_path: Path) -> None:
    query = {"text": "=1+1 a,b the", "heads": "2", "width": "12", "mask": "causal"}
    with open_lesson(address, chromium, "mask_lab", query) as page:
        for panel, sort in (("mask_lab_d", ["query", "key"]), ("mask_editor", ["query", "key"])):
            painted(page, panel)
            rows = list(csv.DictReader(io.StringIO(take(page, panel, "CSV", tmp_path).read_text("utf-8"))))
            shown = drawn(page, panel)
            blocks = shown.blocks if panel == "mask_lab_d" else shown.z[None]
            assert len(rows) == blocks.size
            values = np.array([float(row["value"]) for row in rows], dtype=np.float32).reshape(blocks.shape)
            np.testing.assert_array_equal(values, blocks.astype(np.float32))
            assert rows[0][sort[0]].startswith("'=") and any(row[sort[1]] == "the" for row in rows)


def test_a_file_that_is_refused_says_why(chromium: Browser, tmp_path: Path) -> None:
    """The browser itself would say "failed" at most: of a full machine, and of more numbers than a file may hold."""
    with serving.serve(ATTENTION_CSV_NUMBERS="59") as served:
        page = chromium.new_page()
        page.goto(f"{served}/?{urlencode(SMALL)}")
        page.wait_for_selector(".st-key-hero .ap-heatmap[data-painted]")
        before = page.url
        assert len(take(page, "hero", "CSV", tmp_path).read_text("utf-8").splitlines()) == 2 * 5 * 5 + 1
        assert page.locator(".st-key-hero .ap-refusal").inner_text() == ""
        into_view(page, ".st-key-stage_embedding .ap-tools")
        page.locator(".st-key-stage_embedding .ap-tools").get_by_text("CSV", exact=True).click()
        said = page.locator(".st-key-stage_embedding .ap-refusal")
        said.filter(has_text="limit").wait_for()
        assert said.inner_text() == (
            "embedding.csv would hold some 60 numbers: the limit here (csv_numbers) is 59; "
            "trace.npz holds the same in less"
        )
        assert page.url == before and said.get_attribute("role") == "status"
        page.close()


def test_the_browsers_csv_is_as_harmless_as_the_servers(visit: Visit) -> None:
    """What a spreadsheet takes for a formula is the same in both, and a number is written with the same digits."""
    tokens = [*(f"{sign}1" for sign in "=+-@\t\r\n＝＋－＠"), "a=b", "1"]
    values = torch.tensor([[0.1, 1 / 3, 16777215.0, -2e-7, 0.5, 1e-30, 3.0, 1e9, 7.5, 100.0, 0.7, 123456.7, 0.0]])
    embedding = values.expand(len(tokens), -1).contiguous()
    experiment = Experiment("a " * len(tokens), d_model=values.shape[1], num_heads=1)
    trace = replace(experiment.run(), tokens=tuple(tokens), embedding=embedding[None])
    servers = list(csv.DictReader(io.StringIO(to_csv(trace, "embedding"), newline="")))
    page = visit(SMALL)
    text = page.evaluate(
        """async ([path, tokens, row]) => {
          const { csvOf } = await import(new URL(path, document.baseURI).href);
          const [rows, cols] = [tokens.length, row.length];
          const block = { head: null, x0: 0, y0: 0 };
          const meta = { blocks: [block], rows, cols, rows_are: "query", cols_are: "feature", gap: null,
            row_labels: tokens, col_labels: row.map(String) };
          return csvOf({ figure: { data: [{ z: tokens.map(() => Float32Array.from(row)) }] }, meta });
        }""",
        [addresses()["csv.js"], tokens, values[0].tolist()],
    )
    browsers = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["query"] for row in browsers] == [row["query"] for row in servers]
    assert [row["query"][0] for row in browsers[:: len(tokens)]] == ["'"] * 11 + ["a", "1"]
    assert [float(row["value"]) for row in browsers] == [float(row["value"]) for row in servers]


def test_the_code_and_the_page(visit: Visit, chromium: Browser, tmp_path: Path) -> None:
    page = visit(CAUSAL)
    weights = drawn(page, "hero").blocks
    files = {}
    for name in ("attention.py", "attention.html"):
        page.get_by_role("button", name="Download").click()
        with page.expect_download() as download:
            page.locator(f'a[href*="download/{name}"]').click()
        files[name] = tmp_path / name
        download.value.save_as(files[name])
        page.keyboard.press("Escape")

    done = subprocess.run(
        [sys.executable, "-I", str(files["attention.py"])], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "scaled_dot_product_attention" in files["attention.py"].read_text("utf-8")

    context = chromium.new_context(offline=True)
    asked: list[str] = []
    complaints: list[str] = []
    alone = context.new_page()
    alone.on("request", lambda request: asked.append(request.url))
    alone.on("console", lambda said: said.type == "error" and complaints.append(said.text))
    alone.on("pageerror", lambda error: complaints.append(str(error)))
    alone.goto(files["attention.html"].as_uri())
    alone.wait_for_function(
        "document.querySelectorAll('.js-plotly-plot .hm, .js-plotly-plot .heatmaplayer').length > 8"
    )
    matrices = alone.evaluate(
        """() => [...document.querySelectorAll(".js-plotly-plot")]
          .map((plot) => plot.calcdata[0][0].z.map((row) => [...row]))"""
    )
    context.close()
    assert complaints == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
    first = weights[0].astype(np.float32)
    found = [np.array(matrix, dtype=np.float64) for matrix in matrices]
    assert any(
        matrix.shape[0] >= 5 and np.allclose(np.nan_to_num(matrix[:5, :5]), np.nan_to_num(first), atol=1e-6)
        for matrix in found
        if matrix.shape[1] >= 5
    )
