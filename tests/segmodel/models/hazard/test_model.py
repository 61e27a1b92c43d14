"""The default model from end to end: taste found, nothing found in noise, and honest inside its own log."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from examples.world import DurationHazard, DurationPosition, World, WorldConfig, content_features, oracle_nll, simulate
from examples.world.watchlog import permute_ratios
from segfeat.interactions import Interactions
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segfeat.types import MODALITIES, EncoderSpec, StoreHeader
from segmodel.data.dataset import Dataset, make_dataset
from segmodel.data.splits import temporal_split
from segmodel.models.base import FitRun
from segmodel.models.hazard.config import HazardConfig
from segmodel.models.hazard.model import HazardModel
from segmodel.prediction import SkipPrediction

WORLD = WorldConfig(users=240, heldout_users=100)


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(WORLD)


@pytest.fixture(scope="module")
def content(world: World, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """Features of the world's videos as ideal encoders would give them."""
    path = tmp_path_factory.mktemp("world") / "feats.h5"
    specs: dict[str, EncoderSpec] = {m: EncoderSpec(f"test:{m}", m, 16, "test", "none", "none") for m in MODALITIES}
    write_store(path, StoreHeader(5.0, {}, specs), content_features(world))
    return FeatureStore(path)


def _interactions(log: pd.DataFrame) -> Interactions:
    user, user_ids = pd.factorize(log["user_id"])
    video, video_ids = pd.factorize(log["video_id"])
    time_ms, watch_ms, duration_ms = (log[c].to_numpy(np.int64) for c in ("time_ms", "playing_time", "duration_ms"))
    return Interactions(
        np.array(user_ids, object),
        np.array(video_ids, object),
        user.astype(np.int32),
        video.astype(np.int32),
        time_ms,
        watch_ms,
        duration_ms,
    )


def _nll_of_heldout(store: FeatureStore, train: pd.DataFrame, history: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """Nats per row of ``test``, by a model fitted on ``train``."""
    data = make_dataset(_interactions(train), store)
    model = HazardModel(HazardConfig(members=1, epochs=5))
    model.fit(data, temporal_split(data.views), FitRun(seed=0))
    asked = make_dataset(_interactions(history), store, pairs=_interactions(test))
    slots = model.predict(asked).slots
    nll = np.empty(len(test))
    nll[asked.views.log_row] = -np.log(slots[np.arange(len(asked)), asked.views.exit])
    return nll


def _gain(reference: np.ndarray, nll: np.ndarray, user: pd.Series) -> tuple[float, float]:
    """Mean gain per view, and its standard error over users."""
    gain = reference - nll
    deviation = pd.Series(gain - gain.mean()).groupby(user.to_numpy()).sum()
    return float(gain.mean()), float(np.sqrt((deviation**2).sum()) / len(gain))


def test_planted_taste_is_found_for_new_users_and_new_videos(world: World, content: FeatureStore) -> None:
    test = world.heldout_test
    nll = _nll_of_heldout(content, world.train, world.heldout_history, test)
    reference, oracle = DurationPosition.fit(world.train).nll(test), oracle_nll(world, test)
    gain, error = _gain(reference, nll, test["user_id"])
    closed = gain / (reference - oracle).mean()
    assert gain > 5 * error
    assert closed >= 0.6, f"{closed:.0%} of the gap closed"
    # Nobody beats the truth by more than luck.
    beyond, error = _gain(oracle, nll, test["user_id"])
    assert beyond < 3 * error


def test_nothing_is_found_where_outcomes_are_noise(world: World, content: FeatureStore) -> None:
    train, history, test = (
        permute_ratios(log, seed=seed, within_length=True)
        for seed, log in enumerate((world.train, world.heldout_history, world.heldout_test))
    )
    nll = _nll_of_heldout(content, train, history, test)
    gain, error = _gain(DurationHazard.fit(train).nll(test), nll, test["user_id"])
    assert gain < 3 * error
    assert gain > -0.04, "noise was learned"


def _other_outcomes(small: Any, rows: np.ndarray) -> Dataset:
    """The small log in which the views in ``rows`` ended otherwise."""
    watch_ms = small.log.watch_ms.copy()
    at = small.data.views.log_row[rows]
    completed = watch_ms[at] >= small.log.duration_ms[at]
    watch_ms[at] = np.where(completed, 1, small.log.duration_ms[at] + 1)
    return make_dataset(replace(small.log, watch_ms=watch_ms), small.store)


@pytest.fixture(scope="module")
def fitted_on_other(small: Any) -> tuple[HazardModel, Dataset, int]:
    """A fit of the log in which all test views but those of one user ended otherwise, that log, and the user."""
    views, user = small.data.views, 4
    others = small.split.test[views.user[small.split.test] != user]
    data = _other_outcomes(small, others)
    return small.fit(data), data, user


def _later(small: Any, log: Interactions) -> Dataset:
    """One view of each video by the user of the fixture, a minute after all the log knows."""
    n, base = len(log.video_ids), log.time_ms.max()
    duration_ms = np.zeros(n, np.int64)
    duration_ms[log.video] = log.duration_ms
    pairs = Interactions(
        log.user_ids,
        log.video_ids,
        np.full(n, 4, np.int32),
        np.arange(n, dtype=np.int32),
        np.full(n, base + 60_000),
        np.zeros(n, np.int64),
        duration_ms,
    )
    return make_dataset(log, small.store, pairs=pairs)


def test_views_inside_the_log_do_not_know_other_users_test_views(
    small: Any, fitted: HazardModel, fitted_on_other: tuple[HazardModel, Dataset, int]
) -> None:
    other, data, user = fitted_on_other
    for name, table in fitted.inside.arrays().items():
        np.testing.assert_array_equal(table, other.inside.arrays()[name], err_msg=name)
    own = small.split.test[small.data.views.user[small.split.test] == user]
    assert len(own) >= 2
    one, two = fitted.predict(small.data.take(own)), other.predict(data.take(own))
    np.testing.assert_allclose(one.slots, two.slots, atol=1e-6)


def test_later_views_know_the_whole_log(
    small: Any, fitted: HazardModel, fitted_on_other: tuple[HazardModel, Dataset, int]
) -> None:
    other, _, _ = fitted_on_other
    # The same history for both: what differs is what others did with the videos in their test views.
    asked = _later(small, small.log)
    one, two = fitted.predict(asked), other.predict(asked)
    assert np.abs(one.slots - two.slots).max() > 1e-3
    swapped = HazardModel(fitted.config)
    swapped.restore(*fitted.state())
    swapped.inside = other.inside
    np.testing.assert_allclose(swapped.predict(asked).slots, one.slots, atol=1e-6)


def test_parts_that_are_switched_off_read_nothing(small: Any, fitted: HazardModel) -> None:
    """The inputs that a switch takes away are the only ones that change."""
    rows = small.split.test
    inputs = fitted.statistics.inputs(small.data, fitted.inside)
    full = fitted.batches.make(small.data, inputs, rows)
    assert full.token_mask.any()
    assert full.user.any()
    for switch, left in (("attention", {"token", "age", "token_mask"}), ("user_statistics", {"user"})):
        other = HazardModel(replace(fitted.config, **{switch: False}))
        other.restore(*fitted.state())
        batch = other.batches.make(small.data, inputs, rows)
        assert not any(getattr(batch, name).any() for name in left)
        for name in {"view", "user", "token", "age", "token_mask", "segment", "offset"} - left:
            assert torch.equal(getattr(batch, name), getattr(full, name)), name
        assert np.abs(other.predict(small.data).slots - fitted.predict(small.data).slots).max() > 1e-4


def test_own_earlier_test_views_are_history(small: Any, fitted: HazardModel) -> None:
    views, test = small.data.views, small.split.test
    own = test[views.user[test] == 4]
    last = own[views.time_ms[own] == views.time_ms[own].max()]
    first = own[views.time_ms[own] < views.time_ms[last[0]]]
    assert len(first)
    changed = fitted.predict(_other_outcomes(small, first).take(last)).slots
    assert np.abs(changed - fitted.predict(small.data.take(last)).slots).max() > 1e-4


def test_restored_equals_saved(small: Any, fitted: HazardModel, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    facts, arrays = fitted.state()
    save_file({k: np.array(v, order="C") for k, v in arrays.items()}, tmp_path / "weights.safetensors")
    again = HazardModel(fitted.config)
    again.restore(json.loads(json.dumps(facts)), load_file(tmp_path / "weights.safetensors"))
    for asked in (small.data, _later(small, small.log)):
        np.testing.assert_array_equal(again.predict(asked).slots, fitted.predict(asked).slots)


def test_members_differ_and_are_averaged_on_the_hazard(small: Any) -> None:
    facts, arrays = small.fit(members=2).state()

    def hazard(*members: int) -> np.ndarray:
        """Of a model that has these of the two members, without the filter, which is not linear."""
        model = HazardModel(HazardConfig(members=len(members), width=16, rank=4, folds=3, user_filter=False))
        kept = {k: v for k, v in arrays.items() if not k.startswith("member_")}
        for place, member in enumerate(members):
            own = {k: v for k, v in arrays.items() if k.startswith(f"member_{member}.")}
            kept |= {k.replace(f"member_{member}", f"member_{place}"): v for k, v in own.items()}
        model.restore(facts, kept)
        found: SkipPrediction = model.predict(small.data)
        return found.hazard

    one, two, mean = hazard(0), hazard(1), hazard(0, 1)
    assert np.abs(one - two).max() > 0.005
    live = mean > 0
    np.testing.assert_allclose(mean[live], ((one + two) / 2)[live], atol=1e-5)


def test_a_fit_in_small_parts_is_the_same(small: Any, fitted: HazardModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segmodel.data.views.PART_VIEWS", 7)
    for module in ("model", "fitting"):
        monkeypatch.setattr(f"segmodel.models.hazard.{module}.PART_VIEWS", 50)
    again = small.fit()
    for name, table in fitted.after.arrays().items():
        np.testing.assert_allclose(again.after.arrays()[name], table, rtol=1e-6, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(again.predict(small.data).slots, fitted.predict(small.data).slots, atol=1e-5)


def test_the_same_seed_gives_the_same_fit(small: Any, fitted: HazardModel) -> None:
    again = small.fit()
    np.testing.assert_array_equal(again.predict(small.data).slots, fitted.predict(small.data).slots)


@pytest.mark.parametrize("modalities", [("colour",), ()])
def test_modalities_that_do_not_exist_are_refused(modalities: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="valid are id, visual, audio, text"):
        HazardConfig(modalities=modalities)
