"""Position references that know how long a video is: the histograms that are hard to beat.

The exit distribution of an N-segment video is the histogram of skips cut at N, times 1 - P(completed | N), with
P(completed | N) in slot N.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, logit

from segfeat.types import Float64
from segmodel.data.dataset import Dataset
from segmodel.data.parts import TRAIN, SplitLog
from segmodel.data.splits import Split
from segmodel.data.views import MAX_SEGMENTS, Views
from segmodel.data.vocabulary import Vocabulary
from segmodel.models.base import Arrays, FitRun, SegmentModel, named_arrays
from segmodel.models.positions import exit_histogram
from segmodel.models.settings import Search
from segmodel.prediction import SkipPrediction, from_slots
from segmodel.survival import segment_mask

_NEWTON_STEPS = 20


def compose(skip: Float64, completion: Float64, segments: np.ndarray) -> Float64:
    """Exit probabilities (B, S + 1) from skip weights (B, S), cut at N, and P(completed) (B,)."""
    kept = np.where(segment_mask(segments, skip.shape[1]), skip, 0.0)
    slots = np.zeros((len(skip), skip.shape[1] + 1))
    slots[:, :-1] = kept / kept.sum(axis=1, keepdims=True) * (1.0 - completion)[:, None]
    slots[np.arange(len(skip)), segments] = completion
    return slots


@dataclass(frozen=True)
class DurationConfig:
    """Settings of DurationPosition."""

    search: ClassVar[Search] = {"completion_prior_views": (10.0, 3.0, 30.0)}

    max_segments: int = MAX_SEGMENTS
    completion_prior_views: float = 10.0
    """Weight of the overall completion rate in that of one N, in views."""


class DurationPosition(SegmentModel):
    """Skip histogram cut at N, completion by N."""

    Config = DurationConfig
    learns_in_parts = True
    config: DurationConfig

    def fit(self, data: Dataset, split: Split, run: FitRun) -> None:
        self.fit_parts(SplitLog.of(data, split), run)

    def fit_parts(self, log: SplitLog, run: FitRun) -> None:
        width, prior = self.config.max_segments, self.config.completion_prior_views

        def count(part: Dataset) -> tuple[Float64, np.ndarray, np.ndarray]:
            train = part.views
            skipped = train.take(~train.completed)
            skips = exit_histogram(skipped, np.zeros(len(skipped), np.int64), 1, width)[0]
            done = np.bincount(train.segments, weights=train.completed, minlength=width + 1)
            return skips, done, np.bincount(train.segments, minlength=width + 1)

        skips, done, views = log.parts(TRAIN).summed(count)
        skips = skips + 0.5
        self.skip = skips / skips.sum()
        self.completion = (done + prior * (done.sum() / views.sum())) / (views + prior)

    def predict(self, data: Dataset) -> SkipPrediction:
        n = data.views.segments
        return from_slots(compose(np.tile(self.skip, (len(n), 1)), self.completion[n], n), data.views)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        return {}, {"skip": self.skip, "completion": self.completion}

    def restore(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        self.skip, self.completion = named_arrays(arrays, "skip", "completion")


@dataclass(frozen=True)
class DurationUserConfig(DurationConfig):
    """Settings of DurationUserPosition."""

    search: ClassVar[Search] = {"skip_prior_views": (20.0, 5.0, 80.0), "offset_variance": (0.5, 0.1, 2.0)}

    skip_prior_views: float = 20.0
    """Weight of everybody's skip histogram in a user's own, in skipped views."""
    offset_variance: float = 0.5
    """Prior variance of a user's log-odds of completing, around that of N."""


class DurationUserPosition(DurationPosition):
    """The same, with each user's own smoothed skip histogram and log-odds offset of completion."""

    Config = DurationUserConfig
    config: DurationUserConfig

    def fit_parts(self, log: SplitLog, run: FitRun) -> None:
        super().fit_parts(log, run)
        # Everything else is a user's own, and users are whole in their part.
        prior = self.config.skip_prior_views
        # Code 0 is as a user without views, to the last bit.
        users, skips, offsets = list[str](), [prior * self.skip[None] / prior], [np.zeros(1)]
        for part in log.parts(TRAIN):
            found, skip, offset = self._of_users(part.views)
            users.extend(found.ids)
            skips.append(skip[1:])
            offsets.append(offset[1:])
        self.users = Vocabulary(tuple(users))
        self.user_skip, self.offset = np.concatenate(skips), np.concatenate(offsets)

    def _of_users(self, train: Views) -> tuple[Vocabulary, Float64, Float64]:
        """Users, and by their codes the skip histogram (U, S) and the offset (U,)."""
        users = Vocabulary.of(train.user_ids, train.user)
        codes = users.codes(train.user_ids)[train.user]
        prior = self.config.skip_prior_views
        skipped = ~train.completed
        counts = exit_histogram(train.take(skipped), codes[skipped], len(users), self.config.max_segments)
        skip = (counts + prior * self.skip) / (counts.sum(axis=1, keepdims=True) + prior)
        # Newton steps to the posterior mode of every user's offset at once.
        base, offset = logit(self.completion[train.segments]), np.zeros(len(users))
        for _ in range(_NEWTON_STEPS):
            p = expit(base + offset[codes])
            slope = np.bincount(codes, train.completed - p, len(offset)) - offset / self.config.offset_variance
            offset += slope / (np.bincount(codes, p * (1 - p), len(offset)) + 1 / self.config.offset_variance)
        return users, skip, offset

    def predict(self, data: Dataset) -> SkipPrediction:
        n = data.views.segments
        codes = self.users.codes(data.views.user_ids)[data.views.user]
        completion = expit(logit(self.completion[n]) + self.offset[codes])
        return from_slots(compose(self.user_skip[codes], completion, n), data.views)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        facts, arrays = super().state()
        return {**facts, "users": list(self.users.ids)}, {**arrays, "user_skip": self.user_skip, "offset": self.offset}

    def restore(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        super().restore(facts, arrays)
        self.users = Vocabulary(tuple(facts["users"]))
        self.user_skip, self.offset = named_arrays(arrays, "user_skip", "offset")
