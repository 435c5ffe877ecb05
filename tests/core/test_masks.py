"""Masks: what each allows, how they combine, what they refuse, and how they say it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator

import jaxtyping
import pytest
import torch
from hypothesis import given
from torch.nn import functional as F
from torch.nn.attention.bias import causal_lower_right
from torch.nn.attention.flex_attention import create_block_mask, create_mask, flex_attention

from attention_core import masks as masks_module
from attention_core.masks import (
    And,
    Blocks,
    Causal,
    Dilated,
    Documents,
    Explicit,
    Full,
    Global,
    Mask,
    Not,
    Or,
    Padding,
    Prefix,
    Window,
)
from tests.core.mask_examples import (
    BATCH,
    EXAMPLES,
    HEADS,
    KEYS,
    PAINTED,
    QUERIES,
    endless,
    masks,
    nested,
    open_cell,
)

SIZES = (BATCH, HEADS, QUERIES, KEYS)


@pytest.fixture
def as_installed() -> Iterator[None]:
    """Without the run-time shape checks of the tests, through which torch.compile cannot trace."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def rows(mask: Mask, queries: int, keys: int) -> list[str]:
    """The mask as it is drawn: x = may attend."""
    allowed = mask.materialize(1, 1, queries, keys)[0, 0]
    return ["".join("x" if cell else "." for cell in row) for row in allowed.tolist()]


def indices() -> list[torch.Tensor]:
    shapes = [[-1 if axis == at else 1 for axis in range(4)] for at in range(4)]
    return [torch.arange(size).view(shape) for size, shape in zip(SIZES, shapes, strict=True)]


def random_tensor(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def evaluated(mask: Mask) -> torch.Tensor:
    """What the expression gives, laid out."""
    b, h, q, k = indices()
    names = {"__builtins__": {"abs": abs}, "torch": torch, "b": b, "h": h, "q": q, "k": k}
    return eval(mask.expression(), names).expand(SIZES)


# ---- what each allows, drawn by hand


@pytest.mark.parametrize(
    ("mask", "drawn"),
    [
        (Full(), ["xxxxx"] * 3),
        (Causal(), ["x....", "xx...", "xxx.."]),
        (Causal(1), ["xx...", "xxx..", "xxxx."]),
        (Causal(-1), [".....", "x....", "xx..."]),
        (Causal.bottom_right(3, 5), ["xxx..", "xxxx.", "xxxxx"]),
        (Causal.bottom_right(5, 3), ["...", "...", "x..", "xx.", "xxx"]),
        (Window(1), ["x....", ".x...", "..x..", "...x.", "....x"]),
        (Window(2), ["xx...", "xxx..", ".xxx."]),
        (Window(3), ["xxx..", "xxxx.", "xxxxx"]),
        (Dilated(2, 2), ["x.x..", ".x.x.", "x.x.x", ".x.x.", "..x.x"]),
        (Dilated(3, 1), ["xxx..", "xxxx.", "xxxxx"]),
        (Dilated(1, 4), ["x....", ".x...", "..x.."]),
        (Blocks(2), ["xx...", "xx...", "..xx.", "..xx.", "....x"]),
        (Prefix(2), ["xx...", "xx...", "xx..."]),
        (Prefix(0), [".....", "....."]),
        (Padding((4,)), ["xxxx.", "xxxx."]),
        (Documents((0, 1, 0)), ["x.x..", ".x...", "x.x..", "....."]),
        (Global((0, 2)), ["xxxxx", "x.x..", "xxxxx", "x.x.."]),
        (Explicit(("x.x", "...")), ["x.x", "..."]),
        (Causal() & Window(3), ["x....", "xx...", "xxx..", ".xxx.", "..xxx"]),
        (Causal() | Prefix(2), ["xx...", "xx...", "xxx.."]),
        (~Causal(), [".xxxx", "..xxx", "...xx"]),
        (Window(1) | Global((1,)), ["xx...", "xxxxx", ".xx.."]),
    ],
)
def test_a_mask_drawn_by_hand(mask: Mask, drawn: list[str]) -> None:
    assert rows(mask, len(drawn), len(drawn[0])) == drawn


def test_padding_has_its_own_length_in_each_batch_row() -> None:
    allowed = Padding((1, 3)).materialize(2, 3, 2, 4)
    for head, query in itertools.product(range(3), range(2)):
        assert allowed[0, head, query].tolist() == [True, False, False, False]
        assert allowed[1, head, query].tolist() == [True, True, True, False]


@pytest.mark.parametrize("mask", EXAMPLES, ids=str)
def test_examples_agree_with_a_nested_loop(mask: Mask) -> None:
    assert_as_defined(mask)


@given(masks)
def test_random_combinations_agree_with_a_nested_loop(mask: Mask) -> None:
    assert_as_defined(mask)


def assert_as_defined(mask: Mask) -> None:
    allowed = mask.materialize(*SIZES)
    assert allowed.shape == SIZES
    assert allowed.dtype == torch.bool
    for b, h, i, j in itertools.product(*map(range, SIZES)):
        assert allowed[b, h, i, j].item() == open_cell(mask, b, i, j), (b, h, i, j)


@pytest.mark.parametrize(("queries", "keys"), [(3, 7), (7, 3), (5, 5)])
def test_bottom_right_is_the_lower_right_bias_of_torch(queries: int, keys: int) -> None:
    mask = Causal.bottom_right(queries, keys).materialize(1, 1, queries, keys)
    assert torch.equal(mask[0, 0], torch.ones(queries, keys).tril(keys - queries).bool())
    if queries <= keys:
        q = random_tensor(1, 1, queries, 5)
        k, v = random_tensor(2, 1, 1, keys, 5)
        theirs = F.scaled_dot_product_attention(q, k, v, attn_mask=causal_lower_right(queries, keys))
        torch.testing.assert_close(F.scaled_dot_product_attention(q, k, v, attn_mask=mask), theirs)


# ---- the predicate, its layout and its expression


@given(masks)
def test_the_predicate_takes_any_broadcastable_indices(mask: Mask) -> None:
    whole = mask.materialize(*SIZES)
    b, h, i, j = torch.tensor([1, 0]), torch.tensor(2), torch.tensor([[4], [0], [3]]), torch.tensor([6, 2])
    allowed = mask(b, h, i, j)
    assert allowed.shape == (3, 2)
    assert torch.equal(allowed, whole[b, h, i, j])
    assert mask(torch.tensor(1), torch.tensor(0), torch.tensor(3), torch.tensor(5)).shape == ()


@pytest.mark.parametrize("mask", EXAMPLES, ids=str)
def test_an_expression_gives_what_the_mask_gives(mask: Mask) -> None:
    assert torch.equal(evaluated(mask), mask.materialize(*SIZES))


@given(masks)
def test_expressions_of_random_combinations(mask: Mask) -> None:
    assert torch.equal(evaluated(mask), mask.materialize(*SIZES))


@pytest.mark.parametrize(
    ("mask", "expression"),
    [
        (Full(), "k >= 0"),
        (Causal(), "k <= q"),
        (Causal(2), "k <= q + 2"),
        (Causal(-1), "k <= q - 1"),
        (Causal() & Window(3), "(k <= q) & (abs(q - k) < 3)"),
        (~(Causal() | Prefix(2)), "~((k <= q) | (k < 2))"),
        (Padding((3, 6)), "k < torch.tensor([3, 6], device=b.device)[b]"),
        (Explicit(("x.", ".x")), "torch.tensor([[1, 0], [0, 1]], dtype=torch.bool, device=q.device)[q, k]"),
    ],
)
def test_expressions_that_people_will_read(mask: Mask, expression: str) -> None:
    assert mask.expression() == expression


@pytest.mark.parametrize("mask", EXAMPLES, ids=str)
def test_a_mask_and_its_expression_are_mask_mods_of_flex_attention(mask: Mask) -> None:
    namespace = {"torch": torch}
    exec(f"def mask_mod(b, h, q, k):\n    return {mask.expression()}", namespace)
    assert torch.equal(create_mask(mask, *SIZES, device="cpu"), mask.materialize(*SIZES))
    assert torch.equal(create_mask(namespace["mask_mod"], *SIZES, device="cpu"), mask.materialize(*SIZES))


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize(
    "mask",
    [
        (Causal() | Prefix(2)) & Documents((0, 0, 0, 1, 1, 1)),
        Padding((3, 6)) & ~Global((1,)),
        PAINTED | Dilated(2, 3),
    ],
    ids=str,
)
def test_flex_attention_takes_a_mask_as_it_is(mask: Mask, as_installed: None) -> None:
    q = random_tensor(BATCH, HEADS, QUERIES, 16)
    k, v = random_tensor(2, BATCH, HEADS, KEYS, 16)
    flex = flex_attention(q, k, v, block_mask=create_block_mask(mask, *SIZES, device="cpu"))
    sdpa = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.materialize(*SIZES))
    torch.testing.assert_close(flex, sdpa)


def test_an_axis_that_does_not_matter_costs_no_memory() -> None:
    allowed = (Causal() & Window(3)).materialize(64, 32, 17, 19)
    assert allowed.stride()[:2] == (0, 0)
    assert allowed.untyped_storage().nbytes() == 17 * 19
    assert Full().materialize(64, 32, 17, 19).untyped_storage().nbytes() == 1
    assert Padding((3, 5)).materialize(2, 32, 17, 19).untyped_storage().nbytes() == 2 * 19


@given(masks)
def test_what_a_mask_does_not_name_does_not_matter(mask: Mask) -> None:
    allowed = torch.tensor(
        [
            [[[open_cell(mask, b, i, j) for j in range(KEYS)] for i in range(QUERIES)] for _ in range(HEADS)]
            for b in range(BATCH)
        ]
    )
    for axis, name in enumerate("bhqk"):
        if name not in mask.depends_on:
            assert (allowed == allowed.narrow(axis, 0, 1)).all()


# ---- algebra


def same(one: Mask, other: Mask) -> bool:
    return torch.equal(one.materialize(*SIZES), other.materialize(*SIZES))


@given(masks, masks)
def test_de_morgan(a: Mask, b: Mask) -> None:
    assert same(~(a & b), ~a | ~b)
    assert same(~(a | b), ~a & ~b)


@given(masks)
def test_double_negation(a: Mask) -> None:
    assert same(~~a, a)
    assert same(Not(Not(a)), a)
    assert not same(~a, a)


@pytest.mark.parametrize("mask", EXAMPLES, ids=str)
def test_inverting_twice_gives_the_same_value(mask: Mask) -> None:
    assert ~~mask == mask


@given(masks, masks)
def test_order_does_not_matter(a: Mask, b: Mask) -> None:
    assert same(a & b, b & a)
    assert same(a | b, b | a)


@given(masks, masks, masks)
def test_distribution_and_grouping(a: Mask, b: Mask, c: Mask) -> None:
    assert same(a & (b | c), (a & b) | (a & c))
    assert (a & b) & c == a & (b & c)
    assert (a | b) | c == a | (b | c)


@given(masks)
def test_idempotence_and_bounds(a: Mask) -> None:
    assert same(a & a, a)
    assert same(a | a, a)
    assert same(a & Full(), a)
    assert same(a | Full(), Full())
    assert same(a | ~a, Full())
    assert same(a & ~a, ~Full())


@given(nested(endless))
def test_more_tokens_leave_the_cells_of_the_first_ones(mask: Mask) -> None:
    assert torch.equal(mask.materialize(1, 1, 11, 13)[..., :5, :7], mask.materialize(1, 1, 5, 7))


@given(nested(endless))
def test_whatever_is_causal_computes_a_prefix_the_same_way(mask: Mask) -> None:
    causal = Causal() & mask
    q, k, v = random_tensor(3, 1, 2, 7, 5)
    whole = F.scaled_dot_product_attention(q, k, v, attn_mask=causal.to_sdpa(7, 7))
    q, k, v = q[:, :, :3], k[:, :, :3], v[:, :, :3]
    start = F.scaled_dot_product_attention(q, k, v, attn_mask=causal.to_sdpa(3, 3))
    torch.testing.assert_close(whole[:, :, :3], start)


# ---- values


@given(masks)
def test_masks_are_values(mask: Mask) -> None:
    copy = eval(repr(mask), vars(masks_module))  # what is printed can be pasted
    assert copy == mask
    assert hash(copy) == hash(mask)
    assert copy is not mask


def test_different_masks_differ() -> None:
    assert len({*EXAMPLES}) == len(EXAMPLES)
    assert Causal(2) != Window(2)
    assert And((Causal(), Window(2))) != Or((Causal(), Window(2)))


def test_masks_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Window(3).width = 5  # type: ignore[misc]


def test_spellings_of_the_same_mask_are_one_value() -> None:
    assert Explicit(("1.", "0x")) == Explicit(((True, False), (False, True))) == Explicit([[1, 0], [0, 1]])
    assert Global((4, 0, 4)) == Global([0, 4])
    assert Documents([0, 0, 1]) == Documents((0, 0, 1))
    assert Window(torch.tensor(3)) == Window(3)
    assert isinstance(Window(torch.tensor(3)).width, int)


def test_toggling_a_cell_paints_a_new_mask() -> None:
    before = Explicit(("x..", "..."))
    assert before.toggled(1, 2).toggled(0, 0) == Explicit(("...", "..x"))
    assert before == Explicit(("x..", "..."))
    for query, key in ((2, 0), (0, 3), (-1, 0)):
        with pytest.raises(ValueError, match=f"query={query}, key={key}: allowed are cells of 2 by 3"):
            before.toggled(query, key)


def test_a_painted_mask_can_start_from_any_mask() -> None:
    assert Explicit.from_tensor(Causal().materialize(1, 1, 2, 3)[0, 0]) == Explicit(("x..", "xx."))


# ---- refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Window(0), r"width=0: allowed are whole numbers from 1 to 1000000"),
        (lambda: Window(-3), r"width=-3: allowed are whole numbers from 1"),
        (lambda: Window(2.0), r"width=2.0: allowed are whole numbers"),
        (lambda: Window(True), r"width=True: allowed are whole numbers"),
        (lambda: Window(None), r"width=None: allowed are whole numbers"),
        (lambda: Window(10**5000), r"width=.*allowed are whole numbers|limit"),
        (lambda: Causal("1"), r"offset='1': allowed are whole numbers from -1000000 to 1000000"),
        (lambda: Causal(1_000_001), r"offset=1000001: allowed are whole numbers from -1000000 to 1000000"),
        (lambda: Dilated(1, 0), r"step=0: allowed are whole numbers from 1"),
        (lambda: Dilated(0, 1), r"width=0: allowed are whole numbers from 1"),
        (lambda: Blocks(0), r"size=0: allowed are whole numbers from 1"),
        (lambda: Prefix(-1), r"length=-1: allowed are whole numbers from 0"),
        (lambda: Padding(()), r"lengths=\(\): allowed are 1 to 4096 whole numbers"),
        (lambda: Padding((3, -1)), r"lengths\[1\]=-1: allowed are whole numbers from 0"),
        (lambda: Padding(3), r"lengths=3: allowed are 1 to 4096 whole numbers"),
        (lambda: Documents("001"), r"ids='001': allowed are 1 to 4096 whole numbers"),
        (lambda: Documents((0, None)), r"ids\[1\]=None: allowed are whole numbers from 0"),
        (lambda: Documents(itertools.repeat(0)), r"ids=.*allowed are 1 to 4096"),
        (lambda: Global((-1,)), r"positions\[0\]=-1: allowed are whole numbers from 0"),
        (lambda: Explicit(()), r"rows=\(\): allowed are 1 to 512 rows"),
        (lambda: Explicit("xx"), r"rows='xx': allowed are 1 to 512 rows"),
        (lambda: Explicit(("",)), r"rows\[0\]='': allowed are 1 to 512 cells"),
        (lambda: Explicit(("xx", "x")), r"rows\[1\] has 1 cells: allowed are 2"),
        (lambda: Explicit(("x?",)), r"rows\[0\]='x\?': allowed are 1 to 512 cells, each true or false"),
        (lambda: Explicit(((True, 2),)), r"rows\[0\]=\(True, 2\): allowed are 1 to 512 cells"),
        (lambda: Explicit(("x",) * 513), r"rows=.*allowed are 1 to 512 rows"),
        (lambda: Explicit(("x" * 513,)), r"rows\[0\]=.*allowed are 1 to 512 cells"),
        (lambda: Causal.bottom_right(0, 3), r"queries=0: allowed are whole numbers from 1"),
        (lambda: And((Causal(),)), r"masks=.*allowed are 2 masks or more"),
        (lambda: Or(()), r"masks=\(\): allowed are 2 masks or more"),
        (lambda: And((Causal(), 3)), r"masks=.*allowed are masks"),
        (lambda: Not("causal"), r"mask='causal': allowed are masks"),
        (lambda: Or((Causal(),) * 65), r"mask of 65 parts: allowed are at most 64"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_allowed(make: Callable[[], Mask], message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        make()
    assert len(str(raised.value)) < 250


def test_nesting_is_bounded() -> None:
    mask: Mask = Causal()
    for _ in range(15):
        mask = Not(mask)
    with pytest.raises(ValueError, match="mask nested 17 deep: allowed are at most 16"):
        Not(mask)


def test_a_painted_mask_has_one_size_alone_or_inside_others() -> None:
    for mask in (PAINTED, ~PAINTED, Causal() & PAINTED, ~(Full() | (Causal() & PAINTED))):
        mask.materialize(1, 1, QUERIES, KEYS)
        with pytest.raises(ValueError, match="queries=4, keys=7: the painted mask has 5 queries and 7 keys"):
            mask.materialize(1, 1, 4, 7)
        with pytest.raises(ValueError, match="queries=5, keys=11: the painted mask has 5 queries and 7 keys"):
            mask.to_mha(5, 11)


def test_outside_the_tables_nothing_is_allowed() -> None:
    zero, beyond = torch.tensor(0), torch.tensor(9)
    assert not PAINTED(zero, zero, beyond, zero)
    assert not PAINTED(zero, zero, torch.tensor(3), beyond)
    assert PAINTED(zero, zero, torch.tensor(3), zero)
    assert not Padding((3, 6))(beyond, zero, zero, zero)
    assert not Documents((0, 0))(zero, zero, beyond, beyond)


def test_padding_has_to_fit_the_batch() -> None:
    assert Padding((4,)).materialize(5, 1, 2, 7).shape == (5, 1, 2, 7)
    for mask in (Padding((4, 2)), Causal() & Padding((4, 2)), ~Padding((4, 2))):
        with pytest.raises(ValueError, match=r"lengths=\(4, 2\) has 2 entries and batch=3: allowed"):
            mask.materialize(3, 1, 2, 7)


@pytest.mark.parametrize("sizes", [(0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 0, 1), (1, 1, 1, 0), (1, 1, -2, 1)])
def test_sizes_start_from_one(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"(batch|heads|queries|keys)=(0|-2): allowed are whole numbers"):
        Causal().materialize(*sizes)


# ---- words


@pytest.mark.parametrize(
    ("mask", "phrase", "sentence"),
    [
        (Full(), "everything visible", "Each token sees every token."),
        (Causal(), "causal", "Each token sees itself and every token before it."),
        (Causal(1), "causal with 1 ahead", "Each token sees itself, every token before it and the next one."),
        (Causal(2), "causal with 2 ahead", "Each token sees itself, every token before it and the next 2."),
        (Causal(-1), "causal from 1 back", "Each token sees every token before it, but not itself."),
        (Causal(-2), "causal from 2 back", "Each token sees the tokens that are at least 2 places before it."),
        (Window(1), "window 1", "Each token sees only itself."),
        (Window(2), "window 2", "Each token sees itself, the one before it and the one after it."),
        (Window(3), "window 3", "Each token sees itself, the 2 before it and the 2 after it."),
        (Dilated(2, 3), "window 2 with step 3", "Each token sees itself and those 3 places before and after it."),
        (
            Dilated(3, 2),
            "window 3 with step 2",
            "Each token sees itself and, 2 places apart, 2 tokens before it and 2 after it.",
        ),
        (Blocks(4), "blocks of 4", "Each token sees the tokens of its own block of 4."),
        (Prefix(0), "prefix 0", "No token sees any token."),
        (Prefix(1), "prefix 1", "Each token sees only the first token."),
        (Prefix(2), "prefix 2", "Each token sees only the first 2 tokens."),
        (Padding((5,)), "padding after 5", "Each token sees the first 5 tokens; the others are padding."),
        (
            Padding((5, 7)),
            "padding after 5, 7",
            "Each token sees the tokens of its own text; the texts of the "
            "batch have 5, 7 tokens, and the rest is padding.",
        ),
        (Documents((0, 0, 1)), "documents 0, 0, 1", "Each token sees the tokens of its own document."),
        (
            Global((3,)),
            "global tokens 3",
            "Each token sees only the token at position 3; that one sees every token (positions count from 0).",
        ),
        (
            Global((0, 3)),
            "global tokens 0, 3",
            "Each token sees only the tokens at positions 0, 3; those see every token (positions count from 0).",
        ),
        (Explicit(("x.x", "...")), "painted 2 by 3", "Each token sees what was painted: 2 of 6 cells are open."),
        (Causal() & Window(1), "causal and window 1", "Each token sees only itself."),
        (Causal() & Window(2), "causal and window 2", "Each token sees itself and the one before it."),
        (Causal() & Window(3), "causal and window 3", "Each token sees itself and the 2 before it."),
        (Window(3) & Causal(), "window 3 and causal", "Each token sees itself and the 2 before it."),
        (
            Causal() & Dilated(2, 3),
            "causal and window 2 with step 3",
            "Each token sees itself and the one 3 places before it.",
        ),
        (
            Causal() & Dilated(3, 2),
            "causal and window 3 with step 2",
            "Each token sees itself and, 2 places apart, 2 tokens before it.",
        ),
        (
            Causal() & Blocks(4),
            "causal and blocks of 4",
            "Each token sees itself and those before it in its own block of 4.",
        ),
        (
            Causal() & Documents((0, 1)),
            "causal and documents 0, 1",
            "Each token sees itself and those before it in its own document.",
        ),
        (
            Causal() & Padding((5,)),
            "causal and padding after 5",
            "Each token sees itself and every token before "
            "it; what comes after the first 5 tokens is padding, which no token sees.",
        ),
        (
            Causal() | Prefix(1),
            "causal or prefix 1",
            "Each token sees itself and every token before it; the first token is open to all.",
        ),
        (
            Prefix(2) | Causal(),
            "prefix 2 or causal",
            "Each token sees itself and every token before it; the first 2 tokens are open to all.",
        ),
        (
            Window(3) | Global((0,)),
            "window 3 or global tokens 0",
            "Each token sees itself, the 2 before it and "
            "the 2 after it; the one at position 0 sees every token and is seen by every token (positions count "
            "from 0).",
        ),
        (
            Window(3) | Global((0, 3)),
            "window 3 or global tokens 0, 3",
            "Each token sees itself, the 2 before it "
            "and the 2 after it; those at positions 0, 3 see every token and are seen by every token (positions "
            "count from 0).",
        ),
        (~Full(), "not everything visible", "No token sees any token."),
        (~Causal(), "not causal", "Each token sees only the tokens after it."),
        (~Window(1), "not window 1", "Each token sees every token but itself."),
        (~Prefix(2), "not prefix 2", "Each token sees every token but the first 2 tokens."),
        (
            ~(Causal() & Window(3)),
            "not (causal and window 3)",
            "Each token sees every token but itself and the 2 before it.",
        ),
        (
            (Causal() & Window(3)) | Prefix(2),
            "(causal and window 3) or prefix 2",
            "Each token sees itself and the 2 before it; the first 2 tokens are open to all.",
        ),
        (
            Causal() & Window(3) & Blocks(2),
            "causal and window 3 and blocks of 2",
            "Each token sees itself and the 2 before it, but only in its own block of 2.",
        ),
        (
            Causal() & (Window(3) | Prefix(1)),
            "causal and (window 3 or prefix 1)",
            "Each token sees itself and the 2 before it; besides it sees the first token, but nothing after itself.",
        ),
        (Not(Not(Causal())), "not not causal", "Each token sees itself and every token before it."),
        (
            Causal(-1) & Window(3),
            "causal from 1 back and window 3",
            "Each token sees the 2 before it, but not itself.",
        ),
        (
            Causal() & ~Window(3),
            "causal and not window 3",
            "Each token sees the tokens that are at least 3 places before it.",
        ),
        (~Window(3), "not window 3", "Each token sees every token but itself, the 2 before it and the 2 after it."),
        (
            Blocks(4) & ~Window(1),
            "blocks of 4 and not window 1",
            "Each token sees the tokens of its own block of 4, but not itself.",
        ),
        (
            Window(2) | Global((0,)),
            "window 2 or global tokens 0",
            "Each token sees itself, the one before it and the one after it; the one at position 0 sees every token "
            "and is seen by every token (positions count from 0).",
        ),
        (
            (Window(2) | Global((0,))) & Causal(),
            "(window 2 or global tokens 0) and causal",
            "Each token sees itself and the one before it; what stands at position 0 sees and is seen as well, but "
            "backwards only (positions count from 0).",
        ),
        (
            Documents((0, 1)) & Window(2) & ~Prefix(1),
            "documents 0, 1 and window 2 and not prefix 1",
            "Each token sees itself, the one before it and the one after it, but only in its own document and not "
            "the first token.",
        ),
        (
            Window(3) | Blocks(4),
            "window 3 or blocks of 4",
            "Each token sees itself, the 2 before it and the 2 after it; besides it sees the tokens of its own block "
            "of 4.",
        ),
        (Causal(2) | ~Causal(1), "causal with 2 ahead or not causal with 1 ahead", "Each token sees every token."),
        (Causal() & ~Causal(), "causal and not causal", "No token sees any token."),
        (
            Causal() & Explicit(("x.", "xx")),
            "causal and painted 2 by 2",
            "Each token sees itself and every token before it, but only where 3 cells were painted open.",
        ),
    ],
)
def test_masks_in_words(mask: Mask, phrase: str, sentence: str) -> None:
    assert str(mask) == phrase
    assert mask.sentence() == sentence


@given(masks)
def test_every_mask_has_one_short_sentence(mask: Mask) -> None:
    sentence = mask.sentence()
    assert sentence.endswith(".")
    assert sentence.count(". ") == 0
    assert "{" not in sentence
    assert sentence[0].isupper()


def test_words_are_translated_before_they_are_filled_in() -> None:
    catalogue = {
        "causal": "kausal",
        "window {n}": "Fenster {n}",
        "{first} and {second}": "{first} und {second}",
        "{Each} sees {what}": "{Each} sieht {what}",
        "Each token": "Jedes Wort",
        "{own}": "{own}",
        "itself": "sich",
        "the {n} before it": "die {n} davor",
        "token": "Wort",
        "tokens": "Wörter",
    }
    mask = Causal() & Window(3)
    assert mask.phrase(catalogue.__getitem__) == "kausal und Fenster 3"
    assert mask.sentence(catalogue.__getitem__) == "Jedes Wort sieht sich und die 2 davor."


def test_long_lists_are_shortened() -> None:
    assert str(Documents(tuple(range(100)))) == "documents 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ..."
