"""The page that trains in a real browser: two visitors and one place, then a run that is watched and scrubbed back."""

from __future__ import annotations

import contextlib
import re

import numpy as np
from playwright.sync_api import Browser, Page, TimeoutError, expect

from attention_core.trained.plan import Plan
from attention_core.trained.sample import look, sample_of
from tests import serving
from tests.browser.lessons import PHONE, fits, lines, open_lesson
from tests.browser.reading import cell_at, drawn, in_the_address, repainted, settled

_COUNT = """() => {
  window.pictures = new Set();
  const look = () => {
    const mark = document.querySelector(".st-key-live_map_self1 .ap")?.dataset.painted;
    if (mark) window.pictures.add(mark);
    requestAnimationFrame(look);
  };
  look();
}"""


def says(page: Page, words: str) -> None:
    """Wait until the status says one of these, separated by |."""
    expect(page.locator(".st-key-live_status")).to_contain_text(re.compile(words), timeout=60_000)


def number(page: Page, place: int) -> float:
    return float(page.locator(".st-key-live_numbers td").nth(place).inner_text())


def test_a_queue_of_two_and_a_head_that_forms(chromium: Browser) -> None:
    """One place for all: the second visitor waits, begins when the first has closed the page, and sees it move."""
    with serving.serve(ATTENTION_MAX_TRAININGS="1", ATTENTION_TRAINING_TURN="600") as address:
        with open_lesson(address, chromium, "live", {"live_task": "dates"}) as first:
            first.get_by_role("button", name="Run", exact=True).click()
            says(first, "Learning")
            context = chromium.new_context(viewport={"width": 1280, "height": 800})
            second = context.new_page()
            second.set_default_timeout(60_000)
            second.goto(f"{address}/live?live_seed=7")
            second.wait_for_selector(".st-key-live_map_self1 .ap[data-painted]")
            second.evaluate(_COUNT)
            second.get_by_role("button", name="Run", exact=True).click()
            says(second, "1 run before yours")
        # The first visitor is gone, with more than a thousand steps to go.
        page = second
        says(page, "Learning|Trained")
        page.wait_for_function(
            "() => Number(document.querySelectorAll('.st-key-live_numbers td')[2]?.innerText) >= 0.95", timeout=60_000
        )
        assert page.evaluate("window.pictures.size") >= 2  # it was seen to move; on a busy machine in few pictures
        with contextlib.suppress(TimeoutError):  # unless it has come to its end meanwhile
            page.get_by_role("button", name="Pause").click(timeout=5_000)
        says(page, "Paused|Trained")
        settled(page)
        assert number(page, 2) >= 0.95 and number(page, 3) >= 0.9

        slider = page.locator(".st-key-live_slot input[type=range]")
        slider.focus()
        with repainted(page, "live_map_self1", "live_numbers"):
            slider.press("Home")
            for _ in range(8):
                slider.press("ArrowRight")
        in_the_address(page, live_seed="7")
        page.wait_for_function("() => Number(document.querySelectorAll('.st-key-live_numbers td')[0].innerText) < 60")
        settled(page)
        step = int(number(page, 0))
        assert 4 <= step < 60
        in_the_address(page, live_step=str(step))
        plan = Plan("reversal", 7, 1, 64, 0.003, 200)
        training = plan.training()
        losses = [training.step() for _ in range(step)]
        seen = look(training.task, training.model, sample_of(training.task))
        wanted = seen.traces["self1"].heads.weights[0].numpy()
        np.testing.assert_allclose(drawn(page, "live_map_self1").blocks, wanted, atol=1e-4)
        assert abs(number(page, 1) - losses[-1]) < 1e-3
        [loss] = lines(page, "live_loss")
        assert abs(loss["y"][loss["x"].index(step)] - losses[-1]) < 1e-4
        with repainted(page, "sentence"):
            x, y = cell_at(page, "live_map_self1", 0, 3, 6)
            page.mouse.click(x, y)
        # The arithmetic opens beside the picture, and until the run has ended the old one stands where it was.
        opened = page.locator(".st-key-sentence:not([data-stale='true'])")
        expect(opened).to_contain_text("looks", timeout=60_000)
        assert fits(page)
        context.close()

        with open_lesson(address, chromium, "live", {"live_step": "2", "live_width": "16"}, **PHONE) as phone:
            says(phone, "Paused at step 2")
            settled(phone)
            assert fits(phone)
