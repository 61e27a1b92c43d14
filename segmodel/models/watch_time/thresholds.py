"""Thresholds of watch time that methods which classify cut it by."""

from __future__ import annotations

import numpy as np

from segfeat.types import Float64
from segmodel.watch_distribution import WatchDistribution


def inner_thresholds(target: Float64, levels: Float64, share: bool) -> Float64:
    """Ascending, distinct quantiles of the training targets at ``levels``, above the least target.

    A share of the video also has the threshold 1, so that watching to the end is a class of its own.
    """
    found = np.quantile(target, levels)
    found = np.unique(np.append(found, 1.0)) if share else np.unique(found)
    return found[found > min(float(target.min()), 0.999)]


def distribution_of(thresholds: Float64, reaches: Float64, unit_s: Float64, duration_s: Float64) -> WatchDistribution:
    """From P(target >= threshold), (B, M): linear between thresholds, beginning at 0.

    Where the probabilities do not descend, they are cut to do so.
    """
    below = 1.0 - np.minimum.accumulate(np.clip(reaches, 0.0, 1.0), axis=1)
    zero = np.zeros((len(below), 1))
    time = np.concatenate([zero, thresholds[None, :] * unit_s[:, None]], axis=1)
    return WatchDistribution.of_knots(time, np.concatenate([zero, below], axis=1), duration_s)
