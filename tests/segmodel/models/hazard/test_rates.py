"""The base hazard, held against numbers computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from segmodel.data.views import Views, make_views
from segmodel.models.hazard.rates import Outcomes, base_hazard, leaving_rates, logit, places


@pytest.fixture
def eight_seconds(interactions: Callable[[Any], Any]) -> Views:
    """Three views of a video of 8 s: left after 2.5 s, left after 6.5 s, completed."""
    watch_ms = (("a", 2_500), ("b", 6_500), ("c", 8_000))
    return make_views(interactions([(user, "v", 0, ms, 8_000) for user, ms in watch_ms]))


def test_rates_by_hand_each_fold_left_out(eight_seconds: Views) -> None:
    # View a is fold 0; b and c are fold 1. k = 2 events. Exposures: segment 0 .5 | 1 + 1, segment 1 0 | .3 + .6.
    rates = leaving_rates(eight_seconds, np.array([0, 1, 1]), 2, 2.0, 2)
    assert rates.shape == (3, 2, 3)
    # Nobody left out: overall 2.2 / 5.4, then twice (1 + 2) / (rate 2.5 + 2) and (1 + 2) / (rate .9 + 2).
    np.testing.assert_allclose(rates[2, :, 2], [0.403259, 0.628571], rtol=1e-5)
    # Without fold 0: events 0 and 1, exposures 2 and .9, overall 1.2 / 4.9.
    np.testing.assert_allclose(rates[0, :, 2], [0.164384, 0.432], rtol=1e-5)
    # Without fold 1: events 1 and 0, exposures .5 and 0, overall 1.2 / 2.5; segment 1 was not reached.
    np.testing.assert_allclose(rates[1, :, 2], [0.830769, 0.48], rtol=1e-5)
    # A length without views has the overall rate.
    np.testing.assert_allclose(rates[:, 0, 1], [1.2 / 4.9, 1.2 / 2.5, 2.2 / 5.4])


def test_a_short_last_segment_has_less_time_to_leave(eight_seconds: Views) -> None:
    rates = np.full((3, 4, 5), 0.5)
    rates[1] = 2.0
    hazard = base_hazard(eight_seconds, rates, np.array([0, 1, 2]))
    whole, short = 1 - np.exp(-0.5), 1 - np.exp(-0.5 * 0.6)
    np.testing.assert_allclose(hazard[0], [whole, short, 0, 0])
    np.testing.assert_allclose(hazard[2], [whole, short, 0, 0])
    np.testing.assert_allclose(hazard[1], [1 - np.exp(-2), 1 - np.exp(-1.2), 0, 0])


def test_rates_recover_a_constant_rate_whatever_the_length(interactions: Callable[[Any], Any]) -> None:
    rng = np.random.default_rng(0)
    duration_ms = rng.integers(3_000, 23_000, 6_000)
    watch_ms = np.maximum(rng.exponential(5_000 / 0.3, 6_000), 1).astype(int)
    rows = [(f"u{i:04d}", f"v{i}", 0, w, d) for i, (w, d) in enumerate(zip(watch_ms, duration_ms, strict=True))]
    views = make_views(interactions(rows))
    rates = leaving_rates(views, np.zeros(len(views), int), 1, 20.0, 5)
    for n in range(1, 6):
        np.testing.assert_allclose(rates[1, :n, n], 0.3, rtol=0.2)


def test_outcomes_reach_up_to_the_exit(eight_seconds: Views) -> None:
    found = Outcomes.of(eight_seconds, 3)
    np.testing.assert_array_equal(found.reached, [[1, 0, 0], [1, 1, 0], [1, 1, 0]])
    np.testing.assert_array_equal(found.left, [[1, 0, 0], [0, 1, 0], [0, 0, 0]])
    unknown = Outcomes.of(replace(eight_seconds, exit=np.full(3, -1, np.int32)), 3)
    assert not unknown.reached.any()
    assert not unknown.left.any()


def test_residuals_by_hand(interactions: Callable[[Any], Any]) -> None:
    rows = [("a", "long", 0, 7_000, 14_000), ("b", "long", 0, 14_000, 14_000), ("c", "short", 0, 1_000, 4_000)]
    views = make_views(interactions(rows))
    hazard = np.array([[0.2, 0.3, 0.4, 0.0], [0.2, 0.3, 0.4, 0.0], [0.2, 0.0, 0.0, 0.0]])
    found = Outcomes.of(views, 4).residuals(hazard, views.segments)
    np.testing.assert_allclose(
        found,
        [[-0.2, 0.7, 0.0, 0.16, 0.21, 0.0], [-0.2, -0.3, -0.4, 0.16, 0.21, 0.24], [0.0, 0.0, 0.8, 0.0, 0.0, 0.16]],
    )


def test_places_part_the_segments_of_a_video() -> None:
    n = np.arange(1, 7)
    parts = np.stack(places(n, 6))
    np.testing.assert_array_equal(parts.sum(axis=0), np.arange(6)[None, :] < n[:, None])


def test_logit_is_finite_at_both_ends() -> None:
    np.testing.assert_allclose(logit(np.array([0.5, 0.8])), [0.0, np.log(4)], atol=1e-12)
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()
