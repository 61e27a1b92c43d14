"""What a user's history says at the moment of a view: running means over strictly earlier views."""

from __future__ import annotations

import numpy as np

from segfeat.types import Float64
from segmodel.data.dataset import Dataset
from segmodel.data.views import Views

RECENT_VIEWS = 5

OUTCOMES = ("completed", "watch_ratio", "skip_segment", "left_at_once")
"""What is remembered of a past view; ``skip_segment`` and ``left_at_once`` only where it was skipped."""


def outcomes(views: Views) -> Float64:
    """(V, 4) the :data:`OUTCOMES` of watched views; NaN where an outcome does not exist."""
    skipped = ~views.completed
    return np.stack(
        [
            views.completed.astype(np.float64),
            np.minimum(views.watch_ms / views.duration_ms, 1.0),
            np.where(skipped, views.exit, np.nan),
            np.where(skipped, views.exit == 0, np.nan),
        ],
        axis=1,
    )


def causal_statistics(data: Dataset) -> Float64:
    """Means of the outcomes over each view's history.

    Returns
    -------
    float64 (V, 13)
        For each outcome the mean over the whole history, over its last five views, and its value in the last view; then
        the number of views in the history. NaN where there is nothing to average.
    """
    values = outcomes(data.past)
    known = ~np.isnan(values)
    sums = _prefix(np.where(known, values, 0.0))
    counts = _prefix(known.astype(np.float64))
    start, end = data.history.T
    recent = np.maximum(start, end - RECENT_VIEWS)
    last = np.where((end > start)[:, None], values[np.maximum(end - 1, 0)] if len(values) else np.nan, np.nan)
    return np.concatenate(
        [
            _ratio(sums[end] - sums[start], counts[end] - counts[start]),
            _ratio(sums[end] - sums[recent], counts[end] - counts[recent]),
            last,
            (end - start)[:, None].astype(np.float64),
        ],
        axis=1,
    )


def _prefix(values: Float64) -> Float64:
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])


def _ratio(total: Float64, count: Float64) -> Float64:
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
