"""The encoder block against torch.nn.TransformerEncoderLayer, stage by stage, and what dropping does."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from attention_core.encoder import EncoderBlock, EncoderTrace, drop_heads
from attention_core.modules import MultiHeadAttention
from attention_core.positions import position_mods

BATCH, LENGTH, D_MODEL, HEADS, D_FF = 3, 7, 10, 5, 13


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def block(**options: object) -> EncoderBlock:
    """A block in which every parameter is drawn, biases and norms too."""
    made = EncoderBlock(D_MODEL, HEADS, **{"d_ff": D_FF, "dtype": torch.float64, **options})  # type: ignore[arg-type]
    g = generator(4)
    with torch.no_grad():
        for parameter in made.parameters():
            drawn = torch.randn(parameter.shape, generator=g, dtype=torch.float64)
            parameter.copy_(0.4 * drawn + (1.0 if parameter.ndim == 1 else 0.0))
    return made


def torch_layer(mine: EncoderBlock, **options: object) -> nn.TransformerEncoderLayer:
    layer = nn.TransformerEncoderLayer(
        D_MODEL,
        HEADS,
        D_FF,
        dropout=0.0,
        activation=mine.activation,
        norm_first=mine.norm == "pre",
        batch_first=True,
        dtype=torch.float64,
        **options,  # type: ignore[arg-type]
    )
    copies = {
        "linear1.weight": mine.hidden_weight,
        "linear1.bias": mine.hidden_bias,
        "linear2.weight": mine.out_weight,
        "linear2.bias": mine.out_bias,
        "self_attn.in_proj_weight": mine.attention.in_proj_weight,
        "self_attn.in_proj_bias": mine.attention.in_proj_bias,
        "self_attn.out_proj.weight": mine.attention.out_proj_weight,
        "self_attn.out_proj.bias": mine.attention.out_proj_bias,
        "norm1.weight": mine.norm1.weight,
        "norm1.bias": mine.norm1.bias,
        "norm2.weight": mine.norm2.weight,
        "norm2.bias": mine.norm2.bias,
    }
    layer.load_state_dict({name: tensor.detach() for name, tensor in copies.items() if tensor is not None})
    return layer.train()  # dropout is 0; evaluation would take a fused path of its own


CAUSAL = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
ODD = (torch.arange(LENGTH)[:, None] * 3 + torch.arange(LENGTH)) % 4 != 1
PADDED = torch.arange(LENGTH) < torch.tensor([7, 4, 1])[:, None]  # (batch, key)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("mask", [None, CAUSAL, ODD], ids=["all", "causal", "odd"])
def test_torch_agrees(norm: str, activation: str, mask: torch.Tensor | None) -> None:
    mine, x = block(norm=norm, activation=activation), numbers(BATCH, LENGTH, D_MODEL)
    theirs = torch_layer(mine)(x, src_mask=None if mask is None else ~mask)
    torch.testing.assert_close(mine(x, mask=mask), theirs, atol=1e-12, rtol=0)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_torch_agrees_on_padding_and_without_biases(norm: str) -> None:
    x = numbers(BATCH, LENGTH, D_MODEL)
    for bias in (True, False):
        mine = block(norm=norm, bias=bias)
        theirs = torch_layer(mine, bias=bias)(x, src_key_padding_mask=~PADDED)
        torch.testing.assert_close(mine(x, mask=PADDED[:, None, None]), theirs, atol=1e-12, rtol=0)


def test_gradients_agree_with_torch() -> None:
    mine, x = block(norm="pre", activation="gelu"), numbers(BATCH, LENGTH, D_MODEL)
    layer = torch_layer(mine)
    mine(x, mask=CAUSAL).square().sum().backward()
    layer(x, src_mask=~CAUSAL).square().sum().backward()
    for ours, theirs in (
        (mine.hidden_weight, layer.linear1.weight),
        (mine.out_bias, layer.linear2.bias),
        (mine.norm1.weight, layer.norm1.weight),
        (mine.attention.in_proj_weight, layer.self_attn.in_proj_weight),
    ):
        assert ours is not None and ours.grad is not None and theirs.grad is not None
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-9, rtol=1e-9)


def by_hand(norm: nn.LayerNorm, x: torch.Tensor) -> torch.Tensor:
    mean = x.mean(dim=-1, keepdim=True)
    spread = (x - mean).square().mean(dim=-1, keepdim=True)
    return (x - mean) / (spread + norm.eps).sqrt() * norm.weight + norm.bias


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_every_stage_follows_from_the_one_before(norm: str) -> None:
    made, x = block(norm=norm), numbers(BATCH, LENGTH, D_MODEL)
    t = made.trace(x, mask=CAUSAL)
    close = torch.testing.assert_close
    assert t.input is x
    assert torch.equal(t.attention.output, made.attention(t.attention_input, mask=CAUSAL))
    assert t.attention.embedding is t.attention_input
    assert t.attention_update is t.attention.output
    close(t.attention_sum, x + t.attention.output)
    close(t.hidden, t.feed_forward_input @ made.hidden_weight.T + made.hidden_bias)
    close(t.activated, t.hidden * (t.hidden > 0))
    assert t.dropped_hidden is t.activated
    close(t.feed_forward_output, t.activated @ made.out_weight.T + made.out_bias)
    assert t.feed_forward_update is t.feed_forward_output
    close(t.feed_forward_sum, t.after_attention + t.feed_forward_output)
    assert t.head_gates is None
    if norm == "pre":
        close(t.attention_input, by_hand(made.norm1, x))
        assert t.after_attention is t.attention_sum
        close(t.feed_forward_input, by_hand(made.norm2, t.after_attention))
        assert t.output is t.feed_forward_sum
    else:
        assert t.attention_input is x
        close(t.after_attention, by_hand(made.norm1, t.attention_sum))
        assert t.feed_forward_input is t.after_attention
        close(t.output, by_hand(made.norm2, t.feed_forward_sum))


def test_forward_is_the_output_of_the_trace() -> None:
    x = numbers(BATCH, LENGTH, D_MODEL)
    made = block(dropout=0.3, drop_head=0.4, num_kv_heads=1, head_dim=3, value_dim=2)
    mods = position_mods("rope", num_heads=HEADS, d_k=3, seed=0)
    out = made(x, mask=CAUSAL, mods=mods, generator=generator(8))
    assert torch.equal(out, made.trace(x, mask=CAUSAL, mods=mods, generator=generator(8)).output)
    assert not torch.equal(out, made(x, mask=CAUSAL, generator=generator(8)))


def test_inference_mode_gives_the_same_trace() -> None:
    """There attention works some stages out late; dropping heads must find them all the same."""
    x, made = numbers(BATCH, LENGTH, D_MODEL), block(dropout=0.3, drop_head=0.4)
    usual = made.trace(x, mask=CAUSAL, generator=generator(8))
    with torch.inference_mode():
        late = made.trace(x, mask=CAUSAL, generator=generator(8))
        for name in usual.fields():
            torch.testing.assert_close(late.field(name), usual.field(name), msg=name)


def test_dropout_comes_from_the_generator_alone() -> None:
    x, made = numbers(BATCH, LENGTH, D_MODEL), block(dropout=0.3, drop_head=0.3)
    before = torch.get_rng_state()
    first, again, other = (made(x, generator=generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    plain = block()
    assert torch.equal(made.eval()(x), plain(x))


def test_dropout_drops_at_all_four_places_and_rescales() -> None:
    """p = 0.25: what is kept is divided by 0.75."""
    t = block(dropout=0.25).trace(numbers(BATCH, LENGTH, D_MODEL), generator=generator(3))
    pairs = {
        "weights": (t.attention.heads.weights, t.attention.heads.dropped_weights),
        "attention": (t.attention.output, t.attention_update),
        "hidden": (t.activated, t.dropped_hidden),
        "feed-forward": (t.feed_forward_output, t.feed_forward_update),
    }
    for name, (before, after) in pairs.items():
        kept = after != 0
        torch.testing.assert_close(after[kept], before[kept] / 0.75, msg=name)
        there = before != 0  # relu has zeros of its own
        assert 0.6 < kept[there].double().mean().item() < 0.9, name


def test_everything_may_be_dropped() -> None:
    x = numbers(BATCH, LENGTH, D_MODEL)
    t = block(dropout=1.0).trace(x, generator=generator())
    assert torch.equal(t.output, x)


def test_dropped_heads_are_gone_and_the_others_rescaled() -> None:
    made, x = block(drop_head=0.5), numbers(11, LENGTH, D_MODEL)
    t, plain = made.trace(x, generator=generator(2)), made.eval().trace(x)
    assert t.head_gates is not None
    kept = t.head_gates != 0
    assert 0.3 < kept.double().mean().item() < 0.7
    assert len({tuple(row) for row in kept.tolist()}) > 3  # drawn for each example
    for b in range(11):
        count = int(kept[b].sum())
        assert count > 0
        for h in range(HEADS):
            factor = HEADS / count if kept[b, h] else 0.0
            assert t.head_gates[b, h].item() == pytest.approx(factor)
            expected = plain.attention.heads.context[b, h] * factor
            torch.testing.assert_close(t.attention.heads.context[b, h], expected)
    expected = made.attention.out_proj_bias + torch.einsum(
        "bh,bhqo->bqo", t.head_gates, plain.attention.head_contributions()
    )
    torch.testing.assert_close(t.attention.output, expected)
    torch.testing.assert_close(t.output, after(made, x, expected))


def after(made: EncoderBlock, x: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
    """The rest of a pre-norm block."""
    a = x + attended
    hidden = F.relu(F.linear(made.norm2(a), made.hidden_weight, made.hidden_bias))
    return a + F.linear(hidden, made.out_weight, made.out_bias)


@pytest.mark.parametrize("out_proj", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_a_trace_with_dropped_heads_is_consistent(out_proj: bool, bias: bool) -> None:
    module = MultiHeadAttention(6, 3, value_dim=2, num_kv_heads=1, out_proj=out_proj, bias=bias, dtype=torch.float64)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(numbers(*parameter.shape, seed=7))
    trace = module.trace(numbers(2, 5, 6))
    dropped = drop_heads(trace, torch.tensor([[1.5, 0.0, 1.5], [0.0, 0.0, 0.0]], dtype=torch.float64))
    heads = dropped.heads
    torch.testing.assert_close(heads.dropped_weights @ heads.v, heads.context)
    torch.testing.assert_close(torch.cat(heads.context.unbind(1), dim=-1), dropped.concat)
    output = dropped.concat
    if module.out_proj_weight is not None:
        output = F.linear(output, module.out_proj_weight, module.out_proj_bias)
    torch.testing.assert_close(dropped.output, output)
    assert not bool(heads.context[0, 1].any()) and not bool(heads.context[1].any())
    assert heads.weights is trace.heads.weights
    assert torch.equal(module.trace(numbers(2, 5, 6)).output, trace.output)  # the first trace is as it was


def test_the_mean_over_draws_is_the_attention_itself() -> None:
    """Rescaling keeps the size of the sum: over many draws the factors average to 1."""
    made = EncoderBlock(8, 8, drop_head=0.25)
    gates = made.trace(torch.zeros(4001, 1, 8), generator=generator()).head_gates
    assert gates is not None
    torch.testing.assert_close(gates.mean(dim=0), torch.ones(8), atol=0.05, rtol=0)
    torch.testing.assert_close(gates.sum(dim=1), torch.full((4001,), 8.0))


def test_all_heads_dropped_leaves_the_bias() -> None:
    made = block(drop_head=1.0)
    t = made.trace(numbers(BATCH, LENGTH, D_MODEL), generator=generator())
    assert made.attention.out_proj_bias is not None
    torch.testing.assert_close(t.attention.output, made.attention.out_proj_bias.expand_as(t.input))


def test_fields_dims_and_shapes() -> None:
    t = block(drop_head=0.5).trace(numbers(BATCH, LENGTH, D_MODEL), generator=generator())
    own = {f.name for f in fields(EncoderTrace)} - {"attention"}
    assert own <= set(t.fields())
    assert len(set(t.fields())) == len(t.fields())
    order = ["input", "attention_input", "q", "weights", "context", "attention_sum", "hidden", "output"]
    assert sorted(order, key=t.fields().index) == order
    for name in t.fields():
        assert t.shape(name) == tuple(t.field(name).shape)
        assert len(t.dims(name)) == t.field(name).ndim
    assert t.field("weights") is t.attention.heads.weights
    assert t.field("output") is t.output
    assert t.dims("hidden") == ("batch", "query", "d_ff")
    assert t.dims("weights") == ("batch", "head", "query", "key")
    assert t.field("w_q").shape == (HEADS, D_MODEL, 2)
    assert t.dims("head_gates") == ("batch", "head")
    assert "hidden                   (batch 3, query 7, d_ff 13)" in repr(t)


def test_unknown_fields_name_those_there_are() -> None:
    t = block().trace(numbers(BATCH, LENGTH, D_MODEL))
    assert "head_gates" not in t.fields()
    for ask in (t.field, t.dims, t.shape):
        for name in ("wieghts", "head_gates", "attention"):
            with pytest.raises(KeyError, match=f"'{name}' is no field.*attention_input.*weights.*hidden"):
                ask(name)


def test_tokens_are_kept() -> None:
    t = block().trace(numbers(1, 3, D_MODEL), tokens=("a", "b", "a"))
    assert t.attention.tokens == t.attention.source_tokens == ("a", "b", "a")


def test_weights_belong_to_their_generator() -> None:
    before = torch.get_rng_state()
    first, again, other = (EncoderBlock(8, 2, generator=generator(s)) for s in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    for name, parameter in first.named_parameters():
        assert torch.equal(parameter, again.get_parameter(name))
        assert torch.equal(parameter, other.get_parameter(name)) == (parameter.ndim == 1)
    assert first.hidden_weight.shape == (32, 8)
    for matrix in (first.hidden_weight, first.out_weight):
        assert 0.37 < matrix.abs().max().item() <= (6 / 40) ** 0.5


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="norm='both': allowed are pre, post"):
        EncoderBlock(8, 2, norm="both")
    with pytest.raises(ValueError, match="activation='tanh': allowed are relu, gelu"):
        EncoderBlock(8, 2, activation="tanh")
    with pytest.raises(ValueError, match=r"drop_head=1.5: allowed are numbers from 0 to 1"):
        EncoderBlock(8, 2, drop_head=1.5)
    with pytest.raises(ValueError, match=r"dropout=-0.1: allowed are numbers from 0 to 1"):
        EncoderBlock(8, 2, dropout=-0.1)
    with pytest.raises(ValueError, match="d_ff=0: allowed are whole numbers from 1"):
        EncoderBlock(8, 2, d_ff=0)
    with pytest.raises(ValueError, match="num_heads=3"):
        EncoderBlock(8, 3)
    for options in ({"dropout": 0.1}, {"drop_head": 0.1}):
        with pytest.raises(ValueError, match=r"generator=None with dropout=.* in training"):
            EncoderBlock(8, 2, **options)(torch.zeros(1, 3, 8))
    trace = MultiHeadAttention(4, 2).trace(torch.zeros(3, 1, 4))
    with pytest.raises(ValueError, match=r"head_gates of shape \(2, 3\): allowed is \(batch, head\) \(3, 2\)"):
        drop_heads(trace, torch.ones(2, 3))
