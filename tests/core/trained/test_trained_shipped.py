"""The models that come with the package, on samples that neither training nor its measurements ever saw."""

from __future__ import annotations

import pytest

from attention_core.masks import Causal, Full
from attention_core.trained import SHIPPED, Change, Measured, answer, load_shipped, measure, task
from attention_core.trained.measure import previous_token_score
from attention_core.trained.shipped import FOLDER, model_card, shipped_facts
from attention_core.trained.writer import Writer

FRESH = 256
# What a model has to reach on fresh samples of the test split: accuracy, and alignment of its watched head.
REACHED = {
    "reversal": (0.95, 0.95),
    "induction": (0.95, 0.9),
    "coreference": (0.95, 0.9),
    "translation": (0.95, 0.85),
    "dates": (0.95, 0.8),
}
LARGEST = 450_000


def on_fresh(name: str, change: Change | None = None, count: int = FRESH) -> Measured:
    return measure(task(name), load_shipped(name), task(name).batch("test", count, seed=11), change)


@pytest.mark.parametrize("name", REACHED)
def test_it_is_right_on_fresh_samples_and_its_head_looks_where_it_should(name: str) -> None:
    found = on_fresh(name)
    accuracy, alignment = REACHED[name]
    assert found.accuracy >= accuracy and found.alignment >= alignment, found


@pytest.mark.parametrize("name", SHIPPED)
def test_a_file_is_small_and_its_card_tells_what_was_measured(name: str) -> None:
    assert (FOLDER / f"{name}.safetensors").stat().st_size < LARGEST
    facts, card = shipped_facts(name), model_card(name)
    assert facts["task"] == name and card.startswith(f"# {name}\n")
    assert f"| accuracy | {float(facts['accuracy']):.3f} |" in card
    assert f"python -m attention_core.train {name} --seed {facts['seed']}`" in card
    assert int(facts["steps"]) == task(name).recipe.steps  # so the command need not name them
    again = measure(
        task(name),
        load_shipped(name),
        task(name).batch("held_out", int(facts["samples"]), int(facts["seed"])),
    )
    assert again.accuracy == pytest.approx(float(facts["accuracy"]), abs=0.01)
    assert again.alignment == pytest.approx(float(facts["alignment"]), abs=0.005)


def test_all_five_are_there() -> None:
    assert set(REACHED) <= set(SHIPPED)
    with pytest.raises(ValueError, match="model='chess': allowed are reversal"):
        load_shipped("chess")


@pytest.mark.parametrize(
    ("name", "most"),
    [("reversal", 0.01), ("induction", 0.1), ("coreference", 0.5), ("translation", 0.01), ("dates", 0.05)],
)
def test_without_its_head_it_fails(name: str, most: float) -> None:
    layer, head = task(name).watched
    assert on_fresh(name, Change(removed=frozenset({(layer, head)})), 64).accuracy <= most


def test_the_first_layer_of_induction_looks_at_the_word_before() -> None:
    trace = load_shipped("induction").run(task("induction").batch("test", 64, 11).source).traces["self1"]
    assert previous_token_score(trace.heads.weights[:, 0]) >= 0.8


def test_the_wrong_mask() -> None:
    causal = Change(masks=(("self1", Causal()),))
    assert on_fresh("reversal", causal, 64).accuracy == 0.0
    both = Change(masks=(("self1", Causal()), ("self2", Causal())))
    assert on_fresh("coreference", both, 128).accuracy < 0.7


def test_reversal_under_a_causal_mask_knows_only_the_letters_that_came_before() -> None:
    batch = task("reversal").batch("test", 64, 11)
    run = load_shipped("reversal").run(batch.source, change=Change(masks=(("self1", Causal()),)))
    right = (run.logits.argmax(dim=-1) == batch.target).float().mean(dim=0)
    assert right[5:].min() >= 0.95 and right[:5].max() <= 0.3


def test_without_the_first_layer_the_second_of_induction_is_lost() -> None:
    alone = on_fresh("induction", Change(removed=frozenset({("self1", 0)})), 64)
    assert alone.alignment < 0.3 and alone.accuracy < 0.3


def test_a_higher_temperature_softens_the_head_and_costs_accuracy() -> None:
    found = [on_fresh("coreference", Change(temperature=heat), 128) for heat in (1.0, 3.0, 10.0)]
    assert found[0].alignment > found[1].alignment > found[2].alignment
    assert found[0].accuracy > found[2].accuracy


def test_it_tells_which_of_two_things_it_means() -> None:
    words = {}
    for text in task("coreference").inputs[:2]:
        found = answer(task("coreference"), load_shipped("coreference"), text)
        words[text.split()[-1]] = found.words[0]
        weights = found.traces["self2"].heads.weights[0, 0, found.places[0]]
        assert found.tokens[int(weights.argmax())] == found.words[0]
    assert words == {"tired": "animal", "wide": "street"}


def test_the_bank_is_a_house_or_a_shore() -> None:
    found = {
        text: answer(task("translation"), load_shipped("translation"), text).words
        for text in task("translation").inputs[1:3]
    }
    assert ["河岸" in words for words in found.values()] == [True, False]
    assert ["银行" in words for words in found.values()] == [False, True]


def test_a_date_is_written_character_by_character() -> None:
    found = answer(task("dates"), load_shipped("dates"), "Thursday, 12 March 1987")
    assert "".join(found.words[:-1]) == "1987-03-12"


@pytest.mark.skipif(
    "translation_unmasked" not in SHIPPED, reason="the model without a causal mask is not shipped"
)
def test_trained_without_the_causal_mask_it_can_only_copy() -> None:
    """With the right words before its eyes it is always right; when it must write by itself it is lost."""
    found = on_fresh("translation_unmasked")
    assert found.forced is not None and found.forced >= 0.95 and found.accuracy <= 0.05
    masked = on_fresh("translation")
    assert masked.forced is not None and masked.forced >= 0.95
    text = task("translation").inputs[0]
    alone = answer(task("translation_unmasked"), load_shipped("translation_unmasked"), text)
    assert alone.words == alone.rows  # what is shown is what it wrote, not what it makes of its own words
    freed = on_fresh("translation", Change(masks=(("decoder1", Full()),)))
    assert freed.accuracy >= 0.95  # one layer, writing by itself: nothing is there yet that it could see


@pytest.mark.skipif("sorting" not in SHIPPED, reason="the model that sorts is not shipped")
def test_a_right_answer_does_not_need_a_head_that_looks_at_it() -> None:
    """The counter-example: as right as reversal, with its weight elsewhere; and yet without its head it fails."""
    sorting, reversal = on_fresh("sorting"), on_fresh("reversal")
    assert sorting.accuracy >= 0.9 and reversal.accuracy >= 0.95
    assert sorting.alignment < 0.5 < 0.95 <= reversal.alignment
    assert on_fresh("sorting", Change(removed=frozenset({("self1", 0)}))).accuracy == 0.0


@pytest.mark.parametrize("name", ["translation", "dates"])
@pytest.mark.parametrize("layer", ["encoder1", "decoder1", "cross1"])
def test_what_a_causal_model_writes_is_as_right_as_its_words_one_by_one(name: str, layer: str) -> None:
    """So `measure` needs no writing there; here it is written after all, with a head out so that some is wrong."""
    change = Change(removed=frozenset({(layer, 0)}), temperature=1.5)
    batch = task(name).batch("test", 64, 5)
    model = load_shipped(name)
    assert isinstance(model, Writer)
    written, _ = model.write(batch.source, batch.target.shape[1], change)
    right = 0
    for row in range(64):
        wanted = [number for number in batch.target[row].tolist() if number >= 0]
        right += written[row, : len(wanted)].tolist() == wanted
    assert measure(task(name), model, batch, change).accuracy == pytest.approx(right / 64)
