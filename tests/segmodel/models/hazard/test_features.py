"""Features of a view know its user's strictly earlier views, and nothing else of what the log's views came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from segmodel.data.dataset import Dataset, make_dataset
from segmodel.models.hazard.features import (
    SEGMENT_FEATURES,
    Moments,
    Past,
    describe,
    describe_past,
    log_watch_ratio,
    segment_features,
)
from segmodel.models.hazard.user_filter import filter_users, surprise_sums

S = 1000


def _with_other_outcome(data: Dataset, log: Any, row: int) -> Dataset:
    """The same log in which one view ended otherwise."""
    watch_ms = log.watch_ms.copy()
    at = int(data.views.log_row[row])
    watch_ms[at] = 1 if data.views.completed[row] or data.views.exit[row] > 0 else log.duration_ms[at] * 2
    return make_dataset(replace(log, watch_ms=watch_ms), data.store)


@pytest.mark.parametrize("row", [3, 45, 131, 239])
def test_an_outcome_reaches_only_later_views_of_its_user(small: Any, fitted: Any, row: int) -> None:
    data, views = small.data, small.data.views
    other = _with_other_outcome(data, small.log, row)
    assert other.views.exit[row] != views.exit[row]
    may = (views.user == views.user[row]) & (views.time_ms > views.time_ms[row])

    described, filtered, tokens = [], [], []
    for d in (data, other):
        inputs = fitted.statistics.inputs(d, fitted.inside)
        described.append(np.concatenate([inputs.view, inputs.user, inputs.offset], axis=1))
        batch = fitted.batches.make(d, inputs, np.arange(len(d)))
        tokens.append(np.concatenate([x.flatten(1).numpy() for x in (batch.token, batch.evidence)], 1))
        # The same hazards in both: only the filter's own look at outcomes is at stake.
        flat = np.where(np.arange(40)[None, :] < views.segments[:, None], 0.2, 0.0)
        sums = surprise_sums(d.past, flat, np.zeros(len(d.past), bool))
        filtered.append(filter_users(d, flat, np.zeros(len(d), bool), sums))
    predicted = [fitted.predict(d).slots for d in (data, other)]

    for one, two in (described, tokens, filtered, predicted):
        np.testing.assert_allclose(one[~may], two[~may], atol=1e-5)
        if may.any():
            changed = np.abs(one - two).max(axis=1) > 1e-5
            next_time = views.time_ms[may].min()
            assert changed[may & (views.time_ms == next_time)].all()


def test_the_property_covers_ties_and_ends(small: Any) -> None:
    views = small.data.views
    tied = (np.diff(views.time_ms) == 0) & (np.diff(views.user) == 0)
    assert tied.sum() > 20
    assert any(tied[max(row - 1, 0)] or (row < len(tied) and tied[row]) for row in (3, 45, 131, 239))


def _described(data: Dataset) -> tuple[Past, Any]:
    base = np.where(np.arange(5)[None, :] < data.past.segments[:, None], 0.25, 0.0)
    known = [(base, np.zeros((len(data.past), 12)))] if len(data.past) else []
    past = describe_past(data.past, known, np.zeros(9), 5)
    return past, describe(data, past, np.zeros((len(data), 12)))


@pytest.fixture
def sessions(interactions: Callable[[Any], Any]) -> Dataset:
    """User b: a view, a page of two, one; fifty minutes later a page of two and one more. Users a and c: one view."""
    times_s = [0, 10, 10, 20, 3000, 3000, 3010]
    watch_ms = [1_000, 10_000, 7_000, 1_000, 10_000, 10_000, 10_000]
    rows = [("b", f"v{i}", t * S, w, 10_000) for i, (t, w) in enumerate(zip(times_s, watch_ms, strict=True))]
    return make_dataset(interactions([("a", "v0", 0, 1_000, 10_000), *rows, ("c", "v0", 3020 * S, 1_000, 10_000)]))


def test_sessions_and_pages_by_hand(sessions: Dataset) -> None:
    past, found = _described(sessions)
    np.testing.assert_array_equal(past.session, [0, 1, 1, 1, 1, 5, 5, 5, 8])
    np.testing.assert_array_equal(past.page, [0, 1, 2, 2, 4, 5, 5, 7, 8])
    # Seconds since the previous view, and from the page before that to it; -1 where there is none.
    gap = np.array([-1, -1, 10, 10, 10, 2980, 2980, 10, -1])
    before = np.array([-1, -1, -1, -1, 10, 10, 10, 2980, -1])
    np.testing.assert_allclose(found.view[:, 0], np.where(gap >= 0, np.log10(np.maximum(gap, 0) + 1), 0))
    np.testing.assert_allclose(found.view[:, 1], np.where(before >= 0, np.log10(np.maximum(before, 0) + 1), 0))
    np.testing.assert_array_equal(found.view[:, 2], gap >= 0)
    np.testing.assert_array_equal(found.view[:, 3], before >= 0)
    # Views seen before: all; of the running session, which ended where the gap is longer than half an hour; of the
    # newest page.
    np.testing.assert_allclose(np.expm1(found.view[:, 4]), [0, 0, 1, 1, 3, 4, 4, 6, 0], atol=1e-12)
    np.testing.assert_allclose(np.expm1(found.view[:, 5]), [0, 0, 1, 1, 3, 0, 0, 2, 0], atol=1e-12)
    np.testing.assert_allclose(np.expm1(found.view[:, 6]), [0, 0, 1, 1, 2, 1, 1, 2, 0], atol=1e-12)


def test_running_statistics_by_hand(sessions: Dataset) -> None:
    # Before the fourth view: left at once, completed, left in the last segment; h = .25 in both segments.
    windows = _described(sessions)[1].user[4].reshape(5, -1)
    surprise, variance = np.array([0.75 - 0.25 - 0.25, 0, -0.25 + 0.75]), np.array([3, 0, 2]) * 0.1875
    shrunken = [*(surprise / (variance + 1)), surprise.sum() / (variance.sum() + 1.5)]
    for window in (0, 1, 2, 3):  # all, newest 5, newest 20, session: the same three views
        np.testing.assert_allclose(windows[window, :4], shrunken, atol=1e-12)
        np.testing.assert_allclose(windows[window, 4], 1 / 6)  # completed, of 3 and 3 more
        np.testing.assert_allclose(windows[window, 6], 1 / 6)  # left in the first segment
    # A half-life of two views: the completed one is the second newest.
    weight = 0.5 ** (np.arange(3) / 2)
    completed = weight[1]
    np.testing.assert_allclose(windows[-1, 4], completed / (weight.sum() + 3))


def test_a_user_without_a_past_has_neutral_statistics(sessions: Dataset) -> None:
    found = _described(sessions)[1]
    assert not found.user[[0, 1, 8]].any()
    empty = Dataset(sessions.views, sessions.past.take(np.zeros(0, np.int64)), np.zeros_like(sessions.history))
    alone = _described(empty)[1]
    assert not alone.user.any()
    np.testing.assert_array_equal(alone.view[:, :7], 0)


def test_segment_features_end_with_the_video(interactions: Callable[[Any], Any]) -> None:
    data = make_dataset(interactions([("a", "v", 0, 1_000, 12_000), ("b", "w", 0, 1_000, 4_000)]))
    offset = np.array([[0.5, -1.0, -2.0, 0.0], [0.4, 0.0, 0.0, 0.0]], np.float32)
    found = segment_features(data.views, np.arange(2), offset, 4)
    assert found.shape == (2, 4, SEGMENT_FEATURES)
    assert not found[0, 3:].any()
    assert not found[1, 1:].any()
    s, rest, length = np.arange(3), np.array([12.0, 7.0, 2.0]), np.array([5.0, 5.0, 2.0])
    np.testing.assert_allclose(found[0, :3, 0], s / 3, rtol=1e-6)
    np.testing.assert_allclose(found[0, :3, 2], np.log1p(rest), rtol=1e-6)
    np.testing.assert_allclose(found[0, :3, 3], length / 5 - 1, rtol=1e-6)
    np.testing.assert_array_equal(found[0, :3, 7], [0, 0, 1])
    np.testing.assert_allclose(found[0, :3, 11], offset[0, :3] / 2)


def test_log_watch_ratio(sessions: Dataset) -> None:
    np.testing.assert_allclose(log_watch_ratio(sessions.views)[[0, 2]], [np.log(1.1), np.log(2)])


def test_a_scaler_standardises_and_clips() -> None:
    values = np.random.default_rng(0).normal(3, 2, (500, 2))
    moments = Moments()
    for part in (values[:7], values[:0], values[7:300], values[300:]):
        moments.add(part)
    scaler = moments.scaler()
    np.testing.assert_allclose(scaler.mean, values.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(scaler.scale, values.std(axis=0), rtol=1e-5)
    found = scaler(values)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=0.02)
    np.testing.assert_array_equal(scaler(np.array([[1e9, -1e9]])), [[5, -5]])
