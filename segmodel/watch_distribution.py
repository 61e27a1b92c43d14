"""WatchDistribution: when users stop watching, as piecewise linear distributions that end in a jump: pure functions.

P(W < t) is linear between knots; what is left at the video's end is the chance of watching all of it. A skip in a
segment is as likely at every moment of it, as expected watch time has it, so slots are such a distribution, and scores
and quantiles are exact. Array letters: B views, K knots, S segments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segfeat.types import Float64
from segmodel.survival import Array, segment_mask


@dataclass(frozen=True, eq=False)
class WatchDistribution:
    """Watch times of B views.

    Attributes
    ----------
    time_s, below : float64 (B, K)
        Knots in ascending order, from 0 to the video's length, and P(W < time); a time may stand twice, for a jump.
    """

    time_s: Float64
    below: Float64

    @classmethod
    def of_slots(cls, slots: Array, segments: Array, picture_s: Array, segment_s: float) -> WatchDistribution:
        """Of exit probabilities (B, S + 1), each skip equally likely at every moment of its segment."""
        width = slots.shape[1] - 1
        skip = np.where(segment_mask(segments, width), slots[:, :-1], 0.0)
        edges = np.minimum(np.arange(width + 1)[None, :] * segment_s, np.asarray(picture_s)[:, None])
        return cls(edges, np.concatenate([np.zeros((len(slots), 1)), np.cumsum(skip, axis=1)], axis=1))

    @classmethod
    def of_knots(cls, time_s: Array, below: Array, duration_s: Array) -> WatchDistribution:
        """Of knots (B, K) from time 0 on; whatever lies at or beyond the video's end is watching all of it."""
        end = np.asarray(duration_s, dtype=np.float64)
        last = cls(time_s, below).before(end)[:, None]
        beyond = time_s >= end[:, None]
        return cls(
            np.concatenate([np.where(beyond, end[:, None], time_s), end[:, None]], axis=1),
            np.concatenate([np.where(beyond, last, below), last], axis=1),
        )

    @property
    def duration_s(self) -> Float64:
        """(B,)"""
        return self.time_s[:, -1]

    @property
    def completion(self) -> Float64:
        """(B,) P(watches to the end)."""
        return 1.0 - self.below[:, -1]

    def before(self, time_s: Array) -> Float64:
        """P(W < time), (B,) for times (B,) from 0 to the video's length."""
        return self._at(time_s, (self.time_s < np.asarray(time_s)[:, None]).sum(axis=1))

    def until(self, time_s: Array) -> Float64:
        """P(W <= time), (B,)."""
        found = self._at(time_s, (self.time_s <= np.asarray(time_s)[:, None]).sum(axis=1))
        return np.where(np.asarray(time_s) >= self.duration_s, 1.0, found)

    def _at(self, time_s: Array, knot: Array) -> Float64:
        """Linear between the knot before ``knot`` (B,) and that one."""
        row = np.arange(len(self.below))
        first, second = np.maximum(knot - 1, 0), np.minimum(knot, self.below.shape[1] - 1)
        start, low, high = self.time_s[row, first], self.below[row, first], self.below[row, second]
        share = _ratio(time_s - start, self.time_s[row, second] - start)
        return low + np.clip(share, 0.0, 1.0) * (high - low)

    def expected_s(self) -> Float64:
        """E[W] = integral of P(W >= t), (B,)."""
        length = np.diff(self.time_s, axis=1)
        mean: Float64 = (length * (1.0 - (self.below[:, :-1] + self.below[:, 1:]) / 2.0)).sum(axis=1)
        return mean

    def quantile_s(self, level: float) -> Float64:
        """The least time t with P(W <= t) >= ``level``, (B,)."""
        row, knot = np.arange(len(self.below)), (self.below < level).sum(axis=1)
        first, second = np.maximum(knot - 1, 0), np.minimum(knot, self.below.shape[1] - 1)
        start, low = self.time_s[row, first], self.below[row, first]
        share = np.clip(_ratio(level - low, self.below[row, second] - low), 0.0, 1.0)
        found = start + share * (self.time_s[row, second] - start)
        return np.where(knot == self.below.shape[1], self.duration_s, found)

    def expected_rank(self, others_s: Array) -> Float64:
        """Mean share of watch times ``others_s`` (M,) that a view will reach, (B,): what puts pairs in order best.

        P(W_i > W_j) over a random j is the expected rank of W_i among watch times, whatever unit they are in, while a
        mean in seconds follows the longest of them.
        """
        total = np.zeros(len(self.below))
        for other in others_s:
            reached = 1.0 - self.before(np.minimum(other, self.duration_s))
            total += np.where(other <= self.duration_s, reached, 0.0)
        return total / len(others_s)

    def crps_s(self, watch_s: Array) -> Float64:
        """Continuous ranked probability score, integral of (P(W <= t) - [watch <= t])^2, (B,) in s; less is better.

        Gneiting and Raftery 2007, JASA 102, eq. 20; it is the absolute error where the distribution is one point.
        """
        start, end, low, high = self.time_s[:, :-1], self.time_s[:, 1:], self.below[:, :-1], self.below[:, 1:]
        middle = np.clip(np.asarray(watch_s)[:, None], start, end)
        there = low + _ratio(middle - start, end - start) * (high - low)
        score: Float64 = (
            (middle - start) * _squared(low, there) + (end - middle) * _squared(1.0 - there, 1.0 - high)
        ).sum(axis=1)
        return score

    def under(self, level: float, watch_s: Array) -> Float64:
        """How far each view (B,) lies under its ``level`` quantile, 0 .. 1; the mean is ``level`` where all is right.

        A view at a jump counts in part, as much as of the jump lies under the level (the non-randomised probability
        integral transform of Czado, Gneiting and Held 2009, Biometrics 65, eq. 2).
        """
        low, high = self.before(watch_s), self.until(watch_s)
        share = np.clip(_ratio(level - low, high - low), 0.0, 1.0)
        return np.where(high > low, share, (low < level).astype(np.float64))

    def slots(self, segments: Array, width: int, segment_s: float) -> Float64:
        """Exit probabilities (B, ``width`` + 1); slot N is completion."""
        edges = [self.before(np.minimum(s * segment_s, self.duration_s)) for s in range(width + 1)]
        skip = np.diff(np.stack(edges, axis=1), axis=1)
        slots = np.zeros((len(self.below), width + 1))
        slots[:, :-1] = np.where(segment_mask(segments, width), np.maximum(skip, 0.0), 0.0)
        row, end = np.arange(len(slots)), np.asarray(segments)
        slots[row, end] = np.maximum(1.0 - slots.sum(axis=1), 0.0)
        return slots


def _squared(low: Float64, high: Float64) -> Float64:
    """Mean of the square of a number that runs from ``low`` to ``high``."""
    return (low * low + low * high + high * high) / 3.0


def _ratio(part: Array, whole: Array) -> Float64:
    """0 where the whole is 0."""
    shape = np.broadcast_shapes(np.shape(part), np.shape(whole))
    return np.divide(part, whole, out=np.zeros(shape), where=np.broadcast_to(whole > 0, shape))
