"""What the report says about the data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from segfeat.failures import FAILURE_CODES
from segfeat.store.reader import FeatureStore
from segmodel.data.views import Views
from segmodel.runs.data import RunData

_RATIO_BINS = 20
"""Watch ratios in steps of a tenth up to 2, and one bar beyond."""

_FAILURES = 50
"""Rows of the table; the store has all."""


@dataclass(frozen=True)
class Histogram:
    """Bars with a part of each set off: the views of the bar that reached the end of their video."""

    labels: tuple[str, ...]
    counts: tuple[int, ...]
    marked: tuple[int, ...]


@dataclass(frozen=True)
class DataSummary:
    """The log and the store behind a run."""

    users: int
    videos: int
    views: int
    completed: float
    watched_h: float
    parts: dict[str, int]
    dropped: dict[str, int]
    capped: int
    watch_ratio: Histogram
    lengths: Histogram
    store_videos: int
    store_segments: int
    segment_s: float
    partial: int
    encoders: list[tuple[str, str, int, float]]
    """Modality, encoder, dimensions, share of segments that have such material."""
    failures: list[tuple[str, str, str]]
    """Path, what the code means, message."""
    failure_counts: list[tuple[str, str, int]]
    """Code, its meaning, files."""


def summarise(data: RunData) -> DataSummary:
    """Count what a run learned from and was measured on."""
    views, split, store = data.dataset.views, data.split, data.store
    counts = Counter(failure.code for failure in store.failures)
    return DataSummary(
        users=len(np.unique(views.user)),
        videos=len(np.unique(views.video)),
        views=len(views),
        completed=float(views.completed.mean()),
        watched_h=float(views.watch_s.sum()) / 3600.0,
        parts={"training": len(split.train), "validation": len(split.valid), "test": len(split.test)},
        dropped=dict(views.dropped),
        capped=views.capped,
        watch_ratio=_watch_ratio(views),
        lengths=_lengths(views),
        store_videos=len(store),
        store_segments=store.segment_total,
        segment_s=store.segment_s,
        partial=int((store.status == "partial").sum()),
        encoders=[(m, spec.name, spec.dim, _share(store, m)) for m, spec in store.encoders.items()],
        failures=[(f.path, f.code, f.message) for f in store.failures[:_FAILURES]],
        failure_counts=[(code, FAILURE_CODES[code], n) for code, n in counts.most_common()],
    )


def _share(store: FeatureStore, modality: str) -> float:
    valid = store.valid(modality)
    return float(valid.mean()) if len(valid) else 0.0


def _watch_ratio(views: Views) -> Histogram:
    ratio = views.watch_ms / views.duration_ms
    place = np.minimum((ratio * 10).astype(np.int64), _RATIO_BINS)
    labels = [f"{i / 10:.1f}–{(i + 1) / 10:.1f}" for i in range(_RATIO_BINS)] + ["2 and more"]
    return _histogram(labels, place, views.completed)


def _lengths(views: Views) -> Histogram:
    longest = int(views.segments.max())
    return _histogram([str(n) for n in range(1, longest + 1)], views.segments - 1, views.completed)


def _histogram(labels: list[str], place: np.ndarray, marked: np.ndarray) -> Histogram:
    counts = np.bincount(place, minlength=len(labels))
    of_marked = np.bincount(place[marked], minlength=len(labels))
    return Histogram(tuple(labels), tuple(counts.tolist()), tuple(of_marked.tolist()))
