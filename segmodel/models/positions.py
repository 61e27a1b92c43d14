"""Position references that do not know how long a video is: histograms of exit slots (He et al. 2025, "MostPopular").

All rank every one of the ``max_segments`` slots, as the public code does; a completed view of an N-segment video counts
in slot N. ``sampled`` draws each slot from its Bernoulli probability instead of ranking by it, which is what the public
code does and why the published rows look weak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from segfeat.types import Float64
from segmodel.dataset import Dataset
from segmodel.models.base import Arrays, FitRun, SegmentModel, named_arrays
from segmodel.prediction import SkipPrediction, from_slots
from segmodel.splits import Split
from segmodel.views import MAX_SEGMENTS, Views
from segmodel.vocabulary import Vocabulary


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


@dataclass(frozen=True)
class PositionConfig:
    """Settings of the position references."""

    max_segments: int = MAX_SEGMENTS
    prior_views: float = 1.0
    """Weight of the overall histogram in a user's or video's own, in views."""
    sampled: bool = False
    """Draw slots as the public code does instead of ranking them."""
    sampling_seed: int = 0


class AllPosition(SegmentModel):
    """One histogram of exit slots for everybody."""

    Config = PositionConfig
    config: PositionConfig

    def fit(self, data: Dataset, split: Split, run: FitRun) -> None:
        train = data.views.take(split.train)
        width = self.config.max_segments + 1
        everybody = exit_histogram(train, np.zeros(len(train), np.int64), 1, width) + 0.5
        groups = self._groups(train)
        self.vocabulary = Vocabulary.of(*groups) if groups else Vocabulary(())
        codes = self.vocabulary.codes(groups[0])[groups[1]] if groups else np.zeros(len(train), np.int64)
        counts = exit_histogram(train, codes, len(self.vocabulary), width)
        prior = everybody / everybody.sum()
        self.histogram = (counts + self.config.prior_views * prior) / (
            counts.sum(axis=1, keepdims=True) + self.config.prior_views
        )
        self.histogram[0] = prior[0]

    def predict(self, data: Dataset) -> SkipPrediction:
        groups = self._groups(data.views)
        codes = self.vocabulary.codes(groups[0])[groups[1]] if groups else np.zeros(len(data), np.int64)
        scores = self.histogram[codes]
        slots = cut_at_length(scores, data.views.segments)
        if self.config.sampled:
            draw = np.random.default_rng(self.config.sampling_seed).random((2, *scores.shape))
            # Drawn slots first; the order within drawn and not drawn is chance.
            scores = (draw[0] < scores) + 0.5 * draw[1]
        return from_slots(slots, data.views, leave_score=scores, knows_length=False)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        return {"ids": list(self.vocabulary.ids)}, {"histogram": self.histogram}

    def restore(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        self.vocabulary = Vocabulary(tuple(facts["ids"]))
        (self.histogram,) = named_arrays(arrays, "histogram")

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
    config: RandomConfig

    def fit(self, data: Dataset, split: Split, run: FitRun) -> None:
        """Nothing to learn."""

    def predict(self, data: Dataset) -> SkipPrediction:
        width = self.config.max_segments + 1
        slots = cut_at_length(np.ones((len(data), width)), data.views.segments)
        # Chance that depends on the view alone, so that a view's ranking is the same in any company.
        seeds = np.stack([data.views.user, data.views.video, data.views.time_ms % (2**31)], axis=1).astype(np.uint64)
        mixed = (seeds * np.array([0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D], np.uint64)).sum(axis=1, dtype=np.uint64)
        scores = np.stack([np.random.default_rng([self.config.ranking_seed, int(s)]).random(width) for s in mixed])
        return from_slots(slots, data.views, leave_score=scores.reshape(len(data), width), knows_length=False)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        return {}, {}

    def restore(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        """Nothing was learned."""
