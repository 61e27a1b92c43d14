"""Reached: the segments that users of watched views came to, one after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from segfeat.types import Bool, Float64, Int64
from segmodel.data.views import Views
from segmodel.models.hazard.rates import Outcomes, logit

FIRST, MIDDLE, LAST = 0, 1, 2
PLACES = 3
"""Where a segment stands in its video; a single segment is a last one."""


@dataclass(frozen=True, eq=False)
class Reached:
    """R reached segments of V views.

    Attributes
    ----------
    views : int
        V.
    cell : int64 (R,)
        View · 3 + place.
    odds : float64 (R,)
        Base log-odds of leaving.
    left : bool (R,)
    """

    views: int
    cell: Int64
    odds: Float64
    left: Bool

    @classmethod
    def of(cls, views: Views, hazard: Callable[[slice, Views], Float64]) -> Reached:
        """Of watched views; ``hazard`` gives the base hazard (B, S) of a part of them."""
        cells, odds, left = [], [], []
        for rows, part in views.parts():
            base = hazard(rows, part)
            outcomes = Outcomes.of(part, base.shape[1])
            view, s = np.nonzero(outcomes.reached)
            cells.append((view + rows.start) * PLACES + place(s, part.segments[view]))
            odds.append(logit(base[view, s]))
            left.append(outcomes.left[view, s])
        return cls(len(views), np.concatenate(cells), np.concatenate(odds), np.concatenate(left))

    def surprise(self, shift: Float64) -> Float64:
        """(V, 6) sums of left - h, then of h (1 - h), by place, where ``shift`` (V, 3) adds to the log-odds."""
        h = expit(self.odds + shift.ravel()[self.cell])
        size = self.views * PLACES
        sums = [np.bincount(self.cell, x, size).reshape(-1, PLACES) for x in (self.left - h, h * (1 - h))]
        return np.concatenate(sums, axis=1)


def place(segment: np.ndarray, segments: np.ndarray) -> Int64:
    """Place of each segment of videos with so many."""
    found: Int64 = np.where(segment == segments - 1, LAST, np.where(segment == 0, FIRST, MIDDLE)).astype(np.int64)
    return found
