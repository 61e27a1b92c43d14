"""A distribution for methods that give one number: what happened to validation views with a like prediction.

Validation views are sorted by the predicted share of the video and cut into bins of equal count; a view gets the
shares that were really watched in its bin. A bin is pulled towards all views by ten of them.
"""

from __future__ import annotations

import numpy as np

from segfeat.types import Float64
from segmodel.data.views import Views
from segmodel.models.base import Arrays
from segmodel.watch_distribution import WatchDistribution

MOST_BINS, LEAST_VIEWS = 10, 50

GRID = np.linspace(0.0, 1.0, 51)
"""Shares of the video at which distributions have knots."""

_PRIOR_VIEWS = 10.0


def learn_outcomes(expected_s: Float64, views: Views) -> Arrays:
    """``outcome_edges`` (bins - 1,) and ``outcome_below`` (bins, 51), P(share < grid), of watched validation views."""
    predicted, watched = expected_s / views.picture_s, views.picture_watch_s / views.picture_s
    bins = int(np.clip(len(views) // LEAST_VIEWS, 1, MOST_BINS))
    edges = np.unique(np.quantile(predicted, np.arange(1, bins) / bins)) if len(views) else np.zeros(0)
    everybody = np.array([(watched < share).mean() if len(views) else share for share in GRID])
    inside = np.searchsorted(edges, predicted, side="right")
    below = [
        ((watched[inside == k, None] < GRID).sum(axis=0) + _PRIOR_VIEWS * everybody)
        / ((inside == k).sum() + _PRIOR_VIEWS)
        for k in range(len(edges) + 1)
    ]
    return {"outcome_edges": edges, "outcome_below": np.array(below)}


def outcomes_like(expected_s: Float64, views: Views, learned: Arrays) -> WatchDistribution:
    """The distribution of each of B views by its prediction (B,)."""
    inside = np.searchsorted(learned["outcome_edges"], expected_s / views.picture_s, side="right")
    return WatchDistribution.of_knots(
        GRID[None, :] * views.picture_s[:, None], learned["outcome_below"][inside], views.picture_s
    )
