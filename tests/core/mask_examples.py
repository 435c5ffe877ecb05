"""Masks to test with, and what each of them means, written a second time in plain Python, cell by cell."""

from __future__ import annotations

from hypothesis import strategies as st

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

# Distinct primes, so that swapped axes cannot hide.
BATCH, HEADS, QUERIES, KEYS = 2, 3, 5, 7

PAINTED = Explicit(("x.....x", "..xx...", ".......", "xxxxxxx", ".x.x.x."))  # its third query sees nothing

EXAMPLES: tuple[Mask, ...] = (
    Full(),
    Causal(),
    Causal(-1),
    Causal.bottom_right(QUERIES, KEYS),
    Window(1),
    Window(3),
    Dilated(2, 3),
    Blocks(3),
    Prefix(0),
    Prefix(2),
    Padding((4,)),
    Padding((3, 6)),
    Documents((0, 0, 1, 0, 2, 2)),
    Global((1, 4)),
    Global((0, 1, 2, 3, 4, 6)),
    PAINTED,
    Causal() & Window(3),
    Causal() | Prefix(3),
    ~Causal(),
    ~(Causal() & Window(3)),
    (Causal() | Prefix(2)) & Padding((5, 2)),
    Window(2) | Global((0,)),
    ~PAINTED | (Blocks(2) & ~Padding((1, 6))),
)


def open_cell(mask: Mask, b: int, i: int, j: int) -> bool:
    """Whether query i may attend to key j in batch row b, by the definition of each mask."""
    match mask:
        case Full():
            return True
        case Causal():
            return j <= i + mask.offset
        case Window():
            return i - mask.width < j < i + mask.width
        case Dilated():
            return j in [i + sign * n * mask.step for n in range(mask.width) for sign in (1, -1)]
        case Blocks():
            start = i - i % mask.size
            return start <= j < start + mask.size
        case Prefix():
            return j < mask.length
        case Padding():
            return j < (mask.lengths[0] if len(mask.lengths) == 1 else mask.lengths[b])
        case Documents():
            return max(i, j) < len(mask.ids) and mask.ids[i] == mask.ids[j]
        case Global():
            return i in mask.positions or j in mask.positions
        case Explicit():
            return mask.grid[i][j]
        case And():
            return all(open_cell(part, b, i, j) for part in mask.masks)
        case Or():
            return any(open_cell(part, b, i, j) for part in mask.masks)
        case Not():
            return not open_cell(mask.mask, b, i, j)
    raise AssertionError(mask)


def grids(queries: int, keys: int) -> st.SearchStrategy[Explicit]:
    """Painted masks of one size."""
    row = st.lists(st.booleans(), min_size=keys, max_size=keys).map(tuple)
    return st.lists(row, min_size=queries, max_size=queries).map(lambda rows: Explicit(tuple(rows)))


def few(least: int = 0) -> st.SearchStrategy[int]:
    """A small whole number."""
    return st.integers(least, 9)


def several(most: int = 9) -> st.SearchStrategy[tuple[int, ...]]:
    """A few small whole numbers."""
    return st.lists(few(), min_size=1, max_size=most).map(tuple)


# Those that mean the same cells at every size.
endless = st.one_of(
    st.just(Full()),
    st.integers(-9, 9).map(Causal),
    few(1).map(Window),
    st.builds(Dilated, few(1), few(1)),
    few(1).map(Blocks),
    few().map(Prefix),
    few().map(lambda length: Padding((length,))),
    several().map(Documents),
    several().map(Global),
)


def nested(simple: st.SearchStrategy[Mask]) -> st.SearchStrategy[Mask]:
    """Combinations of these masks."""
    return st.recursive(
        simple,
        lambda inner: st.one_of(
            inner.map(Not),
            st.lists(inner, min_size=2, max_size=3).map(lambda masks: And(tuple(masks))),
            st.lists(inner, min_size=2, max_size=3).map(lambda masks: Or(tuple(masks))),
        ),
        max_leaves=6,
    )


# Those that fit BATCH, QUERIES and KEYS.
masks = nested(
    st.one_of(
        endless,
        st.lists(few(), min_size=BATCH, max_size=BATCH).map(lambda lengths: Padding(tuple(lengths))),
        grids(QUERIES, KEYS),
    )
)
