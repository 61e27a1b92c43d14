"""Reliability: whether events predicted with probability p happen with frequency p."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segfeat.types import Float64, Int64
from segmodel.survival import Array

BINS = 10
_DRAWS = 500


@dataclass(frozen=True, eq=False)
class Reliability:
    """A calibration curve over equal-count bins, and the error it amounts to.

    Attributes
    ----------
    predicted, observed : float64 (bins,)
        Mean probability, and share of views in which it happened.
    views : int64 (bins,)
    ece : float
        Expected calibration error: mean of |predicted - observed| over bins, weighted by views.
    chance_ece : float
        95th percentile of the ECE of outcomes drawn from the probabilities themselves: what a perfectly calibrated
        model of this sharpness stays under on so many views, 19 times out of 20.
    """

    predicted: Float64
    observed: Float64
    views: Int64
    ece: float
    chance_ece: float


def reliability(
    probability: Array, outcome: Array, bins: int = BINS, draws: int = _DRAWS, seed: int = 0
) -> Reliability:
    """The calibration of probabilities (B,) against outcomes (B,), in bins of equal count.

    Views of equal probability that fall into different bins share their mean outcome, so that the result does not
    depend on the order of the views.

    Parameters
    ----------
    probability : float (B,)
    outcome : bool (B,)
    bins : int
        Fewer where there are fewer views.
    draws : int
        Samples behind ``chance_ece``; 0 leaves it NaN.
    seed : int
    """
    order = np.argsort(probability, kind="stable")
    p, y = probability[order].astype(np.float64), outcome[order].astype(np.float64)
    n = len(p)
    if not n:
        nothing = np.zeros(0)
        return Reliability(nothing, nothing, np.zeros(0, np.int64), float("nan"), float("nan"))
    start = np.unique(np.arange(bins) * n // bins)
    views = np.diff(np.r_[start, n])
    equal = np.cumsum(np.r_[0, np.diff(p) != 0])
    counts = np.bincount(equal)
    predicted = np.add.reduceat(p, start) / views

    def observed(outcomes: Float64) -> Float64:
        shared = (np.bincount(equal, outcomes) / counts)[equal]
        means: Float64 = np.add.reduceat(shared, start) / views
        return means

    def error(shares: Float64) -> float:
        return float((np.abs(predicted - shares) * views).sum() / n)

    rng = np.random.default_rng(seed)
    drawn = [error(observed((rng.random(n) < p).astype(np.float64))) for _ in range(draws)]
    found = observed(y)
    return Reliability(
        predicted, found, views, error(found), float(np.percentile(drawn, 95)) if drawn else float("nan")
    )
