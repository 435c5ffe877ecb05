"""JSON and NPZ give back every number and name of a trace."""

from __future__ import annotations

import io
import json

import numpy as np
import orjson
import pytest

from attention_core.experiment import Experiment
from attention_core.trace import AttentionTrace
from attention_viz import export, read_trace_json, trace_json, trace_npz
from attention_viz.export import json_pieces, npz_pieces
from tests.viz.conftest import Make

TOKENS = ("the", "the", "银行", "</script>", "", "=1", "\n", "שלום")


def all_names(trace: AttentionTrace) -> tuple[str, ...]:
    return (*trace.fields(), *trace.parameters())


def test_json_round_trip(make: Make) -> None:
    trace = make(TOKENS, names=("a", "", "c"))
    content = read_trace_json(trace_json(trace))
    assert tuple(content["tokens"]) == TOKENS and tuple(content["source_tokens"]) == TOKENS
    assert content["head_names"] == ["a", "", "c"] and content["scale"] == trace.scale
    assert content["score_name"] == trace.score_name and content["experiment"] is None
    assert set(content["fields"]) == set(all_names(trace))
    for name in all_names(trace):
        wanted = trace.field(name).detach().numpy()
        assert content["fields"][name].dtype == wanted.dtype
        assert np.array_equal(content["fields"][name], wanted), name
        assert content["dims"][name] == trace.dims(name)


def test_json_says_what_no_number_is(causal: AttentionTrace, change: Make) -> None:
    broken = causal.heads.masked_scores.clone()
    broken[0, 0, 4, :2] = float("nan")
    broken[0, 0, 4, 2] = float("inf")
    text = trace_json(change(causal, masked_scores=broken))

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    values = json.loads(text, parse_constant=refuse)["fields"]["masked_scores"]["values"]
    assert values[0][0][4][:3] == ["NaN", "NaN", "Infinity"] and values[0][0][0][1] == "-Infinity"
    back = read_trace_json(text)["fields"]["masked_scores"]
    assert np.array_equal(back, broken.numpy(), equal_nan=True)


def test_json_keeps_the_experiment() -> None:
    experiment = Experiment("the cat sat", num_heads=2, d_model=8)
    content = read_trace_json(trace_json(experiment.run(), experiment))
    assert Experiment.from_json(json.dumps(content["experiment"])) == experiment


def test_json_keeps_doubles(causal: AttentionTrace, change: Make) -> None:
    double = change(causal, q=causal.heads.q.double() / 3)
    assert np.array_equal(read_trace_json(trace_json(double))["fields"]["q"], double.heads.q.detach().numpy())


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"format":"attention-trace","version":99}', b"NaN"])
def test_other_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        read_trace_json(text)


def test_a_wrong_shape_is_refused(causal: AttentionTrace) -> None:
    content = orjson.loads(trace_json(causal))
    content["fields"]["q"]["shape"] = [1, 3, 7, 5]
    with pytest.raises(ValueError, match="q measures"):
        read_trace_json(orjson.dumps(content))


def test_npz_round_trip_without_pickles(make: Make) -> None:
    trace = make(TOKENS, names=("a", "", "c"))
    with np.load(io.BytesIO(trace_npz(trace)), allow_pickle=False) as file:
        assert tuple(file["tokens"].tolist()) == TOKENS
        assert file["head_names"].tolist() == ["a", "", "c"]
        about = json.loads(file["about"].item())
        for name in all_names(trace):
            wanted = trace.field(name).detach().numpy()
            assert file[name].dtype == wanted.dtype and np.array_equal(file[name], wanted), name
            assert tuple(about["dims"][name]) == trace.dims(name)
        assert set(file.files) == {*all_names(trace), "tokens", "source_tokens", "head_names", "about"}


def test_npz_keeps_awkward_tokens_in_about(make: Make) -> None:
    with np.load(io.BytesIO(trace_npz(make(("a\0", "b"), heads=1)))) as file:
        assert json.loads(file["about"].item())["tokens"] == ["a\0", "b"]


def test_a_large_trace_is_written_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """No field is looked at before the ones before it are gone, and no piece is large; joined they are the file."""
    trace = Experiment(" ".join(f"w{number}" for number in range(150)), num_heads=4, d_model=8, mode="causal").run()
    looked: list[str] = []
    array_of = export._array_of
    monkeypatch.setattr(export, "_array_of", lambda trace, name: looked.append(name) or array_of(trace, name))
    for pieces, names in ((json_pieces(trace), all_names(trace)), (npz_pieces(trace), all_names(trace))):
        looked.clear()
        first = next(pieces)
        assert 0 < len(looked) < len(names) - 5
        rest = list(pieces)
        assert tuple(looked) == names
        assert all(2**16 <= len(piece) < 2**19 for piece in [first, *rest][:-1]) and len(rest) > 10
        whole = first + b"".join(rest)
        if whole.startswith(b"{"):
            read = read_trace_json(whole)["fields"]
        else:
            read = np.load(io.BytesIO(whole), allow_pickle=False)
        for name in names:
            np.testing.assert_array_equal(read[name], trace.field(name).detach().numpy(), err_msg=name)


def test_an_unknown_field_is_named_before_anything_is_written(causal: AttentionTrace) -> None:
    for pieces in (json_pieces, npz_pieces):
        with pytest.raises(KeyError, match="weights"):
            pieces(causal, names=["attention"])


def test_half_a_surrogate_pair_can_be_saved(make: Make) -> None:
    trace = make(("\ud83d", "b"), heads=1, names=("\udc00",))
    assert read_trace_json(trace_json(trace))["tokens"] == ["\ufffd", "b"]
    with np.load(io.BytesIO(trace_npz(trace))) as file:
        assert file["tokens"].tolist() == ["\ufffd", "b"]
