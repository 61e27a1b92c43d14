"""What the exits of a log cost, in nats per view: under the true hazard, and under rules that know N alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from .simulation import World
from .watchlog import exits

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


def oracle_nll(world: World, log: pd.DataFrame) -> Float64:
    """Negative log-likelihood (rows,) of each row's exit under the world's own hazard, in nats."""
    n, exit_slot = exits(log)
    return _exit_nll(world.hazard(*world.codes(log)), n, exit_slot)


def _exit_nll(hazard: Float64, n: Int64, exit_slot: Int64) -> Float64:
    s = np.arange(hazard.shape[1])[None, :]
    stayed = np.where(s < np.minimum(exit_slot, n)[:, None], -np.log1p(-hazard), 0.0).sum(axis=1)
    skipped = np.flatnonzero(exit_slot < n)
    stayed[skipped] -= np.log(hazard[skipped, exit_slot[skipped]])
    return stayed


@dataclass(frozen=True, eq=False)
class DurationPosition:
    """The skip histogram cut at N, times P(skip | N); P(complete | N) in slot N. Knows a video's length, nothing else.

    Attributes
    ----------
    position : float (S,)
        Share of skips in each segment, half a count added.
    complete : float (S + 1,)
        P(complete | N), smoothed with ten views of the overall rate.
    """

    position: Float64
    complete: Float64

    @classmethod
    def fit(cls, log: pd.DataFrame, max_segments: int = 40) -> DurationPosition:
        n, exit_slot = exits(log)
        completed = exit_slot == n
        count = np.bincount(exit_slot[~completed], minlength=max_segments)[:max_segments] + 0.5
        views = np.bincount(n, minlength=max_segments + 1)
        completions = np.bincount(n[completed], minlength=max_segments + 1)
        return cls(count / count.sum(), (completions + 10 * completed.mean()) / (views + 10))

    def nll(self, log: pd.DataFrame) -> Float64:
        """Negative log-likelihood (rows,) of each row's exit, in nats."""
        n, exit_slot = exits(log)
        completed = exit_slot == n
        p = self.complete[n]
        within = np.cumsum(self.position)[n - 1]
        skip = (1 - p) * self.position[np.minimum(exit_slot, len(self.position) - 1)] / within
        return -np.log(np.where(completed, p, skip))


@dataclass(frozen=True, eq=False)
class DurationHazard:
    """The share that leaves, among those who reached it, of each segment at each N: all that a video's length tells.

    DurationPosition cuts one histogram for all lengths and so leaves a little to any rule that takes N seriously. Where
    exits depend on nothing but length, as in a permuted log, this is the reference that no content can beat.

    Attributes
    ----------
    hazard : float (N, S)
        Row N, segment s; smoothed with twenty views of the hazard at s over all lengths.
    """

    hazard: Float64

    @classmethod
    def fit(cls, log: pd.DataFrame, max_segments: int = 40) -> DurationHazard:
        n, exit_slot = exits(log)
        left, reached = np.zeros((2, max_segments + 1, max_segments))
        for s in range(max_segments):
            live = (n > s) & (exit_slot >= s)
            reached[:, s] = np.bincount(n[live], minlength=max_segments + 1)
            left[:, s] = np.bincount(n[live & (exit_slot == s)], minlength=max_segments + 1)
        pooled = (left.sum(axis=0) + 0.5) / (reached.sum(axis=0) + 1)
        return cls((left + 20 * pooled) / (reached + 20))

    def nll(self, log: pd.DataFrame) -> Float64:
        """Negative log-likelihood (rows,) of each row's exit, in nats."""
        n, exit_slot = exits(log)
        return _exit_nll(self.hazard[n], n, exit_slot)
