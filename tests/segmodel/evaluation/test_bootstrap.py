"""Intervals: right means, users kept whole, coverage, and what they say where there is nothing to say."""

from __future__ import annotations

import numpy as np
import pytest

from segmodel.evaluation.bootstrap import Interval, user_interval, user_intervals

NAN = np.nan


def test_the_mean_is_over_counted_views() -> None:
    found = user_interval(np.array([1.0, NAN, 4.0, 1.0]), np.array(["a", "a", "b", "c"]))
    assert found.mean == 2.0
    assert found.low <= 2.0 <= found.high


def test_two_users_by_hand() -> None:
    """Draws of two users from {a: 0, 0, 0; b: 4} have means 0, 1 or 4 with chances 1/4, 1/2, 1/4."""
    values, user = np.array([0.0, 0.0, 0.0, 4.0]), np.array([7, 7, 7, 9])
    assert user_interval(values, user) == Interval(1.0, 0.0, 4.0)


def test_copies_of_a_user_s_views_tell_nothing_new(rng: np.random.Generator) -> None:
    """Alone, a hundred copies of every view would make the interval ten times narrower."""
    values, user = rng.normal(size=60), np.arange(60)
    once = user_interval(values, user)
    copied = user_interval(np.repeat(values, 100), np.repeat(user, 100))
    assert copied.low == pytest.approx(once.low)
    assert copied.high == pytest.approx(once.high)
    loose = user_interval(np.repeat(values, 100), np.arange(6000), draws=300)
    assert loose.high - loose.low < 0.2 * (once.high - once.low)


def test_intervals_cover_the_truth(rng: np.random.Generator) -> None:
    """Users differ, their views share it: 95 % intervals hold the true mean about 95 times of 100."""
    covered = 0
    for trial in range(100):
        effect = rng.normal(size=40)
        user = np.repeat(np.arange(40), rng.integers(1, 20, 40))
        found = user_interval(effect[user] + rng.normal(size=len(user)), user, draws=300, seed=trial)
        covered += found.low <= 0.0 <= found.high
    assert 85 <= covered <= 99


def test_columns_share_their_draws(rng: np.random.Generator) -> None:
    values, user = rng.normal(size=(50, 2)), rng.integers(0, 9, 50)
    both = user_intervals(np.c_[values, values[:, :1] + 3.0], user, seed=4)
    assert both[0].low == pytest.approx(user_interval(values[:, 0], user, seed=4).low)
    assert both[2].low == pytest.approx(both[0].low + 3.0)
    assert both[0].low != pytest.approx(user_interval(values[:, 0], user, seed=5).low)


def test_clear_differences_leave_zero_out() -> None:
    assert Interval(0.2, 0.1, 0.3).clear
    assert Interval(-0.2, -0.3, -0.1).clear
    assert not Interval(0.2, -0.1, 0.3).clear
    assert not Interval(0.2, NAN, NAN).clear


def test_one_user_or_none_gives_no_interval() -> None:
    alone = user_interval(np.array([1.0, 3.0, NAN]), np.array([0, 0, 1]))
    assert alone.mean == 2.0
    assert np.isnan([alone.low, alone.high]).all()
    assert np.isnan(user_interval(np.array([NAN, NAN]), np.array([0, 1])).mean)
    assert np.isnan(user_interval(np.zeros(0), np.zeros(0)).mean)


def test_users_without_counted_views_do_not_spoil_it() -> None:
    values = np.r_[np.full(40, NAN), [0.0, 1.0]]
    found = user_interval(values, np.arange(42))
    assert found.mean == 0.5
    assert (found.low, found.high) == (0.0, 1.0)
