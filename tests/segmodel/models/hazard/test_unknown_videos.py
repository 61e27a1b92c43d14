"""Training meets enough unknown videos that a new one is not taken for one that nobody wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from segmodel.data.dataset import make_dataset
from segmodel.data.parts import Parts
from segmodel.data.splits import temporal_split
from segmodel.models.base import FitRun
from segmodel.models.hazard.config import HazardConfig
from segmodel.models.hazard.items import SUMS
from segmodel.models.hazard.model import HazardModel
from segmodel.models.hazard.statistics import Inputs


def _inputs(model: HazardModel, data: Any, unknown_share: float) -> tuple[Inputs, np.random.Generator]:
    generator = np.random.default_rng(0)
    statistics, tables = model.statistics, model.after
    timed = statistics.learn_by_time(Parts.of(data), tables)
    return statistics.deployed_inputs(data, tables, timed, generator, 0.0, unknown_share)(data), generator


def test_the_share_of_unseen_videos_is_that_of_videos_met_once(fitted: Any) -> None:
    total = np.zeros((5, SUMS))
    total[1:, 0] = [1, 1, 3, 5]
    assert replace(fitted.after, item_total=total).unseen_share == pytest.approx(0.2)


def test_hidden_videos_are_unknown_to_those_about_to_watch_them_alone(small: Any, fitted: Any) -> None:
    plain, _ = _inputs(fitted, small.data, 0.0)
    some, _ = _inputs(fitted, small.data, 0.5)
    assert not plain.cold.any()
    videos = small.data.views.video
    hidden = np.unique(videos[some.cold])
    assert 0.2 < len(hidden) / len(np.unique(videos)) < 0.8
    # All views of a hidden video, and no others; what was watched before stays known.
    np.testing.assert_array_equal(some.cold, np.isin(videos, hidden))
    np.testing.assert_array_equal(some.view[~some.cold], plain.view[~some.cold])
    np.testing.assert_array_equal(some.past.token, plain.past.token)


def test_a_log_with_enough_unknown_videos_hides_none(interactions: Callable[[Any], Any], small: Any) -> None:
    rows = [(f"u{i % 12:02d}", f"v{i:03d}", 60_000 * i, 1_000 + 97 * i, 20_000) for i in range(120)]
    data = make_dataset(interactions(rows))
    model = HazardModel(HazardConfig(members=1, epochs=1, width=8, rank=4, folds=3))
    model.fit(data, temporal_split(data.views), FitRun(seed=1))
    assert model.after.unseen_share == 1.0
    _, generator = _inputs(model, data, 0.5)
    _, untouched = _inputs(model, data, 0.0)
    assert generator.random() == untouched.random()


def test_a_withheld_video_is_no_rare_one(interactions: Callable[[Any], Any]) -> None:
    """Everybody watches twenty videos, and some a rare one that all leave at once; what of a new one?"""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(150):
        for i in range(12):
            rare = rng.random() < 0.06
            video = f"rare{rng.integers(60):02d}" if rare else f"v{rng.integers(20):02d}"
            watch_ms = 500 if rare or rng.random() < 0.2 else 20_000
            rows.append((f"u{user:03d}", video, 600_000 * i + user, watch_ms, 20_000))
    log = interactions(rows)
    data = make_dataset(log)
    pairs = interactions([("somebody", "new", 10**9, 1, 20_000)])
    leaves = []
    for share in (0.0, 0.3):
        config = HazardConfig(members=1, epochs=6, batch_views=64, width=16, rank=4, unknown_share=share)
        model = HazardModel(config)
        model.fit(data, temporal_split(data.views), FitRun(seed=2))
        assert model.training.unseen_share < 0.03
        leaves.append(float(model.predict(make_dataset(log, pairs=pairs)).slots[0, 0]))
    assert leaves[0] > leaves[1] + 0.1
    assert leaves[1] < 0.5
