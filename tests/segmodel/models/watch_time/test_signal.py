"""A planted signal: half of the users leave early, half stay; all methods find it, and nothing where it is shuffled."""

from __future__ import annotations

import numpy as np
import pytest

from segfeat.interactions import Interactions
from segmodel.data.dataset import Dataset, make_dataset
from segmodel.data.splits import temporal_split
from segmodel.evaluation.metrics import concordance
from segmodel.evaluation.watch_time_metrics import population_s, summary, watch_times
from segmodel.models import make_model
from segmodel.models.base import FitRun
from segmodel.prediction import SkipPrediction, watch_distribution

METHODS = ("wlr", "d2q", "tpm", "cread", "cqe")

USERS, EACH = 40, 40


def planted(shuffled: bool) -> Dataset:
    rng = np.random.default_rng(0)
    n = USERS * EACH
    user = np.repeat(np.arange(USERS, dtype=np.int32), EACH)
    video = rng.integers(0, 60, n)
    duration_ms = rng.integers(10_000, 30_000, 60)[video]
    stays = user % 2 == 0
    share = np.clip(rng.normal(np.where(stays, 0.9, 0.25), 0.15), 0.02, 1.2)
    if shuffled:
        share = rng.permutation(share)
    log = Interactions(
        user_ids=np.array([f"u{i}" for i in range(USERS)], dtype=object),
        video_ids=np.array([f"v{i}" for i in range(60)], dtype=object),
        user=user,
        video=video.astype(np.int32),
        time_ms=np.tile(np.arange(EACH) * 60_000, USERS),
        watch_ms=(share * duration_ms).astype(np.int64),
        duration_ms=duration_ms,
    )
    return make_dataset(log)


def answers(name: str, data: Dataset) -> tuple[SkipPrediction, Dataset]:
    split = temporal_split(data.views, 0.6)
    model = make_model(name, {"members": 1, "width": 64, "epochs": 15, "folds": 4, "batch_views": 64})
    model.fit(data, split, FitRun(seed=1))
    test = data.take(split.test)
    return model.predict(test), test


@pytest.fixture(scope="module")
def signal() -> Dataset:
    return planted(shuffled=False)


@pytest.mark.parametrize("name", METHODS)
def test_a_planted_signal_is_found(name: str, signal: Dataset) -> None:
    found, test = answers(name, signal)
    views = test.views
    ratio = views.picture_watch_s / views.picture_s
    # Of the pairs of a staying and a leaving user nearly all can be ordered, within a kind none: some .75 of all.
    assert concordance(found.expected_watch_s / views.picture_s, ratio) > 0.68
    measured = summary(watch_times(found, views, population_s(signal.views)))
    chance = np.abs(views.watch_s - np.median(views.watch_s)).mean()
    # Methods of one number have coarser medians than means, the others the reverse.
    assert min(measured["mae_s"], measured["median_mae_s"]) < 0.6 * chance
    assert measured["crps_s"] < 0.45 * chance
    for level in (10, 50, 90):
        assert measured[f"under_{level}"] == pytest.approx(level / 100, abs=0.15)
    # The slots tell the same story as the finer distribution.
    own = watch_distribution(found, views)
    np.testing.assert_allclose(own.completion, found.completion, atol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_nothing_is_found_where_users_are_shuffled(name: str) -> None:
    found, test = answers(name, planted(shuffled=True))
    ratio = test.views.picture_watch_s / test.views.picture_s
    assert concordance(found.expected_watch_s / test.views.picture_s, ratio) < 0.6


@pytest.mark.parametrize("name", ["wlr", "tpm", "cread", "cqe"])
def test_seconds_can_be_learned_as_well(name: str, signal: Dataset) -> None:
    split = temporal_split(signal.views, 0.6)
    settings = {"members": 1, "width": 64, "epochs": 15, "folds": 4, "batch_views": 64, "target": "seconds"}
    model = make_model(name, settings)
    model.fit(signal, split, FitRun(seed=1))
    test = signal.take(split.test)
    found = model.predict(test)
    assert concordance(found.expected_watch_s, test.views.watch_s) > 0.68
    assert (found.expected_watch_s <= test.views.picture_s).all()
    with pytest.raises(ValueError, match="target 'hours': valid are seconds, share"):
        make_model(name, {"target": "hours"})
