"""Position references that do not know how long a video is: histograms of exit slots (He et al. 2025, "MostPopular").

All rank every one of the ``max_segments`` slots, as the public code does; a completed view of an N-segment video counts
in slot N. ``sampled`` draws each slot from its Bernoulli probability instead of ranking by it, which is what the public
code does and why the published rows look weak.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from segfeat.types import Float64
from segmodel.data.dataset import Dataset
from segmodel.data.parts import TRAIN, SplitLog
from segmodel.data.splits import Split
from segmodel.data.views import MAX_SEGMENTS, Views
from segmodel.data.vocabulary import Vocabulary
from segmodel.models.base import Arrays, FitRun, SegmentModel, named_arrays
from segmodel.models.settings import Search
from segmodel.prediction import SkipPrediction, from_slots

UInt64 = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2^64 / golden ratio: the step of SplitMix64."""


def exit_histogram(views: Views, groups: np.ndarray, count: int, width: int) -> Float64:
    """How often each group of views (codes 0 .. count - 1) ended in each of ``width`` slots, (count, width)."""
    flat = groups.astype(np.int64) * width + views.exit
    return np.bincount(flat, minlength=count * width).reshape(count, width).astype(np.float64)


def cut_at_length(scores: Float64, segments: np.ndarray) -> Float64:
    """Slot scores (B, S + 1) made a distribution over slots 0 .. N."""
    live = np.arange(scores.shape[1])[None, :] <= segments[:, None]
    kept = np.where(live, scores, 0.0)
    normalised: Float64 = kept / kept.sum(axis=1, keepdims=True)
    return normalised


def chance(views: Views, seed: int, width: int) -> Float64:
    """Uniform numbers (B, width) in [0, 1) that depend on a view's ids, its time and the seed alone.

    So a view is drawn the same in any company, and whatever the codes of its ids.
    """
    users, videos = (
        np.array([zlib.crc32(v.encode()) for v in ids.tolist()] or [0], dtype=np.uint64)
        for ids in (views.user_ids, views.video_ids)
    )
    key = np.full(len(views), seed, dtype=np.uint64)
    for part in (users[views.user], videos[views.video], views.time_ms.astype(np.uint64)):
        key = _mixed(key + part)
    bits = _mixed(key[:, None] + np.arange(1, width + 1, dtype=np.uint64)[None, :] * _GOLDEN)
    return (bits >> np.uint64(11)) / 2.0**53


def _mixed(z: UInt64) -> UInt64:
    """The finaliser of SplitMix64 (Steele et al. 2014); unsigned overflow is meant."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@dataclass(frozen=True)
class PositionConfig:
    """Settings of the position references."""

    search: ClassVar[Search] = {"prior_views": (1.0, 5.0, 20.0)}

    max_segments: int = MAX_SEGMENTS
    prior_views: float = 1.0
    """Weight of the overall histogram in a user's or video's own, in views."""
    sampled: bool = False
    """Draw slots as the public code does instead of ranking them."""
    sampling_seed: int = 0


class AllPosition(SegmentModel):
    """One histogram of exit slots for everybody."""

    Config = PositionConfig
    learns_in_parts = True
    config: PositionConfig

    def fit(self, data: Dataset, split: Split, run: FitRun) -> None:
        self.fit_parts(SplitLog.of(data, split), run)

    def fit_parts(self, log: SplitLog, run: FitRun) -> None:
        train, width = log.parts(TRAIN), self.config.max_segments + 1
        ids = dict[str, None]()
        for part in train:
            if groups := self._groups(part.views):
                ids.update(dict.fromkeys(Vocabulary.of(*groups).ids))
        self.vocabulary = Vocabulary(tuple(ids))
        counts = np.zeros((len(self.vocabulary), width))
        for part in train:
            np.add.at(counts, (self._codes(part.views), part.views.exit), 1.0)
        everybody = counts.sum(axis=0, keepdims=True) + 0.5
        prior = everybody / everybody.sum()
        self.histogram = (counts + self.config.prior_views * prior) / (
            counts.sum(axis=1, keepdims=True) + self.config.prior_views
        )
        self.histogram[0] = prior[0]

    def predict(self, data: Dataset) -> SkipPrediction:
        scores = self.histogram[self._codes(data.views)]
        slots = cut_at_length(scores, data.views.segments)
        if self.config.sampled:
            draw = chance(data.views, self.config.sampling_seed, 2 * scores.shape[1])
            # Drawn slots first; the order within drawn and not drawn is chance.
            scores = (draw[:, ::2] < scores) + 0.5 * draw[:, 1::2]
        return from_slots(slots, data.views, leave_score=scores, knows_length=False)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        return {"ids": list(self.vocabulary.ids)}, {"histogram": self.histogram}

    def restore(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        self.vocabulary = Vocabulary(tuple(facts["ids"]))
        (self.histogram,) = named_arrays(arrays, "histogram")

    def _codes(self, views: Views) -> np.ndarray:
        """(V,) the histogram of each view."""
        groups = self._groups(views)
        return self.vocabulary.table_codes(groups[0])[groups[1]] if groups else np.zeros(len(views), np.int64)

    def _groups(self, views: Views) -> tuple[np.ndarray, np.ndarray] | None:
        """The id table and codes whose histograms are kept apart; None for one histogram."""
        return None


class UserPosition(AllPosition):
    """A histogram of exit slots per user; unknown users get everybody's."""

    def _groups(self, views: Views) -> tuple[np.ndarray, np.ndarray]:
        return views.user_ids, views.user


class ItemPosition(AllPosition):
    """A histogram of exit slots per video; unknown videos get everybody's."""

    def _groups(self, views: Views) -> tuple[np.ndarray, np.ndarray]:
        return views.video_ids, views.video


@dataclass(frozen=True)
class RandomConfig:
    """Settings of Random."""

    max_segments: int = MAX_SEGMENTS
    ranking_seed: int = 0


class Random(SegmentModel):
    """Every slot equally likely, ranked by chance."""

    Config = RandomConfig
    learns_in_parts = True
    config: RandomConfig

    def fit(self, data: Dataset, split: Split, run: FitRun) -> None:
        """Nothing to learn."""

    def fit_parts(self, log: SplitLog, run: FitRun) -> None:
        """Nothing to learn."""

    def predict(self, data: Dataset) -> SkipPrediction:
        width = self.config.max_segments + 1
        slots = cut_at_length(np.ones((len(data), width)), data.views.segments)
        scores = chance(data.views, self.config.ranking_seed, width)
        return from_slots(slots, data.views, leave_score=scores, knows_length=False)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        return {}, {}

    def restore(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        """Nothing was learned."""
