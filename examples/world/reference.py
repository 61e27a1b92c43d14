"""What the exits of a log cost, in nats per view: under the true hazard, and under a histogram that knows N."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from .simulate import World
from .watchlog import exits

Float64 = npt.NDArray[np.float64]


def oracle_nll(world: World, log: pd.DataFrame) -> Float64:
    """Negative log-likelihood (rows,) of each row's exit under the world's own hazard, in nats."""
    n, exit_slot = exits(log)
    hazard = world.hazard(*world.codes(log))
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
