"""Calibration curves and errors against hand tables, and what chance gives."""

from __future__ import annotations

import numpy as np
import pytest

from segmodel.evaluation.reliability import reliability


def test_two_bins_by_hand() -> None:
    probability = np.array([0.9, 0.1, 0.2, 0.6, 0.3, 0.8])
    outcome = np.array([1, 0, 1, 1, 0, 0], dtype=bool)
    found = reliability(probability, outcome, bins=2, draws=0)
    np.testing.assert_allclose(found.predicted, [0.2, 2.3 / 3])
    np.testing.assert_allclose(found.observed, [1 / 3, 2 / 3])
    np.testing.assert_array_equal(found.views, [3, 3])
    assert found.ece == pytest.approx((0.4 / 3 + 0.3 / 3) / 2)
    assert np.isnan(found.chance_ece)


def test_equal_probabilities_do_not_depend_on_the_order_of_views() -> None:
    outcome = np.arange(20) < 10
    found = reliability(np.full(20, 0.5), outcome, draws=0)
    np.testing.assert_allclose(found.observed, 0.5)
    assert found.ece == 0.0
    # Half of the middle bin is shared with the group below, whose mean is 1/4.
    probability, outcome = np.array([0.2, 0.2, 0.2, 0.2, 0.8, 0.8]), np.array([1, 0, 0, 0, 1, 1])
    for order in (np.arange(6), np.arange(6)[::-1], np.array([2, 0, 5, 3, 1, 4])):
        shuffled = reliability(probability[order], outcome[order], bins=3, draws=0)
        np.testing.assert_allclose(shuffled.observed, [0.25, 0.25, 1.0])
    # A bin that a group only reaches into takes the group's mean for its share.
    np.testing.assert_allclose(reliability(probability, outcome, bins=2, draws=0).observed, [0.25, 2.25 / 3])


def test_bins_hold_equal_counts_and_never_nothing(rng: np.random.Generator) -> None:
    p = rng.random(1003)
    found = reliability(p, p > 0.5, draws=0)
    assert len(found.views) == 10
    assert found.views.sum() == 1003
    assert np.ptp(found.views) <= 1
    few = reliability(np.array([0.2, 0.7]), np.array([True, True]), draws=0)
    np.testing.assert_array_equal(few.views, [1, 1])
    assert few.ece == pytest.approx((0.8 + 0.3) / 2)
    assert np.isnan(reliability(np.zeros(0), np.zeros(0, bool)).ece)


def test_the_chance_level_is_what_it_says(rng: np.random.Generator) -> None:
    """True probabilities stay under it about 19 times out of 20; probabilities that are off do not."""
    p = rng.beta(2, 3, 800)
    below = 0
    for _ in range(100):
        found = reliability(p, rng.random(800) < p, draws=200)
        below += found.ece <= found.chance_ece
    assert 88 <= below <= 100
    wrong = reliability(p, rng.random(800) < p**2)
    assert wrong.ece > 1.5 * wrong.chance_ece
    assert wrong.chance_ece == reliability(p, np.zeros(800, bool)).chance_ece
