"""Why divide by sqrt(d_k): the draws against the theory, the gradient against autograd, and the page's claims."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_core.lessons import scale

PLAIN, DIVIDED = scale.measure(0, scaled=False), scale.measure(0, scaled=True)


def test_scores_are_dot_products_of_unit_normal_vectors() -> None:
    """Against a draw of its own, one product at a time."""
    raw = scale.random_scores(3)
    assert raw.shape == (len(scale.WIDTHS), scale.DRAWS, 16, 16)
    from attention_core.seeding import seeded

    generator = seeded(3, "scale")
    q = torch.randn((24, 16, 1024), generator=generator).double()
    k = torch.randn((24, 16, 1024), generator=generator).double()
    for place, width in ((0, 1), (2, 3), (10, 48), (19, 1024)):
        for draw, row, col in ((0, 0, 0), (5, 2, 13), (23, 15, 1)):
            by_hand = sum(float(q[draw, row, c]) * float(k[draw, col, c]) for c in range(width))
            assert float(raw[place, draw, row, col]) == pytest.approx(by_hand, abs=1e-3)


def test_the_same_seed_gives_the_same_draws_and_another_others() -> None:
    first = scale.random_scores(1).clone()
    scale.random_scores.cache_clear()
    assert torch.equal(first, scale.random_scores(1))
    assert not torch.equal(first, scale.random_scores(2))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_variance_is_d_k_and_the_division_makes_it_1(seed: int) -> None:
    """Claim of the page, with the theory's curve over the draws."""
    plain, divided = scale.measure(seed, scaled=False), scale.measure(seed, scaled=True)
    for place, width in enumerate(scale.WIDTHS):
        # 384 queries and keys: the spread of the mean is about 10 % at width 1, less above.
        assert float(plain.variance[place].mean()) == pytest.approx(width, rel=0.3 / math.sqrt(width) + 0.08)
        assert plain.deviation[place] == pytest.approx(math.sqrt(width) * divided.deviation[place], rel=1e-4)
        torch.testing.assert_close(plain.variance[place], width * divided.variance[place])


@given(st.lists(st.floats(-8, 8), min_size=2, max_size=9))
def test_the_gradient_is_the_mean_of_the_jacobian(scores: list[float]) -> None:
    s = torch.tensor(scores, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda x: x.softmax(0), s)
    assert float(scale.gradient(s.softmax(0))) == pytest.approx(float(jacobian.abs().mean()), abs=1e-12)


def test_equal_weights_have_the_most_gradient() -> None:
    assert float(scale.gradient(torch.full((scale.KEYS,), 1 / scale.KEYS))) == pytest.approx(scale.most_gradient())
    assert max(*PLAIN.gradient, *DIVIDED.gradient) < scale.most_gradient()


def test_without_the_division_softmax_saturates() -> None:
    """Claims of the page: entropy and gradient sink, the largest weight and the stuck rows rise."""
    for one in (PLAIN.entropy, PLAIN.gradient):
        assert all(later < before for before, later in zip(one[::3], one[3::3], strict=False))
        assert one[-1] < 0.1 * one[0]
    assert PLAIN.top[-1] > 0.9 and PLAIN.stuck[-1] > 0.6 and PLAIN.stuck[0] < 0.01


def test_with_the_division_everything_stays_where_it_is() -> None:
    """Claim of the page."""
    for one in (DIVIDED.entropy, DIVIDED.gradient):
        assert max(one) < 1.06 * min(one)
    assert max(DIVIDED.top) < 0.3 and max(DIVIDED.stuck) == 0.0


def test_at_width_1_the_division_does_nothing() -> None:
    """Claim of the page."""
    assert scale.WIDTHS[0] == 1
    for name in ("deviation", "top", "entropy", "gradient", "stuck"):
        assert getattr(PLAIN, name)[0] == getattr(DIVIDED, name)[0]


@pytest.mark.parametrize("d_k", [1, 4, 64, 1024])
@pytest.mark.parametrize("heat", [0.1, 1.0, 3.162])
def test_the_division_is_a_temperature(d_k: int, heat: float) -> None:
    """Claim of the page: the curve without the division is the curve with it, moved by sqrt(d_k)."""
    hot = scale.entropy_by_temperature(0, d_k, (heat * math.sqrt(d_k),), scaled=False)
    assert hot == pytest.approx(scale.entropy_by_temperature(0, d_k, (heat,), scaled=True), abs=1e-5)


def test_what_to_try() -> None:
    """At d_k 1024 the temperature 31.623 makes up for the missing division."""
    hot = scale.measure(0, scaled=False, temperature=31.623)
    assert hot.entropy[-1] == pytest.approx(DIVIDED.entropy[-1], rel=0.02)
    assert hot.top[-1] == pytest.approx(DIVIDED.top[-1], rel=0.03)


def test_entropy_by_temperature_agrees_with_the_measures() -> None:
    for scaled in (True, False):
        measured = scale.measure(0, scaled=scaled, temperature=2.0).entropy
        for d_k in (2, 96):
            found = scale.entropy_by_temperature(0, d_k, (2.0,), scaled=scaled)[0]
            assert found == pytest.approx(measured[scale.WIDTHS.index(d_k)], abs=1e-5)


def test_a_width_that_was_not_drawn() -> None:
    with pytest.raises(ValueError, match="d_k=5: allowed are 1, 2, 3"):
        scale.entropy_by_temperature(0, 5, (1.0,), scaled=True)


@pytest.mark.parametrize("heat", [0.0, -1.0, float("inf"), float("nan")])
def test_no_temperature(heat: float) -> None:
    with pytest.raises(ValueError, match="temperature="):
        scale.weights(torch.zeros(3), 4, scaled=True, temperature=heat)
