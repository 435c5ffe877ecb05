"""A row that forbids everything, in every convention, against numbers worked out here."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from attention_core.mask_lab.empty_rows import BIAS, CONVENTIONS, WIDTH, EmptyRow, empty_rows
from attention_core.seeding import seeded

TOKENS, BLIND = 5, 2
ROWS = {row.convention: row for row in empty_rows(TOKENS, blind=BLIND)}


def test_what_each_convention_gives() -> None:
    """PyTorch 2.13; a change here is news for the page that shows it."""
    assert {name: row.verdict for name, row in ROWS.items()} == {
        "softmax": "nan",
        "additive": "nan",
        "finfo_min": "uniform",
        "minus_1e9": "uniform",
        "sdpa": "zeros",
        "sdpa_additive": "zeros",
        "mha": "nan",
        "mha_no_weights": "bias",
        "mha_inference": "nan",
        "ours": "zeros",
    }
    assert list(ROWS) == list(CONVENTIONS)


def test_what_becomes_of_the_gradients() -> None:
    assert {name: row.gradient for name, row in ROWS.items()} == {
        "softmax": "nan",
        "additive": "nan",
        "finfo_min": "finite",
        "minus_1e9": "finite",
        "sdpa": "finite",
        "sdpa_additive": "finite",
        "mha": "nan",
        "mha_no_weights": "finite",
        "mha_inference": None,
        "ours": "finite",
    }


def test_the_numbers_behind_the_words() -> None:
    x = torch.randn(TOKENS, WIDTH, generator=seeded(0, "empty rows"))
    for name in ("finfo_min", "minus_1e9"):
        assert ROWS[name].weights is not None
        assert ROWS[name].weights.tolist() == pytest.approx([1 / TOKENS] * TOKENS)
        assert ROWS[name].output.tolist() == pytest.approx(x.mean(0).tolist())
    for name in ("sdpa", "sdpa_additive", "ours"):
        assert ROWS[name].output.tolist() == [0.0] * WIDTH
    for name in ("softmax", "additive", "mha", "mha_inference"):
        assert all(map(math.isnan, ROWS[name].output.tolist()))
    assert ROWS["mha_no_weights"].output.tolist() == [BIAS] * WIDTH
    assert ROWS["ours"].weights is not None
    assert ROWS["ours"].weights.tolist() == [0.0] * TOKENS
    assert [name for name, row in ROWS.items() if row.weights is None] == [
        "sdpa",
        "sdpa_additive",
        "mha_no_weights",
        "mha_inference",
    ]


def test_the_other_rows_are_all_the_same_attention() -> None:
    """Otherwise the verdicts would be those of functions that were called in a wrong way."""
    generator = seeded(0, "empty rows")
    x = torch.randn(TOKENS, WIDTH, generator=generator)
    allowed = torch.ones(TOKENS, TOKENS, dtype=torch.bool)
    allowed[BLIND] = False
    one = x[None, None]
    whole = F.scaled_dot_product_attention(one, one, one)[0, 0]
    halves = x.view(1, TOKENS, 2, WIDTH // 2).transpose(1, 2)
    heads = F.scaled_dot_product_attention(halves, halves, halves).transpose(1, 2).reshape(TOKENS, WIDTH)
    others = torch.arange(TOKENS) != BLIND
    for name, (_, attend) in CONVENTIONS.items():
        output, _ = attend(x, allowed)
        expected = heads + BIAS if name.startswith("mha") else whole
        torch.testing.assert_close(output[others], expected[others], msg=name)


def test_the_same_module_gives_nan_or_its_bias_by_whether_gradients_are_on() -> None:
    """The fast path of inference is another computation: a module straight from torch shows it too."""
    with torch.random.fork_rng():
        module = nn.MultiheadAttention(4, 2, batch_first=True).eval()
    x = torch.ones(1, 3, 4)
    forbidden = torch.ones(3, 3, dtype=torch.bool).triu()  # the first query sees nothing
    assert not module(x, x, x, attn_mask=forbidden, need_weights=False)[0].isnan().any()
    with torch.no_grad():
        assert module(x, x, x, attn_mask=forbidden, need_weights=False)[0][0, 0].isnan().all()


def test_the_loss_looks_at_the_other_rows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def attend(x: torch.Tensor, allowed: torch.Tensor) -> tuple[torch.Tensor, None]:
        factor = torch.where(allowed.any(-1, keepdim=True), 1.0, 1e30)
        return x * factor * factor, None  # a gradient beyond float32, in the blind row alone

    monkeypatch.setitem(CONVENTIONS, "ours", ("", attend))
    assert {row.convention: row.gradient for row in empty_rows()}["ours"] == "finite"


def test_it_is_computed_again_for_every_size_and_place() -> None:
    small = {row.convention: row for row in empty_rows(2, blind=1, seed=5)}
    assert {name: row.verdict for name, row in small.items()} == {name: row.verdict for name, row in ROWS.items()}
    assert small["finfo_min"].weights is not None
    assert small["finfo_min"].weights.tolist() == [0.5, 0.5]


def test_inside_inference_mode() -> None:
    with torch.inference_mode():
        inside = empty_rows(TOKENS, blind=BLIND)
    assert [(row.verdict, row.gradient) for row in inside] == [(row.verdict, row.gradient) for row in ROWS.values()]


def test_the_global_generator_is_left_alone() -> None:
    state = torch.random.get_rng_state()
    empty_rows(3)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.convention)
def test_every_convention_has_its_words(row: EmptyRow) -> None:
    assert row.title.text()
    assert all(sentence.text().endswith(".") for sentence in row.sentences)
    assert len(row.sentences) == (1 if row.gradient is None else 2)
    assert row.call


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokens": 1}, "tokens=1: allowed are whole numbers from 2"),
        ({"tokens": 3, "blind": 3}, "blind=3: allowed are whole numbers from 0 to 2"),
        ({"tokens": 3, "blind": -1}, "blind=-1: allowed are whole numbers from 0 to 2"),
        ({"seed": -1}, "seed=-1: allowed are whole numbers from 0"),
    ],
)
def test_what_is_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        empty_rows(**arguments)
