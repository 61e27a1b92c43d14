"""Gradient-boosted discrete-time hazard on causal features: the strong tabular reference.

Every reached segment of a training view is one row with the label "left here"; boosted trees (scikit-learn) learn its
log-odds from the segment's place in the video, the user's history and smoothed statistics of user and video, and what
categories of video, user and view add: the columns that the default model reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier

from segfeat.types import Float64, Int64
from segmodel.data.dataset import Dataset
from segmodel.data.splits import Split
from segmodel.data.traits import Traits, trait_kinds
from segmodel.data.views import MAX_SEGMENTS, Views, ragged
from segmodel.data.vocabulary import Vocabulary
from segmodel.evaluation.metrics import exit_nll
from segmodel.models.base import Arrays, FitRun, SegmentModel, named_arrays
from segmodel.models.gbdt.history import OUTCOMES, causal_statistics, outcomes
from segmodel.models.hazard.effects import EffectLearner, Effects, TraitColumns
from segmodel.models.hazard.rates import base_hazard, leaving_rates
from segmodel.models.hazard.reached import Reached
from segmodel.models.settings import Search
from segmodel.prediction import SkipPrediction, from_hazard

_FOLDS = 5
_HOUR_MS = 3_600_000
_STATISTICS = ("user_statistics", "video_statistics")
TUNED = tuple((rate, leaves) for leaves in (8, 16) for rate in (0.05, 0.025, 0.1))
"""Learning rates and numbers of leaves that ``tune`` chooses from; the first is the default."""
_TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


@dataclass(frozen=True)
class GbdtConfig:
    """Settings of the boosted hazard."""

    before: ClassVar[Mapping[str, Any]] = {"unknown_user_share": 0.0, "unknown_video_share": 0.0}
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
    unknown_user_share: float = 0.5
    """Share of the users for whom a booster's training hides their means, which are then missing, as for new users.

    Trees that never miss them trust them, and are led astray where they know nothing; 0 gives new users everybody's.
    """
    unknown_video_share: float = 0.2
    """The same for videos: those that are rare by themselves are no sample of the new ones."""
    video_attributes: bool = True
    user_attributes: bool = True
    context_columns: bool = True
    folds: int = 10
    """Of users, out of which effects of categories are taken."""
    prior_events: float = 20.0
    """As the default model's, in the base hazard that those effects deviate from."""
    tune: bool = False
    """Choose learning rate and leaves among ``TUNED`` by the validation views' likelihood, with one booster each."""


class GbdtHazard(SegmentModel):
    """Average of a few boosters."""

    Config = GbdtConfig
    config: GbdtConfig

    def fit(self, data: Dataset, split: Split, run: FitRun) -> None:
        # Trees need no validation: their number is fixed, and the newest views are worth having.
        tried = self._tune(data, split, run) if self.config.tune and len(split.valid) else 0
        train = data.take(np.sort(np.concatenate([split.train, split.valid])))
        self._learn(train, replace(run, report=lambda record: run.report({"epoch": tried + record["epoch"]})))

    def _tune(self, data: Dataset, split: Split, run: FitRun) -> int:
        """Choose among ``TUNED``; how many there were."""
        valid = data.take(split.valid)
        losses = list[float]()
        for rate, leaves in TUNED:
            settings = replace(self.config, learning_rate=rate, leaves=leaves, members=1, tune=False)
            candidate = GbdtHazard(settings)
            candidate._learn(data.take(split.train), replace(run, report=lambda _: None))
            losses.append(float(exit_nll(candidate.predict(valid).slots, valid.views.exit).mean()))
            trial = {"learning_rate": rate, "leaves": leaves, "valid_nll": losses[-1]}
            run.report({"epoch": len(losses) - 1, **trial})
        rate, leaves = TUNED[int(np.argmin(losses))]
        self.config = replace(self.config, learning_rate=rate, leaves=leaves)
        return len(losses)

    def _learn(self, train: Dataset, run: FitRun) -> None:
        c, views = self.config, train.views
        self.users = Vocabulary.of(views.user_ids, views.user)
        self.videos = Vocabulary.of(views.video_ids, views.video)
        self.traits = Traits.of(train, trait_kinds(c))
        user_fold = np.random.default_rng([run.seed, 0]).permutation(len(self.users)) % c.folds
        fold_of = user_fold[self._user(views)]
        self.effects = self._learn_effects(train, fold_of)
        groups = self._groups(views)
        values = outcomes(views)
        self.statistics = [group.encode(values) for group in groups]
        history = self._view_features(train, fold_of)
        self.boosters = []
        reached = np.minimum(views.exit + 1, views.segments)
        view, segment = ragged(reached)
        label = (views.exit[view] == segment) & ~views.completed[view]
        for member in range(self.config.members):
            generator = np.random.default_rng([run.seed, member])
            fold = generator.integers(0, _FOLDS, len(views))
            encoded = np.concatenate([group.out_of_fold(values, generator, fold) for group in groups], axis=1)
            rows = np.concatenate([_segment_features(views, view, segment), history[view], encoded[view]], axis=1)
            self.boosters.append(self._boost(rows, label, seed=run.seed * 1009 + member))
            run.report({"epoch": member})

    def predict(self, data: Dataset) -> SkipPrediction:
        views = data.views
        history = self._view_features(data, np.full(len(views), self.config.folds))
        found = zip(self.statistics, self._groups(views), strict=True)
        encoded = np.concatenate([table[group.codes] for table, group in found], axis=1)
        view, segment = ragged(views.segments)
        rows = np.concatenate([_segment_features(views, view, segment), history[view], encoded[view]], axis=1)
        hazard = np.zeros((len(views), self.config.max_segments))
        hazard[view, segment] = np.mean([b.predict_proba(rows)[:, 1] for b in self.boosters], axis=0)
        return from_hazard(hazard, views)

    def state(self) -> tuple[dict[str, Any], Arrays]:
        c = self.config
        facts = {
            "users": list(self.users.ids),
            "videos": list(self.videos.ids),
            "traits": self.traits.facts(),
            "chosen": {"learning_rate": c.learning_rate, "leaves": c.leaves},
        }
        arrays = dict(zip(_STATISTICS, self.statistics, strict=True))
        for member, booster in enumerate(self.boosters):
            arrays[f"booster_{member}"] = np.frombuffer(skops.io.dumps(booster), dtype=np.uint8)
        return facts, arrays | self.effects.arrays()

    def restore(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        self.users, self.videos = Vocabulary(tuple(facts["users"])), Vocabulary(tuple(facts["videos"]))
        self.traits = Traits.of_facts(facts.get("traits", {}))
        self.effects = Effects.of_arrays(arrays, self.traits)
        self.statistics = named_arrays(arrays, *_STATISTICS)
        files = named_arrays(arrays, *(f"booster_{member}" for member in range(self.config.members)))
        # skops builds only types it knows or that are named here; nothing in the file is executed.
        self.boosters = [skops.io.loads(f.tobytes(), trusted=_TRUSTED) for f in files]

    def _learn_effects(self, train: Dataset, fold: Int64) -> Effects:
        c, views = self.config, train.views
        if not self.traits.names:
            return Effects.none()
        rates = leaving_rates(views, fold, c.folds, c.prior_events, c.max_segments)
        reached = Reached.of(views, lambda rows, part: base_hazard(part, rates, fold[rows]))
        return EffectLearner(self.traits, views, train.store, fold, c.folds, self._video(views), self.videos).learn(
            reached
        )

    def _view_features(self, data: Dataset, fold: Int64) -> Float64:
        """(V, ·) what all segments of a view share, statistics of the training log aside.

        Effects of categories are those without the given fold (V,) of users.
        """
        views = data.views
        columns = [_own_features(data)]
        if self.traits.names:
            traits = TraitColumns.of(self.effects, self.traits, views, data.store, fold, self._video(views))
            columns.append(traits.columns)
        return np.concatenate(columns, axis=1)

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

    def _groups(self, views: Views) -> list[_Group]:
        c = self.config
        return [
            _Group(self._user(views), len(self.users), c.user_prior_views, c.unknown_user_share),
            _Group(self._video(views), len(self.videos), c.video_prior_views, c.unknown_video_share),
        ]

    def _user(self, views: Views) -> Int64:
        return self.users.table_codes(views.user_ids)[views.user]

    def _video(self, views: Views) -> Int64:
        return self.videos.table_codes(views.video_ids)[views.video]


class _Group(NamedTuple):
    """What means are taken by.

    Attributes
    ----------
    codes : int64 (V,)
        Of users or videos.
    size : int
        How many codes there are.
    prior_views : float
        Weight of the overall mean.
    unknown_share : float
        Of codes that training hides; above 0, what is unknown is missing.
    """

    codes: Int64
    size: int
    prior_views: float
    unknown_share: float

    def encode(self, values: Float64, rows: np.ndarray | slice = slice(None)) -> Float64:
        """Smoothed mean of every outcome per code over some rows, (size, 4), or what is unknown."""
        table = np.zeros((self.size, len(OUTCOMES)))
        values, codes = values[rows], self.codes[rows]
        for k, column in enumerate(values.T):
            known = ~np.isnan(column)
            mean = column[known].mean() if known.any() else 0.0
            total = np.bincount(codes[known], column[known], self.size)
            views = np.bincount(codes[known], minlength=self.size)
            table[:, k] = (total + self.prior_views * mean) / (views + self.prior_views)
        if self.unknown_share:
            table[np.bincount(codes, minlength=self.size) == 0] = np.nan
        return table

    def out_of_fold(self, values: Float64, generator: np.random.Generator, fold: Int64) -> Float64:
        """Each view's encoding from the views of the other folds, so that no view sees its own outcome."""
        encoded = np.zeros_like(values)
        for k in range(_FOLDS):
            inside = fold == k
            encoded[inside] = self.encode(values, ~inside)[self.codes[inside]]
        if self.unknown_share:
            encoded[(generator.random(self.size) < self.unknown_share)[self.codes]] = np.nan
        return encoded


def _own_features(data: Dataset) -> Float64:
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
