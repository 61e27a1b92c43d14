"""Effective views: those watched further than the typical view of a video of that length.

The watch ratio is watch / duration and not capped at 1: who watches twice has watched more. Durations fall into ten
buckets of equal size, and a view is effective if its ratio lies above the median of its bucket (He et al., SIGIR 2025,
section 5). Buckets and medians are those of training views; all other views are only looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from segfeat.interactions import Millis
from segfeat.types import Bool, Float64
from segmodel.data.views import Rows, Views

BUCKETS = 10


@dataclass(frozen=True, eq=False)
class EffectiveViews:
    """What makes a view effective; K buckets, none of which was empty in training.

    Attributes
    ----------
    edges_ms : int64 (K - 1,)
        Ascending; bucket k holds edges[k - 1] < duration <= edges[k].
    median : float64 (K,)
        Of the watch ratio.
    reached : bool (K,)
        Where no training view lies above the median, as in logs that cap watch times at the duration and where most
        views are completed: there, reaching the median is effective.
    beyond : float64 (K,)
        Share of effective views among the completed ones; 1 where none was completed.
    """

    edges_ms: Millis
    median: Float64
    reached: Bool
    beyond: Float64

    @classmethod
    def of(cls, views: Views, buckets: int = BUCKETS) -> EffectiveViews:
        """Learn buckets and medians from training views.

        Raises
        ------
        ValueError
            If there is no view, or a watch time is unknown.
        """
        if not len(views) or not views.watched.all():
            raise ValueError("effective views are learned from views with known watch times, and from at least one")
        shares = np.arange(1, buckets) / buckets
        # Edges that are durations of views, each once, keep every bucket filled however many views share a duration.
        edges = np.unique(np.quantile(views.duration_ms, shares, method="inverted_cdf"))
        edges = edges[edges < views.duration_ms.max()].astype(np.int64)
        bucket, ratio = np.searchsorted(edges, views.duration_ms, side="left"), watch_ratio(views)
        inside = [bucket == k for k in range(len(edges) + 1)]
        median = np.array([np.median(ratio[rows]) for rows in inside])
        reached = np.array([not (ratio[rows] > m).any() for rows, m in zip(inside, median, strict=True)])
        found = cls(edges, median, reached, np.ones(len(median)))
        effective, completed = found.labels(views), views.completed
        beyond = [effective[rows & completed].mean() if (rows & completed).any() else 1.0 for rows in inside]
        return cls(edges, median, reached, np.array(beyond))

    def bucket(self, duration_ms: Millis) -> Rows:
        """Bucket of each duration; those outside the training range fall into the outermost ones."""
        return np.searchsorted(self.edges_ms, duration_ms, side="left")

    def labels(self, views: Views) -> Bool:
        """(V,) whether each view is effective; its watch time must be known."""
        bucket, ratio = self.bucket(views.duration_ms), watch_ratio(views)
        labels: Bool = np.where(self.reached[bucket], ratio >= self.median[bucket], ratio > self.median[bucket])
        return labels

    def state(self) -> dict[str, Any]:
        """As plain content."""
        return {
            "edges_ms": self.edges_ms.tolist(),
            "median": self.median.tolist(),
            "reached": self.reached.tolist(),
            "beyond": self.beyond.tolist(),
        }

    @classmethod
    def restored(cls, content: Mapping[str, Any]) -> EffectiveViews:
        """What :meth:`state` gave."""
        return cls(
            np.array(content["edges_ms"], np.int64),
            np.array(content["median"], np.float64),
            np.array(content["reached"], bool),
            np.array(content["beyond"], np.float64),
        )


def watch_ratio(views: Views) -> Float64:
    """(V,) watch / duration, above 1 for views that went round again."""
    ratio: Float64 = views.watch_ms / views.duration_ms
    return ratio
