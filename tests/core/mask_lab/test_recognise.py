"""A painted mask is recognised where it equals a preset, and is then described by the preset's sentence."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given

from attention_core.mask_lab.editing import painted
from attention_core.mask_lab.recognise import describe, recognise
from attention_core.masks import (
    Blocks,
    Causal,
    Dilated,
    Documents,
    Explicit,
    Full,
    Global,
    Mask,
    Padding,
    Prefix,
    Window,
)
from tests.core.mask_examples import KEYS, QUERIES, endless, grids, nested

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

SIZE = 11
PRESETS: tuple[Mask, ...] = (
    Full(),
    ~Full(),
    Causal(),
    Causal(-1),
    Causal(2),
    Causal(-3),
    Window(1),
    Window(3),
    Causal() & Window(2),
    Causal() & Window(4),
    Blocks(3),
    Causal() & Blocks(4),
    Prefix(1),
    Prefix(4),
    Causal() | Prefix(2),
    Causal() | Prefix(5),
    Dilated(2, 3),
    Dilated(3, 2),
    Causal() & Dilated(2, 3),
    Causal() & Dilated(3, 2),
    Global((0,)),
    Global((2, 5)),
    Window(2) | Global((0,)),
    Window(3) | Global((4, 7)),
    Documents((0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3)),
    Causal() & Documents((0, 0, 1, 1, 1, 1, 1, 2, 3, 3, 3)),
    ~Causal(),
    ~Window(1),
    ~Window(3),
    ~Prefix(3),
    ~Blocks(3),
    ~(Causal() & Window(2)),
    Causal() & Padding((6,)),
    Window(2) & Padding((7,)),
)


@pytest.mark.parametrize("mask", PRESETS, ids=str)
def test_every_preset_is_recognised_when_it_is_painted(mask: Mask) -> None:
    assert recognise(painted(mask, SIZE, SIZE), SIZE, SIZE) == mask


@pytest.mark.parametrize("mask", PRESETS, ids=str)
def test_one_cell_more_or_less_is_another_mask(mask: Mask) -> None:
    grid = painted(mask, SIZE, SIZE)
    for cell in ((0, 0), (4, 9), (9, 4), (10, 10)):
        other = grid.toggled(*cell)
        found = recognise(other, SIZE, SIZE)
        if found is not None:
            cells = found.materialize(1, 1, SIZE, SIZE)[0, 0]
            assert torch.equal(cells, other.materialize(1, 1, SIZE, SIZE)[0, 0])
            assert found != mask


@given(grids(3, 3))
def test_what_is_recognised_allows_the_same_cells(mask: Explicit) -> None:
    found = recognise(mask, 3, 3)
    if found is not None:
        assert painted(found, 3, 3) == mask


@given(nested(endless))
def test_random_presets_on_a_grid_that_is_not_square(mask: Mask) -> None:
    found = recognise(painted(mask, QUERIES, KEYS), QUERIES, KEYS)
    if found is not None:
        assert painted(found, QUERIES, KEYS) == painted(mask, QUERIES, KEYS)


def test_bottom_right_is_recognised() -> None:
    assert recognise(painted(Causal.bottom_right(3, 5), 3, 5), 3, 5) == Causal(2)
    assert recognise(painted(Causal.bottom_right(5, 3), 5, 3), 5, 3) == Causal(-2)


# ---- in words


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (("xxx", "xxx", "xxx"), "Each token sees every token."),
        (("...", "...", "..."), "No token sees any token."),
        (("x..", "xx.", "xxx"), "Each token sees itself and every token before it."),
        (("x..", "xx.", ".xx"), "Each token sees itself and the one before it."),
        (("x..", ".x.", "..x"), "Each token sees only itself."),
        ((".xx", "x.x", "xx."), "Each token sees every token but itself."),
        ((".xx", "..x", "..."), "Each token sees only the tokens after it."),
        (("xx.", "xx.", "xx."), "Each token sees only the first 2 tokens."),
        (
            ("xx..", "xx..", "xxx.", "xxxx"),
            "Each token sees itself and every token before it; the first 2 tokens are open to all.",
        ),
        (("xx..", "xx..", "..xx", "..xx"), "Each token sees the tokens of its own block of 2."),
        (("xx...", "xx...", "..xxx", "..xxx", "..xxx"), "Each token sees the tokens of its own document."),
        (("x.x", "...", "xxx"), "5 of 9 cells are open; queries that see nothing: 1 of 3."),
        (("x.x", "x..", "xxx"), "6 of 9 cells are open."),
    ],
)
def test_painted_masks_in_words(rows: tuple[str, ...], sentence: str) -> None:
    assert describe(Explicit(rows), len(rows), len(rows[0])) == sentence


def test_a_preset_says_its_own_sentence() -> None:
    """Also where it allows everything at this size: the name that was chosen stays."""
    for mask in (Window(9), Causal() & Window(9), Documents((0, 0, 0))):
        assert describe(mask, 3, 3) == mask.sentence()


def test_combinations_with_a_painted_part() -> None:
    assert describe(Causal() & Explicit(("xxx", "xxx", "xxx")), 3, 3) == Causal().sentence()
    mask = Causal() & Explicit(("xxx", ".xx", "xx."))
    assert describe(mask, 3, 3) == mask.sentence()
    padded = Explicit(("xxx", ".xx", "xx.")) & Padding((1, 2))
    assert describe(padded, 3, 3) == padded.sentence()  # it is another mask in each batch row


STROKES = ((0, 10), (5, 4), (7, 1))  # cells of an 11 by 11 grid that are flipped


def stroked(mask: Mask) -> Explicit:
    """The mask with those cells flipped by hand."""
    grid = mask.materialize(1, 1, SIZE, SIZE)[0, 0].clone()
    for cell in STROKES:
        grid[cell] = ~grid[cell]
    return Explicit.from_tensor(grid)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (Full(), "Each token sees every token; changed by hand: 3 forbidden."),
        (~Full(), "No token sees any token; changed by hand: 3 opened."),
        (Causal(), "Each token sees itself and every token before it; changed by hand: 1 opened, 2 forbidden."),
        (Causal() & Window(3), "Each token sees itself and the 2 before it; changed by hand: 2 opened, 1 forbidden."),
        (Causal(-1), "Each token sees every token before it, but not itself; changed by hand: 1 opened, 2 forbidden."),
    ],
    ids=str,
)
def test_a_few_strokes_are_said_beside_the_mask_they_were_made_on(mask: Mask, words: str) -> None:
    assert describe(stroked(mask), SIZE, SIZE) == words
    assert describe(stroked(mask), SIZE, SIZE, painted_on=mask) == words


def test_the_mask_that_was_painted_on_need_not_be_guessed() -> None:
    mask = Documents((0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2)) & Window(3)
    words = "changed by hand: 2 opened, 1 forbidden."
    assert describe(stroked(mask), SIZE, SIZE, painted_on=mask) == f"{mask.sentence()[:-1]}; {words}"
    far = Explicit.from_tensor(~mask.materialize(1, 1, SIZE, SIZE)[0, 0])
    assert "changed by hand" not in describe(far, SIZE, SIZE, painted_on=mask)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (Window(3) & ~Window(1), "Each token sees the 2 before it and the 2 after it, but not itself."),
        (Window(1) & ~Blocks(3), "No token sees any token."),
        (Window(1) & ~Documents((0, 0, 0, 1, 1, 1, 1)), "No token sees any token."),
        (Dilated(3, 2) & Window(1), "Each token sees only itself."),
        (Causal(-1) & ~Window(1), "Each token sees every token before it, but not itself."),
        (
            Causal() | Padding((4,)),
            "Each token sees itself and every token before it; the first 4 tokens are open to all.",
        ),
        ((Causal() & Padding((5,))) | Prefix(5), "Each token sees only the first 5 tokens."),
    ],
    ids=str,
)
def test_a_combination_says_what_the_picture_shows(mask: Mask, words: str) -> None:
    assert describe(mask, 7, 7) == words


def test_what_takes_too_many_clauses_is_named_by_its_rule() -> None:
    mask = Global((0,)) & (Causal() | Prefix(3))
    assert describe(mask, 7, 7) == f"A token sees another where this holds: {mask}."


def test_in_another_language() -> None:
    german = {
        "{open} of {cells} cells are open.": "{open} von {cells} Zellen sind offen.",
        "{Each} sees {what}": "{Each} sieht {what}",
        "Each token": "Jedes Token",
        "every {token}": "jedes {token}",
        "token": "Token",
        "changed by hand: {closed} forbidden": "von Hand geändert: {closed} verboten",
    }

    def translate(message: str) -> str:
        return german.get(message, message)

    assert describe(Explicit(("x.x", "x..", "xxx")), 3, 3, translate) == "6 von 9 Zellen sind offen."
    assert describe(Explicit(("xx", "xx")), 2, 2, translate) == "Jedes Token sieht jedes Token."
    one_less = Explicit(("xxxx", "xx.x", "xxxx", "xxxx"))
    assert describe(one_less, 4, 4, translate) == "Jedes Token sieht jedes Token; von Hand geändert: 1 verboten."


def test_a_mask_of_another_size() -> None:
    with pytest.raises(ValueError, match="the painted mask has 1 queries and 2 keys"):
        describe(Explicit(("x.",)), 2, 2)
