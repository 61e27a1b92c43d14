"""The mix of network and trees: its arithmetic, the weight that it finds, and what that weight has seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit

from segfeat.interactions import Interactions
from segfeat.store.reader import FeatureStore
from segmodel.data.dataset import Dataset, make_dataset
from segmodel.data.splits import Split, temporal_split
from segmodel.data.views import Views, make_views
from segmodel.models.base import FitRun
from segmodel.models.ensemble import Ensemble, EnsembleConfig, mixed, mixing_weight
from segmodel.runs.config import RunConfig
from segmodel.runs.data import open_data
from segmodel.survival import slots_from_hazard

SMALL = EnsembleConfig(members=1, epochs=1, width=8, rank=4, folds=3, trees=5)


def test_the_mix_by_hand() -> None:
    network, trees = np.array([[0.5, 0.8, 0.0]]), np.array([[0.2, 0.8, 0.0]])
    # logit .2 = -ln 4: a quarter of the way from .5 the odds are 4^-.25.
    np.testing.assert_allclose(mixed(network, trees, 0.75), [[1 / (1 + 4**0.25), 0.8, 0.0]], rtol=1e-6)
    np.testing.assert_allclose(mixed(network, trees, 1.0), network, rtol=1e-6)
    np.testing.assert_allclose(mixed(network, trees, 0.0), trees, rtol=1e-6)


def _drawn(make: Callable[[float, float], float]) -> tuple[np.ndarray, np.ndarray, Views]:
    """Hazards of two parts for 4,000 videos of three segments, and exits drawn from ``make`` of their log-odds."""
    rng = np.random.default_rng(0)
    n, segments = 4_000, 3
    one, two = rng.normal(-1.0, 1.0, (2, n, segments))
    slots = slots_from_hazard(expit(make(one, two)), np.full(n, segments))  # type: ignore[arg-type]
    exit_ = (rng.random((n, 1)) > np.cumsum(slots, axis=1)).sum(axis=1)
    ids = np.array([str(i) for i in range(n)], dtype=object)
    code, ones = np.arange(n, dtype=np.int32), np.ones(n, np.int64)
    views = make_views(Interactions(ids, ids, code, code, ones, exit_ * 5_000 + 1, 14_000 * ones))
    order = views.log_row
    return expit(one)[order], expit(two)[order], replace(views, exit=exit_[order].astype(np.int32))


@pytest.mark.parametrize("truth", [0.0, 0.3, 1.0])
def test_the_weight_that_made_the_outcomes_is_found(truth: float) -> None:
    found = mixing_weight(*_drawn(lambda one, two: truth * one + (1 - truth) * two))
    assert abs(found - truth) < 0.05
    assert 0 <= found <= 1


@pytest.fixture
def data(store_path: Path) -> Dataset:
    return open_data(RunConfig(str(store_path), "ensemble"), FeatureStore(store_path)).dataset


@pytest.fixture
def split(data: Dataset) -> Split:
    return temporal_split(data.views)


@pytest.fixture
def fitted(data: Dataset, split: Split) -> Ensemble:
    model = Ensemble(SMALL)
    model.fit(data, split, FitRun(seed=1))
    return model


def test_a_prediction_is_the_mix_of_its_parts(fitted: Ensemble, data: Dataset) -> None:
    fitted.weight = 0.25
    network, trees = fitted.network.predict(data).hazard, fitted.trees.predict(data).hazard
    live = network > 0
    expected = expit(0.25 * logit(network[live]) + 0.75 * logit(trees[live]))
    np.testing.assert_allclose(fitted.predict(data).hazard[live], expected, atol=1e-6)


def test_settings_reach_the_parts() -> None:
    model = Ensemble(EnsembleConfig(width=24, trees=7, leaves=5, max_segments=12))
    assert (model.network.config.width, model.network.config.max_segments) == (24, 12)
    assert (model.trees.config.trees, model.trees.config.leaves, model.trees.config.max_segments) == (7, 5, 12)


def test_the_parts_are_weighed_by_views_they_have_not_learned_from(
    data: Dataset, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def weigh(network: np.ndarray, trees: np.ndarray, views: Views) -> float:
        asked.update(network=network, trees=trees, views=views)
        return 0.5

    monkeypatch.setattr("segmodel.models.ensemble.mixing_weight", weigh)
    Ensemble(SMALL).fit(data, split, FitRun(seed=1))
    before = dict(asked)
    assert len(before["views"]) == len(split.valid)
    # The last validation views of all users end otherwise: nobody's history holds them while validating.
    views = data.views.take(split.valid)
    last = split.valid[np.append(views.user[1:] != views.user[:-1], True)]
    log = _ended_otherwise(data, last)
    Ensemble(SMALL).fit(log, split, FitRun(seed=1))
    assert (asked["views"].exit != before["views"].exit).sum() == len(last)
    np.testing.assert_allclose(asked["network"], before["network"], atol=1e-6)
    np.testing.assert_allclose(asked["trees"], before["trees"], atol=1e-6)


def _ended_otherwise(data: Dataset, rows: np.ndarray) -> Dataset:
    v = data.views
    watch_ms = v.watch_ms.copy()
    watch_ms[rows] = np.where(v.completed[rows], 1, v.duration_ms[rows] + 1)
    log = Interactions(v.user_ids, v.video_ids, v.user, v.video, v.time_ms, watch_ms, v.duration_ms)
    return make_dataset(log, data.store)
