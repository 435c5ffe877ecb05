"""The mask lab under a real mouse, a real finger and a real keyboard; what is drawn is recomputed with numpy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, TimeoutError

from tests.browser.lessons import PHONE, fits, open_lesson
from tests.browser.reading import Numbers, cell_at, drawn, focus, in_the_address, into_view, settled, softmax

Mask = NDArray[np.bool_]
Lab = Callable[..., contextlib.AbstractContextManager[Page]]

QUERIES = 7
QUERY = {"text": "one two three four five six seven", "heads": "2", "width": "12"}


@pytest.fixture
def lab(address: str, chromium: Browser) -> Lab:
    """Open the mask lab; in the comparison below the weights stand the scores of A, of which nothing is forbidden."""

    @contextlib.contextmanager
    def opened(query: dict[str, str] | None = None, **options: Any) -> Iterator[Page]:
        wanted = {**QUERY, "mask_lab_stage": "masked_scores", "mask_lab_section": "cost", **(query or {})}
        with open_lesson(address, chromium, "mask_lab", wanted, **options) as page:
            page.wait_for_selector(".st-key-mask_weights .ap[data-painted]")
            settled(page)
            yield page

    return opened


def at(page: Page, row: int, col: int) -> tuple[float, float]:
    """Where a cell of the grid is on the screen, with the grid clear of the bar at the top."""
    return cell_at(page, "mask_editor", 0, row, col)


def shown_mask(page: Page) -> Mask:
    return drawn(page, "mask_editor").z == 1


def stroke(page: Page, *cells: tuple[int, int]) -> None:
    """Press on the first cell, drag over the others, let go."""
    where = [at(page, *cell) for cell in cells]
    page.mouse.move(*where[0])
    page.mouse.down()
    for x, y in where[1:]:
        page.mouse.move(x, y, steps=3)
    page.mouse.up()


def everything(rows: int = QUERIES, cols: int = QUERIES) -> Mask:
    return np.ones((rows, cols), dtype=bool)


def becomes(page: Page, mask: Mask) -> None:
    """Wait until the grid shows this mask, and say where it does not."""
    with contextlib.suppress(TimeoutError):
        page.wait_for_function(
            """(wanted) => {
              const plot = document.querySelector(".st-key-mask_editor .js-plotly-plot");
              const cells = plot?.data?.[0].z ?? [];
              return wanted === cells.map((row) => [...row].map((cell) => (cell === 1 ? "x" : ".")).join("")).join("/");
            }""",
            arg="/".join("".join("x" if cell else "." for cell in row) for row in mask),
            timeout=30_000,
        )
    np.testing.assert_array_equal(shown_mask(page), mask)


def holds(page: Page, mask: Mask) -> Numbers:
    """The grid shows this mask, and the weights are the softmax of the scores over what it allows; gives them."""
    becomes(page, mask)
    for key in ("mask_lab_b", "mask_lab_a", "mask_weights"):  # large numbers are sent to panels in sight
        into_view(page, f".st-key-{key}")
        page.wait_for_selector(f".st-key-{key} .ap[data-painted]:not(.ap-stale)")
    settled(page)
    np.testing.assert_array_equal(shown_mask(page), mask)
    scores = drawn(page, "mask_lab_a").blocks
    allowed = np.broadcast_to(mask, scores.shape)
    with np.errstate(invalid="ignore"):
        wanted = softmax(np.where(allowed, scores, -np.inf))
    weights = drawn(page, "mask_weights").blocks
    assert (np.isnan(weights) == ~allowed).all(), "a forbidden cell shows a number, or an open one none"
    np.testing.assert_allclose(weights[allowed], wanted[allowed], atol=1e-6)
    after = np.where(allowed, scores, np.nan)
    np.testing.assert_allclose(drawn(page, "mask_lab_b").blocks, after, atol=1e-5)
    return weights


def test_a_stroke_of_the_mouse(lab: Lab) -> None:
    with lab() as page:
        before = holds(page, everything())
        stroke(page, (0, 2), (0, 6), (3, 6))
        mask = everything()
        mask[0, 2:] = mask[1:4, 6] = False
        after = holds(page, mask)
        # In every row that lost something the others grew by one factor.
        growth = after[:, :4] / before[:, :4]
        np.testing.assert_allclose(np.nanmax(growth, axis=-1), np.nanmin(growth, axis=-1), rtol=1e-3)
        np.testing.assert_array_equal(after[:, 4:], before[:, 4:])
        # A stroke that begins on a forbidden cell opens.
        stroke(page, (0, 6), (0, 4))
        mask[0, 4:] = True
        holds(page, mask)


def test_the_stroke_is_drawn_before_python_answers(lab: Lab) -> None:
    with lab() as page:
        page.mouse.move(*at(page, 2, 1))
        page.mouse.down()
        page.mouse.move(*at(page, 2, 3), steps=2)
        fresh = (
            "() => document.querySelector('.st-key-mask_editor .ap-forbidden').getAttribute('d').match(/M/g)?.length"
        )
        assert page.evaluate(fresh) == 3
        np.testing.assert_array_equal(shown_mask(page), everything())  # the picture below waits for Python
        assert page.locator(".st-key-mask_editor .ap-tip-value").inner_text() == "forbidden"
        page.mouse.up()
        mask = everything()
        mask[2, 1:4] = False
        holds(page, mask)
        assert page.evaluate(fresh) is None


def test_a_stroke_of_a_finger(lab: Lab) -> None:
    with lab(**PHONE) as page:
        holds(page, everything())
        assert fits(page)
        where = [at(page, 1, 1), at(page, 1, 3), at(page, 4, 3)]
        scrolled = page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop")
        touch = page.context.new_cdp_session(page)
        for kind, *spots in (("Start", where[0]), ("Move", where[1]), ("Move", where[2]), ("End",)):
            points = [{"x": x, "y": y} for x, y in spots]
            touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == scrolled
        mask = everything()
        mask[1, 1:4] = mask[2:5, 3] = False
        holds(page, mask)
        page.touchscreen.tap(*at(page, 6, 0))
        mask[6, 0] = False
        holds(page, mask)
        # The system takes the finger away: what was painted so far is kept.
        x, y = at(page, 0, 0)
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchCancel", "touchPoints": []})
        mask[0, 0] = False
        holds(page, mask)


def test_a_second_finger_and_the_right_button_do_not_paint(lab: Lab) -> None:
    with lab(**PHONE) as page:
        touch = page.context.new_cdp_session(page)
        (x, y), (u, v) = at(page, 1, 1), at(page, 5, 5)
        one, two = {"x": x, "y": y, "id": 0}, {"x": u, "y": v, "id": 1}
        for kind, points in (("Start", [one]), ("Start", [one, two]), ("End", [])):
            touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
        mask = everything()
        mask[1, 1] = False
        holds(page, mask)
        page.mouse.click(*at(page, 3, 3), button="right")
        holds(page, mask)


def test_a_label_flips_its_row_or_column(lab: Lab) -> None:
    with lab() as page:
        x, y = at(page, 2, 0)
        page.mouse.click(x - 55, y)
        mask = everything()
        mask[2] = False
        weights = holds(page, mask)
        assert np.isnan(weights[:, 2]).all()  # the row is empty: nothing is looked at, nothing invented
        x, y = at(page, 6, 4)
        page.mouse.click(x, y + 45)
        mask[:, 4] = True  # it was not open as a whole: now it is
        holds(page, mask)
        x, y = at(page, 6, 4)
        page.mouse.click(x, y + 45)
        mask[:, 4] = False
        holds(page, mask)


def test_the_keyboard_alone_does_all(lab: Lab) -> None:
    with lab() as page:
        focus(page, "mask_editor")
        keys = page.keyboard
        for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Space"):
            keys.press(key)
        mask = everything()
        mask[1, 2] = False
        holds(page, mask)
        for key in ("Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowDown"):
            keys.press(key)
        mask[1, 2:5] = mask[2, 4] = False
        holds(page, mask)
        keys.press("r")
        mask[2] = True  # it was not open as a whole: now it is
        holds(page, mask)
        keys.press("c")
        mask[:, 4] = True
        holds(page, mask)
        keys.press("Control+z")
        mask[1, 4] = False
        holds(page, mask)
        keys.press("Control+Shift+z")
        mask[:, 4] = True
        holds(page, mask)
        for _ in range(8):
            keys.press("Control+z")
        holds(page, everything())
        keys.press("Control+y")
        mask = everything()
        mask[1, 2] = False
        holds(page, mask)
        # And a preset: from the kinds to "Use it", with Tab, arrows and Space.
        page.locator(".st-key-mask_lab_kind").get_by_role("radio", name="Causal").focus()
        keys.press("ArrowRight")
        keys.press("Space")
        page.wait_for_selector(".st-key-mask_lab_window_0")
        for _ in range(12):
            keys.press("Tab")
            if page.evaluate("document.activeElement.innerText") == "Use it":
                break
        keys.press("Enter")
        in_the_address(page, mask="window-3")
        holds(page, np.tril(everything(), 2) & np.triu(everything(), -2))


def test_three_strokes_faster_than_the_answer(lab: Lab) -> None:
    with lab() as page:
        rows = [[at(page, row, col) for col in (0, 3)] for row in (1, 3, 5)]
        for (x, y), (u, v) in rows:
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move(u, v)
            page.mouse.up()
        page.keyboard.press("Control+z")
        mask = everything()
        mask[[1, 3], :4] = False
        holds(page, mask)
        page.keyboard.press("Control+y")
        mask[5, :4] = False
        holds(page, mask)


ROWS_AT_ONCE = """(count) => {
  const root = document.querySelector(".st-key-mask_editor .ap");
  const press = (key) => root.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  for (let row = 0; row < count; row++) (press("r"), press("ArrowDown"));
}"""


def test_strokes_of_one_moment_are_a_step_each(lab: Lab) -> None:
    """Python hears of most of them in one message."""
    with lab() as page:
        focus(page, "mask_editor")
        page.evaluate(ROWS_AT_ONCE, 5)
        mask = everything()
        mask[:5] = False
        holds(page, mask)
        for row in (4, 3, 2, 1, 0):
            page.keyboard.press("Control+z")
            mask[row] = True
            holds(page, mask)


def test_many_strokes_while_python_answers(lab: Lab) -> None:
    """Answers to early strokes come while later ones are drawn: an old picture must not take them back."""
    text = " ".join(f"w{place}" for place in range(20))
    with lab({"text": text, "heads": "6"}) as page:
        ends = [[at(page, row, col) for col in (2, 15)] for row in range(20)]
        for (x, y), (u, v) in ends:
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move((x + u) / 2, v)
            page.wait_for_timeout(20)
            page.mouse.move(u, v)
            page.mouse.up()
        mask = everything(20, 20)
        mask[:, 2:16] = False
        holds(page, mask)


def test_undo_in_a_text_field_is_the_fields_own(lab: Lab) -> None:
    with lab({"mask": "causal"}) as page:
        focus(page, "mask_editor")
        page.keyboard.press("r")
        mask = np.tril(everything())
        mask[0] = True
        holds(page, mask)
        page.get_by_label("Sentence", exact=True).press("Control+z")
        holds(page, mask)


def test_the_link_brings_the_mask_back(lab: Lab) -> None:
    with lab() as page:
        stroke(page, (0, 1), (5, 6))
        stroke(page, (6, 0), (6, 3))
        settled(page)
        mask, address = shown_mask(page), page.url
        assert mask.sum() == QUERIES**2 - 10
        weights = holds(page, mask)
        query = dict(pair.split("=", 1) for pair in address.split("?")[1].split("&"))
        with lab({"mask": query["mask"]}) as second:
            np.testing.assert_array_equal(holds(second, mask), weights)
        page.reload()
        page.wait_for_selector(".st-key-mask_lab_b .ap[data-painted]")
        np.testing.assert_array_equal(holds(page, mask), weights)


def test_64_by_64_with_12_heads(lab: Lab) -> None:
    text = " ".join(f"w{place}" for place in range(64))
    generator = np.random.default_rng(3)
    mask = generator.random((64, 64)) < 0.5
    np.fill_diagonal(mask, True)
    from attention_core.masks import Explicit
    from attention_core.masks.text import format_mask

    painted = format_mask(Explicit(tuple(map(tuple, mask.tolist()))))
    with lab({"text": text, "heads": "12", "width": "96", "mask": painted}) as page:
        assert holds(page, mask).shape == (12, 64, 64)
        stroke(page, (10, 10), (10, 40))
        mask[10, 10:41] = not mask[10, 10]
        holds(page, mask)
        assert len(page.url) < 2000


def test_256_tokens_are_painted_in_blocks(lab: Lab) -> None:
    text = " ".join(f"w{place}" for place in range(256))
    with lab({"text": text, "heads": "1", "width": "8", "mask": "full"}) as page:
        assert "blocks of 4 by 4" in page.locator(".st-key-mask_editor .ap-note").inner_text()
        stroke(page, (5, 100))
        mask = everything(256, 256)
        mask[4:8, 100:104] = False
        becomes(page, mask)


@pytest.mark.parametrize("query", [{}, {"mode": "cross", "source": "eins zwei drei", "mask": "padding-2"}])
def test_a_phone_scrolls_down_only(lab: Lab, query: dict[str, str]) -> None:
    sections = ("Where it is applied", "Nothing left to see", "In every library", "Far sight", "Different lengths")
    with lab(query, **PHONE) as page:
        for section in sections:
            page.get_by_role("radio", name=section).click()
            settled(page)
            assert fits(page), section
