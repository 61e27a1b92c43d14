"""Categories of videos, users and views: found where they matter, worth nothing where they do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from segfeat.interactions import Categories
from segmodel.data.dataset import Dataset
from segmodel.data.splits import temporal_split
from segmodel.data.traits import CONTEXT, USER, VIDEO, Traits
from segmodel.data.vocabulary import Vocabulary
from segmodel.evaluation.metrics import exit_nll
from segmodel.models.base import FitRun
from segmodel.models.gbdt.model import GbdtConfig, GbdtHazard
from segmodel.models.hazard.config import HazardConfig
from segmodel.models.hazard.effects import EffectLearner, Effects, TraitColumns
from segmodel.models.hazard.features import VIEW
from segmodel.models.hazard.model import HazardModel
from segmodel.models.hazard.rates import base_hazard, leaving_rates, shifted
from segmodel.models.hazard.reached import Reached
from segmodel.models.hazard.user_filter import filter_users
from segmodel.prediction import from_hazard
from tests.segmodel.models.hazard.trait_world import GROUP, TAB, TAG, TraitWorld, make_world

FOLDS = 5


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> TraitWorld:
    return make_world(tmp_path_factory.mktemp("traits"))


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory: pytest.TempPathFactory) -> TraitWorld:
    return make_world(tmp_path_factory.mktemp("traits"), shuffled=True)


class Learned:
    """Effects that the views of a world show, and what they make of others."""

    def __init__(self, world: TraitWorld) -> None:
        self.data = world.data
        views = self.data.views
        self.fold = views.user.astype(np.int64) % FOLDS
        self.rates = leaving_rates(views, self.fold, FOLDS, 20.0, 40)
        self.traits = Traits.of(self.data)
        self.videos = Vocabulary.of(views.video_ids, views.video)
        learner = EffectLearner(
            self.traits, self.data.views, self.data.store, self.fold, FOLDS, self._video(self.data), self.videos
        )
        reached = Reached.of(views, lambda rows, part: base_hazard(part, self.rates, self.fold[rows]))
        self.effects = learner.learn(reached)

    def columns(self, data: Dataset) -> TraitColumns:
        everybody = np.full(len(data), FOLDS)
        return TraitColumns.of(self.effects, self.traits, data.views, data.store, everybody, self._video(data))

    def nll(self, data: Dataset, *kinds: str) -> float:
        found = self.columns(data)
        of = {VIDEO: found.video, USER: found.user, CONTEXT: found.context[:, :3]}
        shift = sum((of[kind] for kind in kinds), np.zeros((len(data), 3)))
        base = base_hazard(data.views, self.rates, np.full(len(data), FOLDS))
        slots = from_hazard(shifted(base, shift, data.views.segments), data.views).slots
        exits = np.where(data.views.exit >= 0, data.views.exit, 0)
        return float(exit_nll(slots, exits).mean())

    def _video(self, data: Dataset) -> np.ndarray:
        return self.videos.table_codes(data.views.video_ids)[data.views.video]


def test_each_source_tells_of_videos_never_seen(world: TraitWorld) -> None:
    found, unseen = Learned(world), world.unseen
    assert not np.isin(unseen.views.video, world.log.video).any()
    bare = found.nll(unseen)
    for kind, least in ((VIDEO, 0.05), (USER, 0.01), (CONTEXT, 0.02)):
        assert found.nll(unseen, kind) < bare - least, kind
    assert found.nll(unseen, VIDEO, USER, CONTEXT) < min(found.nll(unseen, k) for k in (VIDEO, USER, CONTEXT)) - 0.01


def test_effects_are_the_planted_ones(world: TraitWorld) -> None:
    found = Learned(world)
    for kind, name, planted in ((VIDEO, "tag", TAG), (USER, "group", GROUP), (CONTEXT, "tab", TAB)):
        ids = found.traits.names[kind][name].ids
        told = found.effects.by_category[kind, name][FOLDS, 1:].mean(axis=1)
        expected = np.array([planted[i] for i in ids])
        assert np.corrcoef(told, expected)[0, 1] > 0.95, name
        assert 0.4 < np.ptp(told) / np.ptp(expected) < 1.2, name


def test_wrong_categories_are_not_believed(shuffled: TraitWorld) -> None:
    found, unseen = Learned(shuffled), shuffled.unseen
    columns = found.columns(unseen)
    assert np.abs(columns.video).max() < 0.25
    bare = found.nll(unseen)
    assert abs(found.nll(unseen, VIDEO) - bare) < 0.003
    assert abs(found.nll(unseen, USER) - bare) < 0.003


def test_a_category_of_one_video_says_nothing(world: TraitWorld) -> None:
    """An author of one video can be told from nothing but that video, which has statistics of its own."""
    found = Learned(world)
    assert np.abs(found.effects.by_category[VIDEO, "author"]).max() == 0.0


def test_a_video_does_not_speak_for_itself(world: TraitWorld) -> None:
    """Two videos share a tag that nobody else has: what is said of one comes from the other."""
    log, store = world.log, world.store
    attribute = store.video_attributes["tag"]
    codes = attribute.codes.copy()
    codes[[3, 4]] = len(attribute.names)
    pair = replace(attribute, names=np.append(attribute.names, "rare"), codes=codes)
    watch_ms = np.where(log.video == 3, 1, np.where(log.video == 4, log.duration_ms, log.watch_ms))
    changed = TraitWorld(replace(log, watch_ms=watch_ms), world.later, _with_tags(store, pair))
    found = Learned(changed)
    code = found.videos.codes(["v3", "v4"])
    left, stayed = found.effects.of_video[code, FOLDS].sum(axis=1)
    assert left < stayed


def _with_tags(store: Any, tags: Any) -> Any:
    return SimpleNamespace(
        video_attributes={"tag": tags},
        user_attributes={},
        rows=store.rows,
        segment_s=store.segment_s,
        paths=store.paths,
        duration_s=store.duration_s,
    )


def _model(world: TraitWorld, **settings: Any) -> HazardModel:
    config = HazardConfig(members=1, epochs=3, width=16, rank=4, folds=FOLDS, **settings)
    model = HazardModel(config)
    model.fit(world.data, temporal_split(world.data.views), FitRun(seed=1))
    return model


def _nll(model: Any, data: Dataset) -> float:
    return float(exit_nll(model.predict(data).slots, data.views.exit).mean())


@pytest.fixture(scope="module")
def model(world: TraitWorld) -> HazardModel:
    return _model(world)


OFF = {"video_attributes": False, "user_attributes": False, "context_columns": False}


@pytest.mark.parametrize("source", OFF)
def test_the_default_model_needs_each_source(world: TraitWorld, model: HazardModel, source: str) -> None:
    least = {"video_attributes": 0.03, "user_attributes": 0.0, "context_columns": 0.01}[source]
    assert _nll(_model(world, **{source: False}), world.unseen) > _nll(model, world.unseen) + least


def test_the_default_model_is_not_hurt_by_wrong_categories(shuffled: TraitWorld) -> None:
    with_, without = (_nll(_model(shuffled, **s), shuffled.unseen) for s in ({}, {**OFF, "context_columns": True}))
    assert abs(with_ - without) < 0.01


def test_a_context_that_nobody_gives_is_any(world: TraitWorld, model: HazardModel) -> None:
    def completes(later: Any) -> float:
        return float(model.predict(replace(world, later=later).unseen).completion.mean())

    n, names = len(world.later), np.array(["search", "feed", "elsewhere"], dtype=object)
    search, feed, new = (
        completes(replace(world.later, context={"tab": Categories(np.full(n, i, np.int32), names)})) for i in range(3)
    )
    nothing = completes(replace(world.later, context={}))
    assert search + 0.05 < nothing < feed - 0.05
    assert new == nothing


def _at_once(world: TraitWorld, context: dict[str, Categories] | None = None) -> Dataset:
    """Known and unknown videos, those of equal length with different tags, for one user at one moment."""
    rng = np.random.default_rng(3)
    video = np.concatenate([rng.choice(160, 25, replace=False), np.arange(160, 200)]).astype(np.int32)
    n = len(video)
    pairs = replace(
        world.later,
        user=np.full(n, 7, np.int32),
        video=video,
        time_ms=np.full(n, 10**8),
        watch_ms=np.zeros(n, np.int64),
        duration_ms=np.full(n, 21_000),
        context=context or {},
    )
    return replace(world, later=pairs).unseen


@pytest.mark.parametrize("tab", [None, 0, 1])
def test_candidates_read_at_once_equal_views_read_one_by_one(
    world: TraitWorld, model: HazardModel, tab: int | None
) -> None:
    names = np.array([*TAB], dtype=object)
    context = None if tab is None else {"tab": Categories(np.full(65, tab, np.int32), names)}
    data = _at_once(world, context)
    inputs = model.statistics.inputs(data, model.after)
    hazard = model.members.mean_hazard(model.batches, data, inputs)
    sums = model.scorer.remember(data, model.after).surprises
    expected = from_hazard(filter_users(data, hazard, inputs.cold, sums), data.views).slots
    for rows in (np.arange(65), np.arange(30, 65), np.arange(0, 65, 7)):
        np.testing.assert_allclose(model.predict(data.take(rows)).slots, expected[rows], atol=1e-6)
    assert inputs.cold.sum() == 40
    assert len(np.unique(expected[inputs.cold, 0].round(6))) == len(TAG), "unknown videos differ by tag alone"


def test_candidates_in_different_contexts_are_told_apart(world: TraitWorld, model: HazardModel) -> None:
    tab = np.arange(65, dtype=np.int32) % 2
    names = np.array([*TAB], dtype=object)
    mixed = model.predict(_at_once(world, {"tab": Categories(tab, names)})).slots
    for code in (0, 1):
        one = model.predict(_at_once(world, {"tab": Categories(np.full(65, code, np.int32), names)})).slots
        np.testing.assert_allclose(mixed[tab == code], one[tab == code], atol=1e-6)


def test_a_saved_model_says_the_same(world: TraitWorld, model: HazardModel) -> None:
    facts, arrays = model.state()
    again = HazardModel(model.config)
    again.restore(facts, arrays)
    np.testing.assert_array_equal(again.predict(world.unseen).slots, model.predict(world.unseen).slots)


def test_without_categories_nothing_is_added(small: Any, fitted: HazardModel) -> None:
    assert not fitted.traits.names
    assert fitted.members.widths.view == VIEW
    assert not [name for name in fitted.state()[1] if "effect" in name]
    inputs = fitted.statistics.inputs(small.data, fitted.after)
    assert not inputs.shift.any()


def test_trees_read_the_same_columns(world: TraitWorld, model: HazardModel) -> None:
    split = temporal_split(world.data.views)
    trees = GbdtHazard(GbdtConfig(members=1, trees=5, folds=FOLDS))
    trees.fit(world.data, split, FitRun(seed=1))
    views, everybody = world.unseen.views, np.full(len(world.unseen), FOLDS)

    def columns(effects: Effects, traits: Traits, videos: Vocabulary) -> np.ndarray:
        video = videos.table_codes(views.video_ids)[views.video]
        return TraitColumns.of(effects, traits, views, world.store, everybody, video).columns

    ours = columns(model.inside.effects, model.traits, model.videos)
    np.testing.assert_allclose(columns(trees.effects, trees.traits, trees.videos), ours, atol=1e-6)
    assert np.unique(ours.round(4), axis=0).shape[0] > 8


def test_trees_gain_from_categories(world: TraitWorld) -> None:
    def fit(**settings: Any) -> float:
        trees = GbdtHazard(GbdtConfig(members=1, trees=60, **settings))
        trees.fit(world.data, temporal_split(world.data.views), FitRun())
        return _nll(trees, world.unseen)

    assert fit() < fit(**OFF) - 0.05


def test_reached_segments_give_the_surprise_of_whole_arrays(small: Any) -> None:
    from segmodel.models.hazard.rates import Outcomes

    views = small.data.views
    rng = np.random.default_rng(0)
    base = np.where(np.arange(40)[None] < views.segments[:, None], rng.uniform(0.05, 0.6, (len(views), 40)), 0.0)
    shift = rng.normal(size=(len(views), 3))
    reached = Reached.of(views, lambda rows, part: base[rows])
    moved = shifted(base, shift, views.segments)
    expected = Outcomes.of(views, 40).residuals(moved, views.segments)
    np.testing.assert_allclose(reached.surprise(shift), expected, atol=1e-9)
    first = views.segments > 1
    h = base[first, 0]
    np.testing.assert_allclose(moved[first, 0], expit(np.log(h / (1 - h)) + shift[first, 0]))


def test_columns_of_nothing(tmp_path: Path) -> None:
    nothing = TraitColumns.none(3)
    assert nothing.columns.shape == (3, 0)
    assert nothing.of_moment.shape == nothing.of_video.shape == (3, 3)
