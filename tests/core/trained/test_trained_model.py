"""What the tiny models compute, and what a change does to it."""

from __future__ import annotations

import pytest
import torch

from attention_core.masks import Causal, Full, Window
from attention_core.trained import Change, Patch, answer, measure, task
from attention_core.trained.measure import alignment_of, previous_token_score
from attention_core.trained.vocabulary import BEGIN, PAD
from attention_core.trained.writer import Writer

NAMES = ("reversal", "induction", "coreference", "translation", "dates")
LAYERS = {
    "reversal": {"self1": 1},
    "induction": {"self1": 1, "self2": 1},
    "coreference": {"self1": 1, "self2": 1},
    "translation": {"encoder1": 4, "decoder1": 4, "cross1": 1},
    "dates": {"encoder1": 4, "decoder1": 4, "cross1": 1},
}


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_gives_a_consistent_trace(name: str) -> None:
    one = task(name)
    model = one.build(3)
    assert model.heads() == LAYERS[name]
    batch = one.batch("test", 3)
    run = model.run(batch.source, batch.written)
    assert run.logits.shape == (*batch.target.shape, len(one.answers))
    assert list(run.traces) == list(LAYERS[name])
    for trace in run.traces.values():
        value = trace.source_embedding if trace.value_embedding is None else trace.value_embedding
        weights = trace.projections
        assert weights is not None
        for x, w, b, found in (
            (trace.embedding, weights.w_q, weights.b_q, trace.heads.q),
            (trace.source_embedding, weights.w_k, weights.b_k, trace.heads.k),
            (value, weights.w_v, weights.b_v, trace.heads.v),
        ):
            by_hand = torch.einsum("bnc,hcd->bhnd", x, w) + b[:, None]
            torch.testing.assert_close(found, by_hand, atol=1e-5, rtol=1e-5)
        totals = trace.heads.weights.sum(dim=-1)
        assert ((totals - 1).abs() < 1e-5).logical_or(totals == 0).all()


def test_the_layers_of_a_reader_add_up() -> None:
    """Coreference by hand from its traces: where a skip connection is, and where none is."""
    one = task("coreference")
    model = one.build(1)
    batch = one.batch("test", 1)
    run = model.run(batch.source)
    x = model.word_table[batch.source] + model.position_table[: batch.source.shape[1]]
    torch.testing.assert_close(run.traces["self1"].embedding, model.self1.norm(x))
    x = model.feed[0](x + run.traces["self1"].output)
    torch.testing.assert_close(run.traces["self2"].embedding, model.self2.norm(x))
    x = model.feed[1](run.traces["self2"].output)  # no skip connection round the last attention
    torch.testing.assert_close(run.logits, model.out(model.norm(x)))


def test_positions_of_induction_reach_queries_and_keys_only() -> None:
    model = task("induction").build(2)
    source = task("induction").batch("test", 1).source
    with torch.no_grad():
        names = (tuple("x" * 48),) * 2
        trace = model.run(source, names=names).traces["self1"]
    words = model.self1.norm(model.word_table[source])
    torch.testing.assert_close(trace.value_embedding, words)
    torch.testing.assert_close(trace.embedding, words + model.position_table)
    torch.testing.assert_close(trace.value_embedding + trace.position_encoding, trace.embedding)


@pytest.mark.parametrize("name", ["coreference", "translation", "dates"])
def test_padding_changes_nothing(name: str) -> None:
    one = task(name)
    model = one.build(4)
    batch = one.batch("test", 8)
    together = model.run(batch.source, batch.written).logits
    for row in range(8):
        keys = int((batch.source[row] != PAD).sum())
        queries = int((batch.written[row] != PAD).sum()) if batch.written is not None else keys
        written = None if batch.written is None else batch.written[row : row + 1, :queries]
        alone = model.run(batch.source[row : row + 1, :keys], written).logits
        torch.testing.assert_close(together[row, :queries], alone[0], atol=1e-5, rtol=1e-5)


def test_a_causal_model_does_not_see_what_comes_later() -> None:
    model = task("induction").build(5)
    source = task("induction").batch("test", 2).source
    other = source.clone()
    other[:, 30:] = source.flip(0)[:, 30:]
    torch.testing.assert_close(model.run(source).logits[:, :30], model.run(other).logits[:, :30])
    free = Change(masks=(("self1", Full()), ("self2", Full())))
    assert not torch.allclose(
        model.run(source, change=free).logits[:, :30], model.run(other, change=free).logits[:, :30]
    )


def test_a_head_that_is_taken_out_adds_its_bias_alone() -> None:
    one = task("translation")
    model = one.build(6)
    batch = one.batch("test", 2)
    for layer, heads in LAYERS["translation"].items():
        for head in range(heads):
            change = Change(removed=frozenset({(layer, head)}))
            trace = model.run(batch.source, batch.written, change=change).traces[layer]
            parts = trace.head_contributions()
            assert not parts[:, head].any() and not trace.heads.dropped_weights[:, head].any()
            torch.testing.assert_close(
                trace.output, parts.sum(dim=1) + trace.projections.b_o, atol=1e-5, rtol=1e-5
            )
            before = model.run(batch.source, batch.written).traces[layer]
            difference = before.output - before.head_contributions()[:, head]
            torch.testing.assert_close(trace.output, difference, atol=1e-5, rtol=1e-5)


def test_temperature_mask_and_a_look_by_hand() -> None:
    one = task("reversal")
    model = one.build(7)
    batch = one.batch("test", 2)
    plain = model.run(batch.source).traces["self1"].heads
    hot = model.run(batch.source, change=Change(temperature=2.5)).traces["self1"].heads
    torch.testing.assert_close(hot.weights, torch.softmax(plain.scaled_scores / 2.5, dim=-1))
    assert model.self1.attention.scale == pytest.approx(1 / 8)  # the shared module is as it was
    near = Change(masks=(("self1", Causal() & Window(3)),))
    causal = model.run(batch.source, change=near).traces["self1"].heads.weights
    assert causal[0, 0, 9].nonzero().flatten().tolist() == [7, 8, 9]
    assert causal[0, 0, 0].tolist() == [1.0] + 9 * [0.0]
    look = Change(patches=(Patch("self1", 0, rows=((4, (0, 0, 10_000)),)),))
    forced = model.run(batch.source, change=look).traces["self1"].heads
    assert forced.dropped_weights[0, 0, 4].tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    torch.testing.assert_close(forced.dropped_weights[:, :, 5], plain.weights[:, :, 5])
    torch.testing.assert_close(forced.weights, plain.weights)
    beyond = Change(patches=(Patch("self1", 3, "same"), Patch("self1", 0, rows=((99, (1,)),)), Patch("self9", 0)))
    torch.testing.assert_close(model.run(batch.source, change=beyond).logits, model.run(batch.source).logits)
    with pytest.raises(ValueError, match="temperature=0"):
        Change(temperature=0.0)


def test_writing_takes_its_own_words() -> None:
    one = task("translation")
    model = one.build(8)
    assert isinstance(model, Writer)
    source = one.batch("test", 3).source
    with torch.no_grad():
        written, chosen_by = model.write(source, 5)
        begun = torch.full((3, 1), BEGIN)
        for place in range(written.shape[1]):
            logits = model.run(source, begun).logits[:, -1]
            torch.testing.assert_close(logits, chosen_by[:, place], atol=1e-5, rtol=1e-5)
            best = logits.argmax(dim=-1)
            ended = (written[:, :place] == 2).any(dim=1)
            assert torch.where(ended, 2, best).tolist() == written[:, place].tolist()
            begun = torch.cat([begun, written[:, place : place + 1]], dim=1)
    with pytest.raises(ValueError, match="written=None"):
        model.run(source)


def test_accuracy_counts_what_the_task_says() -> None:
    """One wrong letter spoils a sequence of reversal; an answer of induction stands for itself."""

    class Fixed(torch.nn.Module):
        def run(self, source, written=None, *, change=None, names=None):  # type: ignore[no-untyped-def]
            found = real.run(source)
            logits = torch.nn.functional.one_hot(wanted.clamp(min=0), len(one.answers)).float()
            return type(found)(logits, found.traces)

    for name, share in (("reversal", 0.75), ("induction", None)):
        one = task(name)
        real = one.build(0)
        batch = one.batch("test", 4)
        wanted = batch.target.clone()
        row, place = (wanted != -100).nonzero()[0].tolist()
        wanted[row, place] = 5 if wanted[row, place] != 5 else 6
        asked = int((batch.target != -100).sum())
        found = measure(one, Fixed(), batch)  # type: ignore[arg-type]
        assert found.accuracy == pytest.approx(share if share is not None else 1 - 1 / asked)


def test_alignment_is_the_weight_where_the_answer_comes_from() -> None:
    weights = torch.tensor([[[0.1, 0.2, 0.7], [0.5, 0.25, 0.25], [0.3, 0.3, 0.4]]])
    looks = torch.tensor([[[True, False, True], [False, True, False], [False, False, False]]])
    assert alignment_of(weights, looks) == pytest.approx((0.8 + 0.25) / 2)
    assert previous_token_score(weights) == pytest.approx((0.5 + 0.3) / 2)


def test_an_answer_names_the_rows_after_what_is_written_there() -> None:
    one = task("translation")
    found = answer(one, one.build(0), "The sun rises in the east.")
    assert found.tokens == ("the", "sun", "rises", "in", "the", "east")
    assert found.words == found.rows  # the likeliest words are those that were written
    assert found.traces["cross1"].tokens == found.rows
    assert found.traces["cross1"].source_tokens == found.tokens
    torch.testing.assert_close(found.probabilities.sum(dim=1), torch.ones(len(found.rows)))
    reader = task("coreference")
    read = answer(reader, reader.build(0), "because it was too tired the dog did not reach the park")
    assert read.places == (1,) and read.probabilities.shape == (1, len(reader.answers))
