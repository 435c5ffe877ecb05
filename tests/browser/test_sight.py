"""What nobody sees costs nothing: pictures out of sight are left out after a change, and come when they come near."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlparse

import numpy as np

from attention_core.experiment import Experiment
from benchmarks.visitor import IN_SIGHT
from tests.browser.conftest import SMALL, Visit
from tests.browser.reading import in_the_address, into_view, painted, repainted, settled, stage

KEYS = """() => [...document.querySelectorAll("%s")].map(
  (panel) => panel.closest('[class*="st-key-"]').className.match(/st-key-(\\S+)/)[1])"""
PICTURES, STALE = KEYS % ".ap-heatmap", KEYS % ".ap-stale"
LEFT_OUT = ".st-key-stage_output .ap-stale"


def test_what_nobody_sees_is_left_out_and_comes_when_it_comes_near(visit: Visit) -> None:
    """The first pictures all come; after a change those in sight; and a picture that comes near is of the present."""
    page = visit(SMALL, tall=False)
    assert page.evaluate(STALE) == []
    before = painted(page, "stage_output")
    with repainted(page, "hero"):
        page.get_by_label("Sentence", exact=True).fill("six seven eight nine")
        in_the_address(page, text="six seven eight nine")
    page.wait_for_selector(LEFT_OUT, state="attached")
    settled(page)
    left_out = page.evaluate(STALE)
    # What the measuring visitor says of itself (benchmarks/visitor.py) is what a browser says.
    assert set(page.evaluate(PICTURES)) - set(left_out) == set(IN_SIGHT)
    # Another change: what is left out is not drawn, what is in sight is.
    late = painted(page, "stage_output")
    with repainted(page, "hero"):
        page.get_by_role("button", name="New random draw").click()
    settled(page)
    assert painted(page, "stage_output") == late and sorted(page.evaluate(STALE)) == sorted(left_out)
    # Scrolled to, it comes: with the numbers of the experiment that is on the screen.
    into_view(page, ".st-key-stage_output")
    page.wait_for_selector(".st-key-stage_output .ap-heatmap[data-painted]:not(.ap-stale)")
    settled(page)
    assert painted(page, "stage_output") not in (before, late)
    wanted = Experiment.from_query(dict(parse_qsl(urlparse(page.url).query))).run()
    np.testing.assert_allclose(stage(page, "output")[0], wanted.output[0].numpy(), atol=1e-5)
    into_view(page, ".st-key-hero")
    settled(page)
    assert "hero" not in page.evaluate(STALE), "what has its picture keeps it until the next change"


def test_a_page_that_is_left_and_opened_again_has_all_its_pictures(visit: Visit) -> None:
    page = visit(SMALL, tall=False)
    with repainted(page, "hero"):
        page.get_by_role("button", name="New random draw").click()
    page.wait_for_selector(LEFT_OUT, state="attached")
    page.get_by_role("link", name="Mask lab").click()
    page.wait_for_selector(".st-key-mask_editor .ap[data-painted]")
    settled(page)
    page.get_by_role("link", name="Playground").click()
    page.wait_for_selector(".st-key-stage_output .ap[data-painted]")
    settled(page)
    assert page.evaluate(STALE) == []


_IN_HEAPS = """
  window.held = null; // what is reported while it is a list is delivered later, all at once
  window.IntersectionObserver = class extends IntersectionObserver {
    constructor(heard, options) {
      super((reports) => (window.held ? window.held.push([heard, reports]) : heard(reports)), options);
    }
  };
"""

_DELIVER = """() => {
  const heaps = new Map();
  for (const [heard, reports] of window.held) heaps.set(heard, [...(heaps.get(heard) ?? []), ...reports]);
  window.held = null;
  for (const [heard, reports] of heaps) heard(reports);
  return Math.max(...[...heaps.values()].map((reports) => reports.length));
}"""


def test_of_several_reports_at_once_the_last_one_is_true(visit: Visit) -> None:
    """A busy browser says in one breath that a picture went out of sight and came back."""
    page = visit(SMALL, tall=False)
    page.context.add_init_script(_IN_HEAPS)
    page.reload()
    page.wait_for_selector(".st-key-hero .ap-heatmap[data-painted]")
    settled(page)
    page.evaluate("window.held = []")
    for place in (".st-key-stage_output", ".st-key-hero"):
        into_view(page, place)
        page.wait_for_timeout(200)  # frames, in which the browser looks
    assert page.evaluate(_DELIVER) > 1
    for _ in range(2):  # after the first the server is told what is out of sight
        with repainted(page, "hero"):
            page.get_by_role("button", name="New random draw").click()
        settled(page)
    assert "hero" not in page.evaluate(STALE) and "stage_output" in page.evaluate(STALE)
