"""How far a difference between two models may be chance: resampling users, because a user's views are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segfeat.types import Float64
from segmodel.survival import Array

DRAWS = 2000


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % bootstrap interval; NaN bounds where fewer than two users count."""

    mean: float
    low: float
    high: float

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


def draw_users(users: int, draws: int = DRAWS, seed: int = 0) -> Float64:
    """How often each of ``users`` counts in each draw with replacement, (D, U)."""
    rng = np.random.default_rng(seed)
    drawn = [np.bincount(rng.integers(0, users, users), minlength=users) for _ in range(draws)]
    return np.array(drawn, dtype=np.float64).reshape(draws, users)


def _per_user(values: Float64, code: Array, users: int) -> Float64:
    return np.stack([np.bincount(code, column, users) for column in values.T], axis=1)


def _ratio(total: Float64, count: Float64) -> Float64:
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)


def _bounds(means: Float64) -> tuple[float, float]:
    # A draw may hit only users without a counted view; it says nothing.
    low, high = np.nanpercentile(means, [2.5, 97.5])
    return float(low), float(high)
