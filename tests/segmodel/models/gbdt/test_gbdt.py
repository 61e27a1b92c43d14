"""Boosted trees: means that are missing in training as in prediction, and a tuning that sees validation views alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from segfeat.interactions import Interactions
from segmodel.data.dataset import Dataset, make_dataset
from segmodel.data.splits import temporal_split
from segmodel.evaluation.metrics import exit_nll
from segmodel.models.base import FitRun
from segmodel.models.gbdt import model as gbdt
from segmodel.models.gbdt.model import TUNED, GbdtConfig, GbdtHazard
from segmodel.models.settings import stored_settings


def _world(users: int, prefix: str, seed: int) -> Interactions:
    """Users of 6 views each of 20 s videos: every other one finishes whatever they start, the others leave at once."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(users, dtype=np.int32), 6)
    stays = rng.random(len(user)) < np.where(user % 2 == 0, 0.9, 0.1)
    n = len(user)
    return Interactions(
        np.array([f"{prefix}{i}" for i in range(users)], dtype=object),
        np.array([f"v{i}" for i in range(50)], dtype=object),
        user,
        rng.integers(0, 50, n).astype(np.int32),
        np.tile(np.arange(6), users) * 60_000 + 1,
        np.where(stays, 20_000, 2_000),
        np.full(n, 20_000),
    )


def _fit(log: Interactions, **settings: Any) -> GbdtHazard:
    data = make_dataset(log)
    trees = GbdtHazard(GbdtConfig(members=1, trees=60, **settings))
    trees.fit(data, temporal_split(data.views), FitRun())
    return trees


def _nll(trees: GbdtHazard, data: Dataset) -> float:
    return float(exit_nll(trees.predict(data).slots, data.views.exit).mean())


def test_new_users_are_predicted_better_than_from_averages_that_they_lack() -> None:
    """In training every user has an average; it says more than the history, and a new user has none."""
    log, new = _world(300, "u", 1), _world(100, "n", 2)
    data = make_dataset(log, pairs=new)
    late = data.take(np.flatnonzero(data.history[:, 1] - data.history[:, 0] >= 2))
    assert _nll(_fit(log), late) < _nll(_fit(log, unknown_user_share=0.0), late) - 0.02


def test_a_run_of_before_reads_the_averages_that_it_was_trained_on() -> None:
    assert stored_settings(GbdtConfig, {"trees": 150})["unknown_user_share"] == 0
    log = _world(40, "u", 3)
    old = _fit(log, unknown_user_share=0.0, unknown_video_share=0.0)
    facts, arrays = old.state()
    again = GbdtHazard(replace(old.config))
    again.restore({k: facts[k] for k in ("users", "videos")}, arrays)
    data = make_dataset(log)
    np.testing.assert_array_equal(again.predict(data).slots, old.predict(data).slots)


def test_tuning_takes_what_validation_views_like_best(monkeypatch: pytest.MonkeyPatch) -> None:
    log = _world(120, "u", 4)
    data = make_dataset(log)
    split = temporal_split(data.views)
    told: list[dict[str, Any]] = []
    trees = GbdtHazard(GbdtConfig(members=1, trees=30, tune=True))
    trees.fit(data, split, FitRun(report=lambda record: told.append(dict(record))))
    tried = [record for record in told if "valid_nll" in record]
    assert [(r["learning_rate"], r["leaves"]) for r in tried] == list(TUNED)
    assert [r["epoch"] for r in told] == list(range(len(TUNED) + 1))  # a run's records are told apart by it
    best = min(tried, key=lambda r: r["valid_nll"])
    assert trees.state()[0]["chosen"] == {"learning_rate": best["learning_rate"], "leaves": best["leaves"]}

    seen: list[np.ndarray] = []
    learn = GbdtHazard._learn
    monkeypatch.setattr(gbdt.GbdtHazard, "_learn", lambda s, d, r: (seen.append(d.views.log_row), learn(s, d, r))[1])
    trees.fit(data, split, FitRun())
    for rows in seen[:-1]:
        np.testing.assert_array_equal(np.sort(rows), np.sort(data.views.log_row[split.train]))
    assert len(seen) == len(TUNED) + 1
    assert len(seen[-1]) == len(split.train) + len(split.valid)


def test_a_column_of_which_nothing_is_known_says_nothing() -> None:
    """As in a first log, where no user has any earlier view that a statistic could count."""
    model = GbdtHazard(GbdtConfig(trees=5))
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 3))
    label = rows[:, 0] > 0
    empty = np.concatenate([rows, np.full((400, 1), np.nan)], axis=1)
    constant = np.concatenate([rows, np.zeros((400, 1))], axis=1)
    found = model._boost(empty, label, seed=1).predict_proba(empty)
    expected = model._boost(constant, label, seed=1).predict_proba(constant)
    np.testing.assert_array_equal(found, expected)
    assert found[label, 1].mean() > found[~label, 1].mean() + 0.1
