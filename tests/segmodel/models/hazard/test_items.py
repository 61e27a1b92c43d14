"""What other users did with a video: sums that leave out a fold, or the future."""

from __future__ import annotations

import numpy as np
import pytest

from segmodel.models.hazard.items import (
    COLD,
    EFFECT,
    LOG_COUNT,
    NEVER,
    SUMS,
    ItemTable,
    TimedItems,
    coverage,
    item_features,
    item_sums,
)

VIDEOS, FOLDS, VIEWS = 6, 3, 200


@pytest.fixture
def log() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Video codes from 1, times with ties, folds and values of random views; the last video has none."""
    rng = np.random.default_rng(0)
    return (
        rng.integers(1, VIDEOS - 1, VIEWS),
        1_700_000_000_000 + rng.integers(0, 60, VIEWS) * 1000,
        rng.integers(0, FOLDS, VIEWS),
        rng.normal(size=(VIEWS, SUMS)),
    )


def test_sums_leave_the_fold_out(log: tuple[np.ndarray, ...]) -> None:
    video, _, fold, values = log
    table = ItemTable.of(item_sums(video, fold, values, VIDEOS, FOLDS))
    for v in range(1, VIDEOS):
        for f in range(FOLDS + 1):
            expected = values[(video == v) & (fold != f)].sum(axis=0)
            np.testing.assert_allclose(table.sums(np.array([v]), np.array([f]))[0], expected, atol=1e-5)


def test_an_unknown_video_has_nothing(log: tuple[np.ndarray, ...]) -> None:
    video, time_ms, fold, values = log
    # Views of code 0, a video outside the vocabulary, teach nothing.
    mixed = np.where(np.arange(VIEWS) % 4 == 0, 0, video)
    table = ItemTable.of(item_sums(mixed, fold, values, VIDEOS, FOLDS))
    timed = TimedItems(table, mixed, time_ms, values)
    zero = np.zeros(4, np.int64)
    for f in range(FOLDS + 1):
        assert not table.sums(zero, zero + f).any()
        for horizon in (NEVER, int(time_ms.max()) + 1, int(np.median(time_ms))):
            assert not timed.sums(zero, zero + f, zero + horizon).any()
    beyond = np.array([VIDEOS + 3])
    assert not timed.sums(beyond, zero[:1], np.array([NEVER])).any()
    assert not timed.sums(beyond, zero[:1], time_ms[:1]).any()


def test_a_horizon_equals_summing_what_came_before(log: tuple[np.ndarray, ...]) -> None:
    video, time_ms, fold, values = log
    timed = TimedItems(ItemTable.of(item_sums(video, fold, values, VIDEOS, FOLDS)), video, time_ms, values)
    rng = np.random.default_rng(1)
    asked = rng.integers(1, VIDEOS, 100)
    horizon = int(time_ms.min()) + rng.integers(-5, 65, 100) * 1000
    found = timed.sums(asked, rng.integers(0, FOLDS + 1, 100), horizon)
    expected = [values[(video == v) & (time_ms < t)].sum(axis=0) for v, t in zip(asked, horizon, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_never_equals_the_table(log: tuple[np.ndarray, ...]) -> None:
    video, time_ms, fold, values = log
    table = ItemTable.of(item_sums(video, fold, values, VIDEOS, FOLDS))
    timed = TimedItems(table, video, time_ms, values)
    own = np.arange(VIEWS) % (FOLDS + 1)
    np.testing.assert_allclose(
        timed.sums(video, own, np.full(VIEWS, NEVER)), table.sums(video, own), rtol=1e-12, atol=1e-12
    )


def test_item_features_by_hand() -> None:
    sums = np.array([[2.0, 0.5, -1.0, 0.25, 1.0, 2.0, 0.5, 1.4], np.zeros(SUMS)])
    found = item_features(sums, 0.4, np.zeros((2, 4)))
    assert found.shape == (2, 12)
    np.testing.assert_allclose(found[0, :4], [0.5 / 2, -1.0 / 4, 0.25 / 1, -0.25 / 5.5])
    np.testing.assert_allclose(found[0, 4], (1.4 - 2 * 0.4) / 6)
    np.testing.assert_allclose(found[0, LOG_COUNT], np.log(3), rtol=1e-15)  # log1p rounds by processor
    assert (found[0, COLD], found[1, COLD]) == (0, 1)
    assert found[0, EFFECT] == found[0, 3]
    np.testing.assert_array_equal(found[1], np.eye(12)[COLD])


def test_coverage_falls_where_the_log_stops() -> None:
    quantiles = np.arange(0, 1201, dtype=np.int64)
    asked = np.array([600, 600, 600, 5_000])
    before_12, before_4, after_12, after_4 = coverage(asked, np.array([NEVER, 600, 550, NEVER]), quantiles).T
    full_12, full_4 = (np.log1p(20 * n / 1201) / 1.5 for n in (100, 300))
    np.testing.assert_allclose(before_12, [full_12, full_12, np.log1p(20 * 50 / 1201) / 1.5, 0])
    np.testing.assert_allclose(before_4[[0, 1, 3]], [full_4, full_4, 0])
    np.testing.assert_allclose(after_12, [full_12, 0, 0, 0])
    np.testing.assert_allclose(after_4, [full_4, 0, 0, 0])
