"""Intervals: right means, users kept whole, coverage, and what they say where there is nothing to say."""

from __future__ import annotations

import numpy as np
import pytest

from segmodel.evaluation.bootstrap import Interval, holm, seed_intervals, user_interval, user_intervals

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


def _covered(seeds: int, user_spread: float, seed_spread: float, trials: int = 250, users: int = 60) -> float:
    """Share of synthetic results whose interval holds the true difference, .3.

    Every user prefers the model by a draw of their own, every training is off by a draw of its own.
    """
    held = 0
    for trial in range(trials):
        rng = np.random.default_rng([seeds, trial])
        user = np.repeat(np.arange(users), 4)
        reference = rng.normal(size=(1, len(user), 1))
        apart = 0.3 + user_spread * rng.normal(size=users)[user] + 0.3 * rng.normal(size=len(user))
        noise = seed_spread * rng.normal(size=(seeds, 1, 1))
        model = reference + apart[None, :, None] + noise
        ((found,),) = seed_intervals([model], reference, user, draws=300, seed=trial)
        held += found.low <= 0.3 <= found.high
    return held / trials


@pytest.mark.parametrize("spreads", [(0.5, 0.1), (0.5, 0.02), (0.1, 0.1)])
def test_intervals_hold_the_truth_with_ten_trainings(spreads: tuple[float, float]) -> None:
    """Whether users or trainings are the noisier: at least 93 %, and not because they are endless."""
    assert 0.93 <= _covered(10, *spreads) <= 0.985


@pytest.mark.parametrize("seeds", [2, 3])
def test_intervals_of_few_trainings(seeds: int) -> None:
    """What the docs say of 2 and 3 trainings, users and trainings being about as noisy."""
    assert _covered(seeds, 0.5, 0.1) >= 0.90


def test_training_noise_widens_the_interval() -> None:
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(100), 3)
    reference = rng.normal(size=(1, 300, 1))
    apart = rng.normal(size=(1, 300, 1))
    steady = np.repeat(reference + apart, 5, axis=0)
    shaky = steady + np.array([-0.5, -0.2, 0.0, 0.2, 0.5])[:, None, None]
    (one,), (other,) = seed_intervals([steady, shaky], reference, user)
    assert one.mean == pytest.approx(other.mean)
    assert other.high - other.low > 1.5 * (one.high - one.low)
    # Without noise of training it is the plain interval over users, but for the draw of one user less.
    plain = user_interval(apart[0, :, 0], user)
    assert one.high - one.low == pytest.approx(plain.high - plain.low, rel=0.1)


def test_the_noise_of_the_reference_counts_too() -> None:
    rng = np.random.default_rng(1)
    user, model = np.arange(200), rng.normal(size=(1, 200, 1))
    references = [model + 0.1 + np.array(noise)[:, None, None] for noise in ([0.0, 0.0, 0.0], [-0.2, 0.0, 0.2])]
    calm, shaken = (seed_intervals([model], reference, user)[0][0] for reference in references)
    assert calm.mean == pytest.approx(shaken.mean) == pytest.approx(-0.1)
    assert (calm.low, calm.high) == pytest.approx((-0.1, -0.1))
    assert shaken.low < -0.2 < 0 < shaken.high


def test_p_values_go_with_the_intervals() -> None:
    rng = np.random.default_rng(2)
    user = np.repeat(np.arange(80), 2)
    reference = np.zeros((1, 160, 3))
    model = rng.normal(loc=[0.0, 0.2, 1.0], size=(3, 160, 3))
    none, some, much = seed_intervals([model], reference, user)[0]
    assert none.p > 0.05
    assert not none.clear
    assert much.p < 1e-6
    assert much.clear
    assert much.p < some.p < none.p


def test_views_that_do_not_count_and_lone_users() -> None:
    values = np.array([[[1.0], [NAN], [3.0], [NAN]]])
    ((found,),) = seed_intervals([values], np.where(np.isnan(values), NAN, 0.0), np.array([0, 0, 1, 2]))
    assert found.mean == 2.0
    assert found.low < 1.0
    assert found.high > 3.0
    ((alone,),) = seed_intervals([values], np.where(np.isnan(values), NAN, 0.0), np.zeros(4))
    assert alone.mean == 2.0
    assert np.isnan([alone.low, alone.high, alone.p]).all()


def test_holm_by_hand() -> None:
    # Ascending .01, .02, .03: times 3, 2, 1 is .03, .04, .03, and never less than the one before.
    np.testing.assert_allclose(holm([0.03, NAN, 0.01, 0.02]), [0.04, NAN, 0.03, 0.04])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_keeps_false_alarms_of_a_whole_table_rare() -> None:
    rng = np.random.default_rng(3)
    alarms = [min(holm(rng.uniform(size=25).tolist())) < 0.05 for _ in range(1000)]
    assert 0.02 < np.mean(alarms) < 0.08
