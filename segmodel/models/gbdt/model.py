"""Gradient-boosted discrete-time hazard on causal features: the strong tabular reference.

Every reached segment of a training view is one row with the label "left here"; boosted trees (scikit-learn) learn its
log-odds from the segment's place in the video, the user's history and smoothed statistics of user and video.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier

from segfeat.types import Float64
from segmodel.data.dataset import Dataset
from segmodel.data.splits import Split
from segmodel.data.views import MAX_SEGMENTS, Views, ragged
from segmodel.data.vocabulary import Vocabulary
from segmodel.models.base import Arrays, FitRun, SegmentModel, named_arrays
from segmodel.models.gbdt.history import OUTCOMES, causal_statistics, outcomes
from segmodel.models.settings import Search
from segmodel.prediction import SkipPrediction, from_hazard

_FOLDS = 5
_HOUR_MS = 3_600_000
_STATISTICS = ("user_statistics", "video_statistics")
_TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


@dataclass(frozen=True)
class GbdtConfig:
    """Settings of the boosted hazard."""

    search: ClassVar[Search] = {"learning_rate": (0.05, 0.1), "leaves": (8, 16), "trees": (150, 300), "l2": (5.0, 50.0)}

    max_segments: int = MAX_SEGMENTS
    trees: int = 150
    leaves: int = 8
    learning_rate: float = 0.05
    min_rows_in_leaf: int = 40
    l2: float = 5.0
    feature_share: float = 0.5
    """Share of the features that each split may choose from."""
    members: int = 3
    """Boosters whose hazards are averaged; they differ in seed and folds."""
    user_prior_views: float = 10.0
    video_prior_views: float = 3.0


class GbdtHazard(SegmentModel):
    """Average of a few boosters."""

    Config = GbdtConfig
    config: GbdtConfig

    def fit(self, data: Dataset, split: Split, run: FitRun) -> None:
        # Trees need no validation: their number is fixed, and the newest views are worth having.
        train = data.take(np.sort(np.concatenate([split.train, split.valid])))
        views = train.views
        self.users = Vocabulary.of(views.user_ids, views.user)
        self.videos = Vocabulary.of(views.video_ids, views.video)
        groups = self._groups(views)
        values = outcomes(views)
        history = _view_features(train)
        self.statistics = [self._encode(values, codes, n, prior) for codes, n, prior in groups]
        self.boosters = []
        reached = np.minimum(views.exit + 1, views.segments)
        view, segment = ragged(reached)
        label = (views.exit[view] == segment) & ~views.completed[view]
        for member in range(self.config.members):
            fold = np.random.default_rng([run.seed, member]).integers(0, _FOLDS, len(views))
            encoded = np.concatenate([self._out_of_fold(values, fold, *group) for group in groups], axis=1)
            rows = np.concatenate([_segment_features(views, view, segment), history[view], encoded[view]], axis=1)
            self.boosters.append(self._boost(rows, label, seed=run.seed * 1009 + member))
            run.report({"epoch": member})

    def predict(self, data: Dataset) -> SkipPrediction:
        views = data.views
        history = _view_features(data)
        encoded = np.concatenate(
            [table[codes] for table, (codes, _, _) in zip(self.statistics, self._groups(views), strict=True)], axis=1
        )
        view, segment = ragged(views.segments)
        rows = np.concatenate([_segment_features(views, view, segment), history[view], encoded[view]], axis=1)
        hazard = np.zeros((len(views), self.config.max_segments))
        hazard[view, segment] = np.mean([b.predict_proba(rows)[:, 1] for b in self.boosters], axis=0)
        return from_hazard(hazard, views)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        facts = {"users": list(self.users.ids), "videos": list(self.videos.ids)}
        arrays = dict(zip(_STATISTICS, self.statistics, strict=True))
        for member, booster in enumerate(self.boosters):
            arrays[f"booster_{member}"] = np.frombuffer(skops.io.dumps(booster), dtype=np.uint8)
        return facts, arrays

    def restore(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        self.users, self.videos = Vocabulary(tuple(facts["users"])), Vocabulary(tuple(facts["videos"]))
        self.statistics = named_arrays(arrays, *_STATISTICS)
        files = named_arrays(arrays, *(f"booster_{member}" for member in range(self.config.members)))
        # skops builds only types it knows or that are named here; nothing in the file is executed.
        self.boosters = [skops.io.loads(f.tobytes(), trusted=_TRUSTED) for f in files]

    def _boost(self, rows: Float64, label: np.ndarray, seed: int) -> HistGradientBoostingClassifier:
        c = self.config
        booster = HistGradientBoostingClassifier(
            learning_rate=c.learning_rate,
            max_iter=c.trees,
            max_leaf_nodes=c.leaves,
            min_samples_leaf=c.min_rows_in_leaf,
            l2_regularization=c.l2,
            max_features=c.feature_share,
            early_stopping=False,
            random_state=seed,
        )
        # The library cannot bin a column of which nothing is known; a constant tells the trees as little.
        return booster.fit(np.where(np.isnan(rows).all(axis=0), 0.0, rows), label)

    def _groups(self, views: Views) -> list[tuple[np.ndarray, int, float]]:
        """Codes of user and video, how many there are, and the weight of the overall mean in theirs."""
        users = self.users.table_codes(views.user_ids)[views.user]
        videos = self.videos.table_codes(views.video_ids)[views.video]
        c = self.config
        return [(users, len(self.users), c.user_prior_views), (videos, len(self.videos), c.video_prior_views)]

    @staticmethod
    def _encode(values: Float64, codes: np.ndarray, count: int, prior: float) -> Float64:
        """Smoothed mean of every outcome per code, (count, 4); the overall mean where a code has no views."""
        table = np.zeros((count, len(OUTCOMES)))
        for k, column in enumerate(values.T):
            known = ~np.isnan(column)
            mean = column[known].mean() if known.any() else 0.0
            total = np.bincount(codes[known], column[known], count)
            table[:, k] = (total + prior * mean) / (np.bincount(codes[known], minlength=count) + prior)
        return table

    def _out_of_fold(self, values: Float64, fold: np.ndarray, codes: np.ndarray, count: int, prior: float) -> Float64:
        """Each view's encoding from the views of the other folds, so that no view sees its own outcome."""
        encoded = np.zeros_like(values)
        for k in range(_FOLDS):
            inside = fold == k
            encoded[inside] = self._encode(values[~inside], codes[~inside], count, prior)[codes[inside]]
        return encoded


def _view_features(data: Dataset) -> Float64:
    views = data.views
    own: list[np.ndarray] = [
        views.segments,
        views.picture_s,
        (views.time_ms // _HOUR_MS) % 24,
        views.picture_s - views.segment_s * (views.segments - 1),
    ]
    return np.concatenate([np.stack(own, axis=1).astype(np.float64), causal_statistics(data)], axis=1)


def _segment_features(views: Views, view: np.ndarray, segment: np.ndarray) -> Float64:
    n, duration = views.segments[view], views.picture_s[view]
    start = segment * views.segment_s
    left = duration - start
    return np.stack(
        [segment, segment / n, n - 1 - segment, left, np.minimum(views.segment_s, left), start / duration], axis=1
    )
