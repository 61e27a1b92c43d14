"""Quantiles of the times of views that come in parts, in bounded memory."""

from __future__ import annotations

import numpy as np

from segfeat.types import Int64

KEPT_TIMES = 2**22
"""Times kept of all parts together; each part keeps as many as the others."""


class WeightedTimes:
    """Times, each of which stands for the same number of views of its part.

    A log in memory is one part, and keeps all of its times. Of several parts, no rank among all N views is wrong by
    more than N parts / ``KEPT_TIMES``, and none at all where no part has more than its share.

    Parameters
    ----------
    parts : int
    """

    def __init__(self, parts: int) -> None:
        self._most = None if parts == 1 else max(KEPT_TIMES // max(parts, 1), 1)
        self._times: list[Int64] = []
        self._views: list[int] = []

    def add(self, time_ms: Int64) -> None:
        """Times (N,) of a part."""
        ordered = np.sort(time_ms)
        if self._most is not None and len(ordered) > self._most:
            ordered = ordered[(np.arange(self._most) * 2 + 1) * len(ordered) // (2 * self._most)]
        self._times.append(ordered)
        self._views.append(len(time_ms))

    def quantiles(self, count: int) -> Int64:
        """At most ``count`` equally spaced quantiles of all times, ascending."""
        total = sum(self._views)
        ranks = np.round(np.linspace(0, total - 1, min(count, total))).astype(np.int64)
        times = np.concatenate(self._times)
        weight = np.repeat(
            [n / max(len(t), 1) for n, t in zip(self._views, self._times, strict=True)], [*map(len, self._times)]
        )
        order = np.argsort(times, kind="stable")
        place = np.searchsorted(np.cumsum(weight[order]), ranks, side="right")
        found: Int64 = times[order][np.minimum(place, len(times) - 1)]
        return found
