"""What enters a layer: the trace says what it is, and its formula and the arithmetic of its cells are true of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from attention_core.derivation import derive, stage_formula
from attention_core.experiment import Experiment
from attention_core.trace import AttentionTrace
from attention_core.trained import answer, load_shipped, task

CLOSE = {"rel": 1e-5, "abs": 1e-5}


def traces(name: str) -> dict[str, AttentionTrace]:
    one = task(name)
    return dict(answer(one, load_shipped(name), one.inputs[0]).traces)


def normed(rows: torch.Tensor, layer: str, name: str) -> torch.Tensor:
    """The norm before a layer's attention, from the weights in its file."""
    state = load_shipped(name).state_dict()
    return F.layer_norm(rows, (64,), state[f"{layer}.norm.weight"], state[f"{layer}.norm.bias"])


@pytest.mark.parametrize("name", ["reversal", "coreference", "sorting"])
def test_a_first_layer_reads_the_norm_of_token_and_position(name: str) -> None:
    trace, state, one = traces(name)["self1"], load_shipped(name).state_dict(), task(name)
    words = state["word_table"][one.words.encode(one.read(one.inputs[0]))]
    places = state["position_table"][: len(words)]
    torch.testing.assert_close(trace.field("token_embedding")[0], words)
    torch.testing.assert_close(trace.field("position_encoding")[0], places)
    torch.testing.assert_close(trace.embedding[0], normed(words + places, "self1", name))
    assert stage_formula(trace, "embedding") == r"x_i = \mathrm{norm}(t_i + p_i)"
    found = derive(trace, "embedding", row=2, col=5)
    assert [step.key for step in found.steps] == ["added", "normed"]
    assert found.step("added").value == pytest.approx(float(words[2, 5] + places[2, 5]), **CLOSE)
    assert found.step("normed").value == found.value == pytest.approx(float(trace.embedding[0, 2, 5]))


def test_positions_that_come_after_the_norm_are_added_to_what_the_values_are_made_of() -> None:
    first, second = traces("induction").values()
    state, one = load_shipped("induction").state_dict(), task("induction")
    words = state["word_table"][one.words.encode(one.read(one.inputs[0]))]
    hat = normed(words, "self1", "induction")
    torch.testing.assert_close(first.field("value_embedding")[0], hat)
    torch.testing.assert_close(first.embedding[0], hat + state["position_table"][: len(words)])
    carried = normed(words + first.output[0], "self2", "induction")  # there is no feed-forward network between them
    torch.testing.assert_close(second.field("value_embedding")[0], carried)
    assert (first.origin, second.origin) == ("tokens", "layer")
    tail = r" \qquad x_i = \hat{x}_i + p_i"
    assert stage_formula(first, "embedding") == r"\hat{x}_i = \mathrm{norm}(t_i)" + tail
    assert stage_formula(second, "embedding") == r"\hat{x}_i = \mathrm{norm}(h_i)" + tail
    for trace in (first, second):
        assert "token_embedding" not in trace.fields()
        (step,) = derive(trace, "embedding", row=3, col=7).steps
        assert step.formula == r"x_{ic} = \hat{x}_{ic} + p_{ic}"
        assert step.recomputed() == pytest.approx(float(trace.embedding[0, 3, 7]), **CLOSE)
        value = derive(trace, "v", row=3, col=7).step("projection")
        assert r"\hat{x}_{jc}" in value.formula and value.columns[0] == "x̂"
    # Two equal words are one row in the first layer, and two in the second.
    assert torch.equal(first.field("value_embedding")[0, 0], first.field("value_embedding")[0, 8])
    assert float((carried[0] - carried[8]).abs().max()) > 1


def test_a_layer_after_another_reads_what_that_one_gave() -> None:
    trace = traces("coreference")["self2"]
    assert trace.origin == "layer" and stage_formula(trace, "embedding") == r"x_i = \mathrm{norm}(h_i)"
    (step,) = derive(trace, "embedding", row=1, col=0).steps
    assert step.note is not None and "before this layer" in step.note.text()


def test_a_writer_reads_what_was_written_and_what_the_encoder_gave() -> None:
    found, state, one = traces("translation"), load_shipped("translation").state_dict(), task("translation")
    begun = ["[begin]", *found["decoder1"].tokens[:-1]]
    words = state["answer_table"][[one.answers.all.index(word) for word in begun]]
    first = found["decoder1"]
    torch.testing.assert_close(first.field("token_embedding")[0], words)
    x = words + state["answer_position_table"][: len(words)]
    torch.testing.assert_close(first.embedding[0], normed(x, "decoder1", "translation"))
    cross = found["cross1"]
    torch.testing.assert_close(cross.embedding[0], normed(x + first.output[0], "cross1", "translation"))
    assert (cross.origin, cross.normed) == ("attention", True)
    assert (cross.source_origin, cross.source_normed) == ("encoder", False)
    assert stage_formula(cross, "embedding") == r"x_i = \mathrm{norm}(h_i)"
    assert stage_formula(cross, "source_embedding") == ""
    assert r"v_j = \hat{x}_j W_V" in stage_formula(cross, "qkv")
    source = state["word_table"][one.words.encode(one.read(one.inputs[0]))]
    torch.testing.assert_close(cross.field("value_embedding")[0], source)


def test_what_is_not_known_has_no_formula() -> None:
    trace = Experiment("one two", num_heads=2, d_model=8).run()
    assert stage_formula(trace, "embedding") == "x_i = t_i"
    bare = replace(trace, token_embedding=None)
    assert stage_formula(bare, "embedding") == ""
    assert stage_formula(replace(bare, normed=True), "embedding") == r"x_i = \mathrm{norm}(t_i)"
    assert stage_formula(replace(bare, origin="layer"), "embedding") == ""


def test_another_origin_is_refused() -> None:
    trace = Experiment("one two", num_heads=2, d_model=8).run()
    with pytest.raises(ValueError, match="source_origin='sun': allowed are tokens, layer, attention, encoder"):
        replace(trace, source_origin="sun")


def test_a_matrix_that_is_not_known_is_left_out() -> None:
    trace = Experiment("one two three", num_heads=2, d_model=8, bias=True, weights="random").run()
    assert trace.projections is not None
    less = replace(trace, projections=replace(trace.projections, w_q=None, w_k=None, b_q=None, b_k=None))
    assert stage_formula(less, "qkv") == "v_j = x_j W_V + b_V"
    query, key = derive(less, "weights", row=1, col=2).steps[:2]
    assert (query.formula, key.formula) == (r"\mathbf{q}_i", r"\mathbf{k}_j")
    assert query.vector == pytest.approx(trace.heads.q[0, 0, 1].tolist())
    assert query.note is not None and query.note.key == "as_it_enters"
    (given,) = derive(less, "q", row=1, col=2).steps
    assert given.key == "given" and given.value == pytest.approx(float(trace.heads.q[0, 0, 1, 2]))
    assert derive(less, "v", row=1, col=2).step("projection").recomputed() == pytest.approx(
        float(trace.heads.v[0, 0, 1, 2]), **CLOSE
    )
    with pytest.raises(ValueError, match="allowed are projections that know all three"):
        less.projections.inputs()
