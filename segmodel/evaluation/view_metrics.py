"""ViewMetrics: every metric of a prediction, view by view, and its summary over any subset of views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from segfeat.segment import SEGMENT_S
from segfeat.types import Bool, Float64
from segmodel.data.views import MAX_SEGMENTS, Views
from segmodel.evaluation.metric import Metric, registry
from segmodel.evaluation.metrics import concordance, exit_brier, exit_nll, hit, masked_ranks, ndcg, paper_ranks
from segmodel.evaluation.reliability import reliability
from segmodel.prediction import SkipPrediction

KS = (1, 5, 10)


@dataclass(frozen=True, eq=False)
class ViewMetrics:
    """What B views say about a prediction; arrays (B,).

    Attributes
    ----------
    paper_rank, masked_rank : float64
        Rank of the true exit under either protocol; NaN where the protocol leaves the view out.
    nll : float64
        Of the true exit, in nats.
    brier : float64
        Over all N + 1 slots, 0 .. 2.
    expected_watch_s, watch_s : float64
        Predicted, and min(watch, duration).
    completion : float64
        P(completes).
    completed : bool
    leaves_first : float64
        P(leaves in segment 0).
    left_first : bool
    """

    paper_rank: Float64
    masked_rank: Float64
    nll: Float64
    brier: Float64
    expected_watch_s: Float64
    watch_s: Float64
    completion: Float64
    completed: Bool
    leaves_first: Float64
    left_first: Bool

    def __len__(self) -> int:
        return len(self.nll)

    @property
    def watch_error_s(self) -> Float64:
        """Absolute error of the expected watch time in s."""
        return np.abs(self.expected_watch_s - self.watch_s)

    def values(self, metric: str) -> Float64:
        """One metric of :data:`METRICS`, (B,), NaN where a view does not count.

        Raises
        ------
        ValueError
            For an unknown name.
        """
        if metric not in METRICS:
            raise ValueError(f"unknown metric {metric!r}; valid are {', '.join(METRICS)}")
        found: Float64 = METRICS[metric](self)
        return found

    def summary(self, mask: Bool | None = None) -> dict[str, float]:
        """Counts, means of all :data:`METRICS`, and :data:`POOLED` measures over the views of ``mask`` (B,).

        ``paper_views`` and ``masked_views`` say how many views each protocol counts. What no view defines is NaN.
        """
        keep = np.ones(len(self), dtype=bool) if mask is None else mask
        counts = {
            "views": float(keep.sum()),
            "paper_views": float((~np.isnan(self.paper_rank[keep])).sum()),
            "masked_views": float((~np.isnan(self.masked_rank[keep])).sum()),
        }
        means = {name: _mean(self.values(name)[keep]) for name in METRICS}
        return {**counts, **means, **{name: measure(self, keep) for name, measure in POOLED.items()}}


def _mean(values: Float64) -> float:
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if len(counted) else float("nan")


def _of_rank(rank: str, gain: Callable[[Float64, int], Float64], k: int) -> Callable[[ViewMetrics], Float64]:
    def values(metrics: ViewMetrics) -> Float64:
        return gain(getattr(metrics, rank), k)

    return values


METRICS: Mapping[str, Metric] = registry(
    *(
        Metric(
            f"{protocol}_{name}@{k}",
            f"{title}@{k}",
            3,
            "more",
            _of_rank(f"{protocol}_rank", gain, k),
            protocol=protocol,
            words=f"{name.upper()}@{k}",
        )
        for protocol in ("paper", "masked")
        for name, title, gain in (("hr", "HR", hit), ("ndcg", "N", ndcg))
        for k in KS
    ),
    Metric("nll", "NLL", 4, "less", lambda m: m.nll, "nats", words="NLL of the true exit"),
    Metric("brier", "Brier", 3, "less", lambda m: m.brier),
    Metric(
        "watch_error_s", "error", 2, "less", lambda m: m.watch_error_s, "s", words="error of the expected watch time"
    ),
)
"""Metrics that are means over views: :class:`ViewMetrics` -> (B,)."""

POOLED: Mapping[str, Metric] = registry(
    Metric("xauc", "XAUC", 3, "more", lambda m, keep: concordance(m.expected_watch_s[keep], m.watch_s[keep])),
    Metric("completion_auc", "AUC", 3, "more", lambda m, keep: concordance(m.completion[keep], m.completed[keep])),
    Metric(
        "completes_ece",
        "ECE",
        3,
        "less",
        lambda m, keep: reliability(m.completion[keep], m.completed[keep], draws=0).ece,
    ),
    Metric(
        "leaves_first_ece",
        "ECE first",
        3,
        "less",
        lambda m, keep: reliability(m.leaves_first[keep], m.left_first[keep], draws=0).ece,
    ),
)
"""Measures that only a set of views has: :class:`ViewMetrics`, which views (B,) -> float."""

ALL_METRICS: Mapping[str, Metric] = {**METRICS, **POOLED}


def check_measurable(prediction: SkipPrediction, views: Views) -> None:
    """Refuse what cannot be measured.

    Raises
    ------
    ValueError
        If prediction and views differ in number, or a watch time is unknown.
    """
    if len(prediction.slots) != len(views):
        raise ValueError(f"{len(prediction.slots):,} predictions for {len(views):,} views")
    if not views.watched.all():
        raise ValueError(f"{int((~views.watched).sum()):,} views have no watch time to measure a prediction against")


def view_metrics(prediction: SkipPrediction, views: Views, max_segments: int = MAX_SEGMENTS) -> ViewMetrics:
    """Measure a prediction of B views whose watch times are known.

    The paper's protocol is defined for 5-second segments and 40 slots; its ranks are NaN otherwise.

    Raises
    ------
    ValueError
        If prediction and views differ in number, or a watch time is unknown.
    """
    check_measurable(prediction, views)
    score, n, exit_ = prediction.leave_score, views.segments, views.exit
    paper = views.segment_s == SEGMENT_S and max_segments == MAX_SEGMENTS
    return ViewMetrics(
        paper_rank=paper_ranks(score, n, exit_, prediction.knows_length) if paper else np.full(len(views), np.nan),
        masked_rank=masked_ranks(score, n, exit_),
        nll=exit_nll(prediction.slots, exit_),
        brier=exit_brier(prediction.slots, exit_),
        expected_watch_s=prediction.expected_watch_s,
        watch_s=views.watch_s,
        completion=prediction.completion,
        completed=views.completed,
        leaves_first=prediction.slots[:, 0],
        left_first=exit_ == 0,
    )
