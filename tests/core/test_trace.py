"""The record: fields by name, named dimensions, contributions of heads, and fields that wait to be read."""

from __future__ import annotations

import copy
import dataclasses
import gc
import pickle
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor

from attention_core.functional import attention
from attention_core.modules import CrossAttention, MultiHeadAttention
from attention_core.record import Record
from attention_core.trace import AttentionTrace, HeadTrace, Projections
from tests.core.oracles import numbers

BATCH, QUERIES, KEYS, D_MODEL, D_SOURCE, HEADS, KV_HEADS, D_K, D_V = 2, 5, 7, 13, 11, 6, 3, 4, 8
SIZES = {
    "batch": BATCH,
    "query": QUERIES,
    "key": KEYS,
    "d_model": D_MODEL,
    "d_source": D_SOURCE,
    "d_value_source": 17,
    "head": HEADS,
    "kv_head": KV_HEADS,
    "d_k": D_K,
    "d_v": D_V,
    "heads*d_v": HEADS * D_V,
}
BY_HEAD = [f.name for f in dataclasses.fields(HeadTrace)]


def module(**options: Any) -> MultiHeadAttention:
    made = MultiHeadAttention(
        D_MODEL,
        HEADS,
        **{"head_dim": D_K, "value_dim": D_V, "num_kv_heads": KV_HEADS, "dtype": torch.float64} | options,
    )
    with torch.no_grad():
        for i, parameter in enumerate(made.parameters()):
            parameter.copy_(numbers(*parameter.shape, seed=i))
    return made.eval()


def trace(**options: Any) -> AttentionTrace:
    """Keys and values that differ in width from the queries, and from each other."""
    made = module(**{"kdim": D_SOURCE, "vdim": 17} | options)
    return made.trace(
        numbers(BATCH, QUERIES, D_MODEL),
        numbers(BATCH, KEYS, made.kdim, seed=1),
        numbers(BATCH, KEYS, made.vdim, seed=2),
        mask=torch.ones(QUERIES, KEYS, dtype=torch.bool).tril(1),
    )


@pytest.mark.parametrize("out_proj", [True, False])
def test_every_field_has_the_sizes_that_its_dimensions_say(out_proj: bool) -> None:
    record = trace(out_proj=out_proj)
    assert set(BY_HEAD) < set(record.fields())
    for name in record.fields() + record.parameters():
        assert record.shape(name) == tuple(SIZES[dim] for dim in record.dims(name)), name
        assert record.shape(name) == tuple(record.field(name).shape), name


def test_fields_are_the_tensors_themselves() -> None:
    record = trace()
    for name in BY_HEAD:
        assert record.field(name) is getattr(record.heads, name)
    for name in ("embedding", "source_embedding", "value_embedding", "concat", "output"):
        assert record.field(name) is getattr(record, name)
    assert record.projections is not None and record.field("w_q") is record.projections.w_q
    assert torch.equal(record.field("head_contributions"), record.head_contributions())


def test_dimensions_of_the_specification() -> None:
    record = trace()
    for name in ("raw_scores", "scaled_scores", "modified_scores", "allowed", "masked_scores", "weights"):
        assert record.dims(name) == ("batch", "head", "query", "key")
    assert record.dims("q") == record.dims("rotated_q") == ("batch", "head", "query", "d_k")
    assert record.dims("k") == record.dims("rotated_k") == ("batch", "kv_head", "key", "d_k")
    assert record.dims("v") == ("batch", "kv_head", "key", "d_v")
    assert record.dims("context") == ("batch", "head", "query", "d_v")
    assert record.dims("concat") == ("batch", "query", "heads*d_v")
    assert record.dims("output") == ("batch", "query", "d_model")
    assert record.dims("head_contributions") == ("batch", "head", "query", "d_model")
    assert trace(out_proj=False).dims("output") == ("batch", "query", "heads*d_v")
    assert record.dims("source_embedding") == ("batch", "key", "d_source")
    assert module().trace(numbers(1, 2, D_MODEL)).dims("source_embedding") == ("batch", "key", "d_model")


def test_order_of_the_fields_and_only_those_there_are() -> None:
    x = numbers(BATCH, KEYS, D_MODEL)
    record = module().trace(x)
    assert record.fields() == (
        "embedding",
        "source_embedding",
        *BY_HEAD,
        "concat",
        "output",
        "head_contributions",
    )
    more = dataclasses.replace(record, token_embedding=x / 4, position_encoding=3 * x / 4)
    assert more.fields()[:3] == ("token_embedding", "position_encoding", "embedding")
    torch.testing.assert_close(more.field("token_embedding") + more.field("position_encoding"), more.embedding)
    assert record.parameters() == ("w_q", "w_k", "w_v", "w_o", "b_q", "b_k", "b_v", "b_o")
    assert module(bias=False, out_proj=False).trace(x).parameters() == ("w_q", "w_k", "w_v")
    assert dataclasses.replace(record, projections=None).parameters() == ()


@pytest.mark.parametrize("reach", ["field", "dims", "shape"])
@pytest.mark.parametrize("name", ["weight", "token_embedding", "tokens", "heads", "__dict__", ""])
def test_an_unknown_field_is_a_key_error_that_names_the_fields(reach: str, name: str) -> None:
    with pytest.raises(KeyError, match=rf"'{name}' is no field of this trace; it has embedding, .*raw_scores.*w_o"):
        getattr(trace(), reach)(name)


def test_parameters_that_are_not_there_are_no_fields() -> None:
    with pytest.raises(KeyError, match="'b_q' is no field"):
        trace(bias=False).field("b_q")
    with pytest.raises(KeyError, match="'w_q' is no field"):
        dataclasses.replace(trace(), projections=None).dims("w_q")


@pytest.mark.parametrize("bias", [True, False])
def test_contributions_of_heads_sum_to_the_output_without_its_bias(bias: bool) -> None:
    record = trace(bias=bias)
    p = record.projections
    assert p is not None and p.w_o is not None
    contributions = record.head_contributions()
    total = contributions.sum(1)
    torch.testing.assert_close(total if p.b_o is None else total + p.b_o, record.output)
    torch.testing.assert_close(contributions[:, 4], record.heads.context[:, 4] @ p.w_o[4])


def test_without_output_projection_each_head_fills_its_slice() -> None:
    record = trace(out_proj=False)
    contributions = record.head_contributions()
    assert torch.equal(contributions.sum(1), record.concat) and record.output is record.concat
    for h in range(HEADS):
        mine = slice(h * D_V, (h + 1) * D_V)
        assert torch.equal(contributions[:, h, :, mine], record.heads.context[:, h])
        assert contributions[:, h].count_nonzero() == record.heads.context[:, h].count_nonzero()
    one = CrossAttention(3, 2, 4).trace(numbers(1, 2, 3).float(), numbers(1, 5, 3).float())
    assert torch.equal(one.head_contributions()[:, 0], one.output)


def test_a_broken_head_stays_in_its_slice() -> None:
    record = trace(out_proj=False)
    context = record.heads.context.clone()
    context[:, 2] = torch.nan
    broken = dataclasses.replace(record, heads=dataclasses.replace(record.heads, context=context))
    assert broken.head_contributions().isnan().sum() == context[:, 2].numel()


def test_names_must_fit() -> None:
    record = module().trace(numbers(BATCH, KEYS, D_MODEL))
    for name, size in (("tokens", KEYS), ("source_tokens", KEYS), ("head_names", HEADS)):
        with pytest.raises(ValueError, match=f"{name} has 2 names: allowed is one each, {size}"):
            dataclasses.replace(record, **{name: ("a", "b")})
    assert dataclasses.replace(record, head_names=tuple("abcdef")).head_names == tuple("abcdef")


def test_repr_names_every_dimension() -> None:
    lines = repr(trace()).splitlines()
    assert lines[0] == "AttentionTrace: 5 queries, 7 keys, score scaled_dot, scale 0.5"
    assert "  weights                  (batch 2, head 6, query 5, key 7)  float64" in lines
    assert "  allowed                  (batch 2, head 6, query 5, key 7)  bool" in lines
    assert "  concat                   (batch 2, query 5, heads*d_v 48)  float64" in lines
    assert repr(trace().heads).splitlines()[:2] == [
        "HeadTrace",
        "  q                        (batch 2, head 6, query 5, d_k 4)  float64",
    ]


def test_records_are_frozen_and_compared_by_identity() -> None:
    record = trace()
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.output = record.concat  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.heads.weights = record.heads.raw_scores  # type: ignore[misc]
    assert record != trace() and record == record and len({record, record}) == 1


# --------------------------------------------------------------------------------- fields that may wait


def quick() -> HeadTrace:
    """A trace of inference mode, whose scaled and masked scores nobody has read yet."""
    q, k = numbers(1, 2, 5, 3), numbers(1, 2, 7, 3, seed=1)
    with torch.inference_mode():
        return attention(q, k, k, mask=torch.ones(5, 7, dtype=torch.bool).tril())


def test_a_waiting_field_is_worked_out_once() -> None:
    heads = quick()
    assert "scaled_scores" not in vars(heads)
    assert heads.scaled_scores is heads.scaled_scores is heads.modified_scores
    torch.testing.assert_close(heads.scaled_scores, heads.raw_scores / 3**0.5)
    assert (heads.masked_scores == -torch.inf).sum() == (~heads.allowed).sum() > 0


@pytest.mark.parametrize(
    "again",
    # Pickled and read back in one breath, as a process pool does with our own records: no file, nobody else's bytes.
    [copy.copy, copy.deepcopy, dataclasses.replace, lambda record: pickle.loads(pickle.dumps(record))],
    ids=["copy", "deepcopy", "replace", "pickle"],
)
def test_copies_wait_for_nothing(again: Any) -> None:
    heads, fresh = again(quick()), quick()
    assert set(vars(heads)) == set(BY_HEAD)
    for name in BY_HEAD:
        assert torch.equal(getattr(heads, name), getattr(fresh, name)), name
    with torch.no_grad():  # torch copies no tensor that has a gradient function
        whole = again(trace())
    assert set(vars(whole)) == {f.name for f in dataclasses.fields(AttentionTrace)}
    assert isinstance(whole.projections, Projections) and whole.shape("output") == (BATCH, QUERIES, D_MODEL)
    assert whole.dims("output") == trace().dims("output")


def test_a_trace_is_freed_without_the_garbage_collector() -> None:
    """Large tensors must go when the last name does: nothing in a record may point back to it."""
    gc.disable()
    try:
        with torch.inference_mode():
            record = module().trace(numbers(1, 3, D_MODEL))
        watched = [weakref.ref(record.heads), weakref.ref(record.heads.raw_scores)]
        record.heads.masked_scores, record.heads.allowed, record.projections  # noqa: B018
        del record
        assert [watch() for watch in watched] == [None, None]
    finally:
        gc.enable()


def test_contributions_of_a_trace_made_in_inference_mode() -> None:
    made = module()
    x = numbers(1, 3, D_MODEL)
    with torch.inference_mode():
        record = made.trace(x)
    torch.testing.assert_close(record.head_contributions(), made.trace(x).head_contributions())


def test_gradients_flow_through_contributions() -> None:
    made = module()
    made.trace(numbers(1, 3, D_MODEL)).head_contributions()[:, 1].sum().backward()
    gradient: Tensor = made.out_proj_weight.grad  # type: ignore[union-attr, assignment]
    used = gradient.abs().sum(0) != 0
    assert used[D_V : 2 * D_V].all() and used.sum() == D_V


def test_a_record_knows_no_other_names() -> None:
    @dataclasses.dataclass(frozen=True)
    class Pair(Record):
        left: int
        right: int

    calls: list[int] = []
    pair = Pair.partly({"left": 1}, {"right": lambda: calls.append(1) or 2})
    assert not calls
    assert (pair.right, pair.right, pair) == (2, 2, Pair(1, 2))
    assert calls == [1]
    with pytest.raises(AttributeError, match="'Pair' object has no attribute 'middle'"):
        pair.middle  # noqa: B018
