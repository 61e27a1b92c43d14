"""Exact scores and quantiles against closed forms, and against plain numerical integration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmodel.survival import expected_watch_s
from segmodel.watch_distribution import WatchDistribution


def one(*slots: float, duration_s: float) -> WatchDistribution:
    """Of one view with 5 s segments."""
    return WatchDistribution.of_slots(np.array([slots]), np.array([len(slots) - 1]), np.array([duration_s]), 5.0)


def test_a_uniform_watch_time_has_the_known_score() -> None:
    # On [0, d]: CRPS(w) = d (u^3 + (1 - u)^3) / 3 with u = w / d.
    uniform = one(0.5, 0.5, 0.0, duration_s=10.0)
    for w in (0.0, 2.0, 7.5, 10.0):
        u = w / 10
        assert uniform.crps_s(np.array([w])) == pytest.approx(10 * (u**3 + (1 - u) ** 3) / 3)
    assert uniform.quantile_s(0.25) == pytest.approx(2.5)
    assert uniform.expected_s() == pytest.approx(5.0)


def test_certain_completion_scores_the_absolute_error() -> None:
    certain = one(0.0, 0.0, 1.0, duration_s=8.0)
    np.testing.assert_allclose(certain.crps_s(np.array([3.0])), 5.0)
    np.testing.assert_allclose(certain.crps_s(np.array([8.0])), 0.0)
    assert certain.quantile_s(0.1) == 8.0


def test_quantiles_and_the_jump_at_the_end_by_hand() -> None:
    # .2 in [0, 5), .4 in [5, 8), .4 to the end.
    view = one(0.2, 0.4, 0.4, duration_s=8.0)
    assert view.quantile_s(0.1) == pytest.approx(2.5)
    assert view.quantile_s(0.5) == pytest.approx(5 + 3 * 0.75)
    assert view.quantile_s(0.9) == 8.0
    assert view.completion == pytest.approx(0.4)
    # A completed view lies in the jump from .6 to 1: all of it above .1 and .5, three quarters of it under .9.
    np.testing.assert_allclose([view.under(q, np.array([8.0]))[0] for q in (0.1, 0.5, 0.9)], [0.0, 0.0, 0.75])
    np.testing.assert_allclose([view.under(q, np.array([2.5]))[0] for q in (0.05, 0.5)], [0.0, 1.0])


def test_what_lies_beyond_the_end_is_completion() -> None:
    time, below = np.array([[0.0, 4.0, 12.0]]), np.array([[0.0, 0.5, 1.0]])
    cut = WatchDistribution.of_knots(time, below, np.array([8.0]))
    assert cut.before(np.array([8.0])) == pytest.approx(0.75)
    assert cut.completion == pytest.approx(0.25)
    assert cut.until(np.array([8.0])) == 1.0
    longer = WatchDistribution.of_knots(time[:, :2], below[:, :2], np.array([20.0]))
    assert longer.completion == pytest.approx(0.5)
    # A jump that stands exactly at the end belongs to completion.
    jump = WatchDistribution.of_knots(np.array([[0.0, 8.0, 8.0]]), np.array([[0.0, 0.3, 1.0]]), np.array([8.0]))
    assert jump.completion == pytest.approx(0.7)


@given(st.integers(0, 2**32 - 1))
def test_everything_agrees_with_a_fine_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 6))
    duration = float(np.round(rng.uniform(5 * (n - 1) + 0.5, 5 * n), 3))
    slots = rng.dirichlet(np.full(n + 1, 0.5))
    view = one(*slots, duration_s=duration)
    watch = float(rng.choice([duration, rng.uniform(0, duration)]))
    grid = (np.arange(20_000) + 0.5) * duration / 20_000
    cdf = np.array([view.before(np.array([t]))[0] for t in grid[::20]])
    score = np.mean((cdf - (grid[::20] >= watch)) ** 2) * duration
    assert view.crps_s(np.array([watch]))[0] == pytest.approx(score, abs=0.02)
    expected = expected_watch_s(slots[None], np.array([n]), np.array([duration]), 5.0)
    np.testing.assert_allclose(view.expected_s(), expected)
    level = float(rng.uniform(0.01, 0.99))
    at = view.quantile_s(level)
    assert view.until(at)[0] >= level - 1e-9
    assert view.before(at)[0] <= level + 1e-9
    np.testing.assert_allclose(view.slots(np.array([n]), n, 5.0)[0], slots, atol=1e-12)


def test_the_truth_has_the_best_expected_score_and_calibrated_quantiles() -> None:
    rng = np.random.default_rng(0)
    slots = np.array([0.3, 0.2, 0.5])
    truth, views = one(*slots, duration_s=9.0), 20_000
    exit_ = rng.choice(3, views, p=slots)
    watch = np.where(exit_ == 2, 9.0, np.where(exit_ == 0, rng.uniform(0, 5, views), rng.uniform(5, 9, views)))

    def many(view: WatchDistribution) -> WatchDistribution:
        return WatchDistribution(np.repeat(view.time_s, views, 0), np.repeat(view.below, views, 0))

    best = many(truth).crps_s(watch).mean()
    for other in ((0.2, 0.3, 0.5), (0.4, 0.2, 0.4), (0.3, 0.1, 0.6)):
        assert many(one(*other, duration_s=9.0)).crps_s(watch).mean() > best
    for level in (0.1, 0.5, 0.9):
        assert many(truth).under(level, watch).mean() == pytest.approx(level, abs=0.01)
