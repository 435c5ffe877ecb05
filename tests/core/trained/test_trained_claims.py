"""What the page on trained models says: every claim of its prose, put to the models."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from attention_core.masks import Causal
from attention_core.trained import SHIPPED, Change, Measured, Patch, answer, load_shipped, measure, task
from attention_core.trained.batch import Batch
from attention_core.trained.shipped import shipped_facts
from attention_core.trained.writer import Writer

PROSE = " ".join(
    (Path(__file__).parents[3] / "pages" / "trained.en.md").read_text(encoding="utf-8").replace("*", "").split()
)
TIRED = "the animal did not cross the street because it was too tired"


def says(words: str) -> None:
    assert words in PROSE, f"the page does not say any more: {words}"


def fresh(name: str, count: int = 128) -> Batch:
    return task(name).batch("test", count, seed=12)


def on_fresh(name: str, change: Change | None = None) -> Measured:
    return measure(task(name), load_shipped(name), fresh(name), change)


def visible(name: str, batch: Batch) -> torch.Tensor:
    """What the watched head of a model may see, (batch, query, key)."""
    run = task(name).build(0).run(batch.source, batch.written)
    layer, head = task(name).watched
    return run.traces[layer].heads.allowed[:, head]


def test_each_comes_with_what_trained_it_and_data_that_are_made_up_here() -> None:
    says("from a seed, in seconds to a few minutes, with data that the package makes up itself")
    for name in SHIPPED:
        assert {"task", "seed", "steps", "accuracy", "alignment"} <= set(shipped_facts(name))
        assert int(shipped_facts(name)["steps"]) == task(name).recipe.steps


@pytest.mark.parametrize("name", SHIPPED)
def test_an_untrained_head_has_the_share_of_the_words_that_count(name: str) -> None:
    says("it has the share of these words among all that it may see: one tenth where one of ten letters counts")
    batch = fresh(name)
    may, rows = visible(name, batch), batch.looks.any(dim=-1)
    chance = ((batch.looks & may).sum(dim=-1) / may.sum(dim=-1))[rows].mean()
    untrained = [measure(task(name), task(name).build(seed), batch, write=False).alignment for seed in range(3)]
    assert sum(untrained) / 3 == pytest.approx(float(chance), rel=0.2)
    if name == "reversal":
        assert float(chance) == pytest.approx(0.1)


def test_a_row_is_named_after_the_word_that_is_being_written() -> None:
    says("where the model writes, a row is named after the word that is being written")
    one, model = task("translation"), load_shipped("translation")
    assert isinstance(model, Writer)
    found = answer(one, model, one.inputs[0])
    source = torch.tensor([one.words.encode(found.tokens)])
    written, _ = model.write(source, one.longest)
    assert found.rows == one.answers.decode(written[0].tolist()) == found.traces["cross1"].tokens
    says("and the columns of the decoder after the words that were written before it")
    decoder = found.traces["decoder1"]
    assert decoder.tokens == found.rows and decoder.source_tokens == ("[begin]", *found.rows[:-1])


def test_some_heads_look_at_one_thing_and_some_at_many() -> None:
    says("Some look at one thing, some spread their weight over many words")

    def top(name: str, layer: str) -> float:
        batch = fresh(name)
        weights = load_shipped(name).run(batch.source, batch.written).traces[layer].heads.weights
        return float(weights[:, 0].max(dim=-1).values.mean())

    assert top("reversal", "self1") > 0.95 and top("induction", "self1") > 0.85
    assert top("coreference", "self1") < 0.4


def test_where_the_values_are_made_of_other_vectors_than_the_keys() -> None:
    says("of the bare words")
    one, model = task("translation"), load_shipped("translation")
    trace = answer(one, model, one.inputs[0]).traces["cross1"]
    words = model.word_table[torch.tensor(one.words.encode(trace.source_tokens))]
    torch.testing.assert_close(trace.value_embedding[0], words)
    says("the positions enter the queries and the keys only; the values are made of the vectors without them")
    one, model = task("induction"), load_shipped("induction")
    for layer, trace in answer(one, model, one.inputs[0]).traces.items():
        keys = trace.value_embedding + model.position_table[: len(trace.tokens)]
        torch.testing.assert_close(trace.embedding, keys, msg=layer)
    others = [name for name in SHIPPED if name not in ("induction", "translation", "translation_unmasked")]
    for name in others:
        traces = answer(task(name), load_shipped(name), task(name).inputs[0]).traces
        assert all(trace.value_embedding is None for trace in traces.values())


def test_a_head_that_is_out_adds_nothing_and_the_others_go_on() -> None:
    says("so it adds nothing to the output. The others go on as before.")
    one, model = task("translation"), load_shipped("translation")
    plain = answer(one, model, one.inputs[0]).traces["encoder1"]
    trace = answer(one, model, one.inputs[0], Change(removed=frozenset({("encoder1", 2)}))).traces["encoder1"]
    assert not trace.head_contributions()[:, 2].any()
    for head in (0, 1, 3):
        torch.testing.assert_close(trace.head_contributions()[:, head], plain.head_contributions()[:, head])


def test_rows_set_by_hand_add_up_to_one_and_the_mask_holds() -> None:
    says("The mask still holds, and each row adds up to 1.")
    change = Change(masks=(("self1", Causal()),), patches=(Patch("self1", 0, "uniform", ((4, (1, 2, 3)),)),))
    trace = answer(task("reversal"), load_shipped("reversal"), "attentions", change).traces["self1"]
    weights = trace.heads.dropped_weights[0, 0]
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(10))
    assert not weights.triu(1).any()
    torch.testing.assert_close(weights[4, :3], torch.tensor([1, 2, 3]) / 6)


def test_the_lesson_of_the_mask() -> None:
    says("Given the right words so far, both are perfect.")
    says("when it has to write by itself nothing is there to copy, and it is lost")
    says("Both models below learned the same sentences")
    masked, unmasked = task("translation"), task("translation_unmasked")
    assert masked.draw is unmasked.draw and masked.shape.causal and not unmasked.shape.causal
    found, other = on_fresh("translation"), on_fresh("translation_unmasked")
    assert found.forced is not None and other.forced is not None
    assert found.forced >= 0.995 and other.forced >= 0.995
    assert found.accuracy >= 0.95 and other.accuracy <= 0.05


def test_the_model_without_a_mask_looks_at_the_word_it_is_to_write() -> None:
    says("has learned to copy the next word, which it could see")
    batch = fresh("translation_unmasked")
    assert batch.written is not None
    real = batch.written[:, 1:] != 0  # (batch, query): a next word is there
    shares = {}
    for name in ("translation_unmasked", "translation"):
        weights = load_shipped(name).run(batch.source, batch.written).traces["decoder1"].heads.weights
        ahead = weights.diagonal(offset=1, dim1=2, dim2=3) * real[:, None]  # (batch, head, query)
        shares[name] = float((ahead.sum(dim=(0, 2)) / real.sum()).max())
    assert shares["translation_unmasked"] > 0.7 and shares["translation"] == 0.0
    hidden = Change(masks=(("decoder1", Causal()),))
    assert on_fresh("translation_unmasked", hidden).forced < 0.1  # without that sight it is lost at once


def test_attention_is_not_an_explanation() -> None:
    says("Two models with one head each read ten letters. Both answer right.")
    says("The head of the first looks exactly at the letter it writes.")
    says("puts most of its weight elsewhere: it gathers letters from many places at once")
    for name in ("reversal", "sorting"):
        assert load_shipped(name).heads() == {"self1": 1} and task(name).shape.length == 10
        assert on_fresh(name).accuracy >= 0.9
    assert on_fresh("reversal").alignment > 0.99 and on_fresh("sorting").alignment < 0.5
    weights = load_shipped("sorting").run(fresh("sorting").source).traces["self1"].heads.weights
    entropy = -(weights.clamp(min=1e-12).log() * weights).sum(dim=-1)
    assert float(entropy.mean().exp()) > 5  # as many places, weighed alike


def test_what_leaves_the_heads_no_other_way() -> None:
    says("one cross head, no way around the last attention")
    for name in ("translation", "dates"):
        assert load_shipped(name).heads()["cross1"] == 1
    assert not task("coreference").shape.carries


def test_tired_and_wide_and_the_head_of_layer_2_taken_out() -> None:
    says("write tired, then wide. Then take out the head of layer 2.")
    one, model = task("coreference"), load_shipped("coreference")
    assert answer(one, model, TIRED).words == ("animal",)
    assert answer(one, model, TIRED.replace("tired", "wide")).words == ("street",)
    out = Change(removed=frozenset({("self2", 0)}))
    same = {answer(one, model, TIRED.replace("tired", word), out).words for word in ("tired", "wide")}
    assert len(same) == 1  # it can no longer tell the two apart


def test_reversal_under_a_causal_mask_lacks_the_first_letters() -> None:
    says("The first letters asked for come last in the text; nobody can see them.")
    change, batch = Change(masks=(("self1", Causal()),)), fresh("reversal")
    run = load_shipped("reversal").run(batch.source, change=change)
    right = (run.logits.argmax(dim=-1) == batch.target).float().mean(dim=0)
    assert right[:5].max() < 0.3 and right[5:].min() > 0.95


def test_induction_without_layer_1() -> None:
    says("take out layer 1 and see that layer 2, untouched, no longer finds its word")
    out = on_fresh("induction", Change(removed=frozenset({("self1", 0)})))
    assert on_fresh("induction").alignment > 0.9 and out.alignment < 0.3 and out.accuracy < 0.3


def test_cash_and_fish() -> None:
    says("compare to get cash and to catch fish after the bank")
    one, model = task("translation"), load_shipped("translation")
    for tail, bank in (("to get cash", "银行"), ("to catch fish", "河岸")):
        assert bank in answer(one, model, f"the farmer sat on the bank {tail}").words


def test_it_painted_on_street() -> None:
    says("now “it” is the street, and no other weight of the model has changed")
    one, model = task("coreference"), load_shipped("coreference")
    look = Change(patches=(Patch("self2", 0, rows=((8, (*[0] * 6, 10_000)),)),))
    found, plain = answer(one, model, TIRED, look), answer(one, model, TIRED)
    assert found.words == ("street",)
    for layer in found.traces:
        torch.testing.assert_close(found.traces[layer].heads.weights, plain.traces[layer].heads.weights)
    kept = torch.arange(12) != 8
    torch.testing.assert_close(
        found.traces["self2"].heads.dropped_weights[0, 0, kept], plain.traces["self2"].heads.weights[0, 0, kept]
    )


def test_reversal_made_to_look_at_its_own_place_copies() -> None:
    says("the letters come out in the order in which they went in")
    batch = fresh("reversal")
    run = load_shipped("reversal").run(batch.source, change=Change(patches=(Patch("self1", 0, "same"),)))
    assert bool((run.logits.argmax(dim=-1) == batch.source).all())


def test_of_the_masks_of_translation_some_are_needed_more_than_others() -> None:
    says("one at a time, and see which of them the answer needs")
    causal = {layer: on_fresh("translation", Change(masks=((layer, Causal()),))) for layer in ("encoder1", "cross1")}
    assert causal["encoder1"].accuracy > 0.85 and causal["cross1"].accuracy < 0.05
