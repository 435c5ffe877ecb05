"""The glossary in a browser: a term is found while it is typed, and its link leads to the page."""

from __future__ import annotations

from playwright.sync_api import Browser, expect


def test_a_term_is_found_and_leads_to_its_page(address: str, chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    try:
        context.set_default_timeout(60_000)
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{address}/glossary")
        body = page.locator('[data-testid="stMain"]')
        expect(body).to_contain_text("ALiBi: A way to tell attention about distance")
        page.get_by_label("Find a term").press_sequentially("rank coll")
        expect(body).not_to_contain_text("ALiBi")
        expect(body).to_contain_text("rank collapse: All tokens grow alike")
        page.wait_for_function("() => new URLSearchParams(location.search).get('glossary_find') === 'rank coll'")
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        with context.expect_page() as opened:
            body.get_by_role("link", name="The encoder block").click()
        expect(opened.value.get_by_role("heading", name="What happens in an encoder block?")).to_be_visible()
        assert errors == []
    finally:
        context.close()
