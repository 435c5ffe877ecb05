"""The address is the state: a link, a reload, back and forward show the same numbers."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlparse

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route

from tests.browser.conftest import SMALL, Visit
from tests.browser.reading import attention_holds, drawn, in_the_address, listen, painted, repainted, settled

SHOWN = ("hero", "stage_q", "stage_k", "stage_v", "stage_raw_scores", "stage_weights", "stage_output")


def numbers(page: Page) -> dict[str, np.ndarray]:
    return {key: drawn(page, key).z for key in SHOWN}


def same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    for key in SHOWN:
        np.testing.assert_array_equal(first[key], second[key], key)


def test_a_link_shows_another_visitor_the_same_numbers(visit: Visit) -> None:
    page = visit()
    with repainted(page, "hero", "stage_output"):
        page.get_by_label("Sentence", exact=True).fill("小猫没有过马路 & <b>tired</b> #1?")
        in_the_address(page, text="小猫没有过马路 & <b>tired</b> #1?")
    with repainted(page, "hero"):
        page.get_by_role("radio", name="Causal").click()
        in_the_address(page, mode="causal")
    settled(page)
    link = dict(parse_qsl(urlparse(page.url).query))
    other = visit(link)
    same(numbers(page), numbers(other))
    assert urlparse(other.url).query == urlparse(page.url).query
    tokens = drawn(page, "hero").blocks.shape[1]
    attention_holds(other, np.triu(np.ones((tokens, tokens), dtype=bool), 1))


def test_back_and_forward(visit: Visit) -> None:
    page = visit(SMALL)
    first = numbers(page)
    with repainted(page, "hero", "stage_output"):
        page.get_by_label("Sentence", exact=True).fill("six seven eight nine ten")
        in_the_address(page, text="six seven eight nine ten")
    settled(page)
    second = numbers(page)
    with repainted(page, "hero", "stage_output"):
        page.go_back()
        in_the_address(page, text=SMALL["text"])
    settled(page)
    same(numbers(page), first)
    assert page.get_by_label("Sentence", exact=True).input_value() == SMALL["text"]
    with repainted(page, "hero", "stage_output"):
        page.go_forward()
    settled(page)
    same(numbers(page), second)
    # And the controls still lead.
    with repainted(page, "hero"):
        page.get_by_role("radio", name="Causal").click()
        in_the_address(page, mode="causal", text="six seven eight nine ten")


def test_a_page_is_one_step_back(visit: Visit) -> None:
    """Its bare address, with which the menu opens it, stands for nothing and is no step of its own."""
    page = visit()
    steps = page.evaluate("history.length")
    with repainted(page, "hero"):
        page.get_by_label("Sentence", exact=True).fill("six seven eight")
        in_the_address(page, text="six seven eight")
    settled(page)
    page.get_by_role("link", name="Mask lab").click()
    page.wait_for_selector(".st-key-mask_editor .ap[data-painted]")
    in_the_address(page, text="six seven eight")
    settled(page)
    page.get_by_role("button", name="Forbid all").click()
    in_the_address(page, text="six seven eight", mask="not.full")
    settled(page)
    assert page.evaluate("history.length") == steps + 3
    page.go_back()
    in_the_address(page, text="six seven eight", mask=None)
    settled(page)
    assert urlparse(page.url).path == "/mask_lab"
    page.go_back()
    page.wait_for_selector(".st-key-hero .ap[data-painted]")
    settled(page)
    assert urlparse(page.url).path == "/"
    assert page.get_by_label("Sentence", exact=True).input_value() == "six seven eight"


def test_a_reload_keeps_everything(visit: Visit) -> None:
    page = visit(SMALL)
    with repainted(page, "hero"):
        page.get_by_role("button", name="New random draw").click()
    settled(page)
    both = drawn(page, "hero").blocks
    with repainted(page, "hero"):
        page.locator(".st-key-head_choice").get_by_text("2", exact=True).click()
        in_the_address(page, head="2")
    settled(page)
    np.testing.assert_array_equal(drawn(page, "hero").blocks, both[1:])
    before, link = numbers(page), page.url
    page.reload()
    page.wait_for_selector(".st-key-hero .ap-heatmap[data-painted]")
    settled(page)
    same(numbers(page), before)
    assert page.url == link


def test_compare_a_and_b(visit: Visit) -> None:
    page = visit(SMALL, viewport={"width": 1600, "height": 900})
    mark = painted(page, "hero")
    page.get_by_role("button", name="Pin as A").click()
    page.wait_for_selector(".st-key-compare_difference .ap-heatmap[data-painted]")
    settled(page)
    assert painted(page, "hero") == mark, "pinning has changed the picture of the weights"
    before = drawn(page, "hero").blocks
    with repainted(page, "hero", "compare_b", "compare_difference"):
        page.get_by_role("radio", name="Causal").click()
        in_the_address(page, mode="causal")
    settled(page)
    a, b, difference = (drawn(page, f"compare_{name}") for name in ("a", "b", "difference"))
    np.testing.assert_array_equal(a.blocks, before)
    np.testing.assert_array_equal(b.blocks, drawn(page, "hero").blocks)
    np.testing.assert_allclose(difference.blocks, np.nan_to_num(b.blocks) - a.blocks, atol=1e-7)
    for end in ("zmin", "zmax"):
        assert a.layout["data"][end] == b.layout["data"][end]
    other = visit(dict(parse_qsl(urlparse(page.url).query)), viewport={"width": 1600, "height": 900})
    for name in ("a", "b", "difference"):
        np.testing.assert_array_equal(drawn(other, f"compare_{name}").z, drawn(page, f"compare_{name}").z)


def test_an_example_is_one_click(visit: Visit) -> None:
    page = visit()
    with repainted(page, "hero", "tokens"):
        page.locator(".st-key-preset input").click()
        page.get_by_role("option", name="English and Chinese").click()
        in_the_address(page, mode="cross")
    settled(page)
    found = attention_holds(page)
    assert found["weights"].shape == (4, 7, 6)


LATE = re.compile(r"/static/js/(Slider|NumberInput|Selectbox|Checkbox|TextInput|ButtonGroup)\.")
SLOWLY = {  # pages of which a run follows the first at once on a phone, and settings that are nobody's default
    "": {**SMALL, "dk": "5", "dv": "7", "head": "2"},
    "live": {"live_task": "induction", "live_seed": "5", "live_heads": "2", "live_width": "32", "live_steps": "300"},
    "scale": {"scale_dk": "256", "scale_t": "10.0"},
    "encoder": {"text": SMALL["text"], "encoder_norm": "post", "encoder_residual": "False"},
}


@pytest.mark.parametrize("name", SLOWLY)
def test_a_slow_browser_keeps_what_the_link_says(address: str, chromium: Browser, name: str) -> None:
    """The widgets' scripts come only when the page has run again: the message with their values is past by then."""
    wanted = SLOWLY[name]
    context = chromium.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    listen(context)
    page = context.new_page()
    arrived: list[bool] = []
    held: list[Route] = []
    page.route(LATE, lambda route: route.continue_() if arrived else held.append(route))
    page.goto(f"{address}/{name}?{urlencode(wanted)}")
    page.wait_for_selector(".ap[data-painted]")
    page.wait_for_timeout(1500)
    arrived.append(True)
    for route in held:
        route.continue_()
    page.wait_for_timeout(500)
    settled(page)
    page.set_viewport_size({"width": 1280, "height": 800})  # the page runs again, and the browser says every value
    page.wait_for_timeout(500)
    settled(page)
    said = dict(parse_qsl(urlparse(page.url).query))
    context.close()
    assert held, "no script was late"
    assert {setting: said.get(setting) for setting in wanted} == wanted
