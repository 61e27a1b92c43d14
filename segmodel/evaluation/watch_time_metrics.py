"""What a prediction says about watch time, view by view, and the registry of its measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from segfeat.types import Bool, Float64
from segmodel.data.views import Views
from segmodel.evaluation.metric import Metric, registry
from segmodel.evaluation.metrics import concordance
from segmodel.evaluation.view_metrics import check_measurable
from segmodel.prediction import SkipPrediction, watch_distribution


@dataclass(frozen=True, eq=False)
class WatchTimes:
    """B views; arrays (B,).

    Attributes
    ----------
    expected_s, median_s, rank : float64
        Predicted: mean, median, and mean rank among the training views' watch times, 0 .. 1.
    watch_s : float64
        min(watch, duration).
    crps_s : float64
        Continuous ranked probability score of the predicted distribution.
    under_10, under_50, under_90 : float64
        How far the view lies under the predicted quantile, 0 .. 1; a view at a jump counts in part.
    user : int64
        Who watched.
    """

    expected_s: Float64
    median_s: Float64
    rank: Float64
    watch_s: Float64
    crps_s: Float64
    under_10: Float64
    under_50: Float64
    under_90: Float64
    user: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.user)

    def take(self, keep: Bool | npt.NDArray[np.int64]) -> WatchTimes:
        """Some of the views."""
        return WatchTimes(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})


def within_users(times: WatchTimes) -> Float64:
    """(B,) the XAUC among the views of each view's user; NaN where no two of them were watched differently long.

    Its mean is XAUC in the manner of GAUC: users weigh as many views as they have.
    """
    found = np.full(len(times), np.nan)
    order = np.argsort(times.user, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(times.user[order])) + 1):
        if len(rows) > 1:
            found[rows] = concordance(times.expected_s[rows], times.watch_s[rows])
    return found


RANK_XAUC = Metric("rank_xauc", "XAUC of rank", 4, "more", lambda t: concordance(t.rank, t.watch_s))
"""The same of the expected rank, which is the better order where a system's distribution is right."""

XAUC = Metric("xauc", "XAUC", 4, "more", lambda t: concordance(t.expected_s, t.watch_s))
"""Share of the pairs of views that the expected watch time puts in order; of a set of views, not of one."""

WATCH_METRICS: Mapping[str, Metric] = registry(
    Metric("mae_s", "MAE", 3, "less", lambda t: np.abs(t.expected_s - t.watch_s), "s"),
    Metric("median_mae_s", "MAE of median", 3, "less", lambda t: np.abs(t.median_s - t.watch_s), "s"),
    Metric("xgauc", "XGAUC", 4, "more", within_users),
    Metric("crps_s", "CRPS", 3, "less", lambda t: t.crps_s, "s"),
    Metric("under_10", "under 10 %", 3, "target", lambda t: t.under_10),
    Metric("under_50", "under 50 %", 3, "target", lambda t: t.under_50),
    Metric("under_90", "under 90 %", 3, "target", lambda t: t.under_90),
)
"""Metrics that are means over views: :class:`WatchTimes` -> (B,)."""

POOLED_WATCH_METRICS: Mapping[str, Metric] = registry(XAUC, RANK_XAUC)
"""Measures that only a set of views has: :class:`WatchTimes` -> float."""

ALL_WATCH_METRICS: Mapping[str, Metric] = {**POOLED_WATCH_METRICS, **WATCH_METRICS}


def population_s(train_views: Views) -> Float64:
    """(100,) quantiles of the training views' watch times, among which ranks are taken."""
    found: Float64 = np.quantile(train_views.picture_watch_s, (np.arange(100) + 0.5) / 100)
    return found


def watch_times(prediction: SkipPrediction, views: Views, population: Float64) -> WatchTimes:
    """Hold a prediction of B watched views against how long they were watched.

    Views watched longer than the video count as watched to its end.

    Parameters
    ----------
    prediction : SkipPrediction
    views : Views
    population : float (M,)
        Watch times in s among which ranks are taken, as of :func:`population_s`.

    Raises
    ------
    ValueError
        If prediction and views differ in number, or a watch time is unknown.
    """
    check_measurable(prediction, views)
    distribution, seen = watch_distribution(prediction, views), views.picture_watch_s
    return WatchTimes(
        prediction.expected_watch_s,
        distribution.quantile_s(0.5),
        distribution.expected_rank(population),
        views.watch_s,
        distribution.crps_s(seen),
        distribution.under(0.1, seen),
        distribution.under(0.5, seen),
        distribution.under(0.9, seen),
        views.user.astype(np.int64),
    )


def summary(times: WatchTimes) -> dict[str, float]:
    """Every measure of :data:`ALL_WATCH_METRICS` over the views; NaN where none counts."""
    found = {}
    for name, metric in ALL_WATCH_METRICS.items():
        value = metric(times)
        found[name] = float(value) if name in POOLED_WATCH_METRICS else _mean(value)
    return found


def _mean(values: Float64) -> float:
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if len(counted) else float("nan")
