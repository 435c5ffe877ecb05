"""The modules: every stage by hand, widths, grouped heads, refusals, dropout in training only."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from attention_core.functional import Mod, attention
from attention_core.masks import Causal, Window
from attention_core.modules import CausalSelfAttention, CrossAttention, MultiHeadAttention, SelfAttention
from attention_core.scores import cosine
from attention_core.trace import AttentionTrace, Projections
from tests.core.oracles import numbers

BATCH, QUERIES, KEYS, WIDTH, HEADS = 2, 5, 7, 6, 3
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "own widths": {"head_dim": 5, "value_dim": 4},
    "own value width": {"value_dim": 1},
    "shared key heads": {"num_kv_heads": 1},
    "grouped with own widths": {"num_heads": 6, "num_kv_heads": 2, "head_dim": 5, "value_dim": 3},
    "no bias": {"bias": False},
    "no output projection": {"out_proj": False, "value_dim": 4},
    "other sources": {"kdim": 11, "vdim": 13},
    "one other source": {"kdim": 11, "vdim": 11, "head_dim": 5},
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randomised(module: nn.Module) -> Any:
    """Every parameter drawn, biases too: at 0 they would hide."""
    g = generator(5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=g, dtype=torch.float64))
    return module.eval()


def made(name: str) -> MultiHeadAttention:
    options = {"num_heads": HEADS, "dtype": torch.float64} | SHAPES[name]
    module: MultiHeadAttention = randomised(MultiHeadAttention(WIDTH, **options))
    return module


def inputs(module: MultiHeadAttention) -> tuple[Tensor, Tensor, Tensor]:
    return (
        numbers(BATCH, QUERIES, WIDTH, seed=1),
        numbers(BATCH, KEYS, module.kdim, seed=2),
        numbers(BATCH, KEYS, module.vdim, seed=3),
    )


def plus(x: Tensor, bias: Tensor | None) -> Tensor:
    return x if bias is None else x + bias


# -------------------------------------------------------------------------------------- what is computed


@pytest.mark.parametrize("name", SHAPES)
def test_every_stage_head_by_head(name: str) -> None:
    """The trace against the projections that it shows, one head at a time, with plain matrix products."""
    module = made(name)
    query, key, value = inputs(module)
    trace = module.trace(query, key, value)
    p = trace.projections
    assert p is not None
    outputs = []
    for h in range(module.num_heads):
        g = h * module.num_kv_heads // module.num_heads
        q = plus(query @ p.w_q[h], None if p.b_q is None else p.b_q[h])
        k = plus(key @ p.w_k[g], None if p.b_k is None else p.b_k[g])
        v = plus(value @ p.w_v[g], None if p.b_v is None else p.b_v[g])
        torch.testing.assert_close(trace.heads.q[:, h], q)
        torch.testing.assert_close(trace.heads.k[:, g], k)
        torch.testing.assert_close(trace.heads.v[:, g], v)
        weights = torch.softmax(q @ k.mT / math.sqrt(module.head_dim), -1)
        torch.testing.assert_close(trace.heads.weights[:, h], weights)
        torch.testing.assert_close(trace.heads.context[:, h], weights @ v)
        outputs.append(weights @ v if p.w_o is None else weights @ v @ p.w_o[h])
    width = module.value_dim
    if p.w_o is None:
        torch.testing.assert_close(trace.output, torch.cat(outputs, -1))
    else:
        torch.testing.assert_close(trace.output, plus(sum(outputs), p.b_o))
    torch.testing.assert_close(trace.concat[..., width : 2 * width], trace.heads.context[:, 1])


def test_a_head_worked_by_hand() -> None:
    """x = (1, 0), (0, 1), W_Q = 2 I, W_K = ln 3 / sqrt 2 ... so that the weights are 3/4 and 1/4."""
    module = SelfAttention(2, 2, 1)
    w_k = torch.eye(2)[None] * math.log(3.0) * math.sqrt(2.0) / 2
    module.load_projections(Projections(2 * torch.eye(2)[None], w_k, torch.tensor([[[8.0], [4.0]]])))
    trace = module.trace(torch.eye(2)[None])
    torch.testing.assert_close(trace.heads.weights[0, 0], torch.tensor([[0.75, 0.25], [0.25, 0.75]]))
    torch.testing.assert_close(trace.output[0], torch.tensor([[7.0], [5.0]]))


@pytest.mark.parametrize("name", SHAPES)
def test_widths_follow_from_the_arguments(name: str) -> None:
    module = made(name)
    trace = module.trace(*inputs(module))
    heads, kv_heads, d_k, d_v = module.num_heads, module.num_kv_heads, module.head_dim, module.value_dim
    assert trace.heads.q.shape == (BATCH, heads, QUERIES, d_k)
    assert trace.heads.k.shape == (BATCH, kv_heads, KEYS, d_k)
    assert trace.heads.v.shape == (BATCH, kv_heads, KEYS, d_v)
    assert trace.heads.context.shape == (BATCH, heads, QUERIES, d_v)
    assert trace.concat.shape == (BATCH, QUERIES, heads * d_v)
    assert trace.output.shape == (
        BATCH,
        QUERIES,
        WIDTH if module.out_proj_weight is not None else heads * d_v,
    )


@pytest.mark.parametrize("name", ["plain", "own widths", "own value width", "grouped with own widths"])
def test_packed_and_separate_products_agree(name: str) -> None:
    """One product for q, k and v, two for cross-attention, three for separate values: the same numbers."""
    module = made(name)
    x = numbers(BATCH, KEYS, WIDTH, seed=1)
    once = module.trace(x)
    for again in (module.trace(x, x.clone()), module.trace(x, x.clone(), x.clone()), module.trace(x, x, x)):
        torch.testing.assert_close(again.heads.q, once.heads.q)
        torch.testing.assert_close(again.heads.k, once.heads.k)
        torch.testing.assert_close(again.heads.v, once.heads.v)
        torch.testing.assert_close(again.output, once.output)


def test_shared_key_heads_are_repeated_key_heads() -> None:
    shared = made("grouped with own widths")
    p = shared.projections()
    full = MultiHeadAttention(WIDTH, 6, head_dim=5, value_dim=3, dtype=torch.float64)
    wide = {name: getattr(p, name).repeat_interleave(3, 0) for name in ("w_k", "w_v", "b_k", "b_v")}
    full.load_projections(Projections(w_q=p.w_q, b_q=p.b_q, w_o=p.w_o, b_o=p.b_o, **wide))
    x = numbers(BATCH, KEYS, WIDTH)
    torch.testing.assert_close(full(x), shared(x))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("inference", [False, True])
def test_forward_is_the_output_of_the_trace(name: str, inference: bool) -> None:
    module = made(name)
    with torch.inference_mode(inference):
        torch.testing.assert_close(
            module(*inputs(module), mask=Window(3)),
            module.trace(*inputs(module), mask=Window(3)).output,
            rtol=0,
            atol=0,
        )


@pytest.mark.parametrize("name", SHAPES)
def test_inference_mode_gives_the_same_numbers(name: str) -> None:
    module = made(name)
    plain = module.trace(*inputs(module), mask=Causal())
    with torch.inference_mode():
        quick = module.trace(*inputs(module), mask=Causal())
    for field in plain.fields():
        assert torch.equal(plain.field(field), quick.field(field)), field


def test_an_input_with_unusual_strides() -> None:
    module = made("own widths")
    x = numbers(KEYS, WIDTH, BATCH)
    torch.testing.assert_close(module(x.permute(2, 0, 1)), module(x.permute(2, 0, 1).contiguous()))
    one = numbers(1, KEYS, WIDTH)
    torch.testing.assert_close(module(one.expand(BATCH, -1, -1))[1:], module(one))


def test_score_mask_and_mods_reach_the_heads() -> None:
    class Shift(Mod):
        def on_scores(self, scores: Tensor, q: Tensor, k: Tensor, scale: float) -> Tensor:
            return scores + torch.arange(scores.shape[-1])

    module = randomised(MultiHeadAttention(WIDTH, HEADS, score=cosine, dtype=torch.float64))
    x = numbers(BATCH, KEYS, WIDTH)
    trace = module.trace(x, mask=Causal(), mods=[Shift()])
    expected = attention(trace.heads.q, trace.heads.k, trace.heads.v, score=cosine, mask=Causal(), mods=[Shift()])
    assert torch.equal(trace.heads.weights, expected.weights)
    assert trace.score_name == "cosine" and trace.scale == 1.0
    assert made("own widths").trace(*inputs(made("own widths"))).scale == pytest.approx(1 / math.sqrt(5))


# ------------------------------------------------------------------------------------------- single heads


def test_single_heads_are_one_head_without_output_projection() -> None:
    x, source = numbers(BATCH, QUERIES, 3), numbers(BATCH, KEYS, 11)
    for module, trace in (
        (own := randomised(SelfAttention(3, 2, 4, dtype=torch.float64)), own.trace(x)),
        (
            cross := randomised(CrossAttention(3, 2, 4, d_source=11, dtype=torch.float64)),
            cross.trace(x, source),
        ),
    ):
        p = module.projections()
        s = trace.source_embedding
        weights = torch.softmax((x @ p.w_q[0]) @ (s @ p.w_k[0]).mT / math.sqrt(2), -1)
        torch.testing.assert_close(trace.heads.weights[:, 0], weights)
        torch.testing.assert_close(trace.output, weights @ (s @ p.w_v[0]))
        assert trace.output is trace.concat and trace.output.shape == (BATCH, QUERIES, 4)
        assert p.w_o is None and p.b_q is None
    assert SelfAttention(3, 2).trace(x.float()).output.shape == (BATCH, QUERIES, 2)


def test_causal_attention_looks_back_only() -> None:
    """Position i sees 0..i and no other: a diagonal that is off by one shows."""
    module = randomised(CausalSelfAttention(3, 2, dtype=torch.float64))
    x = numbers(BATCH, KEYS, 3)
    weights = module.trace(x).heads.weights
    assert torch.equal(weights != 0, torch.ones(KEYS, KEYS, dtype=torch.bool).tril().expand_as(weights))
    assert (weights[:, :, 0, 0] == 1).all()
    free = randomised(SelfAttention(3, 2, dtype=torch.float64))
    torch.testing.assert_close(free(x, mask=Causal()), module(x))


@pytest.mark.parametrize(
    "mask", [Window(2), torch.ones(KEYS, KEYS, dtype=torch.bool).triu(-1)], ids=["value", "tensor"]
)
def test_a_further_mask_narrows_the_causal_one(mask: Any) -> None:
    module = randomised(CausalSelfAttention(3, 2, dtype=torch.float64))
    allowed = module.trace(numbers(BATCH, KEYS, 3), mask=mask).heads.allowed
    assert torch.equal(allowed[0, 0], torch.ones(KEYS, KEYS, dtype=torch.bool).tril().triu(-1))
    with pytest.raises(ValueError, match=r"the mask has shape \(3,\)"):
        module(numbers(BATCH, KEYS, 3), mask=torch.ones(3, dtype=torch.bool))


@given(length=st.integers(1, 6), more=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_what_comes_later_changes_nothing_before(length: int, more: int, seed: int) -> None:
    module = randomised(CausalSelfAttention(3, 2, dtype=torch.float64))
    x = numbers(1, length + more, 3, seed=seed)
    torch.testing.assert_close(module(x)[:, :length], module(x[:, :length]))


@given(seed=st.integers(0, 2**31))
def test_permuted_tokens_give_permuted_outputs(seed: int) -> None:
    module = made("grouped with own widths")
    order = torch.randperm(KEYS, generator=generator(seed))
    x = numbers(BATCH, KEYS, WIDTH, seed=seed)
    torch.testing.assert_close(module(x[:, order]), module(x)[:, order])


# -------------------------------------------------------------------------------------- weights and seeds


@pytest.mark.parametrize("name", SHAPES)
def test_projections_are_views_and_load_back(name: str) -> None:
    module = made(name)
    p = module.projections()
    memory = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}
    given = [tensor for tensor in vars(p).values() if tensor is not None]
    assert all(tensor.untyped_storage().data_ptr() in memory for tensor in given)
    other = MultiHeadAttention(WIDTH, **({"num_heads": HEADS, "dtype": torch.float64} | SHAPES[name]))
    other.load_projections(p)
    torch.testing.assert_close(other(*inputs(module)), module(*inputs(module)))


def test_loading_projections_is_all_or_nothing() -> None:
    module = made("plain")
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    zeros = {name: torch.zeros_like(tensor) for name, tensor in vars(module.projections()).items()}
    with pytest.raises(ValueError, match=r"b_o has shape None: allowed is \(6,\)"):
        module.load_projections(Projections(**(zeros | {"b_o": None})))
    with pytest.raises(ValueError, match=r"w_v has shape \(3, 2, 6\): allowed is \(3, 6, 2\)"):
        module.load_projections(Projections(**(zeros | {"w_v": torch.zeros(3, 2, 6)})))
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_weights_depend_on_the_generator_alone() -> None:
    before = torch.random.get_rng_state()

    def weights(**options: Any) -> Tensor:
        return MultiHeadAttention(WIDTH, HEADS, **options).in_proj_weight.detach()

    assert torch.equal(weights(), weights())
    assert torch.equal(weights(generator=generator(3)), weights(generator=generator(3)))
    assert not torch.equal(weights(generator=generator(3)), weights(generator=generator(4)))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_xavier_bounds_of_each_projection() -> None:
    module = MultiHeadAttention(64, 4, head_dim=8, value_dim=32)
    p = module.projections()
    for w, fans in ((p.w_q, 64 + 32), (p.w_k, 64 + 32), (p.w_v, 64 + 128), (p.w_o, 64 + 128)):
        assert w is not None
        bound = math.sqrt(6 / fans)
        assert 0.98 * bound < w.abs().max().item() <= bound
        assert w.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert module.out_proj_bias is not None and (module.out_proj_bias == 0).all()


def test_dropout_acts_in_training_only() -> None:
    module = randomised(MultiHeadAttention(WIDTH, HEADS, dropout=0.5, dtype=torch.float64))
    x = numbers(BATCH, KEYS, WIDTH)
    heads = module.trace(x).heads
    assert heads.dropped_weights is heads.weights
    module.train()
    heads = module.trace(x, generator=generator()).heads
    assert (heads.dropped_weights == 0).any() and (heads.weights != 0).all()
    assert torch.equal(module(x, generator=generator(1)), module(x, generator=generator(1)))
    with pytest.raises(ValueError, match=r"generator=None with dropout_p=0.5"):
        module(x)


def test_gradients_reach_every_parameter() -> None:
    for name in SHAPES:
        module = made(name)
        module(*inputs(module)).square().sum().backward()
        for key, parameter in module.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), (name, key)


def test_nothing_is_left_behind() -> None:
    module = made("plain")
    x = numbers(BATCH, KEYS, WIDTH)
    before, attributes = x.clone(), set(vars(module))
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    module.trace(x, mask=Causal())
    assert torch.equal(x, before) and set(vars(module)) == attributes
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("message", "options"),
    [
        ("embed_dim=0: allowed are whole numbers from 1", {"embed_dim": 0}),
        ("num_heads=0: allowed are whole numbers from 1", {"num_heads": 0}),
        ("num_heads=True: allowed", {"num_heads": True}),
        (r"num_heads=2\.0: allowed", {"num_heads": 2.0}),
        ("num_heads=4: allowed are divisors of embed_dim=6", {"num_heads": 4}),
        ("head_dim=0: allowed", {"head_dim": 0}),
        ("value_dim=-1: allowed", {"value_dim": -1}),
        ("num_kv_heads=2: allowed are divisors of num_heads=3", {"num_kv_heads": 2}),
        ("kdim=0: allowed", {"kdim": 0}),
        ("vdim='6': allowed", {"vdim": "6"}),
        (r"dropout=1\.1: allowed are numbers from 0 to 1", {"dropout": 1.1}),
    ],
)
def test_wrong_arguments_are_named(message: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(**({"embed_dim": 6, "num_heads": 3} | options))


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("d_in=0: allowed are whole numbers from 1", {"d_in": 0}),
        ("d_k=0: allowed are whole numbers from 1", {"d_k": 0}),
        ("d_v=0: allowed are whole numbers from 1", {"d_v": 0}),
        ("d_source=0: allowed are whole numbers from 1", {"d_source": 0}),
    ],
)
def test_wrong_widths_of_a_single_head_are_named(message: str, arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=message):
        CrossAttention(**({"d_in": 3, "d_k": 2} | arguments))


def test_wrong_inputs_are_named() -> None:
    module = made("other sources")
    query, key, value = inputs(module)
    with pytest.raises(ValueError, match=r"query has shape \(5, 6\): allowed is \(batch, position, 6\)"):
        module(query[0], key, value)
    with pytest.raises(ValueError, match=r"key has shape \(2, 7, 13\): allowed is \(batch, position, 11\)"):
        module(query, value, value)
    with pytest.raises(ValueError, match=r"value has shape \(2, 7, 11\): allowed is \(batch, position, 13\)"):
        module(query, key)
    with pytest.raises(ValueError, match=r"query has dtype torch.float32: allowed is torch.float64"):
        module(query.float(), key, value)
    with pytest.raises(ValueError, match="v has shape"):
        module(query, key, value[:, :3])
    with pytest.raises(ValueError, match="k has shape"):
        module(query, key[:1], value[:1])
    with pytest.raises(ValueError, match="tokens has 2 names: allowed is one each, 5"):
        module.trace(query, key, value, tokens=["a", "b"])


def test_the_trace_names_its_tokens() -> None:
    module = made("plain")
    query, key, _ = inputs(module)
    trace: AttentionTrace = module.trace(query, key, tokens=list("abcde"))
    assert trace.tokens == tuple("abcde")
    assert trace.source_tokens == tuple("0123456")


def test_repr_says_what_is_not_usual() -> None:
    module = MultiHeadAttention(WIDTH, HEADS, value_dim=4, num_kv_heads=1, score=cosine)
    assert repr(module) == "MultiHeadAttention(6, 3, value_dim=4, num_kv_heads=1, score=cosine)"
