"""What breaks on the way: a server that is restarted, a network that drops, a night, two tabs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlparse

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from attention_core.experiment import Experiment
from tests import serving
from tests.browser.cable import cable
from tests.browser.conftest import SMALL
from tests.browser.reading import drawn, in_the_address, listen, repainted, settled

PAGE = ".st-key-hero .ap-heatmap[data-painted]"
FORGETFUL = {"STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL": "1"}  # remembers for a second who was there, not for 2 min


@pytest.fixture
def tabs(chromium: Browser) -> Iterator[Browser]:
    yield chromium
    for context in chromium.contexts:
        context.close()


def open_tab(browser: Browser, address: str, *, width: int = 1280, **query: str) -> Page:
    """A new visitor. Broken connections are what is tested here, so the browser may complain about them."""
    context = browser.new_context(viewport={"width": width, "height": 800})
    context.set_default_timeout(60_000)
    listen(context)
    page = context.new_page()
    page.goto(f"{address}/?{urlencode({**SMALL, **query})}")
    page.wait_for_selector(PAGE)
    settled(page)
    return page


def open_live(browser: Browser, address: str, **query: str) -> Page:
    """A new visitor of the page that trains."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(60_000)
    listen(context)
    page = context.new_page()
    page.goto(f"{address}/live?{urlencode(query)}")
    page.wait_for_selector(".st-key-live_map_self1 .ap[data-painted], .st-key-live_map_cross1 .ap[data-painted]")
    settled(page)
    return page


def connected(page: Page, wanted: bool) -> None:
    """Wait until the page is connected, or is not."""
    page.wait_for_function(
        """(wanted) => {
          const state = document.querySelector('[data-testid="stApp"]').dataset.testConnectionState;
          return (state === "CONNECTED") === wanted;
        }""",
        arg=wanted,
    )


def back(page: Page) -> None:
    """Wait until the page is connected again and at rest."""
    connected(page, True)
    settled(page)


def shows(page: Page, text: str, heads: int, *, seed: int = 0) -> None:
    """The weights on the screen, and those under it, are those of this experiment, and the controls say so too."""
    wanted = Experiment(text, num_heads=heads, d_model=12, seed=seed).run()
    for key, field in (("hero", "weights"), ("stage_weights", "weights"), ("stage_q", "q")):
        np.testing.assert_allclose(drawn(page, key).blocks, wanted.field(field)[0].numpy(), atol=1e-5, err_msg=key)
    assert page.get_by_label("Sentence", exact=True).input_value() == text
    assert parse_qs(urlparse(page.url).query)["text"] == [text]


def says(page: Page, text: str) -> None:
    """Type a sentence and wait until it is shown."""
    with repainted(page, "hero", "stage_weights", "stage_q"):
        page.get_by_label("Sentence", exact=True).fill(text)
        in_the_address(page, text=text)
    settled(page)


def test_a_server_is_restarted_under_open_pages(tabs: Browser) -> None:
    with serving.server() as served:
        desk = open_tab(tabs, served.address)
        phone = open_tab(tabs, served.address, width=390)
        says(desk, "six seven eight nine")
        link, arranged = desk.url, drawn(phone, "hero").origins
        assert len({x for x, _ in arranged}) == 1, "on a phone two heads stand one under the other"

        served.kill()
        for page in (desk, phone):
            connected(page, False)
        shows(desk, "six seven eight nine", 2)
        assert desk.get_by_label("Sentence", exact=True).is_disabled(), "what is typed now would be lost"
        served.start()
        for page in (desk, phone):
            back(page)
        assert desk.url == link
        shows(desk, "six seven eight nine", 2)
        says(desk, "ten eleven twelve")
        shows(desk, "ten eleven twelve", 2)
        shows(phone, SMALL["text"], 2)
        assert drawn(phone, "hero").origins == arranged

        # A click that comes first is not lost either.
        served.kill()
        connected(desk, False)
        served.start()
        back(desk)
        with repainted(desk, "hero"):
            desk.get_by_role("button", name="New random draw").click()
            desk.wait_for_function("() => new URLSearchParams(location.search).get('seed')")
        settled(desk)
        seed = int(parse_qs(urlparse(desk.url).query)["seed"][0])
        shows(desk, "ten eleven twelve", 2, seed=seed)


def test_a_server_is_restarted_in_the_middle_of_a_training(tabs: Browser) -> None:
    """A training is in the server's memory alone: the page says that it is gone, and offers to train it again."""
    with serving.server() as served:
        page = open_live(tabs, served.address, live_seed="5", live_width="16", live_steps="4000")
        status = page.locator(".st-key-live_status")
        page.get_by_role("button", name="Run", exact=True).click()
        expect(status).to_contain_text(re.compile(r"Learning: step \d\d+ of 4000"))
        in_the_address(page, live_until="4000")
        served.kill()
        connected(page, False)
        served.start()
        back(page)
        expect(status).to_contain_text("The training that was here, up to step 4000, is gone.")
        expect(status).to_contain_text("this server was started anew")
        in_the_address(page, live_until="4000", live_seed="5", live_width="16")
        expect(page.get_by_role("button", name="Train it again, to step 4000")).to_be_enabled()


def test_the_network_drops(tabs: Browser, address: str) -> None:
    with cable(address) as wire:
        page = open_tab(tabs, wire.address)
        says(page, "six seven eight nine")
        wire.pull()
        connected(page, False)
        shows(page, "six seven eight nine", 2)
        wire.plug_in()
        back(page)
        shows(page, "six seven eight nine", 2)
        with repainted(page, "hero", "stage_q"):
            page.locator(".st-key-c_heads input[type=range]").press("ArrowRight")
            in_the_address(page, heads="3")
        settled(page)
        shows(page, "six seven eight nine", 3)
        page.go_back()
        in_the_address(page, heads="2")
        settled(page)
        shows(page, "six seven eight nine", 2)


def test_a_page_is_left_overnight(tabs: Browser) -> None:
    with serving.server(**FORGETFUL) as served, cable(served.address) as wire:
        page = open_tab(tabs, wire.address, mode="causal")
        with repainted(page, "hero"):
            page.locator(".st-key-head_choice").get_by_text("2", exact=True).click()
            in_the_address(page, head="2")
        settled(page)
        link, before = page.url, drawn(page, "hero").z
        wire.pull()
        connected(page, False)
        page.wait_for_timeout(1500)  # longer than this server remembers anybody
        wire.plug_in()
        back(page)
        assert page.url == link
        np.testing.assert_array_equal(drawn(page, "hero").z, before)
        with repainted(page, "hero"):
            page.get_by_role("radio", name="Self", exact=True).click()
            in_the_address(page, mode=None, head="2")
        settled(page)
        wanted = Experiment(SMALL["text"], num_heads=2, d_model=12).run().heads.weights[0, 1].numpy()
        np.testing.assert_allclose(drawn(page, "hero").blocks[0], wanted, atol=1e-5)


def test_two_tabs_of_one_visitor(tabs: Browser, address: str) -> None:
    first = open_tab(tabs, address)
    second = first.context.new_page()
    second.goto(first.url)
    second.wait_for_selector(PAGE)
    settled(second)
    first.bring_to_front()  # a tab behind another draws once a second
    says(first, "six seven eight nine")
    second.bring_to_front()
    shows(second, SMALL["text"], 2)
    with repainted(second, "hero", "stage_q"):
        second.locator(".st-key-c_heads input[type=range]").press("ArrowRight")
        in_the_address(second, heads="3")
    settled(second)
    shows(second, SMALL["text"], 3)
    first.bring_to_front()
    shows(first, "six seven eight nine", 2)
    first.reload()
    first.wait_for_selector(PAGE)
    settled(first)
    shows(first, "six seven eight nine", 2)
