"""The arithmetic shown for a cell is the one that was done: every number of every field is recomputed."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from functools import cache

import pytest
import torch

from attention_core.derivation import Derivation, derive, scales, stage_formula
from attention_core.derivation.latex import plain
from attention_core.derivation.words import NOTES, SENTENCES, TITLES
from attention_core.experiment import Experiment
from attention_core.functional import attention
from attention_core.masks import Causal, Explicit, Full, Window
from attention_core.modules import MultiHeadAttention
from attention_core.positions import RoPE
from attention_core.scores import OwnScale
from attention_core.trace import AttentionTrace
from attention_core.trained import Patch
from attention_core.trained.patch import overwrite, patched

CLOSE = {"rel": 1e-12, "abs": 1e-12}
# Widths are distinct primes where they may be, and d_k is odd, so that swapped axes cannot hide.
BASE = Experiment("it saw it .", num_heads=2, d_model=7, d_k=3, d_v=5, seed=11)
CASES: dict[str, Experiment] = {
    "self": BASE,
    "causal": replace(BASE, mode="causal"),
    "cross": replace(BASE, mode="cross", source_text="the cats ran too fast"),
    **{score: replace(BASE, score=score) for score in ("dot", "cosine", "additive", "bilinear")},
    **{
        position: replace(BASE, position=position)
        for position in ("sinusoidal", "learned", "rope", "alibi", "t5", "shaw", "transformer_xl")
    },
    "tempered": replace(BASE, temperature=0.4),
    "tempered cosine": replace(BASE, temperature=3.0, score="cosine"),
    "grouped": replace(BASE, num_heads=4, num_kv_heads=2),
    "dropout": replace(BASE, dropout=0.5, mode="causal"),
    "bias": replace(BASE, bias=True),
    "without W_O": replace(BASE, out_proj=False),
    "a row with nothing": replace(BASE, mask=Causal(-1), dropout=0.3),
    "window": replace(BASE, mask=Window(2), position="alibi"),
    "hand built": replace(BASE, d_model=32, d_k=None, d_v=None, num_heads=4, weights="hand_built"),
    "all at once": replace(
        BASE,
        mode="cross",
        source_text="the cats ran the 🐈",
        num_heads=6,
        num_kv_heads=3,
        position="rope",
        dropout=0.4,
        temperature=2.0,
        bias=True,
        mask=Causal(1),
    ),
}
SCORES = (
    "raw_scores",
    "scaled_scores",
    "modified_scores",
    "allowed",
    "masked_scores",
    "weights",
    "dropped_weights",
)
# The step that ends with the number in the cell.
LAST = {
    "raw_scores": "raw", "scaled_scores": "scale", "modified_scores": "modified", "allowed": "mask",
    "masked_scores": "mask", "weights": "weight", "dropped_weights": "dropout", "context": "context",
    "head_contributions": "head", "concat": "copy",
}  # fmt: skip


@cache
def traced(name: str) -> AttentionTrace:
    return CASES[name].run(torch.float64)


@cache
def told(name: str, field: str, head: int, row: int, col: int) -> Derivation:
    """The derivation with everything known that the experiment knows."""
    case = CASES[name]
    return derive(
        traced(name),
        field,
        head=head,
        row=row,
        col=col,
        score=case.score_function(torch.float64),
        mods=case.mods(),
    )


def cells(name: str, field: str) -> list[tuple[int, int, int]]:
    """Every head, row and column of a field; of wide ones every third column."""
    shape = traced(name).shape(field)
    heads, rows, cols = (shape[1] if len(shape) == 4 else 1), shape[-2], shape[-1]
    return list(itertools.product(range(heads), range(rows), range(0, cols, 1 if cols < 10 else 3)))


def same(x: float, y: float) -> bool:
    return x == y or (math.isnan(x) and math.isnan(y)) or x == pytest.approx(y, **CLOSE)


@pytest.mark.parametrize("name", CASES)
def test_the_terms_of_every_step_of_every_cell_make_its_number(name: str) -> None:
    trace = traced(name)
    for field in trace.fields():
        tensor = trace.field(field)
        for head, row, col in cells(name, field):
            found = told(name, field, head, row, col)
            expected = float(tensor[(0, head, row, col) if tensor.dim() == 4 else (0, row, col)])
            assert found.value == expected
            for step in found.steps:
                again = step.recomputed()
                if isinstance(again, tuple):
                    assert again == pytest.approx(step.vector, **CLOSE), (field, head, row, col, step.key)
                elif again is not None:
                    assert step.value is not None
                    assert same(again, step.value), (field, head, row, col, step.key)
            keys = [step.key for step in found.steps]
            last = found.steps[-1] if LAST.get(field) not in keys else found.step(LAST[field])
            assert last.value is not None
            assert same(last.value, expected), (field, head, row, col)


def raw_from(name: str, found: Derivation) -> float:
    """The raw score from the terms and vectors that are shown."""
    q, k = found.step("query").vector, found.step("key").vector
    if CASES[name].score in ("dot", "scaled_dot"):
        terms = found.step("raw").terms
        assert tuple(t.a for t in terms) == q
        assert tuple(t.b for t in terms) == k
        return sum(a * b for a, b in zip(q, k, strict=True))
    if CASES[name].score == "cosine":
        assert found.step("norm_q").value == pytest.approx(math.dist(q, [0.0] * len(q)), **CLOSE)
        assert found.step("norm_k").value == pytest.approx(math.dist(k, [0.0] * len(k)), **CLOSE)
        return sum(a * b for a, b in zip(q, k, strict=True)) / (math.hypot(*q) * math.hypot(*k))
    if CASES[name].score == "additive":
        hidden = found.step("hidden").terms
        return sum(t.a * math.tanh(h.a + h.b) for t, h in zip(found.step("raw").terms, hidden, strict=True))
    turned = found.step("turned").vector
    return sum(a * b for a, b in zip(turned, k, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_the_chain_from_query_and_key_to_the_context_holds_in_plain_arithmetic(name: str) -> None:
    """An independent calculator: it reads vectors and terms off the derivation, then looks at the trace."""
    case, trace = CASES[name], traced(name)
    heads, queries, keys = trace.shape("weights")[1:]
    root = math.sqrt(case.widths.d_k) if case.score == "scaled_dot" else 1.0
    for head, row in itertools.product(range(heads), range(queries)):
        context = [0.0] * case.widths.d_v
        for col in range(keys):
            at = (0, head, row, col)
            found = told(name, "dropped_weights", head, row, col)
            raw = raw_from(name, found)
            assert raw == pytest.approx(float(trace.heads.raw_scores[at]), **CLOSE)
            scaled = raw / (root * case.temperature)
            assert scaled == pytest.approx(float(trace.heads.scaled_scores[at]), **CLOSE)
            assert found.step("scale").value == pytest.approx(scaled, **CLOSE)

            steps = {step.key: step for step in found.steps}
            added = 0.0
            if case.position in ("alibi", "t5", "shaw", "transformer_xl"):
                shown = steps.get("position") or steps[case.position]
                assert shown.value is not None
                added = shown.value
            assert scaled + added == pytest.approx(float(trace.heads.modified_scores[at]), **CLOSE)

            may = bool(trace.heads.allowed[at])
            assert steps["mask"].value == pytest.approx(scaled + added if may else -math.inf, **CLOSE)
            if bool(trace.heads.allowed[0, head, row].any()):
                terms = steps["sum"].terms
                assert len(terms) == keys
                top = max(t.a for t in terms)
                total = sum(math.exp(t.a - top) for t in terms)
                weight = math.exp(terms[col].a - top) / total
                assert steps["max"].value == top
                assert steps["sum"].value == pytest.approx(total, **CLOSE)
                assert steps["exp"].value == pytest.approx(math.exp(terms[col].a - top), **CLOSE)
            else:
                weight = 0.0
                assert "sum" not in steps
            assert weight == pytest.approx(float(trace.heads.weights[at]), **CLOSE)
            assert (weight == 0.0) is (not may)

            kept = float(trace.heads.dropped_weights[at]) != 0.0
            dropped = weight / (1.0 - case.dropout) if kept else 0.0
            assert steps["dropout"].value == pytest.approx(dropped, **CLOSE)
            part = steps["contribution"].vector
            kv_head = head // (heads // trace.shape("v")[1])
            v = trace.heads.v[0, kv_head, col].tolist()
            assert part == pytest.approx([dropped * x for x in v], **CLOSE)
            context = [a + b for a, b in zip(context, part, strict=True)]
            assert steps["context"].vector == tuple(trace.heads.context[0, head, row].tolist())
        assert context == pytest.approx(trace.heads.context[0, head, row].tolist(), **CLOSE)


@pytest.mark.parametrize("name", ["self", "bias", "grouped", "cross", "all at once"])
def test_projections_are_rows_times_columns(name: str) -> None:
    trace, case = traced(name), CASES[name]
    weights = case.module(torch.float64).projections()
    for side, matrix, bias in (("q", weights.w_q, weights.b_q), ("k", weights.w_k, weights.b_k)):
        x = trace.embedding if side == "q" else trace.source_embedding
        for head, row, col in cells(name, side):
            terms = told(name, side, head, row, col).step("projection").terms
            assert [t.a for t in terms[: case.d_model]] == x[0, row].tolist()
            assert [t.b for t in terms[: case.d_model]] == matrix[head, :, col].tolist()
            assert len(terms) == case.d_model + (bias is not None)
            if bias is not None:
                assert terms[-1].result == float(bias[head, col])


def test_the_output_is_grouped_by_heads_and_ends_with_the_bias() -> None:
    trace = traced("all at once")
    contributions = trace.head_contributions()
    found = told("all at once", "output", 0, 2, 3)
    heads = [step for step in found.steps if step.key == "head"]
    assert [step.head for step in heads] == list(range(6))
    assert [step.value for step in heads] == pytest.approx(contributions[0, :, 2, 3].tolist(), **CLOSE)
    total = found.step("output")
    assert [t.a for t in total.terms[:6]] == [step.value for step in heads]
    assert trace.projections is not None and trace.projections.b_o is not None
    assert total.terms[6].a == float(trace.projections.b_o[3])
    most = max(range(6), key=lambda h: abs(float(contributions[0, h, 2, 3])))
    assert found.sentence.values["head"] == f"{most + 1}"


def test_a_column_of_the_concatenation_names_its_head() -> None:
    found = told("self", "concat", 0, 1, 7)  # d_v = 5: column 7 is column 2 of head 1, both from 0
    copy = found.step("copy")
    assert copy.note is not None
    assert copy.note.values == {"head": "2", "column": "3"}
    assert found.value == float(traced("self").heads.context[0, 1, 1, 2])
    assert found.step("context").value == found.value


def by_hand() -> AttentionTrace:
    """Queries (1, 2), (0, 1), keys (3, -1), (0, 4), the scale 1 / sqrt(2); 'a' may not look at 'd'."""
    q = torch.tensor([[[[1.0, 2.0], [0.0, 1.0]]]], dtype=torch.float64)
    k = torch.tensor([[[[3.0, -1.0], [0.0, 4.0]]]], dtype=torch.float64)
    v = torch.tensor([[[[2.0], [-6.0]]]], dtype=torch.float64)
    heads = attention(q, k, v, mask=torch.tensor([[True, False], [True, True]]))
    context = heads.context[0]
    return AttentionTrace(
        tokens=("a", "b"), source_tokens=("c", "d"), embedding=q[0], source_embedding=k[0], heads=heads,
        concat=context, output=context, scale=1 / math.sqrt(2), score_name="scaled_dot",
    )  # fmt: skip


def test_numbers_worked_by_hand() -> None:
    found = derive(by_hand(), "weights", row=0, col=0)
    assert [step.key for step in found.steps] == [
        "query", "key", "raw", "scale", "mask", "max", "exp", "sum", "weight", "contribution", "context",
    ]  # fmt: skip
    assert found.step("query").substituted == r"\mathbf{q}_i = (1,\; 2)"
    assert found.step("raw").substituted == r"r_{ij} = 1 \cdot 3 + 2 \cdot (-1) = 1"
    assert found.step("scale").formula == r"s_{ij} = \frac{r_{ij}}{\sqrt{d_k}}"
    assert found.step("scale").substituted == r"s_{ij} = \frac{1}{\sqrt{2}} \approx 0.7071"
    assert found.step("sum").substituted == r"Z_i = e^{0.7071 - 0.7071} + e^{-\infty - 0.7071} = 1"
    assert found.step("weight").substituted == r"w_{ij} = \frac{1}{1} = 1"
    assert found.step("contribution").vector == (2.0,)
    assert found.sentence.text() == "'a' looks 100 % at 'c'."

    # b: r = -1 and 4, s = -0.7071 and 2.8284; e^-3.5355 = 0.02914, w = 0.02832 and 0.97168
    other = derive(by_hand(), "weights", row=1, col=0)
    assert other.step("sum").value == pytest.approx(1.0291432, abs=1e-7)
    assert other.value == pytest.approx(0.0283179, abs=1e-7)
    assert other.sentence.text() == "'b' looks 2.8 % at 'c'."
    context = derive(by_hand(), "context", row=1, col=0)
    assert context.value == pytest.approx(0.0283179 * 2 - 0.9716821 * 6, abs=1e-6)
    assert context.sentence.values["key"] == "d"


def test_sentences() -> None:
    assert told("causal", "weights", 0, 0, 1).sentence.text() == (
        "'it₀' may not look at 'saw': its weight is exactly 0."
    )
    assert told("causal", "masked_scores", 0, 0, 3).sentence.text() == (
        "'it₀' may not look at '.', so its score is minus infinity."
    )
    assert told("a row with nothing", "weights", 1, 0, 2).sentence.text() == (
        "'it₀' may look at nothing: all its weights are exactly 0."
    )
    assert told("a row with nothing", "context", 1, 0, 2).sentence.text() == (
        "'it₀' may look at nothing, so its context in head 2 is 0."
    )
    assert told("self", "modified_scores", 0, 0, 0).sentence.key == "modified_scores_same"
    assert told("alibi", "modified_scores", 0, 0, 3).sentence.values["added"] == "-0.1875"  # slope 1/16, distance 3
    assert (
        told("self", "rotated_q", 0, 0, 0)
        .sentence.text()
        .endswith("query of 'it₀' in head 1 is " + (told("self", "q", 0, 0, 0).sentence.values["value"] + "."))
    )
    assert told("rope", "rotated_q", 0, 0, 0).sentence.text().endswith(" after its rotation.")
    assert told("cross", "k", 0, 4, 0).sentence.values["token"] == "fast"
    assert told("grouped", "v", 1, 2, 0).sentence.values["head"] == "2"


def test_where_a_contribution_goes() -> None:
    note = told("self", "weights", 1, 2, 0).step("contribution").note  # d_v = 5: head 2 fills columns 6 to 10
    assert note is not None
    assert note.text() == (
        "It is added to the context vector of 'it₂' in head 2, "
        "which fills the columns 6 to 10 of the concatenation."
    )


def test_the_temperature_stands_under_the_fraction() -> None:
    scale = told("tempered", "scaled_scores", 0, 1, 2).step("scale")
    assert scale.formula == r"s_{ij} = \frac{r_{ij}}{\sqrt{d_k} \cdot T}"
    assert r"}{\sqrt{3} \cdot 0.4} " in scale.substituted
    cosine = told("tempered cosine", "scaled_scores", 0, 1, 2).step("scale")
    assert cosine.formula == r"s_{ij} = \frac{r_{ij}}{T}"
    assert r"}{3} " in cosine.substituted
    assert told("dot", "scaled_scores", 0, 1, 2).step("scale").formula == r"s_{ij} = r_{ij}"


def test_a_temperature_near_one_is_one_all_the_same() -> None:
    nearly = Experiment("a b c", num_heads=1, d_model=4, temperature=1.05).run()
    assert scales(nearly) == [(r"\sqrt{d_k}", r"\sqrt{4}"), ("T", "1.05")]
    assert stage_formula(nearly, "scaled_scores") == r"s_{ij} = r_{ij} / (\sqrt{d_k}\, T)"


def test_of_many_heads_the_formula_names_the_first_two_and_the_last() -> None:
    written = {heads: stage_formula(Experiment("a b", num_heads=heads, d_model=12).run(), "concat") for heads in (3, 4)}
    assert written[3] == r"o_i = [\,c_i^{1};\; c_i^{2};\; c_i^{3}\,]"
    assert written[4] == r"o_i = [\,c_i^{1};\; c_i^{2};\; \dots;\; c_i^{4}\,]"


def evaluated(latex: str) -> float:
    """The number of an expression in LaTeX: sums, products, fractions, roots, powers, absolute values."""
    text = latex.replace(r"\cdot", "*").replace(r"\lvert", "abs(").replace(r"\rvert", ")")
    text = re.sub(r"\be\^", "E**", text.replace(r"\infty", "inf"))
    while "{" in text:
        before = text
        text = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1)/(\2))", text)
        text = re.sub(r"\\sqrt\{([^{}]*)\}", r"sqrt(\1)", text)
        text = re.sub(r"\^\{([^{}]*)\}", r"**(\1)", text)
        text = re.sub(r"\*\*\{([^{}]*)\}", r"**(\1)", text)
        assert text != before, latex
    names = {"abs": abs, "sqrt": math.sqrt, "inf": math.inf, "E": math.e}
    return float(eval(text, {"__builtins__": {}}, names))  # our own numbers: see the test of the tokens


@pytest.mark.parametrize("name", CASES)
def test_the_formula_with_numbers_is_true(name: str) -> None:
    """What stands left of the last sign of equality is, in the digits shown, what stands right of it."""
    read = set()
    for field in ("dropped_weights", "context", "rotated_q", "rotated_k", "output"):
        for head, row, col in cells(name, field):
            for step in told(name, field, head, row, col).steps:
                sides = re.split(r" = | \\approx ", step.substituted)
                if len(sides) < 3 or step.key == "copy" or r"\dots" in step.substituted or ",\\;" in step.substituted:
                    continue
                if r"\quad" in sides[-2] or r"\cdots" in sides[-2]:
                    continue
                left, right = evaluated(sides[-2]), evaluated(sides[-1])
                size = max([1.0, *(abs(t.result) for t in step.terms), abs(step.value or 0.0)])
                assert left == pytest.approx(right, rel=3e-3, abs=3e-3 * size), (field, step.substituted)
                assert right == pytest.approx(step.value, rel=1e-3)
                read.add(step.key)
    assert {"raw", "sum", "exp", "weight", "context"} - read <= ({"raw"} if CASES[name].d_k is None else set())


def test_dropout_is_said() -> None:
    trace = traced("dropout")
    before, after = trace.heads.weights, trace.heads.dropped_weights
    dropped = [tuple(at) for at in ((before > 0) & (after == 0)).nonzero().tolist()]
    kept = [tuple(at) for at in (after > 0).nonzero().tolist()]
    assert dropped and kept
    _, head, row, col = dropped[0]
    assert told("dropout", "dropped_weights", head, row, col).sentence.key == "dropped"
    _, head, row, col = kept[0]
    found = told("dropout", "dropped_weights", head, row, col)
    assert found.sentence.key == "kept"
    assert found.step("dropout").terms[0].a == pytest.approx(2.0, **CLOSE)


def weighing(score: float) -> AttentionTrace:
    """One query and two keys, the first `score` above the second."""
    q = torch.tensor([[[[1.0]]]], dtype=torch.float64)
    k = torch.tensor([[[[score], [0.0]]]], dtype=torch.float64)
    heads = attention(q, k, k)
    return AttentionTrace(("a",), ("b", "c"), q[0], k[0], heads, heads.context[0], heads.context[0])


@pytest.mark.parametrize(
    ("score", "first", "second"),
    [
        (0.0, "'a' looks 50 % at 'b'.", "'a' looks 50 % at 'c'."),
        (6.0, "'a' looks 99.8 % at 'b'.", "'a' looks 0.25 % at 'c'."),
        (8.0, "'a' looks 99.97 % at 'b'.", "'a' looks 0.034 % at 'c'."),
        (12.0, "'a' looks more than 99.99 % at 'b'.", "'a' looks less than 0.01 % at 'c'."),
        (
            800.0,
            "'a' looks 100 % at 'b'.",
            "'a' may look at 'c', but the weight is too small to be more than 0.",
        ),
    ],
)
def test_no_percentage_is_rounded_into_a_lie(score: float, first: str, second: str) -> None:
    trace = weighing(score)
    assert derive(trace, "weights", row=0, col=0).sentence.text() == first
    assert derive(trace, "weights", row=0, col=1).sentence.text() == second


@pytest.mark.parametrize("score", [math.inf, math.nan])
def test_what_is_no_number_is_said(score: float) -> None:
    found = derive(weighing(score), "weights", row=0, col=0)
    assert math.isnan(found.value)
    assert found.sentence.key == "no_number"
    assert r"\mathrm{NaN}" in found.step("weight").substituted


def test_tokens_stay_out_of_the_formulas() -> None:
    evil = (r"$\href{javascript:x}$", "<b>{0}</b>", "{query}", r"\frac")
    trace = replace(traced("dropout"), tokens=evil, source_tokens=evil, head_names=(evil[0], evil[1]))
    for field in trace.fields():
        found = derive(trace, field, head=0, row=1, col=0)
        for step in found.steps:
            latex = step.formula + step.substituted
            assert not any(mark in latex for mark in ("$", "<", "javascript", "query", "href"))
        found.sentence.text()
    text = derive(trace, "weights", row=1, col=0).sentence.text()
    assert evil[0] in text and evil[1] in text
    assert derive(trace, "weights", row=1, col=0).step("sum").terms[1].label == evil[1]


def test_tokens_are_written_by_show_and_templates_by_say() -> None:
    found = derive(by_hand(), "weights", row=1, col=0, show=str.upper)
    assert found.sentence.text() == "'B' looks 2.8 % at 'C'."
    chinese = {SENTENCES["looks"]: "“{query}”有 {percent} % 看向“{key}”。"}
    assert found.sentence.text(lambda text: chinese[text]) == "“B”有 2.8 % 看向“C”。"


def test_long_vectors_keep_all_terms_and_show_the_first() -> None:
    case = Experiment("two words", num_heads=1, d_model=64, seed=3)
    found = derive(case.run(torch.float64), "weights", row=0, col=1)
    raw = found.step("raw")
    assert len(raw.terms) == 64
    assert raw.recomputed() == pytest.approx(raw.value, **CLOSE)
    assert raw.substituted.count(r" \cdot ") == 4
    assert r" + \cdots " in raw.substituted
    assert found.step("query").substituted.endswith(r",\; \dots)")


@pytest.mark.parametrize("side", ["q", "k"])
def test_a_rotation_shows_the_same_turn_with_and_without_its_scheme(side: str) -> None:
    trace = traced("rope")
    for head, row, col in cells("rope", f"rotated_{side}"):
        seen = derive(trace, f"rotated_{side}", head=head, row=row, col=col)
        known = derive(trace, f"rotated_{side}", head=head, row=row, col=col, mods=[RoPE()])
        if col == 2:  # the odd one out
            assert seen.steps[0].note is not None
            assert seen.steps[0].note.key == "no_partner"
            continue
        assert known.step("angle").value == pytest.approx(float(row), **CLOSE)  # theta of the first plane is 1
        assert [t.b for t in seen.step("rotation").terms] == pytest.approx(
            [t.b for t in known.step("rotation").terms], abs=1e-9
        )


def test_schemes_and_scores_show_their_parts_only_when_they_are_given() -> None:
    for name, key in (("alibi", "alibi"), ("t5", "t5"), ("shaw", "shaw"), ("transformer_xl", "xl_bias")):
        assert told(name, "weights", 1, 2, 0).step(key).value is not None
        bare = derive(traced(name), "weights", head=1, row=2, col=0)
        assert "position" in [step.key for step in bare.steps]
        assert bare.step("position").value == pytest.approx(
            float(traced(name).heads.modified_scores[0, 1, 2, 0] - traced(name).heads.scaled_scores[0, 1, 2, 0])
        )
    for name in ("additive", "bilinear"):
        bare = derive(traced(name), "raw_scores", head=1, row=2, col=0)
        assert bare.step("raw").terms == ()
        assert bare.step("raw").note is not None
        assert told(name, "raw_scores", 1, 2, 0).step("raw").terms


def test_mods_of_another_trace_are_refused() -> None:
    with pytest.raises(ValueError, match=r"mods=.*: allowed are those that the trace was made with"):
        derive(traced("t5"), "weights", row=0, col=2, mods=CASES["alibi"].mods())


def test_a_trace_without_weights_or_names() -> None:
    trace = by_hand()
    assert derive(trace, "q", row=0, col=1).value == 2.0
    assert derive(trace, "q", row=0, col=1).steps[0].note is not None
    assert derive(trace, "q", row=0, col=1).sentence.text() == "Number 2 of the query of 'a' in head 1 is 2."
    assert derive(trace, "embedding", row=1, col=1).value == 1.0
    assert derive(trace, "output", row=1, col=0).sentence.key == "concat"


def test_parameters_and_batches() -> None:
    attend = MultiHeadAttention(6, 2, head_dim=5, dtype=torch.float64)
    x = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    trace = attend.trace(x)
    found = derive(trace, "w_q", head=1, row=5, col=4)
    assert found.value == trace.field("w_q")[1, 5, 4].item()
    assert found.head == 1
    assert derive(trace, "b_o", row=0, col=5).value == 0.0
    assert derive(trace, "b_v", head=1, row=0, col=2).head == 1
    weight = derive(trace, "weights", head=1, row=3, col=0, batch=2)
    assert weight.value == trace.heads.weights[2, 1, 3, 0].item()
    assert weight.step("sum").recomputed() == pytest.approx(weight.step("sum").value, **CLOSE)


def test_another_value_source_is_used_for_values() -> None:
    attend = MultiHeadAttention(6, 2, vdim=3, dtype=torch.float64)
    draw = torch.Generator().manual_seed(1)
    x, value = (torch.randn(1, 4, width, generator=draw, dtype=torch.float64) for width in (6, 3))
    trace = attend.trace(x, x, value)
    found = derive(trace, "v", head=1, row=2, col=1)
    assert [t.a for t in found.step("projection").terms[:3]] == value[0, 2].tolist()
    assert found.step("projection").recomputed() == pytest.approx(found.value, **CLOSE)


def test_single_precision_agrees_to_its_own_digits() -> None:
    case = CASES["all at once"]
    trace = case.run()
    for head, row, col in cells("all at once", "weights"):
        found = derive(trace, "weights", head=head, row=row, col=col, score=case.score_function(), mods=case.mods())
        for step in found.steps:
            if step.value is not None and step.terms:
                assert step.recomputed() == pytest.approx(step.value, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"row": 4}, "row=4: allowed are whole numbers from 0 to 3, the size of query"),
        ({"col": -1}, "col=-1: allowed are whole numbers from 0"),
        ({"head": 2}, "head=2: allowed are whole numbers from 0 to 1, the size of head"),
        ({"batch": 1}, "batch=1: allowed are whole numbers from 0 to 0, the size of batch"),
        ({"row": 1.0}, "row=1.0: allowed are whole numbers from 0"),
    ],
)
def test_cells_that_are_not_there_are_refused(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        derive(traced("self"), "weights", **{"row": 0, "col": 0, **wrong})


def test_unknown_fields_and_steps_name_what_there_is() -> None:
    with pytest.raises(KeyError, match="weights"):
        derive(traced("self"), "wieghts", row=0, col=0)
    with pytest.raises(KeyError, match="query, key, raw"):
        derive(traced("self"), "raw_scores", row=0, col=0).step("sum")


def with_weights_set() -> AttentionTrace:
    """A trace in which the second row of the first head looks at the first token alone."""
    plain = traced("bias")
    return overwrite(plain, *patched(plain.heads.weights, plain.heads.allowed, [Patch("", 0, rows=((1, (1,)),))]))


def test_weights_that_were_set_count_in_place_of_those_that_were_computed() -> None:
    trace, plain = with_weights_set(), traced("bias")
    v = plain.heads.v[0, 0, 0]
    found = derive(trace, "weights", row=1, col=0)
    assert found.step("contribution").vector == pytest.approx(v.tolist(), **CLOSE)
    assert found.step("context").vector == pytest.approx(v.tolist(), **CLOSE)
    assert found.step("by_hand").value == 1.0
    assert "was set to 1; the head itself computed" in found.sentence.text()
    untouched = derive(trace, "weights", row=0, col=0)
    assert untouched.sentence.text() == derive(plain, "weights", row=0, col=0).sentence.text()
    assert [step.substituted for step in untouched.steps] == [
        step.substituted for step in derive(plain, "weights", row=0, col=0).steps
    ]
    context = derive(trace, "context", row=1, col=0)
    assert context.value == pytest.approx(float(v[0]), **CLOSE)
    assert context.steps[0].recomputed() == pytest.approx(context.value, **CLOSE)


def capped() -> AttentionTrace:
    """A trace whose scores are kept within 0.5."""
    plain = traced("bias")
    scores = 0.5 * torch.tanh(plain.heads.scaled_scores / 0.5)
    return replace(plain, cap=0.5, heads=replace(plain.heads, modified_scores=scores, masked_scores=scores))


def test_a_cap_is_no_position() -> None:
    trace = capped()
    assert stage_formula(trace, "modified_scores") == r"z_{ij} = C \tanh(s_{ij} / C) \qquad C = 0.5"
    found = derive(trace, "modified_scores", row=1, col=2)
    assert [step.key for step in found.steps] == ["query", "key", "raw", "scale", "capped"]
    before = trace.heads.scaled_scores[0, 0, 1, 2].item()
    assert found.step("capped").value == pytest.approx(0.5 * math.tanh(before / 0.5), **CLOSE)
    assert rf"0.5 \cdot \tanh({plain(before)} / 0.5)" in found.step("capped").substituted
    assert "position" not in found.sentence.text() and "within the cap" in found.sentence.text()
    assert "z_{ij}" in derive(trace, "weights", row=1, col=2).step("mask").formula


def test_a_scale_of_the_model_itself_is_no_temperature() -> None:
    attend = MultiHeadAttention(6, 2, score=OwnScale(0.0625), dtype=torch.float64)
    trace = attend.trace(torch.randn(1, 3, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    assert scales(trace) == [] and r"\sum_c" in stage_formula(trace, "raw_scores")
    assert stage_formula(trace, "scaled_scores") == r"s_{ij} = \alpha\, r_{ij} \qquad \alpha = 0.0625"
    found = derive(trace, "weights", row=1, col=2)
    raw = trace.heads.raw_scores[0, 0, 1, 2].item()
    assert found.step("raw").recomputed() == pytest.approx(raw, **CLOSE)
    assert found.step("scale").recomputed() == pytest.approx(0.0625 * raw, **CLOSE)
    assert "T" not in found.step("scale").formula and "sqrt" not in found.step("scale").formula


def test_every_title_and_note_is_used_and_every_sentence_can_be_said() -> None:
    titles, notes, sentences = set(), set(), set()
    for name in CASES:
        for field in traced(name).fields():
            for head, row, col in cells(name, field):
                found = told(name, field, head, row, col)
                titles |= {step.key for step in found.steps}
                notes |= {step.note.key for step in found.steps if step.note}
                sentences.add(found.sentence.key)
                assert "{" not in found.sentence.text()
    after_a_norm = replace(traced("sinusoidal"), normed=True)
    for found in (
        derive(with_weights_set(), "dropped_weights", row=1, col=0),
        derive(capped(), "modified_scores", row=1, col=0),
        derive(after_a_norm, "embedding", row=1, col=0),
    ):
        titles |= {step.key for step in found.steps}
        notes |= {step.note.key for step in found.steps if step.note}
        sentences.add(found.sentence.key)
    assert set(TITLES) == titles
    elsewhere = {"score_unknown", "no_weights", "no_direction", "not_turned", "turn_unknown"}
    elsewhere |= {"as_it_enters", "from_before"}  # in test_entering.py
    assert set(NOTES) - notes <= elsewhere
    assert set(SENTENCES) - sentences <= {
        "no_number",
        "too_small",
        "parameter",
        "looks_little",
        "looks_nearly_only",
        "output_zero",
        "output_bias",
        "context_dropped",
        "context_zero",
    }


def test_where_nothing_is_added_nobody_adds_the_most() -> None:
    case = Experiment("The sun rises", num_heads=2, d_model=8, weights="random", mask=~Full())
    nothing = derive(case.run(), "output", row=0, col=3)
    assert nothing.value == 0.0
    assert nothing.sentence.text() == "Number 4 of the output of 'The' is 0: no head adds anything."
    biased = derive(replace(case, bias=True).run(), "output", row=0, col=3)
    assert biased.value != 0.0 and "the bias alone" in biased.sentence.text()
    assert plain(biased.value) in biased.sentence.text()


def test_a_token_that_lost_all_its_weights_to_dropout() -> None:
    trace = Experiment("The sun rises", num_heads=2, d_model=8, dropout=0.9, seed=3).run()
    empty = (trace.field("dropped_weights")[0] == 0).all(dim=-1).nonzero().tolist()
    assert empty and bool(trace.field("allowed").all())
    for head, row in empty:
        found = derive(trace, "context", head=head, row=row, col=0)
        assert found.value == 0.0 and "Dropout left" in found.sentence.text()
    kept = (trace.field("dropped_weights")[0] != 0).any(dim=-1).nonzero().tolist()
    assert all("brings the most" in derive(trace, "context", head=h, row=r, col=0).sentence.text() for h, r in kept)


def test_queries_and_keys_that_were_turned_carry_a_mark() -> None:
    trace = Experiment("one two three", num_heads=1, d_model=4, position="rope").run()
    steps = derive(trace, "raw_scores", row=1, col=2).steps
    assert [step.formula.split(" ")[0] for step in steps] == [r"\mathbf{q}'_i", r"\mathbf{k}'_j", "r_{ij}"]
    assert "q'_{ic}" in steps[-1].formula and steps[-1].columns == ("q'", "k'", "q' · k'")


def test_a_zero_vector_has_no_direction() -> None:
    trace = weighing(0.0)
    found = derive(replace(trace, score_name="cosine"), "raw_scores", row=0, col=0)
    assert found.step("raw").note is not None
    assert found.step("raw").note.key == "no_direction"


def test_explicit_masks_and_queries_that_see_one_key() -> None:
    case = replace(BASE, mask=Explicit(((0, 1, 0, 0),) * 4))
    trace = case.run(torch.float64)
    assert derive(trace, "weights", row=3, col=1).sentence.text() == "'.' looks 100 % at 'saw'."
    assert derive(trace, "weights", row=3, col=0).steps[-3].key == "weight"
    assert derive(trace, "allowed", row=3, col=0).sentence.text() == "'.' may not look at 'it₀'."
