"""What heads cost, by hand; the table of the paper, literally; the cache of a known model."""

from __future__ import annotations

import pytest

from attention_core.lessons.head_costs import LLAMA_2_70B, TABLE_3A, cache_rows, costs


def test_the_same_parameters_for_every_number_of_heads() -> None:
    """Claim of the page: with d_k = d_model / h nothing but softmax and scaling grows."""
    tokens = 7
    found = costs((1, 2, 4, 8), d_model=48, tokens=tokens)
    assert {sum(one.parameters.values()) for one in found} == {4 * 48 * 48}
    assert {tuple(one.parameters.values()) for one in found} == {(48 * 48,) * 4}
    for one in found:
        assert one.d_k == 48 // one.heads
        assert one.flops["projections"] == tokens * 3 * 2 * 48 * 48
        assert one.flops["output"] == tokens * 2 * 48 * 48
        assert one.flops["weighted_sum"] == tokens * tokens * 2 * 48
        # A dot product over all columns, and one scaling for each score of each head.
        assert one.flops["scores"] == tokens * tokens * 2 * 48 + one.heads * tokens * tokens
        assert one.flops["softmax"] == one.heads * tokens * (5 * tokens - 2)


def test_fixed_widths_make_both_grow_with_the_heads() -> None:
    """Claim of the page."""
    found = costs((1, 2, 4, 8), d_model=48, tokens=7, d_head=6)
    for one in found:
        assert one.d_k == 6
        assert sum(one.parameters.values()) == one.heads * 4 * 48 * 6
        assert sum(one.flops.values()) == one.heads * sum(found[0].flops.values())


def test_a_width_that_cannot_be_divided() -> None:
    with pytest.raises(ValueError, match="heads=5: allowed are divisors of d_model=48"):
        costs((5,), d_model=48, tokens=3)


def test_table_3_of_the_paper() -> None:
    """Vaswani et al. 2017, table 3: rows (A), and the base model for 8 heads."""
    assert [(r.heads, r.d_k, r.d_v, r.perplexity, r.bleu) for r in TABLE_3A] == [
        (1, 512, 512, 5.29, 24.9),
        (4, 128, 128, 5.00, 25.5),
        (8, 64, 64, 4.92, 25.8),
        (16, 32, 32, 4.91, 25.8),
        (32, 16, 16, 5.01, 25.4),
    ]
    assert all(row.heads * row.d_k == row.heads * row.d_v == 512 for row in TABLE_3A)
    found = costs([row.heads for row in TABLE_3A], d_model=512, tokens=64)
    assert [one.d_k for one in found] == [row.d_k for row in TABLE_3A]
    assert {sum(one.parameters.values()) for one in found} == {1_048_576}


def test_what_the_paper_says_of_its_table() -> None:
    """Quoted on the page: one head is 0.9 BLEU worse than the best, and too many heads are worse again."""
    best = max(row.bleu for row in TABLE_3A)
    assert best - TABLE_3A[0].bleu == pytest.approx(0.9)
    assert TABLE_3A[-1].bleu < best and TABLE_3A[-1].heads == 32


def test_the_cache_of_llama_2_70b() -> None:
    sizes = {name: LLAMA_2_70B[name] for name in ("heads", "d_k", "d_v", "layers")}
    rows = {row.kv_heads: row for row in cache_rows(tokens=4096, **sizes)}
    assert list(rows) == [1, 2, 4, 8, 16, 32, 64]
    # 80 layers, a key and a value of 128 numbers of 2 bytes: 40 KiB a token for each key/value head.
    assert rows[1].per_token == 80 * 2 * 128 * 2 == 40 * 1024
    assert rows[LLAMA_2_70B["kv_heads"]].total == 8 * 40 * 1024 * 4096 == 1.25 * 2**30
    assert rows[64].total == 10 * 2**30
    assert all(row.total == 4096 * row.per_token for row in rows.values())
