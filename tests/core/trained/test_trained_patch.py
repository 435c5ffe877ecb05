"""Weights set by hand: what counts then, against loops and models that are multiplied out here."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_core.derivation import derive
from attention_core.masks import Causal, Full, Window
from attention_core.trained import PATTERNS, Change, Patch, answer, load_shipped, measure, task
from attention_core.trained.patch import patched
from attention_core.trained.patch_edit import painted, parts_of, repaint, set_cell, set_row, without_rows
from attention_core.trained.patch_text import format_patches, parse_patches
from attention_core.trained.writer import Writer

TIRED = "the animal did not cross the street because it was too tired"
IT, ANIMAL, STREET = 8, 1, 6


def look(query: int, key: int, layer: str = "self2") -> Change:
    return Change(patches=(Patch(layer, 0, rows=((query, (*[0] * key, 10_000)),)),))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_rule_cell_by_cell(pattern: str) -> None:
    """Against a loop over all cells, under a mask, with more queries than keys and with fewer."""
    generator = torch.Generator().manual_seed(1)
    for queries, keys in ((5, 3), (3, 7), (4, 4)):
        allowed = torch.rand(2, 2, queries, keys, generator=generator) < 0.6
        own = torch.rand(2, 2, queries, keys, generator=generator)
        found, rows = patched(own, allowed, [Patch("any", 1, pattern)])
        torch.testing.assert_close(found[:, 0], own[:, 0])
        assert rows[:, 1].all() and not rows[:, 0].any()
        for batch in range(2):
            for i in range(queries):
                may = [j for j in range(keys) if allowed[batch, 1, i, j]]
                at = {"previous": [max(i - 1, 0)], "same": [i], "first": [0], "uniform": may}[pattern]
                at = [j for j in at if j in may]
                for j in range(keys):
                    assert float(found[batch, 1, i, j]) == pytest.approx(1 / len(at) if j in at else 0.0)


def test_a_row_by_hand_goes_before_the_rule_and_the_mask_before_both() -> None:
    own, allowed = torch.full((1, 1, 3, 3), 1 / 3), torch.ones(3, 3).tril().bool()[None, None]
    rows = ((1, (2_500, 2_500, 5_000)), (2, (0, 0, 1)))
    found, _ = patched(own, allowed, [Patch("any", 0, "first", rows)])
    assert found[0, 0].tolist() == [[1, 0, 0], [0.5, 0.5, 0], [0, 0, 1]]
    found, _ = patched(own, allowed, [Patch("any", 0, rows=((0, (0, 1)),))])
    assert found[0, 0, 0].tolist() == [0, 0, 0]  # nothing is left: it looks nowhere
    assert found[0, 0, 1].tolist() == pytest.approx([1 / 3] * 3)


def test_the_answer_is_that_of_the_model_multiplied_out_with_these_weights() -> None:
    """Coreference's last layer by hand, from its parameters: it -> street makes it the street."""
    one, model = task("coreference"), load_shipped("coreference")
    found = answer(one, model, TIRED, look(IT, STREET))
    plain = answer(one, model, TIRED)
    assert (plain.words, found.words) == (("animal",), ("street",))
    trace, state = found.traces["self2"], model.state_dict()
    values = trace.embedding[0] @ state["self2.attention.in_proj_weight"][128:].T
    values = values + state["self2.attention.in_proj_bias"][128:]  # (key, d_v)
    context = values[STREET]
    output = state["self2.attention.out_proj_weight"] @ context + state["self2.attention.out_proj_bias"]
    torch.testing.assert_close(trace.output[0, IT], output, atol=1e-5, rtol=1e-5)
    logits = model.out(model.norm(model.feed[1](output)))
    torch.testing.assert_close(found.probabilities[0], logits.softmax(-1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(trace.heads.weights, plain.traces["self2"].heads.weights)


@pytest.mark.parametrize("layer", ["encoder1", "decoder1", "cross1"])
@pytest.mark.parametrize("name", ["translation", "dates", "translation_unmasked"])
def test_the_maps_of_a_writer_are_those_that_its_words_were_chosen_by(name: str, layer: str) -> None:
    one, model = task(name), load_shipped(name)
    assert isinstance(model, Writer)
    rows = ((1, (5_000, 5_000)), (2, (0, 7_000, 3_000)))
    for change in (Change(), Change(patches=(Patch(layer, 0, "uniform", rows),)), Change(masks=((layer, Window(2)),))):
        found = answer(one, model, one.inputs[0], change)
        source = torch.tensor([one.words.encode(found.tokens)])
        written = torch.tensor([[1]])  # [begin]
        for place, word in enumerate(found.rows):
            run = model.run(source, written, change=change)  # what is there when this word is chosen
            torch.testing.assert_close(run.logits[0, -1].softmax(-1), found.probabilities[place], atol=1e-5, rtol=1e-4)
            for writes in ("decoder1", "cross1"):
                then = run.traces[writes].heads.dropped_weights[0, :, place]
                now = found.traces[writes].heads.dropped_weights[0, :, place]
                torch.testing.assert_close(then, now[:, : then.shape[1]], atol=1e-6, rtol=1e-5)
                assert not now[:, then.shape[1] :].any()
            number = list(one.answers.all).index(word)
            written = torch.cat([written, torch.tensor([[number]])], dim=1)


@pytest.mark.parametrize(
    "change",
    [
        Change(masks=(("decoder1", Full()),)),
        Change(masks=(("decoder1", Window(1)), ("cross1", Causal()))),
        Change(patches=(Patch("decoder1", 1, "previous"), Patch("cross1", 0, "same"))),
        Change(patches=(Patch("cross1", 0, "uniform"),)),
        Change(temperature=3.0, removed=frozenset({("encoder1", 0)})),
    ],
)
@pytest.mark.parametrize("name", ["translation", "translation_unmasked"])
def test_the_share_that_is_written_right_is_counted_by_writing(name: str, change: Change) -> None:
    """`measure` does not write; here it is done after all, word after word."""
    one, model = task(name), load_shipped(name)
    assert isinstance(model, Writer)
    batch = one.batch("test", 24, 6)
    with torch.no_grad():
        written, _ = model.write(batch.source, batch.target.shape[1], change)
    right = 0
    for row in range(24):
        wanted = [number for number in batch.target[row].tolist() if number >= 0]
        right += written[row, : len(wanted)].tolist() == wanted
    assert measure(one, model, batch, change).accuracy == pytest.approx(right / 24)


def test_every_mask_keeps_its_shape_in_every_layer() -> None:
    for name in ("translation", "dates"):
        one, model = task(name), load_shipped(name)
        for layer in model.heads():
            for mask in (Causal(), Window(3), Window(1)):
                trace = answer(one, model, one.inputs[0], Change(masks=((layer, mask),))).traces[layer]
                _, _, queries, keys = trace.shape("weights")
                at = torch.arange(queries)[:, None] - torch.arange(keys)[None]
                wanted = {Causal(): at >= 0, Window(3): at.abs() < 3, Window(1): at == 0}[mask]
                if layer == "decoder1":
                    wanted = wanted & (at >= 0)
                assert trace.heads.allowed[0].equal(wanted.expand(model.heads()[layer], -1, -1)), (layer, mask)


def test_the_arithmetic_says_which_weights_were_set() -> None:
    trace = answer(task("coreference"), load_shipped("coreference"), TIRED, look(IT, STREET)).traces["self2"]
    own = float(trace.heads.weights[0, 0, IT, ANIMAL])
    found = derive(trace, "dropped_weights", row=IT, col=ANIMAL)
    assert found.value == 0.0 and found.step("by_hand").value == 0.0
    assert found.sentence.text().startswith("The weight of 'it' for 'animal' was set to 0; the head itself computed 0.")
    assert found.step("weight").value == pytest.approx(own)
    assert all(step.key not in ("dropout", "by_hand") for step in derive(trace, "weights", row=0, col=0).steps)
    removed = Change(removed=frozenset({("self2", 0)}))
    trace = answer(task("coreference"), load_shipped("coreference"), TIRED, removed).traces["self2"]
    assert "was set to 0" in derive(trace, "weights", row=3, col=2).sentence.text()


def test_strokes() -> None:
    free = [[True] * 4] * 3
    patch = repaint(Patch("a", 0), [[False] * 4, [True, False, False, True], [False] * 4], free)
    assert patch.rows == ((1, (5_000, 0, 0, 5_000)),)
    patch = repaint(patch, [[False] * 4, [True, True, False, True], [False] * 4], free)
    assert patch.rows == ((1, (3_334, 3_333, 0, 3_333)),)
    patch = set_cell(patch, 1, 2, 0.25, [p / 10_000 for p in patch.rows[0][1]], free[1])
    assert patch.rows == ((1, (2_501, 2_500, 2_500, 2_499)),) or sum(patch.rows[0][1]) == 10_000
    assert patch.rows[0][1][2] == 2_500
    kept = repaint(patch, painted(patch, 3, 4), free)
    assert kept == patch  # what was not touched keeps its numbers
    wiped = repaint(patch, [[False] * 4, [True, True, False, True], [True, False, False, False]], free)
    assert wiped.rows[0][1][2] == 0 and wiped.rows[1] == (2, (10_000, 0, 0, 0))
    assert repaint(wiped, [[False] * 4] * 3, free).empty
    causal = [[True, False], [True, True]]
    assert repaint(Patch("a", 0), [[True, True], [False, False]], causal).rows == ((0, (10_000, 0)),)


def test_rows_and_numbers_that_cannot_be_are_refused() -> None:
    patch, free = Patch("a", 0), [True, True, False]
    assert set_row(patch, 1, "previous", free).rows == ((1, (10_000, 0, 0)),)
    assert set_row(patch, 0, "previous", free).rows == set_row(patch, 0, "same", free).rows
    assert set_row(patch, 1, "key", free, 1).rows == ((1, (0, 10_000, 0)),)
    for problem, words in (
        (lambda: set_row(patch, 2, "same", free), "row 2: it may not look at key 2"),
        (lambda: set_row(patch, 0, "last", free), "row='last': allowed are uniform"),
        (lambda: set_cell(patch, 0, 2, 0.5, [1, 0, 0], free), "key=2"),
        (lambda: set_cell(patch, 0, 0, 1.5, [1, 0, 0], free), "weight=1.5"),
        (lambda: set_cell(patch, 0, 0, 0.5, [1, 0, 0], [True, False, False]), "allowed is 1"),
        (lambda: Patch("a", 0, "last"), "pattern='last'"),
        (lambda: Patch("a", 0, rows=((0, (0, 0)),)), "not all of them 0"),
        (lambda: Patch("a", 0, rows=((0, (1,)), (0, (2,)))), "each query once"),
        (lambda: Patch("a", 0, rows=((300, (1,)),)), "row 300"),
        (lambda: parts_of([0.0]), "above 0"),
    ):
        with pytest.raises(ValueError, match=words.replace("(", r"\(")):
            problem()
    assert set_cell(patch, 0, 0, 0.5, [1, 0, 0], free).rows == ((0, (5_000, 5_000, 0)),)
    assert set_cell(patch, 0, 0, 1.0, [0.2, 0.8, 0], free).rows == ((0, (10_000, 0, 0)),)


weights = st.lists(st.integers(0, 10_000), min_size=1, max_size=30).filter(any)
patches = st.builds(
    lambda layer, head, pattern, rows: Patch(layer, head, pattern, tuple((q, tuple(p)) for q, p in rows.items())),
    st.sampled_from(["self1", "encoder1", "cross1"]),
    st.integers(0, 5),
    st.sampled_from(["", *PATTERNS]),
    st.dictionaries(st.integers(0, 47), weights, max_size=48),
)


@given(patches)
@settings(max_examples=60)
def test_a_link_brings_a_patch_back(patch: Patch) -> None:
    text = format_patches([patch])
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    if patch.empty:
        assert text == ""
        return
    (back,) = parse_patches(text)
    assert (back.layer, back.head, back.pattern) == (patch.layer, patch.head, patch.pattern)
    size = (1, 6, 48, 30)
    own, allowed = torch.full(size, 1 / 30), torch.ones(size, dtype=torch.bool)
    torch.testing.assert_close(patched(own, allowed, [back])[0], patched(own, allowed, [patch])[0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=48).filter(lambda row: sum(row) > 1e-6))
def test_parts_add_up_and_stay_near(row: list[float]) -> None:
    parts = parts_of(row)
    assert sum(parts) == 10_000
    assert all(abs(part - value / sum(row) * 10_000) <= 1 for part, value in zip(parts, row, strict=True))


def test_a_painted_sentence_is_a_short_link() -> None:
    patch = Patch("self2", 0, rows=tuple((i, (*[0] * (11 - i), 10_000)) for i in range(12)))
    assert len(format_patches([patch])) < 140
    assert len(format_patches([Patch("self1", 0, "previous")])) == 16


@pytest.mark.parametrize(
    "text",
    ["self1", "self1-x-first", "self1-0", "self1-0-last", "self1-0-b", "self1-0-b%%", "self1-0-zAAAA", "self1-0-bAQ",
     "self1-0-first.self1-0-same", "<b>-0-first", "self1-9999-first", "x" * 20_000, "self1-0-bAAIAAAAA",
     ".".join(f"self1-{n}-first" for n in range(40)), "self1-0-qAAAA"],
)  # fmt: skip
def test_a_link_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"patches=|parts of row"):
        parse_patches(text)


@given(st.text(max_size=60) | st.from_regex(r"self1-0-[bz][A-Za-z0-9_-]{0,40}", fullmatch=True))
def test_any_text_is_patches_or_a_value_error(text: str) -> None:
    try:
        parse_patches(text)
    except ValueError as problem:
        assert str(problem)


def test_rules_are_left_of_what_is_for_one_sentence() -> None:
    both = (Patch("self1", 0, "first", ((0, (1,)),)), Patch("self2", 0, rows=((0, (1,)),)))
    assert without_rows(both) == (Patch("self1", 0, "first"),)
