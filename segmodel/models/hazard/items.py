"""What other users did with a video: sums of surprises over training views, out of fold and up to a horizon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from segfeat.types import Float64, Int64

NEVER = np.iinfo(np.int64).max
"""A horizon that hides nothing."""

SUMS = 8
"""Columns: views; surprise in first, middle, last segments; its variance in the three; log watch ratio."""

_COVERAGE = (12, 4)
"""Windows in which the density of the log is looked at: these fractions of its time span."""


@dataclass(frozen=True, eq=False)
class ItemTable:
    """Sums per video over all training views, and over those of each fold.

    Attributes
    ----------
    total : float64 (V, SUMS)
        Row 0: a video not met in training.
    by_fold : float32 (V, folds, SUMS)
    """

    total: Float64
    by_fold: np.ndarray

    @classmethod
    def of(cls, sums: Float64) -> ItemTable:
        """Of :func:`item_sums`."""
        _, videos, folds = sums.shape
        total, by_fold = np.empty((videos, SUMS)), np.empty((videos, folds, SUMS), np.float32)
        for k, column in enumerate(sums):
            total[:, k], by_fold[..., k] = column.sum(axis=1), column
        return cls(total, by_fold)

    def sums(self, video: np.ndarray, fold: np.ndarray) -> Float64:
        """(N, SUMS) of each view's video, its fold left out (fold = folds: none)."""
        folds = self.by_fold.shape[1]
        own = np.where((fold < folds)[:, None], self.by_fold[video, np.minimum(fold, folds - 1)], 0.0)
        left: Float64 = self.total[video] - own
        return left


def item_sums(video: np.ndarray, fold: np.ndarray, values: Float64, videos: int, folds: int) -> Float64:
    """(SUMS, videos, folds) sums of ``values`` (N, SUMS) of views by video code and fold; 0 for unknown videos."""
    sums = np.empty((SUMS, videos, folds))
    cell = video * folds + fold
    for k in range(SUMS):
        sums[k] = np.bincount(cell, values[:, k], videos * folds).reshape(videos, folds)
    sums[:, 0] = 0.0
    return sums


class SumsByTime(Protocol):
    """The sums of a table's views over only those before a horizon, for simulated deployment in training."""

    def horizons(self, time_ms: Int64) -> Int64:
        """The horizons that stand for the given times; ``NEVER`` stays."""

    def sums(self, video: np.ndarray, fold: np.ndarray, horizon: Int64) -> Float64:
        """(N, SUMS): all views but the fold's where the horizon is ``NEVER``, otherwise all views before it."""


class MomentItems:
    """Sums before each of some moments, of views that come in parts; a horizon is the last moment up to a time.

    A table of so many moments takes as much memory however long the log is.

    Parameters
    ----------
    table : ItemTable
    moments : int64 (M,)
        Ascending; before the first one there is no view.
    """

    def __init__(self, table: ItemTable, moments: Int64) -> None:
        self._table, self._moments = table, moments
        self._before = np.zeros((len(moments), len(table.total), SUMS), np.float32)

    def add(self, video: np.ndarray, time_ms: Int64, values: Float64) -> None:
        """Add views with their codes (N,), times (N,) and values (N, SUMS) to the moments right after them."""
        moments, videos, _ = self._before.shape
        after = np.searchsorted(self._moments, time_ms, side="right")
        known = (after < moments) & (video > 0)
        cells, place = np.unique(after[known] * videos + video[known], return_inverse=True)
        flat = self._before.reshape(-1, SUMS)
        for k in range(SUMS):
            flat[cells, k] += np.bincount(place, values[known, k], len(cells))

    def add_up(self) -> MomentItems:
        """To be called once, after the last views."""
        np.cumsum(self._before, axis=0, out=self._before)
        return self

    def horizons(self, time_ms: Int64) -> Int64:
        """See :class:`SumsByTime`."""
        place = np.maximum(np.searchsorted(self._moments, time_ms, side="right") - 1, 0)
        return np.where(time_ms == NEVER, NEVER, self._moments[place])

    def sums(self, video: np.ndarray, fold: np.ndarray, horizon: Int64) -> Float64:
        """See :class:`SumsByTime`."""
        place = np.searchsorted(self._moments, horizon)
        before = self._before[np.minimum(place, len(self._moments) - 1), video]
        return np.where((horizon == NEVER)[:, None], self._table.sums(video, fold), before)


class TimedItems:
    """Sums before any time, of views in memory."""

    def __init__(self, table: ItemTable, video: np.ndarray, time_ms: Int64, values: Float64) -> None:
        self._start = int(time_ms.min())
        self._span = int(time_ms.max()) - self._start + 2
        self._table = table
        order = np.argsort(self._key(video, time_ms), kind="stable")
        self._keys = self._key(video, time_ms)[order]
        self._prefix = np.concatenate([np.zeros((1, SUMS)), np.cumsum(values[order], axis=0)])

    def horizons(self, time_ms: Int64) -> Int64:
        """See :class:`SumsByTime`: every time is its own."""
        return time_ms

    def sums(self, video: np.ndarray, fold: np.ndarray, horizon: Int64) -> Float64:
        """See :class:`SumsByTime`."""
        known = np.where(video < len(self._table.total), video, 0)
        whole = self._table.sums(known, fold)
        first = np.searchsorted(self._keys, self._key(known, np.full(len(known), self._start)))
        last = np.searchsorted(self._keys, self._key(known, horizon))
        before = self._prefix[np.maximum(first, last)] - self._prefix[first]
        before[known == 0] = 0.0
        return np.where((horizon == NEVER)[:, None], whole, before)

    def _key(self, video: np.ndarray, time_ms: Int64) -> Int64:
        since: Int64 = np.clip(time_ms - self._start, 0, self._span - 1) + video.astype(np.int64) * self._span
        return since


def item_features(sums: Float64, mean_log_ratio: float, coverage: Float64) -> Float64:
    """(N, 12) shrunken effects of first, middle, last and all segments, watch ratio, counts, and coverage."""
    count = np.maximum(sums[:, 0], 0.0)
    variance = np.maximum(sums[:, 4:7], 0.0)
    return np.concatenate(
        [
            sums[:, 1:4] / (variance + np.array([1.0, 2.0, 0.5])),
            (sums[:, 1:4].sum(axis=1) / (variance.sum(axis=1) + 2.0))[:, None],
            ((sums[:, 7] - count * mean_log_ratio) / (count + 4.0))[:, None],
            np.log1p(count)[:, None],
            (count < 0.5)[:, None],
            ((count > 0.5) & (count < 2.5))[:, None],
            coverage,
        ],
        axis=1,
    )


EFFECT, LOG_COUNT, COLD, COVERAGE = 3, 5, 6, 8
"""Columns of :func:`item_features` that other features use; from the last on they tell of the moment, not the video."""


def coverage(time_ms: Int64, horizon: Int64, quantiles: Int64) -> Float64:
    """(N, 4) how densely the training log covers the time before and after each view, up to its horizon.

    It tells a video that is new from a video of which the statistics merely stop early.

    Parameters
    ----------
    time_ms, horizon : int64 (N,)
    quantiles : int64 (Q,)
        Equally spaced quantiles of the training views' times, ascending.
    """
    span = max(int(quantiles[-1] - quantiles[0]), 1)

    def density(start: Int64, end: Int64) -> Float64:
        inside = np.searchsorted(quantiles, end) - np.searchsorted(quantiles, start)
        scaled: Float64 = np.log1p(20.0 * np.maximum(inside, 0) / len(quantiles)) / 1.5
        return scaled

    before = [density(time_ms - span // k, np.minimum(time_ms, horizon)) for k in _COVERAGE]
    after = [density(time_ms, np.minimum(time_ms + span // k, horizon)) for k in _COVERAGE]
    return np.stack([*before, *after], axis=1)
