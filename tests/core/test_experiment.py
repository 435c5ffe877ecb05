"""The experiment: validation in words, deterministic runs, every field reaching the computation."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from attention_core.embeddings import embed
from attention_core.experiment import Experiment, ExperimentError
from attention_core.experiment.recipes import SCORES, WEIGHTS
from attention_core.masks import Causal, Explicit, Full, Padding, Window
from attention_core.positions import POSITIONS, position_encoding
from attention_core.tokens import TOKENIZERS
from attention_core.trace import AttentionTrace

SUN = "The sun rises in the east"
CAT = "A cat sat on the mat, and slept."


def same(a: AttentionTrace, b: AttentionTrace) -> bool:
    return all(torch.equal(a.field(name), b.field(name)) for name in a.fields())


# ---- what is refused, and how

REFUSED = [
    ({"text": ""}, "text='': allowed is a text with at least one token"),
    ({"text": " \n\t "}, "text=.*the word tokenizer finds none here"),
    ({"text": 5}, "text=5: allowed is a text"),
    ({"text": "a\ud800b"}, r"half a character, '\\ud800', at 1; allowed are whole Unicode characters"),
    ({"text": "a" * 1_000_001}, "1000001 characters, allowed are at most 1000000"),
    ({"source_text": 5}, "source_text=5: allowed is a text"),
    ({"mode": "sideways"}, "mode='sideways': allowed are self, causal, cross"),
    ({"mode": None}, "mode=None: allowed are self, causal, cross"),
    ({"mode": ["self"]}, "mode="),
    ({"tokenizer": "words"}, "tokenizer='words': allowed are word, character, byte, bpe"),
    ({"position": "gps"}, "position='gps': allowed are none, sinusoidal, learned, rope, alibi"),
    ({"score": "guess"}, "score='guess': allowed are scaled_dot, dot, cosine, additive, bilinear"),
    ({"weights": "heavy"}, "weights='heavy': allowed are random, hand_built, article"),
    ({"embedding": "x"}, "embedding='x': allowed are hashed, sorted_vocabulary, one_hot"),
    ({"num_heads": 0}, "num_heads=0: allowed are whole numbers from 1"),
    ({"num_heads": True}, "num_heads=True: allowed are whole numbers from 1"),
    ({"num_heads": 2.0}, "num_heads=2.0: allowed are whole numbers from 1"),
    ({"d_model": "32"}, "d_model='32': allowed are whole numbers from 1"),
    ({"d_k": 0}, "d_k=0: allowed are whole numbers from 1"),
    ({"d_v": -1}, "d_v=-1: allowed are whole numbers from 1"),
    ({"num_kv_heads": 3}, "num_kv_heads=3: allowed are divisors of num_heads=4: 1, 2, 4"),
    (
        {"num_heads": 5},
        "d_model=32: cannot be divided among num_heads=5; .* 1, 2, 4, 8, 16, 32, or any with d_k and d_v",
    ),
    ({"num_heads": 5, "d_k": 3}, "cannot be divided .* or any with d_v given"),
    ({"d_model": 33}, "d_model=33: .*num_heads=4; allowed head counts are 1, 3, 11, 33"),
    ({"temperature": 0}, "temperature=0: allowed are numbers from 0.001 to 1000"),
    ({"temperature": math.nan}, "temperature=nan"),
    ({"temperature": math.inf}, "temperature=inf"),
    ({"temperature": 10**400}, "temperature=1000"),
    ({"temperature": "1"}, "temperature='1'"),
    ({"dropout": 1.0}, "dropout=1.0: allowed are numbers from 0 up to, not including, 1"),
    ({"dropout": -0.1}, "dropout=-0.1: allowed are numbers from 0 up to, not including, 1"),
    ({"seed": -1}, "seed=-1: allowed are whole numbers from 0 to 9223372036854775807"),
    ({"seed": 2**63}, "seed=9223372036854775808: allowed"),
    ({"bias": 1}, "bias=1: allowed are True, False"),
    ({"out_proj": None}, "out_proj=None: allowed are True, False"),
    ({"mask": "causal"}, "mask='causal': allowed are masks"),
    ({"mode": "cross"}, "source_text=None: mode='cross' needs a source text"),
    ({"mode": "cross", "source_text": ""}, "source_text=''.*at least one token"),
    ({"mode": "cross", "source_text": "  "}, "source_text='  '.*at least one token"),
    ({"mask": Explicit(("11", "11"))}, "mask=.*does not fit 6 queries and 6 keys"),
    ({"mode": "causal", "mask": Explicit(("11", "11"))}, "does not fit 6 queries"),
    (
        {"embedding": "one_hot", "d_model": 4},
        "embedding='one_hot': 6 different tokens .* d_model=4 has room for 4",
    ),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_wrong_input_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ExperimentError, match=words) as caught:
        Experiment(**{"text": SUN, **changes})
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 400
    assert set(changes) & set(caught.value.fields)


def test_an_empty_text_of_any_tokenizer_is_refused() -> None:
    for tokenizer in TOKENIZERS:
        with pytest.raises(ValueError, match="text=''"):
            Experiment("", tokenizer=tokenizer)


def test_a_huge_text_of_spaces_is_refused_without_tokens() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        Experiment(" " * 500_000)


def test_a_huge_text_is_checked_when_it_runs() -> None:
    long = Experiment("ab " * 40_000, mask=Explicit(("11", "11")), tokenizer="character")
    with pytest.raises(ValueError, match="does not fit 120000 queries"):
        long.run()


# ---- a value among values


def test_it_is_frozen_comparable_and_hashable() -> None:
    a, b = Experiment(SUN, mask=Causal() & Window(3)), Experiment(SUN, mask=Causal() & Window(3))
    assert a == b and hash(a) == hash(b) and len({a, b, Experiment(SUN)}) == 2
    a.run()
    assert a == b and hash(a) == hash(b)  # what is remembered of a run is not part of the value
    with pytest.raises(FrozenInstanceError):
        a.seed = 1  # type: ignore[misc]


def test_numbers_of_other_kinds_become_pythons_own() -> None:
    a = Experiment(SUN, num_heads=np.int64(2), temperature=2, seed=np.uint8(7), dropout=np.float32(0.5))  # type: ignore[arg-type]
    assert a == Experiment(SUN, num_heads=2, temperature=2.0, seed=7, dropout=0.5)
    assert (type(a.num_heads), type(a.temperature), type(a.seed)) == (int, float, int)
    assert math.copysign(1.0, Experiment(SUN, dropout=-0.0).dropout) == 1.0


# ---- running


def test_the_trace_is_complete() -> None:
    trace = Experiment(SUN, num_heads=2, d_model=6, position="sinusoidal").run()
    assert trace.tokens == trace.source_tokens == ("The", "sun", "rises", "in", "the", "east")
    assert trace.head_names == ()  # no head was made for anything: there is nothing to name
    for name in (
        "token_embedding",
        "position_encoding",
        "source_token_embedding",
        "source_position_encoding",
    ):
        assert trace.shape(name) == (1, 6, 6), name
    assert trace.token_embedding is not None and trace.position_encoding is not None
    assert torch.equal(trace.embedding, trace.token_embedding + trace.position_encoding)
    assert trace.projections is not None and trace.projections.w_q.shape == (2, 6, 3)
    assert trace.scale == pytest.approx(1 / math.sqrt(3)) and trace.score_name == "scaled_dot"
    assert not any(trace.field(name).requires_grad for name in trace.fields())


def test_self_attention_by_nested_loops() -> None:
    """Everything recomputed from the embedding and the matrices, number by number."""
    trace = Experiment("one two three", num_heads=2, d_model=5, d_k=3, d_v=2, mode="causal", seed=4).run(torch.float64)
    p = trace.projections
    assert p is not None and p.w_o is not None
    x = trace.embedding[0].tolist()
    output = [[0.0] * 5 for _ in range(3)]
    for head in range(2):
        w_q, w_k, w_v, w_o = (m[head].tolist() for m in (p.w_q, p.w_k, p.w_v, p.w_o))
        q, k, v = (
            [[sum(row[i] * w[i][j] for i in range(5)) for j in range(len(w[0]))] for row in x] for w in (w_q, w_k, w_v)
        )
        for i in range(3):
            scores = [sum(a * b for a, b in zip(q[i], k[j], strict=True)) / math.sqrt(3) for j in range(i + 1)]
            total = sum(math.exp(s) for s in scores)
            weights = [math.exp(s) / total for s in scores] + [0.0] * (2 - i)
            assert trace.heads.weights[0, head, i].tolist() == pytest.approx(weights, abs=1e-12)
            context = [sum(weights[j] * v[j][c] for j in range(3)) for c in range(2)]
            assert trace.heads.context[0, head, i].tolist() == pytest.approx(context, abs=1e-12)
            for c in range(5):
                output[i][c] += sum(context[r] * w_o[r][c] for r in range(2))
    for i in range(3):
        assert trace.output[0, i].tolist() == pytest.approx(output[i], abs=1e-12)


def test_runs_repeat_and_leave_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    experiment = Experiment(SUN, dropout=0.4, score="additive", position="t5", bias=True)
    assert same(experiment.run(), replace(experiment).run())
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_seed_changes_everything_random() -> None:
    a, b = (Experiment(SUN, seed=seed, dropout=0.5, position="learned").run() for seed in (0, 1))
    for name in ("token_embedding", "position_encoding", "q", "weights", "output"):
        assert not torch.equal(a.field(name), b.field(name)), name


def test_float64_is_the_same_experiment() -> None:
    for weights in WEIGHTS:
        experiment = Experiment(SUN, weights=weights, score="bilinear", position="rope")
        a, b = experiment.run(), experiment.run(torch.float64)
        assert b.output.dtype == torch.float64
        assert a.projections is not None and b.projections is not None
        assert torch.equal(a.projections.w_q.double(), b.projections.w_q)
        torch.testing.assert_close(a.embedding.double(), b.embedding)


def test_the_module_computes_what_the_run_shows() -> None:
    experiment = Experiment(CAT, num_heads=4, num_kv_heads=2, bias=True, position="rope", dropout=0.3)
    module, trace = experiment.module(), experiment.run()
    assert not module.training and not any(p.requires_grad for p in module.parameters())
    still = module.trace(trace.embedding, mods=experiment.mods())
    assert torch.equal(still.heads.weights, trace.heads.weights)
    assert torch.equal(still.heads.dropped_weights, still.heads.weights)  # eval: nothing is dropped


# ---- each field reaches the computation


def test_modes() -> None:
    weights = {mode: Experiment(SUN, mode=mode).run().heads.weights[0] for mode in ("self", "causal")}
    assert (weights["self"] > 0).all()
    assert not weights["causal"].triu(1).any()
    masked = weights["self"].tril()
    torch.testing.assert_close(weights["causal"], masked / masked.sum(-1, keepdim=True))


def test_cross_mode_takes_keys_and_values_from_the_source() -> None:
    experiment = Experiment("sun east moon", source_text=SUN, mode="cross", num_heads=2, position="sinusoidal")
    trace = experiment.run()
    assert trace.tokens == ("sun", "east", "moon") and len(trace.source_tokens) == 6
    assert trace.shape("weights") == (1, 2, 3, 6) and trace.shape("k") == (1, 2, 6, 16)
    assert trace.token_embedding is not None and trace.source_token_embedding is not None
    assert torch.equal(trace.token_embedding[0, 0], trace.source_token_embedding[0, 1])  # "sun" is "sun"
    assert not torch.equal(trace.embedding[0, 0], trace.source_embedding[0, 1])  # but stands elsewhere
    p = trace.projections
    assert p is not None
    torch.testing.assert_close(trace.heads.k[0], trace.source_embedding[0] @ p.w_k)
    torch.testing.assert_close(trace.heads.q[0], trace.embedding[0] @ p.w_q)


def test_a_vocabulary_is_one_for_text_and_source() -> None:
    for recipe in ("sorted_vocabulary", "one_hot"):
        trace = Experiment("b d", source_text="a d c", mode="cross", embedding=recipe).run()
        assert torch.equal(trace.embedding[0, 1], trace.source_embedding[0, 1])
        assert not torch.equal(trace.embedding[0, 0], trace.source_embedding[0, 0])


def test_the_source_text_waits_while_another_mode_is_on() -> None:
    with_source = Experiment(SUN, source_text="somewhere else", mode="self")
    assert same(with_source.run(), Experiment(SUN).run())
    assert with_source.source_tokens() == with_source.tokens()


@pytest.mark.parametrize("position", POSITIONS)
def test_positions(position: str) -> None:
    """Without positions equal tokens have equal rows; with any scheme they do not."""
    trace = Experiment("so so so so", position=position, d_model=12, num_heads=2).run()
    uniform = torch.allclose(trace.heads.weights, torch.full_like(trace.heads.weights, 0.25))
    assert uniform == (position == "none")
    encoding = position_encoding(position, 4, 12, seed=0)
    assert (trace.position_encoding is None) == (encoding is None)
    if encoding is not None:
        assert torch.equal(trace.field("position_encoding")[0], encoding)


def test_t5_has_buckets_for_both_directions_only_where_both_are_seen() -> None:
    ahead = Experiment(SUN, position="t5").run().heads
    bias = (ahead.modified_scores - ahead.scaled_scores)[0, 0]
    assert bias[0, 1].item() != pytest.approx(bias[1, 0].item())
    past = Experiment(SUN, position="t5", mode="causal").run().heads
    bias = (past.modified_scores - past.scaled_scores)[0, 0]
    assert bias[0, 1].item() == pytest.approx(bias[0, 5].item(), abs=1e-5)  # one bucket for all keys ahead


@pytest.mark.parametrize("score", SCORES)
def test_scores_and_temperature(score: str) -> None:
    cool = Experiment(SUN, score=score).run()
    warm = Experiment(SUN, score=score, temperature=3.0).run()
    assert cool.score_name.startswith(score)
    torch.testing.assert_close(warm.heads.raw_scores, cool.heads.raw_scores)
    torch.testing.assert_close(warm.heads.scaled_scores * 3.0, cool.heads.scaled_scores)


def test_masks() -> None:
    assert Experiment(SUN).effective_mask() == Full()
    assert Experiment(SUN, mode="causal").effective_mask() == Causal()
    experiment = Experiment(SUN, mode="causal", mask=Window(2))
    assert str(experiment.effective_mask()) == "causal and window 2"
    allowed = experiment.run().heads.allowed[0, 0]
    assert allowed.int().tolist() == [[int(0 <= i - j < 2) for j in range(6)] for i in range(6)]
    nothing = Experiment(SUN, mask=Explicit(("000000",) * 6)).run()
    assert not nothing.heads.weights.any() and not nothing.heads.context.any()
    assert torch.isfinite(nothing.output).all()


def test_a_mask_of_one_row_fits_a_batch_of_one() -> None:
    assert not Experiment(SUN, mask=Padding((4,))).run().heads.weights[..., 4:].any()


def test_grouped_heads_share_keys_and_values() -> None:
    trace = Experiment(SUN, num_heads=4, num_kv_heads=2).run()
    assert trace.shape("q") == (1, 4, 6, 8) and trace.shape("k") == (1, 2, 6, 8)
    mine = trace.heads
    expected = F.scaled_dot_product_attention(mine.q, mine.k, mine.v, enable_gqa=True)
    torch.testing.assert_close(mine.context, expected)


def test_widths_of_a_head_are_free() -> None:
    trace = Experiment(SUN, num_heads=3, d_model=7, d_k=5, d_v=11, out_proj=False).run()
    assert trace.shape("q") == (1, 3, 6, 5) and trace.shape("v") == (1, 3, 6, 11)
    assert trace.shape("output") == (1, 6, 33)
    assert Experiment(SUN, num_heads=3, d_model=7, d_k=5, d_v=11).run().shape("output") == (1, 6, 7)


def test_biases_are_used() -> None:
    trace = Experiment(SUN, bias=True, num_heads=2).run()
    p = trace.projections
    assert p is not None and p.b_q is not None and p.b_k is not None and p.b_o is not None and p.w_o is not None
    torch.testing.assert_close(trace.heads.q[0], trace.embedding[0] @ p.w_q + p.b_q[:, None])
    torch.testing.assert_close(trace.output[0], trace.concat[0] @ p.w_o.flatten(0, 1) + p.b_o)
    assert p.b_q.abs().min() > 0


def test_dropout_shows_one_draw_of_training() -> None:
    text = " ".join(f"w{i}" for i in range(40))
    trace = Experiment(text, dropout=0.25).run()
    kept = trace.heads.dropped_weights != 0
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.03)
    torch.testing.assert_close(trace.heads.dropped_weights[kept], trace.heads.weights[kept] / 0.75)
    torch.testing.assert_close(trace.heads.context, trace.heads.dropped_weights @ trace.heads.v)


def test_a_head_that_is_added_leaves_the_others_alone() -> None:
    few, more = (Experiment(SUN, num_heads=n, d_k=8, d_v=8).run() for n in (2, 5))
    torch.testing.assert_close(few.heads.weights, more.heads.weights[:, :2])
    torch.testing.assert_close(few.heads.context, more.heads.context[:, :2])


def test_one_word_that_changes_leaves_the_others_alone() -> None:
    a, b = Experiment("the old cat sleeps").run(), Experiment("the old dog sleeps").run()
    rows = [0, 1, 3]
    assert torch.equal(a.embedding[:, rows], b.embedding[:, rows])
    torch.testing.assert_close(a.heads.q[:, :, rows], b.heads.q[:, :, rows])
    assert torch.equal(a.embedding[0, 0], embed(["the"], 32, seed=0)[0])


@given(
    mode=st.sampled_from(["self", "causal", "cross"]),
    tokenizer=st.sampled_from(TOKENIZERS),
    position=st.sampled_from(POSITIONS),
    score=st.sampled_from(SCORES),
    weights=st.sampled_from(WEIGHTS),
    heads=st.integers(1, 5),
    seed=st.integers(0, 2**63 - 1),
    text=st.text(min_size=1, max_size=12),
)
@settings(max_examples=40)
def test_anything_that_is_accepted_runs(
    mode: str, tokenizer: str, position: str, score: str, weights: str, heads: int, seed: int, text: str
) -> None:
    try:
        experiment = Experiment(
            text,
            source_text=text[::-1],
            mode=mode,
            tokenizer=tokenizer,
            num_heads=heads,
            d_model=4 * heads + 4,
            d_k=5,
            d_v=3,
            position=position,
            score=score,
            weights=weights,
            seed=seed,
        )
    except ExperimentError:
        assert not text.strip() or tokenizer in ("word", "character", "byte", "bpe")
        return
    trace = experiment.run()
    rows = trace.heads.weights.sum(dim=-1)
    torch.testing.assert_close(rows, torch.ones_like(rows))
    assert len(trace.head_names) in (0, heads)
    assert trace.tokens == tuple(token.text for token in experiment.tokens())
