"""The mask lab below the grid: every number against a computation of our own, every snippet run."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from attention_core.experiment import Experiment
from attention_core.masks import Causal, Explicit, Full, Mask, Not, Padding, Window
from tests.ui.lessons import open_lesson
from tests.ui.reading import good, healthy, panel, panels, softmax

Numbers = NDArray[np.float64]

TEXT = "one two three four five six seven"
N = 7
SHAPE = {"num_heads": 3, "d_model": 24}
GENERATOR = np.random.default_rng(11)
SPOTTED = Explicit(tuple(map(tuple, (GENERATOR.random((N, N)) < 0.5).tolist())))
EMPTY_ROW = Explicit(tuple(["x" * N] * 3 + ["." * N] + ["x.x.x.x"] * 3))


def open_lab(
    mask: Mask = SPOTTED, section: str = "applied", experiment: Mapping[str, Any] | None = None, **settings: str
) -> AppTest:
    wanted = Experiment(**{"text": TEXT, **SHAPE, "mask": mask, **(experiment or {})})
    return open_lesson("mask_lab", {**wanted.to_query(), "mask_lab_section": section, **settings})


def table(app: AppTest, key: str) -> list[list[str]]:
    """The rows of a table, the one that sums up last."""
    header = panel(app, key).header
    return [*header["rows"], *([header["total"]] if header["total"] else [])]


def number(text: str) -> float:
    """A number as it is written on the page."""
    text = text.replace("−", "-").replace(",", "")
    return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text.removeprefix("× "))


def both(app: AppTest, field: str = "weights") -> tuple[Numbers, Numbers]:
    """The field without a mask and with it, (head, row, col) or (row, col), from experiments of their own."""
    found = good(app)
    bare = Experiment(**{**SHAPE, "text": found.text, "source_text": found.source_text, "mode": found.mode}).run()
    return tuple(trace.field(field)[0].double().numpy() for trace in (bare, found.run()))  # type: ignore[return-value]


def entropies(weights: Numbers) -> Numbers:
    logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
    return -(weights * logs).sum(axis=-1)


@pytest.mark.parametrize("field", ["weights", "masked_scores", "context", "output"])
@pytest.mark.parametrize("mask", [SPOTTED, EMPTY_ROW, Full()], ids=["spotted", "empty row", "full"])
def test_before_after_difference(field: str, mask: Mask) -> None:
    app = open_lab(mask, mask_lab_stage=field)
    a, b = both(app, field)
    allowed = np.broadcast_to(mask.materialize(1, 1, N, N)[0, 0].numpy(), (3, N, N))
    if field in ("weights", "masked_scores"):
        b = np.where(allowed, b, np.nan)
    lift = (lambda values: values[None]) if a.ndim == 2 else (lambda values: values)
    np.testing.assert_allclose(panel(app, "mask_lab_a").blocks, lift(a), atol=1e-5)
    np.testing.assert_allclose(panel(app, "mask_lab_b").blocks, lift(b), atol=1e-5)
    # A closed cell had a weight and has none; its score is minus infinity, and no number can be given.
    change = np.nan_to_num(b) - a if field == "weights" else b - a
    shown = panel(app, "mask_lab_d")
    np.testing.assert_allclose(shown.blocks, lift(change), atol=1e-5)
    assert shown.meta["zmin"] == -shown.meta["zmax"]
    # The scale ends at the largest change, but rounding does not fill it.
    noise = 0.01 * np.nanmax(np.abs([a, b]))
    assert shown.meta["zmax"] == pytest.approx(max(np.nanmax(np.abs(change)), noise), rel=1e-4)
    if field == "weights":
        assert {panel(app, key).meta["zmax"] for key in ("mask_lab_a", "mask_lab_b")} == {1.0}
    else:
        assert panel(app, "mask_lab_a").meta["zmax"] == panel(app, "mask_lab_b").meta["zmax"]


@pytest.mark.parametrize(
    "experiment",
    [
        {},
        {"mode": "cross", "source_text": "eins zwei drei vier", "mask": Padding((3,))},
        {"position": "alibi", "mask": Causal() & Window(2)},
        {"mask": EMPTY_ROW},
        {"mask": Not(Full())},
        {"num_kv_heads": 1, "weights": "random", "mask": Causal()},
    ],
    ids=["spotted", "cross", "alibi", "an empty row", "nothing", "shared keys"],
)
def test_the_numbers_of_every_head(experiment: Mapping[str, Any]) -> None:
    app = open_lab(experiment=experiment)
    after = good(app).run()
    before = Experiment(**{**{"text": TEXT, **SHAPE}, **experiment, "mask": Full()}).run()
    scores = after.field("modified_scores")[0].double().numpy()
    allowed = after.field("allowed")[0].numpy()
    a, b = softmax(scores), softmax(np.where(allowed, scores, -np.inf))
    removed, gained = np.maximum(a - b, 0).sum(-1), np.maximum(b - a, 0).sum(-1)  # (head, query)
    left = allowed.any(-1)
    moved = {
        name: np.linalg.norm((after.field(name)[0] - before.field(name)[0]).double().numpy(), axis=-1)
        for name in ("context", "output")
    }
    found = table(app, "mask_lab_heads")
    assert len(found) == 4
    for row, head in zip(found, (0, 1, 2, slice(None)), strict=True):
        assert number(row[1]) == pytest.approx(removed[head].mean(), abs=5.1e-4)
        assert number(row[2]) == pytest.approx(gained[head].mean(), abs=5.1e-4)
        assert int(row[3]) == (~left[head]).sum()
        was, now = map(float, row[4].split(" → "))
        assert was == pytest.approx(entropies(a)[head].mean(), abs=6e-4)
        rows = entropies(b)[head][left[head]]
        assert now == pytest.approx(rows.mean() if rows.size else 0.0, abs=6e-4)
        assert number(row[5]) == pytest.approx(moved["context"][head].mean(), abs=6e-4)
    assert number(found[-1][6]) == pytest.approx(moved["output"].mean(), abs=6e-4)
    # Conservation: in every row that has anything left, what was removed is what was gained.
    np.testing.assert_allclose(removed[left], gained[left], atol=1e-6)
    (said,) = [words.value for words in app.main.caption if "removed and redistributed agree" in words.value]
    error = re.search(r"agree (exactly|to (\S+))\. ", said)
    assert error is not None and (error[1] == "exactly" or float(error[2].replace("−", "-")) <= 1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_conservation_on_the_drawn_numbers(seed: int) -> None:
    """Random masks that leave each row something: the drawn B - A sums to 0 in every row, to 1e-6."""
    cells = np.random.default_rng(seed).random((N, N)) < 0.4
    np.fill_diagonal(cells, True)
    app = open_lab(Explicit(tuple(map(tuple, cells.tolist()))), experiment={"seed": seed})
    change = panel(app, "mask_lab_d").blocks.astype(np.float64)
    np.testing.assert_allclose(change.sum(axis=-1), 0.0, atol=1e-6)
    assert (change[:, ~cells] <= 0).all() and (change[:, cells] >= -1e-6).all()


def test_a_row_key_by_key() -> None:
    assert "mask_lab_row" not in panels(open_lab(head="2"))  # folded away until somebody asks
    app = open_lab(mask_lab_open="rows", mask_lab_query="3", head="2")
    a, b = (weights[1, 2] for weights in both(app))
    rows = table(app, "mask_lab_row")
    allowed = SPOTTED.grid[2]
    for key, row in enumerate(rows[:-1]):
        assert row[0] == f"{key}  {TEXT.split()[key]}"
        assert number(row[1]) == pytest.approx(a[key], abs=6e-5)
        assert (row[2] == "forbidden") != allowed[key]
        assert number(row[3]) == pytest.approx(b[key] - a[key], abs=6e-5)
        # What remains grows by one and the same factor, 1 / (1 - what was removed).
        if allowed[key]:
            assert number(row[4]) == pytest.approx(1 / sum(a[list(allowed)]), abs=6e-5)
    assert [number(cell) for cell in rows[-1][1:4]] == [1.0, 1.0, 0.0]
    assert "'three' loses the" in panel(app, "mask_lab_row_words").header["sentence"]
    by_row = table(app, "mask_lab_rows")
    assert number(by_row[2][1]) == pytest.approx(a[[not cell for cell in allowed]].sum(), abs=6e-5)
    # Unless another is asked for, it is the query that lost most.
    lost = [number(row[1]) for row in by_row]
    app.selectbox(key="mask_lab_query").set_value(0).run()
    worst = TEXT.split()[int(np.argmax(lost))]
    assert panel(app, "mask_lab_row_words").header["sentence"].startswith(f"'{worst}'")


def test_a_is_chosen_and_kept() -> None:
    app = open_lab()
    app.selectbox(key="mask_lab_base").set_value("causal").run()
    causal = np.tril(np.ones((N, N), dtype=bool))
    assert (~np.isnan(panel(app, "mask_lab_a").blocks) == causal).all()
    app.button(key="mask_lab_keep").click().run()
    healthy(app)
    assert not panel(app, "mask_lab_d").blocks[~np.isnan(panel(app, "mask_lab_d").blocks)].any()
    assert any("nothing differs" in words.value for words in app.main.caption)
    app.button(key="mask_invert").click().run()
    spotted = np.array(SPOTTED.grid)
    assert (~np.isnan(panel(app, "mask_lab_a").blocks) == spotted).all()
    assert (~np.isnan(panel(app, "mask_lab_b").blocks) == ~spotted).all()
    again = open_lesson("mask_lab", dict(app.query_params))
    np.testing.assert_array_equal(panel(again, "mask_lab_a").z, panel(app, "mask_lab_a").z)
    app.text_input(key="c_text").set_value(TEXT + " eight").run()
    healthy(app)
    assert panel(app, "mask_lab_a").blocks.shape == (3, 8, 8)


@pytest.mark.parametrize("base", ["sideways", "padding-3-4", "explicit-2x2-bAA", "not.", "z" * 70_000, "documents-1"])
def test_a_hostile_a(base: str) -> None:
    app = open_lab(mask_lab_base=base)
    healthy(app)
    assert panel(app, "mask_lab_a").blocks.shape == (3, N, N)


def test_nothing_changed_is_said() -> None:
    assert any("nothing differs" in words.value for words in open_lab(Full()).main.caption)


def ways(scores: Numbers, allowed: NDArray[np.bool_], bias: float) -> dict[str, Numbers]:
    """The five ways in float64 numpy, as their names say."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):

        def plain(values: Numbers) -> Numbers:
            powers = np.exp(values - values.max(axis=-1, keepdims=True))
            return powers / powers.sum(axis=-1, keepdims=True)

        after = plain(scores) * allowed
        return {
            "after": after,
            "after_renormalised": after / after.sum(axis=-1, keepdims=True),
            "before_inf": plain(np.where(allowed, scores, -np.inf)),
            "before_1e9": plain(np.where(allowed, scores, -1e9)),
            "additive": plain(scores + np.where(allowed, 0.0, bias)),
        }


@pytest.mark.parametrize("mask", [SPOTTED, EMPTY_ROW], ids=["spotted", "empty row"])
@pytest.mark.parametrize("bias", ["-inf", "-2"])
def test_where_it_is_applied(mask: Mask, bias: str) -> None:
    app = open_lab(mask, mask_lab_bias=bias, head="1")
    scores = good(app).run().field("modified_scores")[0, 0].double().numpy()
    allowed = mask.materialize(1, 1, N, N)[0, 0].numpy()
    wanted = ways(scores, allowed, float(bias))
    shown, sums, rows = (
        panel(app, "mask_lab_ways").blocks,
        panel(app, "mask_lab_sums").z,
        table(app, "mask_lab_agreement"),
    )
    left = allowed.any(-1)
    for way, (name, exact) in enumerate(wanted.items()):
        hidden = ~allowed & (exact == 0)
        assert (np.isnan(shown[way]) == (hidden | np.isnan(exact))).all(), name
        np.testing.assert_allclose(np.where(np.isnan(shown[way]), 0, shown[way]), np.nan_to_num(exact), atol=1e-6)
        np.testing.assert_allclose(sums[way], exact.sum(-1), atol=1e-6)
        row = rows[way]
        assert number(row[3]) == pytest.approx(np.abs(1 - exact.sum(-1))[left].max(), abs=1e-4), name
        assert number(row[4]) == pytest.approx((exact * ~allowed).sum(-1)[left].max(), abs=1e-4), name
        agrees = np.abs(exact - wanted["before_inf"])[left].max() < 1e-6
        assert row[1] == ("agrees" if agrees else "differs"), name
    assert [row[1] for row in rows[1:4]] == ["agrees"] * 3 and rows[0][1] == "differs"
    empty = {row[5] for row in rows}
    signs = [
        one for one in panel(app, "mask_lab_ways").header["figure"]["layout"]["annotations"] if one["text"] == "NaN"
    ]
    assert len(signs) == sum(np.isnan(exact).any(-1).sum() for exact in wanted.values())  # once for each row
    if mask == SPOTTED:
        assert empty == {"no such row"}
    else:
        assert empty == {"zeros", "NaN", "equal weights", *(["as if unmasked"] if bias == "-2" else [])}


def test_where_the_agreement_ends() -> None:
    rows = {row[0].split(" · ")[0]: row[1:] for row in table(open_lab(), "mask_lab_endings")}
    nan = "(NaN, NaN, NaN)"
    assert rows["1"] == ["(0, 0, 0)", nan, nan, "(0.33, 0.33, 0.33)", nan]
    assert rows["2"][2:4] == [nan, nan]
    assert rows["3"][1] == nan and rows["3"][2] == "(0.27, 0.73, 0)"
    assert rows["6"][4] == "(0.09, 0.24, 0.67)"


def test_half_precision() -> None:
    app = open_lab(EMPTY_ROW, mask_lab_dtype="float16", head="1")
    assert np.isnan(panel(app, "mask_lab_sums").z[3, 3])  # -1e9 does not exist there: the empty row is NaN
    assert panel(open_lab(EMPTY_ROW, head="1"), "mask_lab_sums").z[3, 3] == pytest.approx(1.0, abs=1e-6)


def test_nothing_left_to_see() -> None:
    rows = table(open_lab(section="empty"), "mask_lab_empty")
    found = {row[0]: row[1:] for row in rows}
    nan, even = "(NaN, NaN, NaN)", "(0.333, 0.333, 0.333)"
    assert found["The bare softmax of minus infinity"] == [nan, "(NaN, NaN, …)", "NaN, all of them"]
    assert found["-1e9 instead of minus infinity"][0] == even
    assert found["F.scaled_dot_product_attention, bool mask"] == ["not told", "(0.000, 0.000, …)", "finite"]
    assert found["nn.MultiheadAttention, with weights"][0] == nan
    assert rows[-1] == ["This playground", "(0.000, 0.000, 0.000)", "(0.000, 0.000, …)", "finite"]
    assert len(rows) == 10


LIBRARIES = ("sdpa", "mha", "additive", "hf", "flex")
MASKS: dict[str, Mask] = {
    "causal window": Causal() & Window(3),
    "spotted": SPOTTED,
    "padding": Padding((5,)),
    "not": Not(Causal()),
}


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_every_snippet_runs_and_masks_what_is_on_the_screen(library: str, name: str) -> None:
    app = open_lab(MASKS[name], "libraries", mask_lab_library=library)
    allowed = MASKS[name].materialize(1, 1, N, N)[0, 0]
    (code,) = [block.value for block in app.main.code]
    made: dict[str, Any] = {}
    exec(compile(code, library, "exec"), made)
    if library == "mha":
        query, source = made["query"], made["source"]
        forbidden = torch.zeros(N, N).masked_fill(~allowed, -math.inf)
        output, weights = made["attend"](query, source, source, attn_mask=forbidden, average_attn_weights=False)
        assert torch.allclose(made["weights"], weights, atol=1e-6, equal_nan=True)
        assert torch.allclose(made["output"], output, atol=1e-6, equal_nan=True)
    else:
        q, k, v = (made[name].double() for name in "qkv")
        scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).masked_fill(~allowed, -math.inf)
        wanted = torch.softmax(scores, dim=-1) @ v
        rows = allowed.any(-1)
        assert torch.allclose(made["output"].double()[:, :, rows], wanted[:, :, rows], atol=1e-5)
    # The tensor that is drawn: coloured where this library has its True, its 1 or its minus infinity.
    z = panel(app, "mask_lab_tensor").z
    flat = library == "hf" and name == "padding"
    shown = (allowed[:1] if flat else allowed).numpy()
    expected = {"mha": ~shown, "additive": np.where(shown, 0.0, -1.0)}.get(library, shown)
    np.testing.assert_array_equal(z, np.asarray(expected, dtype=np.float32))


@pytest.mark.parametrize("layers", [1, 3, 12])
def test_far_sight(layers: int) -> None:
    app = open_lab(Causal() & Window(2), "far", mask_lab_layers=str(layers))
    reached = np.array([[i - layers <= j <= i for j in range(N)] for i in range(N)])
    np.testing.assert_array_equal(panel(app, "mask_lab_reach").z == 1, reached)
    said = panel(app, "mask_lab_reach_words").header
    assert f"{reached.sum(1).mean():.1f} of {N} tokens, at least 1 and at most {min(N, layers + 1)}" in said["sentence"]
    assert said["detail"] == "From 6 layers on nothing more is reached."


def test_far_sight_in_words() -> None:
    def detail(mask: Mask, text: str = TEXT) -> str:
        return str(panel(open_lab(mask, "far", {"text": text}), "mask_lab_reach_words").header["detail"])

    assert detail(Full()) == "More layers reach nothing more."
    assert "still more" in detail(Causal() & Window(2), " ".join(f"w{place}" for place in range(20)))
    cross = open_lab(Full(), "far", {"mode": "cross", "source_text": TEXT})
    assert "mask_lab_reach" not in panels(cross)
    assert any("another text" in words.value for words in cross.main.caption)


@pytest.mark.parametrize("kv_heads", [None, 1])
def test_cost(kv_heads: int | None) -> None:
    app = open_lab(Causal() & Window(3), "cost", {"num_kv_heads": kv_heads, "d_k": 5, "d_v": 4})
    rows = {row[0]: [number(cell) for cell in row[1:]] for row in table(app, "mask_lab_cost")}
    cells, allowed = 3 * N * N, 3 * 18
    assert rows["Cells"][:2] == [cells, allowed]
    assert rows["FLOPs of the scores"][:2] == [2 * 5 * cells, 2 * 5 * allowed]
    assert rows["FLOPs of the weighted sum"][:2] == [2 * 4 * cells, 2 * 4 * allowed]
    assert rows["Cells"][2] == pytest.approx(18 / 49, abs=6e-4)
    assert rows["Blocks of 4 × 4 with an open cell"][:2] == [12, 9]
    assert rows["Keys and values to keep"][:2] == [N * (kv_heads or 3)] * 2
    said = panel(app, "mask_lab_cost_words").header["sentence"]
    assert f"{2 * 9 * cells:,}" in said and f"{2 * 9 * (cells - allowed):,}" in said


def test_different_lengths() -> None:
    app = open_lab(Full(), "lengths", mask_lab_source_real="5", mask_lab_target_real="4", mask_lab_new="3")

    def open_cells(name: str) -> NDArray[np.bool_]:
        shown = panel(app, f"mask_lab_length_{name}").blocks[0]
        np.testing.assert_allclose(np.nansum(shown, axis=-1)[~np.isnan(shown).all(-1)], 1.0, atol=1e-5)
        return ~np.isnan(shown)

    source = open_cells("source")
    assert source.shape == (N, 8) and (source == (np.arange(8) < 5)).all()
    triangle = np.tril(np.ones((N, N), dtype=bool))
    assert (open_cells("target") == (triangle & (np.arange(N) < 4))).all()
    top, bottom = open_cells("top"), open_cells("bottom")
    assert top.shape == bottom.shape == (3, N)
    np.testing.assert_array_equal(top, np.tril(np.ones((3, N), dtype=bool)))
    np.testing.assert_array_equal(bottom, triangle[-3:])
    # From the bottom right the new tokens see what they see when the whole text is computed at once.
    whole = Experiment(TEXT, **SHAPE, mask=Causal()).run().field("weights")[0, 2, -3:].numpy()
    shown = np.nan_to_num(panel(app, "mask_lab_length_bottom").blocks[0])
    np.testing.assert_allclose(shown, whole, atol=1e-6)


def test_an_example_of_lengths_is_put_on_the_grid() -> None:
    app = open_lab(Full(), "lengths", mask_lab_new="3")
    app.button(key="mask_lab_length_use_bottom").click().run()
    healthy(app)
    assert good(app).mode == "cross" and good(app).mask == Causal(N - 3)
    np.testing.assert_array_equal(panel(app, "mask_editor").z == 1, np.tril(np.ones((N, N), dtype=bool))[-3:])
    app.button(key="mask_undo").click().run()
    healthy(app)


@pytest.mark.parametrize("text", ["one", "我们 学习", "<b>a</b> $x$ [l](x) `c`"])
@pytest.mark.parametrize("section", ["applied", "empty", "libraries", "far", "cost", "lengths"])
def test_every_section_takes_any_text(section: str, text: str) -> None:
    app = open_lab(Causal(-1), section, {"text": text})
    assert panel(app, "mask_weights").blocks.shape[0] == 3
    for block in (*app.main.markdown, *app.main.caption):
        assert "<b>a" not in block.value and "[l](x)" not in block.value


def test_the_section_is_in_the_link() -> None:
    app = open_lab(section="far", mask_lab_layers="3")
    assert app.query_params["mask_lab_section"] == "far" and app.query_params["mask_lab_layers"] == "3"
    app.button_group(key="mask_lab_section").set_value("applied").run()
    assert "mask_lab_section" not in app.query_params
    assert panel(open_lab(section="nonsense"), "mask_lab_ways").blocks.shape == (5, N, N)
