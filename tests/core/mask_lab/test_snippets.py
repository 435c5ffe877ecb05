"""The code for every library: each snippet is run, and its numbers compared with those of this project."""

from __future__ import annotations

import ast
import itertools
import math
import sys
import types
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Bool
from torch import Tensor
from torch.nn.attention import flex_attention as flex_module
from torch.nn.attention.flex_attention import create_mask

from attention_core.functional import attention
from attention_core.mask_lab.snippets import LIBRARIES, Snippet, snippets
from attention_core.masks import Causal, Documents, Explicit, Full, Global, Mask, Padding, Prefix, Window
from attention_core.masks.base import Indices
from attention_core.modules import MultiHeadAttention
from tests.core.mask_examples import BATCH, EXAMPLES, HEADS, KEYS, PAINTED, QUERIES, grids, masks

pytestmark = [
    pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile"),
    pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies"),
]

SIZES = {"batch": BATCH, "heads": HEADS}
RUNS = itertools.count()


class Staggered(Mask):
    """A mask that is different in every head of every batch row: j + h <= i + b."""

    @property
    def depends_on(self) -> frozenset[str]:
        return frozenset("bhqk")

    def allows(self, b: Indices, h: Indices, q: Indices, k: Indices) -> Bool[Tensor, ...]:
        return k + h <= q + b

    def expression(self) -> str:
        return "k + h <= q + b"

    def phrase(self, translate: object = None) -> str:
        return "staggered"


EVERY = pytest.mark.parametrize("mask", [*EXAMPLES, Staggered()], ids=str)


def by_library(mask: Mask, queries: int = QUERIES, keys: int = KEYS, **sizes: int) -> dict[str, Snippet]:
    return {snippet.library: snippet for snippet in snippets(mask, queries, keys, **(sizes or SIZES))}


@pytest.fixture(autouse=True)
def flex_attention_without_tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same operations at once: tracing them takes half a second for every mask, and changes no number."""
    monkeypatch.setattr(flex_module, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", True)


def run(snippet: Snippet) -> dict[str, Any]:
    """What the code leaves behind when it is run as a module, without a trace in the global generator."""
    module = types.ModuleType(f"snippet_{next(RUNS)}")
    sys.modules[module.__name__] = module  # where the tracing of flex_attention looks for its globals
    try:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            exec(compile(snippet.code, snippet.library, "exec"), vars(module))
    finally:
        del sys.modules[module.__name__]
    return vars(module)


def assert_agrees(mask: Mask, queries: int = QUERIES, keys: int = KEYS, **sizes: int) -> None:
    """Every snippet gives our weights and context, and in rows with nothing left what it says there."""
    sizes = sizes or SIZES
    allowed = mask.materialize(sizes["batch"], sizes["heads"], queries, keys)
    blind = ~allowed.any(-1)
    for library, snippet in by_library(mask, queries, keys, **sizes).items():
        names = run(snippet)
        assert snippet.blind == int(blind.sum())
        if library == "mha":
            module = MultiHeadAttention.from_torch(names["attend"])
            trace = module.trace(names["query"], names["source"], mask=mask)
            seeing = ~blind.any(1)  # a row of the output is mixed from all heads
            torch.testing.assert_close(names["output"][seeing], trace.output[seeing], atol=1e-5, rtol=1e-4)
            assert names["output"][~seeing].isnan().all()
            weights, ours = names["weights"], trace.heads.weights
        else:
            heads = attention(names["q"], names["k"], names["v"], mask=mask)
            close = {"atol": 1e-5, "rtol": 1e-4, "msg": f"{library} {mask}"}
            torch.testing.assert_close(names["output"][~blind], heads.context[~blind], **close)
            rest = names["output"][blind]
            mean = names["v"].mean(2, keepdim=True).expand_as(names["output"])[blind]
            assert {
                "zeros": (rest == 0).all(),
                "nan": rest.isnan().all(),
                "uniform": torch.allclose(rest, mean, atol=1e-5),
            }[snippet.empty], library
            weights, ours = names.get("weights"), heads.weights
            if library == "hf":
                torch.testing.assert_close(names["sdpa_output"], heads.context, **close)
        if weights is not None:
            torch.testing.assert_close(weights[~blind], ours[~blind], atol=1e-5, rtol=1e-4)
            if snippet.empty == "nan":
                assert weights[blind].isnan().all()
            else:
                torch.testing.assert_close(weights[blind], torch.full_like(weights[blind], 1 / keys))


# ---- run and compared


@EVERY
def test_every_snippet_is_run_and_agrees(mask: Mask) -> None:
    assert_agrees(mask)


@settings(max_examples=20)
@given(masks)
def test_random_combinations(mask: Mask) -> None:
    assert_agrees(mask)


@settings(max_examples=20)
@given(st.integers(1, 7), st.integers(1, 7), st.data())
def test_random_painted_masks(queries: int, keys: int, data: st.DataObject) -> None:
    assert_agrees(data.draw(grids(queries, keys)), queries, keys, batch=1, heads=2)


@pytest.mark.parametrize(
    "mask",
    [
        Causal() | Prefix(3),
        Padding((4,)),
        Documents((0, 0, 1, 1, 1, 2)),
        Causal(-1),
        Prefix(0),
        Causal() & ~Window(2),
        Full(),
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [(6, 6), (3, 5), (1, 1)], ids=str)
def test_one_batch_row_and_one_head(mask: Mask, size: tuple[int, int]) -> None:
    assert_agrees(mask, *size, batch=1, heads=1)


@pytest.mark.parametrize(
    "mask",
    [Documents((0, 0, 1, 0, 2, 2)), PAINTED, (Causal() | Prefix(2)) & Padding((5, 2)), Staggered()],
    ids=str,
)
def test_flex_attention_as_a_user_runs_it(mask: Mask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flex_module, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", False)
    names = run(by_library(mask)["flex"])
    ours = attention(names["q"], names["k"], names["v"], mask=mask).context
    torch.testing.assert_close(names["output"], ours, atol=1e-5, rtol=1e-4)


def test_a_large_painted_mask() -> None:
    generator = torch.Generator().manual_seed(1)
    mask = Explicit.from_tensor(torch.rand(150, 131, generator=generator) < 0.3)
    assert_agrees(mask, 150, 131, batch=1, heads=1)


# ---- the tensor that is drawn is the tensor of the code


@EVERY
def test_the_mask_that_is_shown_is_that_of_the_code(mask: Mask) -> None:
    for library, snippet in by_library(mask).items():
        made = run(snippet)[snippet.variable]
        if library == "flex":
            made = create_mask(made, BATCH, HEADS, QUERIES, KEYS, device="cpu")
        assert torch.equal(made, snippet.shown), library
        assert made.dtype == snippet.shown.dtype
        if library != "flex":
            assert snippet.tensor.startswith(str(made.dtype).removeprefix("torch."))
            assert snippet.tensor.endswith(str(tuple(made.shape)))


@EVERY
def test_the_block_mask_has_the_axes_that_the_mask_depends_on(mask: Mask) -> None:
    """Run at once, flex_attention asks mask_mod for every cell; a kernel trusts the blocks."""
    made = run(by_library(mask)["flex"])["block_mask"]
    batch = BATCH if "b" in mask.depends_on else 1
    heads = HEADS if "h" in mask.depends_on else 1
    assert made.shape == (batch, heads, QUERIES, KEYS)


def test_polarity_written_out() -> None:
    """Query 0 may attend to key 0 and not to key 1: what stands there in each library."""
    found = by_library(Causal(), 2, 2, batch=1, heads=1)
    shown = {library: snippet.shown.reshape(2, 2)[0].tolist() for library, snippet in found.items()}
    assert shown == {
        "sdpa": [True, False],
        "mha": [False, True],
        "additive": [0.0, -math.inf],
        "hf": [True, False],
        "flex": [True, False],
    }
    padded = by_library(Padding((1,)), 2, 2, batch=1, heads=1)["hf"]
    assert padded.shown.tolist() == [[1, 0]]
    for library, word in (
        ("sdpa", "True = may attend"),
        ("mha", "True = forbidden"),
        ("additive", "0 = may attend, -inf = forbidden"),
        ("hf", "bool: True = may attend"),
        ("flex", "True = may attend"),
    ):
        assert word in found[library].code
    assert "1 = may attend, 0 = forbidden" in padded.code


def test_the_shapes_in_words() -> None:
    plain = {library: snippet.tensor for library, snippet in by_library(Causal()).items()}
    assert plain == {
        "sdpa": "bool (batch, heads, queries, keys) = (2, 3, 5, 7)",
        "mha": "bool (queries, keys) = (5, 7)",
        "additive": "float32 (batch, heads, queries, keys) = (2, 3, 5, 7)",
        "hf": "bool (batch, 1, queries, keys) = (2, 1, 5, 7)",
        "flex": "mask_mod(b, h, q, k) -> bool",
    }
    padded = by_library(Padding((4, 6)))
    assert padded["mha"].tensor == "bool (batch * heads, queries, keys) = (6, 5, 7)"
    assert padded["hf"].tensor == "int64 (batch, keys) = (2, 7)"
    assert by_library(Staggered())["hf"].tensor == "bool (batch, heads, queries, keys) = (2, 3, 5, 7)"


def test_a_bool_mask_added_to_the_scores_forbids_nothing() -> None:
    """What the comment on Hugging Face's "eager" warns of, and what the polarity of the others would do."""
    names = run(by_library(Causal(), 3, 3, batch=1, heads=1)["hf"])
    added = torch.softmax(names["q"] @ names["k"].mT / math.sqrt(8) + names["attention_mask"], dim=-1)
    assert (added[0, 0].triu(1) > 0).sum() == 3


# ---- the code as text


@EVERY
def test_the_code_is_python_with_the_rule_in_it(mask: Mask) -> None:
    for snippet in by_library(mask).values():
        tree = ast.parse(snippet.code)
        rules = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        assert [rule.name for rule in rules] == ["mask_mod" if snippet.library == "flex" else "may_attend"]
        if not mask_has_grid(mask):
            assert f"return {mask.expression()}\n" in snippet.code
        imported = {
            alias.name if isinstance(node, ast.Import) else str(node.module)
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert all(name == "math" or name.split(".")[0] == "torch" for name in imported)


def mask_has_grid(mask: Mask) -> bool:
    return "dtype=torch.bool" in mask.expression()


def test_a_warning_stands_where_a_row_has_nothing_left() -> None:
    for snippet in by_library(Causal(-1)).values():
        assert "# Query 0 may attend to nothing: " in snippet.code
        assert snippet.blind == BATCH * HEADS
    for snippet in by_library(Causal()).values():
        assert "may attend to nothing" not in snippet.code
        assert snippet.blind == 0
    code = by_library(Padding((0, 3)))["sdpa"].code
    assert "# Queries 0, 1, 2, 3, 4, in some batch rows or heads, may attend to nothing: " in code
    code = by_library(Prefix(0), 20, 2, batch=1, heads=1)["sdpa"].code
    assert "# Queries 0, 1, 2, 3, 4, 5, 6, 7, ... may attend to nothing: " in code


@EVERY
def test_lines_are_short_enough_to_read(mask: Mask) -> None:
    for snippet in by_library(mask).values():
        rule = mask.expression()
        long = [line for line in snippet.code.splitlines() if len(line) > 110 and rule not in line]
        assert not [line for line in long if not line.startswith(("# Quer", "    return", '    """'))]


def test_they_come_in_order_with_their_words() -> None:
    found = snippets(Global((0,)), 3, 3)
    assert tuple(snippet.library for snippet in found) == LIBRARIES
    assert len({snippet.title for snippet in found}) == len(LIBRARIES)
    assert all(snippet.polarity for snippet in found)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: snippets(Full(), 0, 3), "queries=0: allowed are whole numbers from 1"),
        (lambda: snippets(Full(), 3, 3, heads=0), "heads=0: allowed are whole numbers from 1"),
        (lambda: snippets(Explicit(("x",)), 3, 3), "the painted mask has 1 queries and 1 keys"),
        (lambda: snippets(Padding((1, 2)), 3, 3), "allowed are as many lengths as batch rows"),
    ],
)
def test_what_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
