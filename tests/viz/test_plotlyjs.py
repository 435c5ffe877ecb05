"""The plotly.js that pages load: only what they draw, and drawn exactly as the whole one does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from plotly.offline import get_plotlyjs

from attention_core.experiment import Experiment
from attention_viz import bars_spec, heatmap_spec, lines_spec, plotlyjs
from tests import serving


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with serving.browser() as launched:
        yield launched


def test_the_installed_release_is_one_that_was_tried() -> None:
    """After an update: try it (this file and the browser tests), then name the new release in `KNOWN`."""
    whole, ours = get_plotlyjs(), plotlyjs.source()
    assert plotlyjs.KNOWN in whole[:200]
    assert len(ours) < len(whole) / 3
    traces = [set(re.findall(r'moduleType:"trace",name:"(\w+)"', text)) for text in (whole, ours)]
    assert {"scattermap", "surface", "sankey"} < traces[0] and traces[1] >= {"bar", "heatmap", "scatter"}
    assert len(traces[1]) < 8


def test_the_licences_come_along() -> None:
    whole, ours = get_plotlyjs(), plotlyjs.source()
    assert ours[: ours.index("*/")] == whole[: whole.index("*/")]
    mark = "/*! Bundled license information"
    assert ours[ours.rindex(mark) :] == whole[whole.rindex(mark) :]


def test_a_release_that_nobody_tried_is_taken_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "plotly.min.js"
    other.write_text("/**\n* plotly.js v99.0.0\n*/ window.Plotly = {};", encoding="utf-8")
    monkeypatch.setattr(plotlyjs, "installed", lambda: other)
    assert plotlyjs.source.__wrapped__() == other.read_text(encoding="utf-8")


def test_modules_that_are_not_where_they_were_are_said() -> None:
    renamed = get_plotlyjs().replace('moduleType:"trace",name:"heatmap"', 'moduleType:"trace",name:"other"')
    with pytest.raises(RuntimeError, match="does not register"):
        plotlyjs._reduced(renamed)


def figures() -> dict[str, dict[str, Any]]:
    free = Experiment("the sun rises in the east", num_heads=4, d_model=16)
    trace = replace(free, mode="causal").run()
    found = {
        "heatmap": heatmap_spec(trace, "weights"),
        "difference": heatmap_spec(trace, "context", difference_to=free.run()),
        "bars": bars_spec(trace, 0, 2),
        "lines": lines_spec([1, 10, 100], {"a": [1, 2, 3]}, x_title="x", y_title="y", log_x=True, markers=True),
    }
    for spec in found.values():
        for one in spec["data"]:
            one.update({name: value.tolist() for name, value in one.items() if isinstance(value, np.ndarray)})
    return found


def svg(page: Page, script: str, spec: dict[str, Any]) -> str:
    page.goto("about:blank")
    page.add_script_tag(content=script)
    picture: str = page.evaluate(
        """async ([data, layout]) => {
          const place = document.body.appendChild(document.createElement("div"));
          await Plotly.newPlot(place, data, { width: 640, height: 480, ...layout });
          return Plotly.toImage(place, { format: "svg" });
        }""",
        [[{name: _plain(value) for name, value in one.items()} for one in spec["data"]], spec["layout"]],
    )
    return picture


def _plain(value: Any) -> Any:
    """NaN is null in JSON."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and value != value else value


@pytest.mark.parametrize("name", ["heatmap", "difference", "bars", "lines"])
def test_every_figure_is_drawn_as_the_whole_plotly_draws_it(browser: Browser, name: str) -> None:
    page = browser.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    spec = figures()[name]
    whole, ours = svg(page, get_plotlyjs(), spec), svg(page, plotlyjs.source(), spec)
    page.close()
    assert complaints == []
    assert len(whole) > 2_000
    # Plotly numbers its parts at random.
    assert _without_numbers(ours) == _without_numbers(whole)


def _without_numbers(picture: str) -> str:
    return re.sub(r"(trace|clip|legend|defs-|topdefs-|g|cb)[0-9a-f]{6}", r"\\1", unquote(picture))
