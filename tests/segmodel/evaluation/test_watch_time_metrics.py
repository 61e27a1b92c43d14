"""Watch-time measures by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from segfeat.interactions import Interactions
from segmodel.data.views import Views, make_views
from segmodel.evaluation.watch_time_metrics import (
    ALL_WATCH_METRICS,
    WatchTimes,
    population_s,
    summary,
    watch_times,
    within_users,
)
from segmodel.prediction import from_slots


@pytest.fixture
def views(make_log: Callable[..., Interactions]) -> Views:
    # Two users; the last view is a replay of 8 s of video.
    return make_views(
        make_log(
            ("a", "x", 1, 2_000, 8_000),
            ("a", "y", 2, 9_000, 10_000),
            ("b", "x", 1, 4_000, 8_000),
            ("b", "y", 2, 3_000, 10_000),
            ("b", "x", 3, 20_000, 8_000),
        )
    )


SLOTS = np.array([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6], [0.5, 0.25, 0.25], [0.2, 0.2, 0.6], [0.0, 0.0, 1.0]])


def test_every_measure_by_hand(views: Views) -> None:
    found = watch_times(from_slots(SLOTS, views), views, np.array([3.0, 9.0]))
    # .5 · 2.5 + .25 · 6.5 + .25 · 8, and .2 · 2.5 + .2 · 7.5 + .6 · 10.
    np.testing.assert_allclose(found.expected_s, [4.875, 8.0, 4.875, 8.0, 8.0])
    np.testing.assert_allclose(found.watch_s, [2, 9, 4, 3, 8])
    np.testing.assert_allclose(found.median_s, [5.0, 10.0, 5.0, 10.0, 8.0])
    # Half of P(W >= 3) and P(W >= 9), the second 0 on a video of 8 s.
    np.testing.assert_allclose(found.rank, [0.35, (0.88 + 0.64) / 2, 0.35, (0.88 + 0.64) / 2, 0.5])
    np.testing.assert_allclose(found.under_10, [0, 0, 0, 0, 0.1])
    np.testing.assert_allclose(found.under_90, [1, 1, 1, 1, 0.9])
    figures = summary(found)
    assert set(figures) == set(ALL_WATCH_METRICS)
    assert figures["mae_s"] == pytest.approx((2.875 + 1 + 0.875 + 5 + 0) / 5)
    # User b's pairs: (4, 3) wrong, (4, 8) right, (3, 8) tied; user a's only pair right: (2 · 1 + 3 · .5) / 5.
    assert figures["xgauc"] == pytest.approx((2 * 1.0 + 3 * 0.5) / 5)


def test_a_user_with_one_view_says_nothing_of_order() -> None:
    one = np.array([1.0, 2.0, 3.0])
    times = WatchTimes(one, one, one, one, one, one, one, one, np.array([0, 1, 1]))
    np.testing.assert_array_equal(within_users(times), [np.nan, 1.0, 1.0])


def test_replays_count_as_the_video_s_length(views: Views) -> None:
    np.testing.assert_array_equal(views.replayed, [False, False, False, False, True])
    np.testing.assert_allclose(views.picture_watch_s, views.watch_s)
    assert population_s(views).max() <= 10.0
    # A file longer than its log says is still watched to its end.
    longer = replace(views, picture_s=views.picture_s + 0.5)
    np.testing.assert_allclose(longer.picture_watch_s, [2, 9, 4, 3, 8.5])


def test_what_cannot_be_measured_is_refused(views: Views) -> None:
    prediction = from_slots(SLOTS, views)
    with pytest.raises(ValueError, match="5 predictions for 2 views"):
        watch_times(prediction, views.take(np.array([0, 1])), np.ones(1))
    with pytest.raises(ValueError, match="5 views have no watch time"):
        watch_times(prediction, replace(views, exit=np.full(5, -1, np.int32)), np.ones(1))
