"""MultiHeadAttention and torch.nn.MultiheadAttention: the same numbers, and weights there and back."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from attention_core.modules import MultiHeadAttention
from attention_core.scores import Tempered, cosine, scaled_dot_product
from tests.core.oracles import numbers

BATCH, QUERIES, KEYS, WIDTH, HEADS = 2, 5, 7, 12, 3
KINDS: dict[str, dict[str, Any]] = {
    "packed": {},
    "no bias": {"bias": False},
    "separate": {"kdim": 11, "vdim": 13},
    "separate, no bias": {"kdim": 11, "vdim": 13, "bias": False},
    "separate keys only": {"kdim": 11},
    "positions first": {"batch_first": False},
    "dropout": {"dropout": 0.25},
}
DTYPES = [(torch.float64, 1e-12), (torch.float32, 2e-6)]


def theirs(kind: str, dtype: torch.dtype = torch.float64) -> nn.MultiheadAttention:
    """Torch's module with every parameter drawn: its biases start at 0 and would hide."""
    made = nn.MultiheadAttention(WIDTH, HEADS, dtype=dtype, **({"batch_first": True} | KINDS[kind]))
    with torch.no_grad():
        for i, parameter in enumerate(made.parameters()):
            parameter.copy_(numbers(*parameter.shape, seed=i) * 0.4)
    return made.eval()


def mask_of(mode: str) -> Tensor | None:
    """True = may attend; torch's class wants the opposite."""
    holes = numbers(QUERIES, KEYS, seed=6) > 0
    holes[:, 2] = True
    return {
        "self": None,
        "cross": None,
        "causal": torch.ones(KEYS, KEYS, dtype=torch.bool).tril(),
        "window": torch.ones(KEYS, KEYS, dtype=torch.bool).tril(1).triu(-1),
        "cross with holes": holes,
    }[mode]


def both(module: nn.MultiheadAttention, mode: str, dtype: torch.dtype) -> tuple[Any, Tensor, Tensor]:
    """Our trace, and torch's output and weights, on the same inputs."""
    ours = MultiHeadAttention.from_torch(module)
    query = numbers(BATCH, QUERIES if "cross" in mode else KEYS, WIDTH, seed=1, dtype=dtype)
    key = numbers(BATCH, KEYS, ours.kdim, seed=2, dtype=dtype)
    value = numbers(BATCH, KEYS, ours.vdim, seed=3, dtype=dtype)
    if "cross" not in mode and ours.in_proj_weight is not None:
        key = value = query
    mask = mask_of(mode)
    given = (query, key, value)
    if not module.batch_first:
        given = tuple(x.transpose(0, 1) for x in given)
    output, weights = module(
        *given, attn_mask=None if mask is None else ~mask, need_weights=True, average_attn_weights=False
    )
    if not module.batch_first:
        output = output.transpose(0, 1)
    return ours.trace(query, key, value, mask=mask), output, weights


@pytest.mark.parametrize(("dtype", "atol"), DTYPES)
@pytest.mark.parametrize("mode", ["self", "causal", "window", "cross", "cross with holes"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_numbers(kind: str, mode: str, dtype: torch.dtype, atol: float) -> None:
    trace, output, weights = both(theirs(kind, dtype), mode, dtype)
    torch.testing.assert_close(trace.heads.weights, weights, rtol=0, atol=atol)
    torch.testing.assert_close(trace.output, output, rtol=0, atol=atol * 10)
    p = trace.projections
    total = trace.head_contributions().sum(1)
    torch.testing.assert_close(total if p.b_o is None else total + p.b_o, output, rtol=0, atol=atol * 10)


def test_padding_of_keys() -> None:
    module = theirs("packed")
    x = numbers(BATCH, KEYS, WIDTH)
    real = torch.arange(KEYS) < torch.tensor([[4], [7]])  # (batch, key)
    output, weights = module(x, x, x, key_padding_mask=~real, average_attn_weights=False)
    trace = MultiHeadAttention.from_torch(module).trace(x, mask=real[:, None, None])
    torch.testing.assert_close(trace.heads.weights, weights)
    torch.testing.assert_close(trace.output, output)


def test_where_torch_gives_nan_ours_gives_the_bias() -> None:
    """A fully masked row: weights 0, context 0, so the output is what W_O does with 0."""
    module = theirs("packed")
    x = numbers(BATCH, KEYS, WIDTH)
    mask = torch.ones(KEYS, KEYS, dtype=torch.bool)
    mask[3] = False
    assert module(x, x, x, attn_mask=~mask)[0][:, 3].isnan().all()
    trace = MultiHeadAttention.from_torch(module).trace(x, mask=mask)
    assert (trace.heads.weights[:, :, 3] == 0).all()
    torch.testing.assert_close(trace.output[:, 3], module.out_proj.bias.expand(BATCH, -1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [False, True])
def test_there_and_back_to_the_bit(kind: str, training: bool) -> None:
    module = theirs(kind).train(training)
    ours = MultiHeadAttention.from_torch(module)
    back = ours.to_torch()
    assert back.batch_first and back.training is training is ours.training
    assert (back.dropout, ours.dropout) == (module.dropout, module.dropout)
    state = back.state_dict()
    assert state.keys() == module.state_dict().keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())
    assert all(parameter.requires_grad and parameter.is_leaf for parameter in back.parameters())
    again = MultiHeadAttention.from_torch(back)
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in ours.state_dict().items())


def test_the_copies_share_no_memory() -> None:
    module = theirs("packed")
    ours = MultiHeadAttention.from_torch(module)
    back = ours.to_torch()
    before = ours.in_proj_weight.detach().clone()
    with torch.no_grad():
        module.in_proj_weight.zero_()
        back.in_proj_weight.zero_()
    assert torch.equal(ours.in_proj_weight, before)


def test_ours_to_torch_gives_the_same_numbers_and_draws_nothing() -> None:
    ours = MultiHeadAttention(WIDTH, HEADS, kdim=11, generator=torch.Generator().manual_seed(4))
    before = torch.random.get_rng_state()
    module = ours.to_torch()
    assert torch.equal(torch.random.get_rng_state(), before)
    query, key, value = numbers(BATCH, QUERIES, WIDTH), numbers(BATCH, KEYS, 11), numbers(BATCH, KEYS, WIDTH)
    query, key, value = query.float(), key.float(), value.float()
    torch.testing.assert_close(ours(query, key, value), module(query, key, value)[0])


def test_gradients_agree() -> None:
    module = theirs("packed")
    ours = MultiHeadAttention.from_torch(module)
    x = numbers(BATCH, KEYS, WIDTH)
    module(x, x, x)[0].square().sum().backward()
    ours(x).square().sum().backward()
    torch.testing.assert_close(ours.in_proj_weight.grad, module.in_proj_weight.grad)
    torch.testing.assert_close(ours.in_proj_bias.grad, module.in_proj_bias.grad)
    torch.testing.assert_close(ours.out_proj_weight.grad, module.out_proj.weight.grad)


@pytest.mark.parametrize(
    ("message", "options"),
    [
        ("num_kv_heads=1: torch's class allows 3 only", {"num_kv_heads": 1}),
        ("head_dim=5: torch's class allows 4 only", {"head_dim": 5}),
        ("value_dim=5: torch's class allows 4 only", {"value_dim": 5}),
        ("out_proj=False: torch's class always has an output projection", {"out_proj": False}),
        ("score='cosine': torch's class allows the scaled dot product only", {"score": cosine}),
        ("score='scaled_dot, temperature 2'", {"score": Tempered(scaled_dot_product, 2.0)}),
    ],
)
def test_what_torch_cannot_express_is_refused(message: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(WIDTH, HEADS, **options).to_torch()


@pytest.mark.parametrize(
    ("name", "options"), [("bias_k", {"add_bias_kv": True}), ("add_zero_attn", {"add_zero_attn": True})]
)
def test_what_ours_cannot_express_is_refused(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{name} is set: allowed is a module without it"):
        MultiHeadAttention.from_torch(nn.MultiheadAttention(WIDTH, HEADS, **options))
