"""Attention against loops and against torch, its gradients, its promises about masks, and what it refuses."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest
import torch
from beartype import beartype
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError, jaxtyped
from torch import Tensor
from torch.nn import functional as F

from attention_core import masking
from attention_core.functional import Mod, attention, masked_softmax
from attention_core.scores import Tempered, scaled_dot_product
from attention_core.shapes import Allowed, Context, Heads, Keys, Scores, Values
from tests.core.oracles import attention_in_loops, numbers, scaled_dot, weights_of_row

BATCH, HEADS, QUERIES, KEYS, D_K, D_V = 2, 6, 5, 7, 3, 4
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def inputs(
    queries: int = QUERIES, keys: int = KEYS, kv_heads: int = HEADS, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor]:
    return (
        numbers(BATCH, HEADS, queries, D_K, seed=1, dtype=dtype),
        numbers(BATCH, kv_heads, keys, D_K, seed=2, dtype=dtype),
        numbers(BATCH, kv_heads, keys, D_V, seed=3, dtype=dtype),
    )


def causal(queries: int, keys: int) -> Tensor:
    return torch.ones(queries, keys, dtype=torch.bool).tril()


def painted(*shape: int) -> Tensor:
    """A mask with holes in which no row is empty."""
    allowed = numbers(*shape, seed=4) > 0.2
    allowed[..., 0] = True
    return allowed


MASKS = {
    "none": None,
    "causal": causal(QUERIES, KEYS),
    "of each head": painted(HEADS, QUERIES, KEYS),
    "of each sample": painted(BATCH, 1, 1, KEYS),
    "of all": painted(BATCH, HEADS, QUERIES, KEYS),
    "of rows": torch.tensor([True, False, True, False, True])[:, None],
    "nothing": torch.zeros(QUERIES, KEYS, dtype=torch.bool),
    "everything": torch.ones(QUERIES, KEYS, dtype=torch.bool),
}


class Double(Mod):
    """Doubles the queries."""

    def on_qk(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        return 2 * q, k


class Distance(Mod):
    """Takes the distance from the scores."""

    def on_scores(self, scores: Tensor, q: Tensor, k: Tensor, scale: float) -> Tensor:
        return scores - (torch.arange(q.shape[2])[:, None] - torch.arange(k.shape[2])).abs()


# ---------------------------------------------------------------------------------------------- oracles


@pytest.mark.parametrize("kv_heads", [6, 3, 2, 1])
@pytest.mark.parametrize("name", MASKS)
def test_against_nested_loops(name: str, kv_heads: int) -> None:
    q, k, v = inputs(kv_heads=kv_heads)
    trace = attention(q, k, v, mask=MASKS[name])
    weights, context = attention_in_loops(q, k, v, MASKS[name])
    torch.testing.assert_close(trace.weights, weights, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(trace.context, context, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-13), (torch.float32, 1e-6)])
@pytest.mark.parametrize("kv_heads", [6, 2])
@pytest.mark.parametrize("name", MASKS)
def test_against_scaled_dot_product_attention(name: str, kv_heads: int, dtype: torch.dtype, atol: float) -> None:
    q, k, v = inputs(kv_heads=kv_heads, dtype=dtype)
    mask = MASKS[name]
    expected = F.scaled_dot_product_attention(
        q, k, v, attn_mask=None if mask is None else mask.expand(BATCH, HEADS, -1, -1), enable_gqa=True
    )
    torch.testing.assert_close(attention(q, k, v, mask=mask).context, expected, rtol=0, atol=atol)


def test_causal_agrees_with_is_causal() -> None:
    q, k, v = inputs(KEYS, KEYS)
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(attention(q, k, v, mask=causal(KEYS, KEYS)).context, expected)


def test_weights_worked_by_hand() -> None:
    """Scores 0 and ln 3 give weights 1/4 and 3/4; with values 4 and 8 the context is 7."""
    q = torch.tensor([[[[math.log(3.0)]]]])
    trace = attention(q, torch.tensor([[[[0.0], [1.0]]]]), torch.tensor([[[[4.0], [8.0]]]]))
    torch.testing.assert_close(trace.weights, torch.tensor([[[[0.25, 0.75]]]]))
    assert trace.context.item() == pytest.approx(7.0)


def test_the_scale_is_one_over_the_root_of_d_k() -> None:
    q, k, v = inputs()
    trace = attention(q, k, v)
    torch.testing.assert_close(trace.scaled_scores, trace.raw_scores / math.sqrt(D_K))
    expected = scaled_dot(q[1, 5, 4].tolist(), k[1, 5, 6].tolist())
    assert trace.scaled_scores[1, 5, 4, 6].item() == pytest.approx(expected)


# ---------------------------------------------------------------------------------------- masked softmax


def test_masked_softmax_by_hand() -> None:
    scores = torch.tensor([[0.0, math.log(2.0), math.log(5.0)], [1.0, 1.0, 9.0], [1.0, 2.0, 3.0]])
    allowed = torch.tensor([[True, True, True], [True, True, False], [False, False, False]])
    expected = torch.tensor([[1 / 8, 2 / 8, 5 / 8], [0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(masked_softmax(scores, allowed), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_masked_softmax_of_extreme_scores(dtype: torch.dtype) -> None:
    top = torch.finfo(dtype).max
    scores = torch.tensor([[top, top, -top], [-top, -top, -top], [top, 0.0, top]], dtype=dtype)
    allowed = torch.tensor([[True, True, True], [True, True, False], [False, True, False]])
    expected = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 1.0, 0.0]], dtype=dtype)
    weights = masked_softmax(scores, allowed)
    assert weights.dtype == dtype
    torch.testing.assert_close(weights, expected, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_sum_to_one_in_every_dtype(dtype: torch.dtype) -> None:
    scores, allowed = numbers(11, 13, dtype=dtype) * 8, painted(11, 13)
    weights = masked_softmax(scores, allowed)
    expected = [weights_of_row(s, a) for s, a in zip(scores.tolist(), allowed.tolist(), strict=True)]
    tolerance = 4 * torch.finfo(dtype).eps
    torch.testing.assert_close(
        weights.double(), torch.tensor(expected, dtype=torch.float64), rtol=tolerance, atol=tolerance
    )
    assert (weights[~allowed] == 0).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_broken_numbers_stay_visible_where_allowed_and_only_there(bad: float) -> None:
    scores = torch.tensor([[bad, 1.0, 2.0], [0.0, 1.0, 2.0]])
    assert masked_softmax(scores, None)[0].isnan().all()
    assert masked_softmax(scores, None)[1].isfinite().all()
    hidden = masked_softmax(scores, torch.tensor([False, True, True]))
    torch.testing.assert_close(hidden[0], torch.tensor([0.0, *torch.softmax(scores[0, 1:], -1).tolist()]))


def test_a_broken_value_stays_visible_even_at_a_forbidden_key() -> None:
    """0 times NaN is NaN, here as in torch: a mask does not repair its inputs."""
    q, k, v = inputs()
    v[0, 0, KEYS - 1, 0] = math.nan
    context = attention(q, k, v, mask=torch.arange(KEYS) < KEYS - 1).context
    assert context[0, 0, :, 0].isnan().all()
    assert context.isnan().sum() == QUERIES


# -------------------------------------------------------------------------------- stages that do nothing


def test_idle_stages_are_the_same_objects() -> None:
    q, k, v = inputs()
    trace = attention(q, k, v)
    assert trace.q is q and trace.k is k and trace.v is v
    assert trace.rotated_q is q and trace.rotated_k is k
    assert trace.modified_scores is trace.scaled_scores
    assert trace.masked_scores is trace.modified_scores
    assert trace.dropped_weights is trace.weights
    allowing = attention(q, k, v, mask=MASKS["everything"])
    assert allowing.masked_scores is allowing.modified_scores


def test_what_the_trace_says_is_allowed() -> None:
    q, k, v = inputs()
    for mask in MASKS.values():
        trace = attention(q, k, v, mask=mask)
        size = (BATCH, HEADS, QUERIES, KEYS)
        expected = torch.ones(size, dtype=torch.bool) if mask is None else mask.expand(size)
        assert torch.equal(trace.allowed, expected)
        assert torch.equal(trace.masked_scores == -math.inf, ~expected)
        assert torch.equal(trace.masked_scores[expected], trace.scaled_scores[expected])


def test_a_mask_value_is_asked_for_its_tensor() -> None:
    class Last:
        asked: tuple[int, ...] = ()

        def materialize(self, *size: int) -> Tensor:
            self.asked = size
            return (torch.arange(size[3]) == size[3] - 1).expand(size)

    q, k, v = inputs()
    mask = Last()
    trace = attention(q, k, v, mask=mask)
    assert mask.asked == (BATCH, HEADS, QUERIES, KEYS)
    torch.testing.assert_close(trace.context, v[:, :, -1:].expand(-1, -1, QUERIES, -1))


def test_a_query_that_may_attend_to_nothing() -> None:
    q, k, v = inputs()
    mask = torch.ones(QUERIES, KEYS, dtype=torch.bool)
    mask[2] = False
    trace = attention(q, k, v, mask=mask)
    assert (trace.weights[:, :, 2] == 0).all() and (trace.context[:, :, 2] == 0).all()
    assert (trace.masked_scores[:, :, 2] == -math.inf).all()
    others = [0, 1, 3, 4]
    torch.testing.assert_close(trace.weights[:, :, others], attention(q, k, v).weights[:, :, others])


# ---------------------------------------------------------------------------------------- inference mode


@pytest.fixture(params=[0, masking.FEW], ids=["as for many scores", "as for few scores"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks enter many scores in another way than few."""
    monkeypatch.setattr(masking, "FEW", request.param)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kv_heads", [6, 2])
@pytest.mark.parametrize("name", MASKS)
def test_inference_mode_gives_the_same_bits(name: str, kv_heads: int, dtype: torch.dtype) -> None:
    q, k, v = inputs(kv_heads=kv_heads, dtype=dtype)
    plain = attention(q, k, v, mask=MASKS[name])
    with torch.inference_mode():
        quick = attention(q, k, v, mask=MASKS[name])
    for stage in fields(plain):
        assert torch.equal(getattr(plain, stage.name), getattr(quick, stage.name)), stage.name
    assert quick.modified_scores is quick.scaled_scores


@pytest.mark.usefixtures("either_way")
def test_inference_mode_with_scores_that_grow_beyond_the_largest_number() -> None:
    """A temperature near 0: infinity at a forbidden place must not meet minus infinity."""
    q, k, v = inputs(KEYS, KEYS)
    cold = Tempered(scaled_dot_product, 1e-308)
    plain = attention(q, k, v, score=cold, mask=causal(KEYS, KEYS))
    with torch.inference_mode():
        quick = attention(q, k, v, score=cold, mask=causal(KEYS, KEYS))
    torch.testing.assert_close(quick.weights, plain.weights, rtol=0, atol=0, equal_nan=True)
    assert (plain.scaled_scores == math.inf).any() and not plain.weights.isnan().all()


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_inference_mode_hides_no_broken_number(bad: float) -> None:
    q, k, v = inputs(KEYS, KEYS)
    k[0, 1, 4, 0] = bad
    plain = attention(q, k, v, mask=causal(KEYS, KEYS))
    with torch.inference_mode():
        quick = attention(q, k, v, mask=causal(KEYS, KEYS))
    torch.testing.assert_close(quick.weights, plain.weights, rtol=0, atol=0, equal_nan=True)
    assert quick.weights[0, 1, :4].isfinite().all()  # the rows that may not look at key 4


def test_inference_mode_with_mods_keeps_every_stage() -> None:
    q, k, v = inputs()
    plain = attention(q, k, v, mods=[Double(), Distance()], mask=MASKS["causal"])
    with torch.inference_mode():
        quick = attention(q, k, v, mods=[Double(), Distance()], mask=MASKS["causal"])
    assert torch.equal(plain.modified_scores, quick.modified_scores)
    assert torch.equal(plain.weights, quick.weights)


# -------------------------------------------------------------------------------------------------- mods


def test_mods_enter_where_they_should() -> None:
    q, k, v = inputs()
    trace = attention(q, k, v, mods=[Double(), Distance(), Double()])
    assert trace.q is q and trace.rotated_k is k
    torch.testing.assert_close(trace.rotated_q, 4 * q)
    torch.testing.assert_close(trace.raw_scores, 4 * q @ k.mT)
    far = (torch.arange(QUERIES)[:, None] - torch.arange(KEYS)).abs()
    torch.testing.assert_close(trace.modified_scores, trace.scaled_scores - far)
    torch.testing.assert_close(trace.weights, torch.softmax(trace.scaled_scores - far, -1))


def test_a_mod_of_scores_sees_a_key_head_for_each_query_head() -> None:
    seen: list[Any] = []

    class Watch(Mod):
        def on_qk(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
            seen.append(tuple(k.shape))
            return q, k + 1

        def on_scores(self, scores: Tensor, q: Tensor, k: Tensor, scale: float) -> Tensor:
            seen.append((k, scale))
            return scores

    q, k, v = inputs(kv_heads=2)
    trace = attention(q, k, v, mods=[Watch()])
    assert seen[0] == (BATCH, 2, KEYS, D_K)
    assert torch.equal(seen[1][0], (k + 1).repeat_interleave(3, dim=1))
    assert seen[1][1] == pytest.approx(1 / math.sqrt(D_K))
    assert torch.equal(trace.rotated_k, k + 1)
    assert trace.modified_scores is trace.scaled_scores


# ----------------------------------------------------------------------------------------------- dropout


def test_dropout_keeps_or_scales_every_weight() -> None:
    q, k, v = inputs(61, 59)
    trace = attention(q, k, v, dropout_p=0.3, generator=torch.Generator().manual_seed(0))
    kept = trace.dropped_weights != 0
    torch.testing.assert_close(trace.dropped_weights[kept], trace.weights[kept] / 0.7)
    assert kept.double().mean().item() == pytest.approx(0.7, abs=0.01)
    torch.testing.assert_close(trace.context, trace.dropped_weights @ v)
    torch.testing.assert_close(trace.weights.sum(-1), torch.ones(BATCH, HEADS, 61, dtype=torch.float64))


def test_dropout_depends_on_its_generator_alone() -> None:
    q, k, v = inputs()
    before = torch.random.get_rng_state()

    def dropped(seed: int) -> Tensor:
        return attention(q, k, v, dropout_p=0.5, generator=torch.Generator().manual_seed(seed)).dropped_weights

    assert torch.equal(dropped(3), dropped(3))
    assert not torch.equal(dropped(3), dropped(4))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_dropout_of_everything_is_zero() -> None:
    q, k, v = inputs()
    trace = attention(q, k, v, dropout_p=1.0, generator=torch.Generator())
    assert (trace.dropped_weights == 0).all() and (trace.context == 0).all()


# ---------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("name", ["none", "causal", "of all", "of rows"])
def test_gradients_against_finite_differences(name: str) -> None:
    q, k, v = (
        numbers(BATCH, heads, length, width, seed=seed).requires_grad_()
        for seed, (heads, length, width) in enumerate([(6, QUERIES, 2), (2, KEYS, 2), (2, KEYS, 1)])
    )

    def stages(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        trace = attention(q, k, v, mask=MASKS[name], mods=[Double(), Distance()])
        return trace.weights, trace.context

    assert torch.autograd.gradcheck(stages, (q, k, v))


def test_an_empty_row_has_a_zero_gradient_and_no_nan_on_the_way() -> None:
    q, k, v = (x.requires_grad_() for x in inputs())
    with pytest.warns(UserWarning, match="Anomaly"), torch.autograd.detect_anomaly(check_nan=True):
        attention(q, k, v, mask=MASKS["of rows"]).context.sum().backward()
    assert q.grad is not None and (q.grad[:, :, 1] == 0).all() and q.grad.isfinite().all()
    assert q.grad[:, :, 0].abs().sum() > 0


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")  # torch's own forward mode
def test_function_transforms() -> None:
    q, k, v = inputs()

    def loss(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attention(q, k, v, mask=MASKS["causal"]).context.square().sum()

    leaf = q.clone().requires_grad_()
    loss(leaf, k, v).backward()
    torch.testing.assert_close(torch.func.grad(loss)(q, k, v), leaf.grad)
    direction = numbers(*q.shape, seed=8)
    _, forward = torch.func.jvp(lambda q: loss(q, k, v), (q,), (direction,))
    torch.testing.assert_close(forward, (leaf.grad * direction).sum())
    many = torch.func.vmap(lambda q: attention(q, k, v, mask=MASKS["causal"]).context)(torch.stack([q, 2 * q]))
    torch.testing.assert_close(many[1], attention(2 * q, k, v, mask=MASKS["causal"]).context)


# --------------------------------------------------------------------------------------------- properties

sizes = st.integers(1, 6)
seeds = st.integers(0, 2**31)


@given(queries=sizes, keys=sizes, seed=seeds, density=st.floats(0, 1), spread=st.sampled_from([1e-3, 1.0, 1e3]))
def test_rows_sum_to_one_or_zero_and_forbidden_weights_are_zero(
    queries: int, keys: int, seed: int, density: float, spread: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(1, 2, queries, 3, generator=generator, dtype=torch.float64) * spread
    k = torch.randn(1, 1, keys, 3, generator=generator, dtype=torch.float64) * spread
    mask = torch.rand(1, 2, queries, keys, generator=generator) < density
    weights = attention(q, k, k, mask=mask).weights
    torch.testing.assert_close(weights.sum(-1), mask.any(-1).double())
    assert (weights[~mask] == 0).all() and (weights >= 0).all()


@given(length=sizes, more=sizes, seed=seeds)
def test_appending_tokens_leaves_a_causal_prefix_unchanged(length: int, more: int, seed: int) -> None:
    total = length + more
    x = numbers(1, 2, total, 3, seed=seed)
    short = attention(*(3 * [x[:, :, :length]]), mask=causal(length, length))
    long = attention(x, x, x, mask=causal(total, total))
    torch.testing.assert_close(long.context[:, :, :length], short.context)
    torch.testing.assert_close(long.weights[:, :, :length, :length], short.weights)
    assert (long.weights[:, :, :length, length:] == 0).all()


@given(length=st.integers(2, 7), seed=seeds)
def test_permuting_tokens_permutes_everything(length: int, seed: int) -> None:
    order = torch.randperm(length, generator=torch.Generator().manual_seed(seed))
    q, k, v = (numbers(1, 2, length, 3, seed=seed + i) for i in range(3))
    straight = attention(q, k, v)
    turned = attention(q[:, :, order], k[:, :, order], v[:, :, order])
    torch.testing.assert_close(turned.context, straight.context[:, :, order])
    torch.testing.assert_close(turned.weights, straight.weights[:, :, order][..., order])


@given(shift=st.floats(-100, 100), seed=seeds)
def test_a_shift_of_a_row_of_scores_changes_nothing(shift: float, seed: int) -> None:
    scores = numbers(3, 5, seed=seed)
    allowed = numbers(3, 5, seed=seed + 1) > 0
    torch.testing.assert_close(masked_softmax(scores + shift, allowed), masked_softmax(scores, allowed))


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("kv_heads", [6, 1])
def test_inputs_are_left_as_they_were(kv_heads: int, inference: bool) -> None:
    q, k, v = inputs(kv_heads=kv_heads)
    mask = MASKS["causal"].clone()
    before = [x.clone() for x in (q, k, v, mask)]
    with torch.inference_mode(inference):
        trace = attention(
            q, k, v, mask=mask, mods=[Double()], dropout_p=0.5, generator=torch.Generator().manual_seed(0)
        )
        masked_softmax(trace.scaled_scores, mask)
    assert all(torch.equal(a, b) for a, b in zip((q, k, v, mask), before, strict=True))


# ------------------------------------------------------------------------------------------------- refusals

Q, K, V = inputs()


@pytest.mark.parametrize(
    ("message", "change"),
    [
        (r"q has shape \(6, 5, 3\): allowed is \(batch, head, position, width\)", {"q": Q[0]}),
        (r"k has dtype torch.float32: allowed is one floating dtype", {"k": K.float()}),
        (r"q has dtype torch.int64", {"q": Q.long(), "k": K.long(), "v": V.long()}),
        (r"k has shape \(1, 6, 7, 3\): allowed is \(2, kv_head, key, 3\)", {"k": K[:1], "v": V[:1]}),
        (r"k has shape \(2, 6, 7, 2\): allowed is \(2, kv_head, key, 3\)", {"k": K[..., :2]}),
        (r"v has shape \(2, 6, 5, 4\): allowed is \(2, 6, 7, 'd_v'\)", {"v": V[:, :, :5]}),
        (r"k has 4 heads: allowed are divisors of 6", {"k": K[:, :4], "v": V[:, :4]}),
        (r"the mask has dtype torch.float64: allowed is torch.bool", {"mask": torch.zeros(5, 7).double()}),
        (r"the mask has shape \(7, 5\): allowed are .* \(2, 6, 5, 7\)", {"mask": MASKS["causal"].mT}),
        (r"the mask has shape \(1, 1, 1, 5, 7\)", {"mask": MASKS["causal"][None, None, None]}),
        (r"dropout_p=1.5: allowed are numbers from 0 to 1", {"dropout_p": 1.5}),
        (r"dropout_p=nan", {"dropout_p": math.nan}),
        (r"generator=None with dropout_p=0.1: allowed is a torch.Generator", {"dropout_p": 0.1}),
    ],
)
def test_wrong_input_is_named(message: str, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=message):
        attention(**({"q": Q, "k": K, "v": V} | change))


def test_a_score_of_the_wrong_shape_is_named() -> None:
    class Wrong:
        name = "wrong"

        def raw(self, q: Tensor, k: Tensor) -> Tensor:
            return q.new_zeros(1, 1, q.shape[2], k.shape[2])

        def scale(self, d_k: int) -> float:
            return 1.0

        def __call__(self, q: Tensor, k: Tensor) -> Tensor:
            return self.raw(q, k)

    with pytest.raises(ValueError, match=r"raw scores have shape \(1, 1, 5, 7\): allowed is \(2, 6, 5, 7\)"):
        attention(Q, K, V, score=Wrong())


def test_masked_softmax_names_a_wrong_mask() -> None:
    with pytest.raises(ValueError, match=r"dtype torch.float32: allowed is torch.bool"):
        masked_softmax(torch.zeros(2, 3), torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"shape \(3, 2\): allowed are shapes that broadcast to \(2, 3\)"):
        masked_softmax(torch.zeros(2, 3), torch.zeros(3, 2, dtype=torch.bool))


def test_no_queries_and_no_keys() -> None:
    assert attention(Q[:, :, :0], K, V).context.shape == (BATCH, HEADS, 0, D_V)
    nothing = attention(Q, K[:, :, :0], V[:, :, :0])
    assert nothing.weights.shape == (BATCH, HEADS, QUERIES, 0) and (nothing.context == 0).all()


@jaxtyped(typechecker=beartype)
def checked(q: Heads, k: Keys, v: Values, mask: Allowed) -> tuple[Scores, Context]:
    """The dimensions are bound together: `head` of q is `head` of the scores, `key` of k is `key` of v."""
    trace = attention(q, k, v, mask=mask)
    return trace.weights, trace.context


def test_named_dimensions_at_run_time() -> None:
    q, k, v = inputs(kv_heads=2)
    weights, context = checked(q, k, v, MASKS["causal"])
    assert weights.shape == (BATCH, HEADS, QUERIES, KEYS) and context.shape == (BATCH, HEADS, QUERIES, D_V)
    for wrong in ((q, k[..., :2], v), (q, k, v[:, :1]), (q, k, v[:, :, :5]), (q[0], k, v)):
        with pytest.raises(TypeCheckError):
            checked(*wrong, MASKS["causal"])
    with pytest.raises(TypeCheckError):
        checked(q, k, v, MASKS["causal"].double())


@jaxtyped(typechecker=beartype)
def swapped(q: Heads, k: Keys, v: Values) -> Scores:
    return attention(q, k, v).weights.mT


def test_swapped_axes_do_not_pass_the_run_time_check() -> None:
    with pytest.raises(TypeCheckError):
        swapped(*inputs())
