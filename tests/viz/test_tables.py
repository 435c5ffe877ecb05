"""Tables and CSV: each number beside its own tokens, exactly, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import itertools

import numpy as np
import pandas as pd
import pytest
import torch

from attention_core.trace import AttentionTrace
from attention_viz import table, to_csv
from attention_viz.tables import csv_pieces
from tests.viz.conftest import Make


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_one_head_is_a_wide_table(cross: AttentionTrace) -> None:
    shown = table(cross, "weights", head=2)
    assert shown.index.tolist() == ["0 a", "1 b", "2 c"] and shown.index.name == "query"
    assert shown.columns.tolist() == [f"{i} {key}" for i, key in enumerate("stuvwxy")]
    assert shown.columns.name == "key"
    assert np.array_equal(shown.to_numpy(), cross.heads.weights[0, 2].detach().numpy())


def test_equal_tokens_keep_a_row_and_column_each(causal: AttentionTrace) -> None:
    shown = table(causal, "weights", head=0)
    assert shown.index.is_unique and shown.columns.is_unique
    assert shown.loc["4 the", "0 the"] == causal.heads.weights[0, 0, 4, 0].item()


def test_a_field_without_heads_is_wide(cross: AttentionTrace) -> None:
    shown = table(cross, "source_embedding")
    assert shown.index.tolist()[:2] == ["0 s", "1 t"] and shown.columns.tolist()[:2] == ["0", "1"]
    assert shown.columns.name == "d_model"
    assert np.array_equal(shown.to_numpy(), cross.source_embedding[0].detach().numpy())


def test_many_heads_are_a_long_table(cross: AttentionTrace) -> None:
    shown = table(cross, "weights")
    assert shown.columns.tolist() == ["head", "query_index", "query", "key_index", "key", "value"]
    assert len(shown) == 4 * 3 * 7
    for row in shown.itertuples():
        assert row.value == cross.heads.weights[0, row.head, row.query_index, row.key_index].item()
        assert row.query == "abc"[row.query_index] and row.key == "stuvwxy"[row.key_index]


def test_vectors_of_key_value_heads(cross: AttentionTrace) -> None:
    shown = table(cross, "v")
    assert shown.columns.tolist() == ["kv_head", "key_index", "key", "d_v", "value"]
    assert len(shown) == 2 * 7 * 7
    one = shown[(shown.kv_head == 1) & (shown.key == "u") & (shown.d_v == 5)]
    assert one.value.item() == cross.heads.v[0, 1, 2, 5].item()


def test_biases_are_tables_too(cross: AttentionTrace) -> None:
    assert table(cross, "b_o").shape == (1, 12)
    assert table(cross, "w_q", head=3).shape == (12, 7)


def test_wrong_input_is_named(cross: AttentionTrace) -> None:
    with pytest.raises(ValueError, match="head=2: allowed are whole numbers from 0 to 1"):
        table(cross, "k", head=2)
    with pytest.raises(ValueError, match="batch=1: allowed are whole numbers from 0 to 0"):
        to_csv(cross, "k", batch=1)
    with pytest.raises(KeyError, match="weights"):
        table(cross, "attention")


@pytest.mark.parametrize("double", [False, True])
def test_csv_gives_every_float_back(make: Make, change: Make, double: bool) -> None:
    trace = make(batch=2)
    if double:
        trace = change(trace, masked_scores=trace.heads.masked_scores.double() / 3)
    for field in ("masked_scores", "weights", "q"):
        values = trace.field(field)[1].detach().numpy()
        rows = read(to_csv(trace, field, batch=1))
        back = np.array([row["value"] for row in rows]).astype(values.dtype).reshape(values.shape)
        assert np.array_equal(back, values)  # minus infinity among them
    assert any(row["value"] == "-inf" for row in read(to_csv(trace, "masked_scores")))


def test_csv_writes_nan_as_such(causal: AttentionTrace, change: Make) -> None:
    broken = causal.heads.q.clone()
    broken[0, 0, 0, 0] = torch.nan
    assert read(to_csv(change(causal, q=broken), "q"))[0]["value"] == "NaN"


def test_csv_of_the_mask(causal: AttentionTrace) -> None:
    rows = read(to_csv(causal, "allowed"))
    assert [row["value"] for row in rows[:6]] == ["True", "False", "False", "False", "False", "True"]


def test_csv_keeps_tokens_apart_and_in_order(make: Make) -> None:
    tokens = ("the", "the", "a,b", 'say "hi"', "two\nlines", "银行", " lead")
    rows = read(to_csv(make(tokens, heads=1), "weights"))
    pairs = [(row["query"], row["key"]) for row in rows]
    assert pairs == list(itertools.product(tokens, tokens))


@pytest.mark.parametrize(
    "token", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "-", '=HYPERLINK("x")']
)
def test_a_spreadsheet_runs_no_token(make: Make, token: str) -> None:
    text = to_csv(make((token, "b"), heads=1), "raw_scores")
    rows = read(text)
    assert {row["query"] for row in rows} == {"'" + token, "b"}
    for row in rows:  # numbers are left alone, negative ones too
        assert float(row["value"]) is not None and not row["value"].startswith("'")
    assert any(row["value"].startswith("-") for row in rows)


def test_half_a_surrogate_pair_can_be_saved(make: Make) -> None:
    to_csv(make(("\ud83d", "b"), heads=1), "weights").encode()


def test_pieces_are_small_whatever_the_size(make: Make, change: Make) -> None:
    """Half a million numbers, infinite ones among them: lines as pandas would write them, some thousands at a time."""
    tokens = tuple(f"{number},w" for number in range(400))
    trace = make(tokens, heads=3)
    scores = trace.heads.masked_scores.clone()
    scores[:, :, :, ::7] = -torch.inf
    scores[0, 2, 399, 398] = torch.nan
    trace = change(trace, masked_scores=scores)
    sizes, read_back = [], []
    for piece in csv_pieces(trace, "masked_scores"):
        sizes.append(len(piece))
        read_back.append(piece)
    assert len(sizes) > 20 and max(sizes) < 2**19 and min(sizes[:-1]) >= 2**16
    frame = pd.read_csv(io.BytesIO(b"".join(read_back)), dtype={"value": "float32"})
    assert np.array_equal(frame.value.to_numpy().reshape(3, 400, 400), scores[0].numpy(), equal_nan=True)
    wanted = list(itertools.product(range(3), range(400), range(400)))
    assert list(zip(frame["head"], frame.query_index, frame.key_index, strict=True)) == wanted
    assert frame.key.iloc[:400].tolist() == list(tokens) and frame["query"].iloc[-1] == "399,w"


def test_pandas_reads_the_csv(causal: AttentionTrace) -> None:
    read_back = pd.read_csv(io.StringIO(to_csv(causal, "weights")), dtype={"value": "float32"})
    assert np.array_equal(read_back.value.to_numpy(), causal.heads.weights[0].detach().numpy().ravel())
