"""How far a difference between two models may be chance: resampling users, because a user's views are alike, and seeds,
because another training would have ended elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from segfeat.types import Float64
from segmodel.survival import Array

DRAWS = 2000

ROUGH_USERS = 50
"""With fewer users than this an interval over users is rough."""

_LEVEL = 0.95

_DRAWS_AT_ONCE = 100


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % bootstrap interval; NaN bounds where fewer than two users count.

    ``p`` is the two-sided probability of a mean at least as far from zero if the truth were zero; NaN where it was not
    asked for.
    """

    mean: float
    low: float
    high: float
    p: float = float("nan")

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def user_interval(values: Array, user: Array, draws: int = DRAWS, seed: int = 0) -> Interval:
    """Mean of values over views, with an interval from resampling users with all their views.

    Give it differences of two models on the same views for a paired comparison.

    Parameters
    ----------
    values : float (B,)
        NaN where a view does not count.
    user : (B,)
        Who watched; any codes or ids.
    draws, seed : int
    """
    return user_intervals(np.asarray(values)[:, None], user, draws, seed)[0]


def user_intervals(values: Array, user: Array, draws: int = DRAWS, seed: int = 0) -> list[Interval]:
    """An :class:`Interval` for each column of ``values`` (B, M), all from the same draws of users."""
    counted = ~np.isnan(values)
    _, code = np.unique(user, return_inverse=True)
    users = int(code.max(initial=-1)) + 1
    total = _per_user(np.where(counted, values, 0.0), code, users)
    count = _per_user(counted.astype(np.float64), code, users)
    rng = np.random.default_rng(seed)
    means = np.full((draws, values.shape[1]), np.nan)
    for draw in means:
        # Drawing as many users as there are, with replacement, is one multinomial weight per user.
        weight = np.bincount(rng.integers(0, users, users), minlength=users) if users else np.zeros(0)
        draw[:] = _ratio(weight @ total, weight @ count)
    return [
        Interval(float(mean), *_bounds(column)) if several else Interval(float(mean), float("nan"), float("nan"))
        for mean, column, several in zip(
            _ratio(total.sum(axis=0), count.sum(axis=0)), means.T, (count > 0).sum(axis=0) > 1, strict=True
        )
    ]


Measure = Callable[[Float64], Sequence[Float64]]
"""How often each of U users counts in D draws (D, U) -> for each model, the reference first, what its R trainings then
measure in M ways (R, D, M); NaN where that is undefined."""


def training_intervals(
    measure: Measure, users: int, counted: Sequence[int], draws: int = DRAWS, seed: int = 0
) -> list[list[Interval]]:
    """Mean difference of each model to the reference, with an interval from a hierarchical bootstrap.

    Every draw takes users with all their views, the same for all models, and trainings of each model. Of n users or
    trainings it takes n - 1 with replacement, so that a mean of few varies in the draws as much as it really does
    (the rescaled bootstrap of Rao and Wu 1988). The quantiles of the draws are then stretched about the mean from the
    normal to Student's t with Satterthwaite's degrees of freedom, since with few trainings their noise is itself hardly
    known. A model with one training has no training noise to draw.

    Parameters
    ----------
    measure : Measure
        Any function of how often users count, be it a mean over views or a share of their pairs.
    users : int
    counted : sequence of int (M,)
        How many of them count in each of the M ways.
    draws, seed : int

    Returns
    -------
    list of list of Interval
        For each model but the reference one per way.
    """
    reference, *models = (trainings[:, 0] for trainings in measure(np.ones((1, users))))
    rng = np.random.default_rng(seed)
    drawn = [np.full((draws, len(counted)), np.nan) for _ in (reference, *models)]
    for start in range(0, draws, _DRAWS_AT_ONCE):
        size = min(_DRAWS_AT_ONCE, draws - start)
        for means, by_training in zip(drawn, measure(_drawn_counts(rng, users, size)), strict=True):
            chosen = _drawn_counts(rng, len(by_training), size)
            chosen = chosen / chosen.sum(axis=1, keepdims=True)
            means[start : start + size] = np.einsum("dr,rdm->dm", chosen, by_training)
    return [
        [
            _stretched(trainings[:, j], reference[:, j], means[:, j] - drawn[0][:, j], count)
            for j, count in enumerate(counted)
        ]
        for trainings, means in zip(models, drawn[1:], strict=True)
    ]


def seed_intervals(
    models: Sequence[Array], reference: Array, user: Array, draws: int = DRAWS, seed: int = 0
) -> list[list[Interval]]:
    """:func:`training_intervals` of measures that are means over views.

    Parameters
    ----------
    models : sequence of float (R, B, M)
        R trainings of each, measured on B views in M ways; NaN where a view does not count, alike for all.
    reference : float (Q, B, M)
    user : (B,)
        Who watched; any codes or ids.
    draws, seed : int

    Returns
    -------
    list of list of Interval
        For each model one per measure.
    """
    _, code = np.unique(user, return_inverse=True)
    users = int(code.max(initial=-1)) + 1
    counted = ~np.isnan(reference[0])
    count = _per_user(counted.astype(np.float64), code, users)
    totals = [
        np.stack([_per_user(np.where(counted, training, 0.0), code, users) for training in trainings])
        for trainings in (reference, *models)
    ]

    def measure(weight: Float64) -> list[Float64]:
        there = weight @ count
        return [np.stack([_ratio(weight @ training, there) for training in total]) for total in totals]

    return training_intervals(measure, users, (count > 0).sum(axis=0).tolist(), draws, seed)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjustment of p-values that are looked at together; below .05 they are so together (Holm 1979).

    p_(k) of m in ascending order becomes max over j <= k of (m - j + 1) p_(j), at most 1. NaN stays NaN and counts not.
    """
    order = sorted((value, i) for i, value in enumerate(p) if not np.isnan(value))
    adjusted, least = [float("nan")] * len(p), 0.0
    for rank, (value, i) in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * value))
        adjusted[i] = least
    return adjusted


def draw_users(users: int, draws: int = DRAWS, seed: int = 0) -> Float64:
    """How often each of ``users`` counts in each draw with replacement, (D, U)."""
    rng = np.random.default_rng(seed)
    drawn = [np.bincount(rng.integers(0, users, users), minlength=users) for _ in range(draws)]
    return np.array(drawn, dtype=np.float64).reshape(draws, users)


def _drawn_counts(rng: np.random.Generator, n: int, draws: int) -> Float64:
    """How often each of n counts in each draw of n - 1 with replacement, (draws, n); a single one always once."""
    if n < 2:
        return np.ones((draws, n))
    return rng.multinomial(n - 1, np.full(n, 1.0 / n), draws).astype(np.float64)


def _stretched(one: Float64, other: Float64, drawn: Float64, users: int) -> Interval:
    """Interval of mean(one) - mean(other), means of trainings, given draws of it over users and trainings."""
    mean = float(one.mean() - other.mean())
    known = drawn[~np.isnan(drawn)]
    if users < 2 or not len(known):
        return Interval(mean, float("nan"), float("nan"))
    variance = float(known.var())
    if variance <= 1e-24:
        return Interval(mean, mean, mean, float(abs(mean) <= 1e-12))
    parts = [(float(v.var(ddof=1)) / len(v), len(v) - 1) for v in (one, other) if len(v) > 1]
    parts.append((max(variance - sum(v for v, _ in parts), 0.0), users - 1))
    freedom = sum(v for v, _ in parts) ** 2 / sum(v**2 / df for v, df in parts)
    stretch = stdtrit(freedom, 0.5 + _LEVEL / 2) / ndtri(0.5 + _LEVEL / 2)
    low, high = mean + (np.percentile(known, [50 - 50 * _LEVEL, 50 + 50 * _LEVEL]) - mean) * stretch
    return Interval(mean, float(low), float(high), float(2 * stdtr(freedom, -abs(mean) / variance**0.5)))


def _per_user(values: Float64, code: Array, users: int) -> Float64:
    return np.stack([np.bincount(code, column, users) for column in values.T], axis=1)


def _ratio(total: Float64, count: Float64) -> Float64:
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)


def _bounds(means: Float64) -> tuple[float, float]:
    # A draw may hit only users without a counted view; it says nothing.
    low, high = np.nanpercentile(means, [2.5, 97.5])
    return float(low), float(high)
