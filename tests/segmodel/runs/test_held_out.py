"""Which views measure a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segfeat.interactions import Interactions
from segfeat.store.reader import FeatureStore
from segmodel.models import MODELS
from segmodel.runs.config import run_config
from segmodel.runs.data import open_data
from segmodel.runs.held_out import BASELINES, POSITION_BASELINES, baseline_names, held_out
from segmodel.runs.run import Run
from segmodel.runs.train import prepare, train


@pytest.fixture
def log(log: Interactions) -> Interactions:
    """As files are read: without repeated rows."""
    return log.take(log.first_of_duplicates())


@pytest.fixture
def run(store_path: Path, workplace: Path) -> Run:
    return train(prepare(run_config(store_path, {"model": "duration-user-position"})))


@pytest.fixture
def store(store_path: Path) -> FeatureStore:
    return FeatureStore(store_path)


def test_by_default_the_run_s_test_views(run: Run, store: FeatureStore) -> None:
    held = held_out(open_data(run.config, store))
    assert len(held.data) == run.data["views"]["test"]
    assert (held.trained_on, held.dropped) == (0, 0)
    summary = held.evaluate(run.model).summaries()["all"]
    assert summary == held.baseline("duration-user-position").summaries()["all"]


def test_cold_is_what_no_training_view_has(run: Run, store: FeatureStore) -> None:
    held = held_out(open_data(run.config, store))
    data = held.run_data
    # As if the run had been trained on few views.
    data.__dict__["train_views"] = data.dataset.views.take(data.split.train[:12])
    trained, views = set(data.train_views.video.tolist()), held.data.views
    cold = held.evaluate(run.model).groups["cold video"]
    assert 0 < cold.sum() < len(cold)
    assert cold.tolist() == [v not in trained for v in views.video]


def test_more_history_reaches_the_test_views(run: Run, store: FeatureStore, log: Interactions) -> None:
    plain = held_out(open_data(run.config, store))
    user = log.user_ids[log.user]
    extra = replace(log.take(user == "u1"), time_ms=log.time_ms[user == "u1"] - 10**6)
    more = held_out(open_data(run.config, store, extra))
    np.testing.assert_array_equal(more.data.views.exit, plain.data.views.exit)
    np.testing.assert_array_equal(more.data.views.time_ms, plain.data.views.time_ms)
    gained = np.diff(more.data.history)[:, 0] - np.diff(plain.data.history)[:, 0]
    mine = plain.data.views.user_ids[plain.data.views.user] == "u1"
    assert (gained[mine] == (user == "u1").sum()).all()
    assert not gained[~mine].any()


def test_other_views_have_the_run_s_log_and_each_other_as_history(
    run: Run, store: FeatureStore, log: Interactions
) -> None:
    later = replace(log, time_ms=log.time_ms + 10**6)
    held = held_out(open_data(run.config, store), later)
    assert held.trained_on == 0
    assert len(held.data) == len(log)
    own = held_out(open_data(run.config, store))
    assert len(held.run_data.dataset) == len(own.run_data.dataset)
    known = np.bincount(own.run_data.dataset.views.user)
    views = held.data.views
    # All views of the log, and those of the new ones that are strictly earlier.
    for i in range(0, len(views), 7):
        same = views.user == views.user[i]
        earlier = int((views.time_ms[same] < views.time_ms[i]).sum())
        assert np.diff(held.data.history[i])[0] == known[views.user[i]] + earlier


def test_training_views_among_the_views_are_counted(run: Run, store: FeatureStore, log: Interactions) -> None:
    assert held_out(open_data(run.config, store), log).trained_on == run.data["views"]["train"]


def test_views_without_a_watch_time_cannot_measure(run: Run, store: FeatureStore, log: Interactions) -> None:
    later = replace(log, time_ms=log.time_ms + 10**6, watch_ms=np.where(log.user == 0, 0, log.watch_ms))
    held = held_out(open_data(run.config, store), later)
    assert held.dropped == (log.user == 0).sum()
    assert len(held.data) == len(log) - held.dropped
    with pytest.raises(ValueError, match="no view to evaluate on; rows left out: none"):
        held_out(open_data(run.config, store), replace(later, watch_ms=np.zeros(len(log), np.int64)))
    with pytest.raises(ValueError, match=r"no view to evaluate on; rows left out: 236 × duration of 200 s or more"):
        held_out(open_data(run.config, store), replace(later, duration_ms=np.full(len(log), 10**6)))


def test_baseline_lists() -> None:
    assert baseline_names("all") == BASELINES
    assert baseline_names("none") == ()
    assert baseline_names("random, item-position,random") == ("random", "item-position")
    assert set(POSITION_BASELINES) < set(BASELINES) <= set(MODELS)
    with pytest.raises(ValueError, match=r"unknown baseline x, y; valid are all, none, random"):
        baseline_names("x,random,y")
