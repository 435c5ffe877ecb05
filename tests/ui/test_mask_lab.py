"""The mask lab: what is painted, chosen and combined is the mask that is computed, shown, said and linked."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from attention_core.experiment import Experiment
from attention_core.masks import And, Causal, Explicit, Full, Mask, Not, Padding, Prefix, Window
from playground.mask_lab.changes import combined
from tests.ui.lessons import open_lesson
from tests.ui.reading import alerts, good, healthy, panel, softmax, tell

Grid = NDArray[np.bool_]

TEXT = "one two three four five six seven"
N = 7
START = Experiment(TEXT, num_heads=3, d_model=24)


def open_lab(experiment: Experiment = START, **settings: str) -> AppTest:
    return open_lesson("mask_lab", {**experiment.to_query(), **settings})


def grid(app: AppTest) -> Grid:
    """The mask as it is drawn."""
    shown: Grid = panel(app, "mask_editor").z == 1
    return shown


def everything(rows: int = N, cols: int = N) -> Grid:
    return np.ones((rows, cols), dtype=bool)


def of(rule: Callable[[int, int], bool], rows: int = N, cols: int = N) -> Grid:
    return np.array([[rule(i, j) for j in range(cols)] for i in range(rows)])


def painted(cells: Grid, serial: int = 1, **other: object) -> dict[str, object]:
    """What the browser sends after a stroke: the cells row by row, 8 a byte, the first in the highest bit."""
    bits = "".join("1" if cell else "0" for cell in cells.flatten())
    octets = [int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8)]
    text = base64.b64encode(bytes(octets)).decode()
    return {"mask": {"serial": serial, "rows": len(cells), "cols": len(cells[0]), "bits": text, **other}}


def paint(app: AppTest, cells: Grid, serial: int = 1) -> AppTest:
    return tell(app, "mask_editor", state=painted(cells, serial))


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    healthy(app)
    return app


def choose(app: AppTest, kind: str, *answers: Any) -> AppTest:
    """Pick a preset and give its parameters, without putting it on the grid."""
    app.button_group(key="mask_lab_kind").set_value(kind).run()
    for index, answer in enumerate(answers):
        key = f"mask_lab_{kind}_{index}"
        for widget in (*app.number_input, *app.text_input, *app.selectbox):
            if widget.key == key:
                widget.set_value(answer).run()
    healthy(app)
    return app


def holds(app: AppTest, mask: Grid) -> None:
    """The grid, the experiment and the weights say the same mask; the weights by a softmax of our own."""
    np.testing.assert_array_equal(grid(app), mask)
    experiment = good(app)
    trace = experiment.run()
    scores = trace.field("modified_scores")[0].double().numpy()
    weights = softmax(np.where(mask, scores, -np.inf))
    shown = panel(app, "mask_weights").blocks
    assert (np.isnan(shown) == ~np.broadcast_to(mask, shown.shape)).all()
    np.testing.assert_allclose(np.nan_to_num(shown), weights, atol=1e-6)


RULES: dict[str, tuple[str, tuple[Any, ...], Callable[[int, int], bool]]] = {
    "full": ("full", (), lambda i, j: True),
    "causal": ("causal", (0,), lambda i, j: j <= i),
    "causal, two ahead": ("causal", (2,), lambda i, j: j <= i + 2),
    "causal, without itself": ("causal", (-1,), lambda i, j: j < i),
    "window": ("window", (3,), lambda i, j: abs(i - j) < 3),
    "dilated": ("dilated", (2, 3), lambda i, j: abs(i - j) in (0, 3)),
    "blocks": ("blocks", (3,), lambda i, j: i // 3 == j // 3),
    "prefix": ("prefix", (2,), lambda i, j: j <= i or j < 2),
    "padding": ("padding", (5,), lambda i, j: j < 5),
    "documents": ("documents", ("lengths", "2, 3"), lambda i, j: "aabbbcc"[i] == "aabbbcc"[j]),
    "documents by number": ("documents", ("ids", "4 4 1;1 4"), lambda i, j: "aabba.."[i] == "aabba;;"[j]),
    "global": ("global", ("0 5", 2), lambda i, j: abs(i - j) < 2 or i in (0, 5) or j in (0, 5)),
    "global alone": ("global", ("3", 0), lambda i, j: 3 in (i, j)),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_a_preset(name: str) -> None:
    kind, answers, rule = RULES[name]
    app = choose(open_lab(), kind, *answers)
    holds(app, everything())  # choosing changes nothing
    press(app, "mask_lab_use")
    holds(app, of(rule))
    again = open_lesson("mask_lab", dict(app.query_params))
    holds(again, of(rule))
    assert good(again) == good(app)


@pytest.mark.parametrize(("kind", "start"), [("padding", 4), ("prefix", 3), ("documents", "3 2 2"), ("global", "0")])
def test_presets_start_where_they_show_something(kind: str, start: object) -> None:
    app = press(choose(open_lab(), kind), "mask_lab_use")
    fields = [*app.number_input, *app.text_input]
    assert start in [field.value for field in fields if field.key.startswith(f"mask_lab_{kind}_")]
    assert 0 < grid(app).sum() < N * N


def test_presets_are_combined() -> None:
    rules = {name: RULES[name] for name in ("causal", "window", "global alone", "documents")}
    app = open_lab()
    hows = itertools.cycle(("and", "or", "and_not"))
    for (first, second), how in zip(itertools.permutations(rules, 2), hows, strict=False):
        press(choose(app, *_call(first)), "mask_lab_use")
        press(choose(app, *_call(second)), f"mask_lab_{how}")
        one, two = of(rules[first][2]), of(rules[second][2])
        holds(app, {"and": one & two, "or": one | two, "and_not": one & ~two}[how])


def _call(name: str) -> tuple[Any, ...]:
    kind, answers, _ = RULES[name]
    return kind, *answers


NOTHING = Not(Full())


@pytest.mark.parametrize(
    ("now", "how", "preset", "wanted"),
    [
        (Full(), "and", Causal(), Causal()),
        (Full(), "or", Causal(), Full()),
        (Full(), "and_not", Causal(), Not(Causal())),
        (NOTHING, "and", Causal(), NOTHING),
        (NOTHING, "or", Causal(), Causal()),
        (Causal(), "and", Causal(), Causal()),
        (Causal(), "or", Causal(), Causal()),
        (Causal(), "or", Full(), Full()),
        (Window(2), "and", Causal(), And((Window(2), Causal()))),
        (Window(2), "use", Full(), Full()),
    ],
)  # fmt: skip
def test_a_combination_is_no_longer_than_it_need_be(now: Mask, how: str, preset: Mask, wanted: Mask) -> None:
    assert combined(now, how, preset) == wanted


def test_too_many_masks_are_refused_in_words() -> None:
    app = choose(open_lab(), "window", 2)
    for width in range(2, 70):
        app.number_input(key="mask_lab_window_0").set_value(width)
        press(app, "mask_lab_and")
    assert any("allowed are at most 64" in words for words in alerts(app))
    holds(app, of(lambda i, j: abs(i - j) < 2))


@pytest.mark.parametrize("text", ["", "two", "1 2.5", "-1", "1" * 9, "٣", "3 " * 5000])
def test_bad_numbers_disable_the_preset(text: str) -> None:
    app = choose(open_lab(), "documents", "lengths", text[:2000])
    if text.startswith("3 "):
        press(app, "mask_lab_use")
        holds(app, of(lambda i, j: i // 3 == j // 3))
        return
    assert app.button(key="mask_lab_use").disabled
    assert any("allowed are whole numbers" in words.value for words in app.main.caption)
    holds(app, everything())


def test_open_forbid_invert_undo_redo() -> None:
    app = open_lab(Experiment(TEXT, num_heads=3, d_model=24, mask=Causal()))
    causal = of(lambda i, j: j <= i)
    assert app.button(key="mask_undo").disabled and app.button(key="mask_redo").disabled
    steps = [("mask_invert", ~causal), ("mask_forbid", ~everything()), ("mask_open", everything())]
    for key, mask in steps:
        holds(press(app, key), mask)
    assert good(app).mask == Full()
    for mask in (~everything(), ~causal, causal):
        holds(press(app, "mask_undo"), mask)
    assert app.button(key="mask_undo").disabled
    for mask in (~causal, ~everything()):
        holds(press(app, "mask_redo"), mask)
    holds(press(app, "mask_invert"), everything())
    assert app.button(key="mask_redo").disabled  # what had been undone is forgotten


def test_a_stroke_is_the_mask_and_in_the_link() -> None:
    app = open_lab()
    generator = np.random.default_rng(5)
    for serial in (1, 2, 3):
        cells = generator.random((N, N)) < 0.6
        holds(paint(app, cells, serial), cells)
        assert good(app).mask == Explicit(tuple(map(tuple, cells.tolist())))
    holds(open_lesson("mask_lab", dict(app.query_params)), cells)
    assert Experiment.from_json(good(app).to_json()) == good(app)
    holds(press(app, "mask_invert"), ~cells)
    holds(press(app, "mask_undo"), cells)


def test_a_stroke_and_undo_in_one_run() -> None:
    """The browser may send both before the page runs once: the stroke came first, whichever is handled first."""
    first, second = everything(), everything()
    first[0, 1] = second[0, 1] = second[3, 4] = False
    app = paint(open_lab(), first, 1)
    app.button(key="mask_undo").click()
    holds(paint(app, second, 2), first)
    holds(press(app, "mask_redo"), second)
    app.button(key="mask_invert").click()
    holds(paint(app, first, 3), ~first)


def test_strokes_that_come_in_one_message_are_a_step_each() -> None:
    """The second and the third ended while Python was busy with the first: it hears of both in one message."""
    masks = [everything() for _stroke in range(4)]
    for row, mask in enumerate(masks):
        mask[: row + 1, 0] = False
    app = paint(open_lab(), masks[0], 1)
    earlier = [painted(mask, serial)["mask"] for serial, mask in enumerate(masks[:3], start=1)]
    app = tell(app, "mask_editor", state=painted(masks[3], 4, earlier=earlier))
    holds(app, masks[3])
    for mask in (masks[2], masks[1], masks[0], everything()):
        holds(press(app, "mask_undo"), mask)
    assert app.button(key="mask_undo").disabled


def test_a_stroke_that_was_taken_in_is_not_taken_in_again() -> None:
    """The browser names it until the answer has come; a button may have been pressed since."""
    first, second = everything(), everything()
    first[0, 0] = second[1, 1] = False
    app = press(paint(open_lab(), first, 1), "mask_forbid")
    app = tell(app, "mask_editor", state=painted(second, 2, earlier=[painted(first, 1)["mask"]]))
    holds(app, second)
    for mask in (~everything(), first, everything()):
        holds(press(app, "mask_undo"), mask)


HOSTILE: list[object] = [
    None, 7, "x", [], {}, {"serial": 1}, painted(everything(6, 7))["mask"], painted(everything(7, 6))["mask"],
    painted(everything(), rows=True)["mask"], painted(everything(), bits=None)["mask"],
    painted(everything(), bits="")["mask"], painted(everything(), bits="!!!!")["mask"],
    painted(everything(), bits="A" * 10_000_000)["mask"], painted(everything(), bits="AAAA")["mask"],
    painted(everything(), bits=["A"])["mask"], painted(everything(), rows=10**9, cols=10**9)["mask"],
    painted(everything(), serial=-1, bits="\u0000")["mask"],
]  # fmt: skip


@pytest.mark.parametrize("sent", HOSTILE, ids=lambda sent: repr(sent)[:60])
def test_a_hostile_grid_is_ignored(sent: object) -> None:
    app = open_lab(Experiment(TEXT, num_heads=3, d_model=24, mask=Causal()))
    tell(app, "mask_editor", state={"mask": sent})
    holds(app, of(lambda i, j: j <= i))
    assert alerts(app) == []


def test_a_hostile_serial_is_no_serial() -> None:
    cells = ~np.eye(N, dtype=bool)
    for serial in (True, 1.5, "2", 2**40, None):
        app = paint(open_lab(), everything(), 1)
        tell(app, "mask_editor", state=painted(cells, serial=serial))  # type: ignore[arg-type]
        assert panel(app, "mask_editor").header["paint"]["serial"] == 0


TRIANGLE = Explicit(tuple("x" * (i + 1) + "." * (N - 1 - i) for i in range(N)))
UNNAMED = Explicit(("." * N, *["x" * N] * 5, "x" + "." * (N - 1)))


@pytest.mark.parametrize(
    ("mask", "words", "detail"),
    [
        (Full(), "Each token sees every token.", "Nothing is forbidden yet"),
        (Causal() & Window(3), "Each token sees itself and the 2 before it.", "causal and window 3 · 18 of 49 cells"),
        (TRIANGLE, "Each token sees itself and every token before it.", "painted 7 by 7"),
        (UNNAMED, "36 of 49 cells are open; queries that see nothing: 1 of 7.", "painted 7 by 7"),
        (Causal(-1), "Each token sees every token before it, but not itself.", "queries with nothing left to see: 1"),
        (Not(Full()), "No token sees any token.", "everything forbidden · 0 of 49 cells"),
        (Not(Full()), "No token sees any token.", "queries with nothing left to see: 7"),
    ],
)
def test_the_mask_in_words(mask: Mask, words: str, detail: str) -> None:
    said = panel(open_lab(Experiment(TEXT, num_heads=3, d_model=24, mask=mask)), "mask_sentence").header
    assert said["sentence"] == words
    assert detail in said["detail"]


@pytest.mark.parametrize("mask", [Full(), Window(2), Prefix(1)])
def test_a_causal_experiment_becomes_its_mask(mask: Mask) -> None:
    causal = Experiment(TEXT, mode="causal", num_heads=3, d_model=24, mask=mask)
    app = open_lab(causal)
    assert good(app).mode == "self"
    allowed = causal.run().field("allowed")[0, 0].numpy()
    holds(app, allowed)
    np.testing.assert_array_equal(panel(app, "mask_weights").blocks, panel(open_lab(good(app)), "mask_weights").blocks)


def test_causal_in_the_sidebar_is_a_mask_here() -> None:
    app = open_lab(Experiment(TEXT, num_heads=3, d_model=24, mask=Window(3)))
    app.button_group(key="c_mode").set_value("causal").run()
    healthy(app)
    assert good(app).mode == "self" and app.button_group(key="c_mode").value == "self"
    holds(app, of(lambda i, j: 0 <= i - j < 3))
    holds(press(app, "mask_undo"), of(lambda i, j: abs(i - j) < 3))


def test_what_is_wrong_with_a_causal_link_is_said() -> None:
    app = open_lesson("mask_lab", {"text": TEXT, "mode": "causal", "heads": "many"})
    assert any("heads" in words for words in alerts(app))
    holds(app, of(lambda i, j: j <= i))


def test_a_longer_text_resizes_what_was_painted() -> None:
    cells = of(lambda i, j: (i + j) % 3 != 0)
    app = paint(open_lab(), everything(), 1)
    paint(app, cells, 2)
    app.text_input(key="c_text").set_value(TEXT + " eight nine").run()
    grown = everything(9, 9)
    grown[:N, :N] = cells
    holds(app, grown)
    # Going back goes back to what was painted before, not to the same mask in another size.
    holds(press(app, "mask_undo"), everything(9, 9))
    holds(press(app, "mask_redo"), grown)
    app.text_input(key="c_text").set_value("one two three").run()
    holds(app, cells[:3, :3])


def test_256_tokens_are_painted_in_blocks() -> None:
    long = Experiment(" ".join(f"w{place}" for place in range(256)), num_heads=1, d_model=8)
    app = open_lab(long)
    tell(app, "mask_editor", state={"near": True})
    header = panel(app, "mask_editor").header
    assert header["paint"]["brush"] == 4 and "blocks of 4 by 4" in header["note"]
    assert panel(open_lab(), "mask_editor").header["paint"]["brush"] == 1
    cells = everything(256, 256)
    cells[4:8, 100:104] = False
    tell(app, "mask_editor", state={"near": True, **painted(cells)})
    np.testing.assert_array_equal(grid(app), cells)
    assert len(app.query_params["mask"]) < 2000


def test_64_by_64_fit_an_address() -> None:
    text = " ".join(f"word{place}" for place in range(64))
    cells = np.random.default_rng(1).random((64, 64)) < 0.5
    app = paint(open_lab(Experiment(text, num_heads=12, d_model=96)), cells)
    np.testing.assert_array_equal(grid(app), cells)
    query = "&".join(f"{name}={value}" for name, value in app.query_params.items())
    assert len(query.replace(" ", "+")) < 1900


def test_cross_attention_is_painted_on() -> None:
    cross = Experiment(TEXT, source_text="eins zwei drei", mode="cross", num_heads=3, d_model=24, mask=Padding((2,)))
    app = open_lab(cross)
    holds(app, of(lambda i, j: j < 2, N, 3))
    cells = of(lambda i, j: (i + j) % 2 == 0, N, 3)
    holds(paint(app, cells), cells)
    press(choose(app, "causal", 3 - N), "mask_lab_use")
    holds(app, of(lambda i, j: j <= i + 3 - N, N, 3))


def test_the_head_that_is_looked_at() -> None:
    app = open_lab()
    every = panel(app, "mask_weights").blocks
    app.selectbox(key="mask_lab_shown").set_value(2).run()
    for key in ("mask_weights", "mask_lab_a", "mask_lab_b", "mask_lab_d"):
        assert panel(app, key).heads == [1], key
    np.testing.assert_array_equal(panel(app, "mask_weights").blocks, every[1:2])
    assert app.query_params["head"] == "2"
    assert panel(open_lesson("mask_lab", dict(app.query_params)), "mask_weights").heads == [1]
    app.selectbox(key="mask_lab_shown").set_value(0).run()
    assert "head" not in app.query_params and len(panel(app, "mask_weights").heads) == 3


def test_what_can_be_taken_away_holds_the_mask() -> None:
    app = paint(open_lab(), np.eye(N, dtype=bool))
    links = "\n".join(passage.value for passage in app.main.markdown)
    for name in ("attention.py", "experiment.json", "trace.json"):
        assert f"download/{name}?" in links
    assert links.count("mask=explicit-7x7-") == 3
