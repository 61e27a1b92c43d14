"""One user's many videos, scored by remembered states, get what the networks say view by view."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from segfeat.interactions import Interactions
from segmodel.data.dataset import Dataset, make_dataset
from segmodel.data.views import UNKNOWN
from segmodel.models.base import FitRun
from segmodel.models.hazard.inference.scorer import Scorer
from segmodel.models.hazard.members import Members
from segmodel.models.hazard.model import HazardModel
from segmodel.models.hazard.user_filter import filter_users
from segmodel.prediction import from_hazard


@pytest.fixture(scope="module")
def pair(small: Any) -> HazardModel:
    fitted: HazardModel = small.fit(members=2)
    return fitted


@pytest.fixture
def model(pair: HazardModel) -> HazardModel:
    """Two networks that remember nothing yet."""
    fresh = HazardModel(pair.config)
    fresh.restore(*pair.state())
    return fresh


def _candidates(small: Any, user: str, after_ms: int = 60_000) -> Dataset:
    """All videos of the log, some of them twice, and two that nobody knows, for one user at one moment."""
    log = small.log
    duration_ms = np.zeros(len(log.video_ids), np.int64)
    duration_ms[log.video] = log.duration_ms
    video_ids = np.array([*log.video_ids, "unknown", "unknown, too"], dtype=object)
    video = np.concatenate([np.arange(len(video_ids)), [3, 1]]).astype(np.int32)
    pairs = Interactions(
        np.array([user], dtype=object),
        video_ids,
        np.zeros(len(video), np.int32),
        video,
        np.full(len(video), log.time_ms.max() + after_ms),
        np.zeros(len(video), np.int64),
        np.concatenate([duration_ms, [8_000, 31_000]])[video],
    )
    own = log.take(log.user_ids[log.user] == user)
    return make_dataset(own if len(own) else log, small.store, pairs=pairs)


def _view_by_view(model: HazardModel, data: Dataset) -> np.ndarray:
    """Exit probabilities from the networks themselves, each view with a history of its own."""
    inputs = model.statistics.inputs(data, model.after)
    hazard = model.members.mean_hazard(model.batches, data, inputs)
    sums = model.scorer.remember(data, model.after).surprises
    return from_hazard(filter_users(data, hazard, inputs.cold, sums), data.views).slots


@pytest.mark.parametrize("user", ["u00", "u07", "u11", "nobody"])
def test_many_videos_of_one_user_equal_the_networks_view_by_view(small: Any, model: HazardModel, user: str) -> None:
    data = _candidates(small, user)
    first, end = data.history[0]
    assert (end - first > 10) == (user != "nobody")
    assert (data.views.store_row == UNKNOWN).sum() == 2
    found = model.predict(data).slots
    np.testing.assert_allclose(found, _view_by_view(model, data), atol=1e-6)
    assert len(np.unique(found[:, 0].round(5))) > 10, "videos must be told apart"


@pytest.mark.parametrize("seen", [1, 2, 5])
def test_short_histories(small: Any, model: HazardModel, seen: int) -> None:
    data = _candidates(small, "u05")
    history = data.history.copy()
    history[:, 1] = history[:, 0] + seen
    short = replace(data, history=history)
    np.testing.assert_allclose(model.predict(short).slots, _view_by_view(model, short), atol=1e-6)


def test_without_content_and_without_filter(small: Any, pair: HazardModel) -> None:
    config = replace(pair.config, modalities=("id",), user_filter=False)
    bare = HazardModel(config)
    bare.fit(small.data, small.split, FitRun(seed=2))
    data = _candidates(small, "u04")
    inputs = bare.statistics.inputs(data, bare.after)
    expected = from_hazard(bare.members.mean_hazard(bare.batches, data, inputs), data.views).slots
    np.testing.assert_allclose(bare.predict(data).slots, expected, atol=1e-6)
    np.testing.assert_array_equal(bare.predict(replace(data, store=None)).slots, bare.predict(data).slots)


def test_what_is_remembered_changes_no_answer(small: Any, model: HazardModel) -> None:
    """Users, moments and videos in any order; every state met by an earlier question is used again."""
    rng = np.random.default_rng(0)
    asked = [_candidates(small, user, after) for user in ("u01", "u02", "nobody") for after in (60_000, 9_000_000)]
    expected = [_view_by_view(model, data) for data in asked]
    assert np.abs(expected[0] - expected[1]).max() > 1e-4, "the moment must matter"
    for i in rng.integers(0, len(asked), 20).tolist():
        rows = np.sort(rng.choice(len(asked[i]), rng.integers(1, 12)))
        np.testing.assert_allclose(model.predict(asked[i].take(rows)).slots, expected[i][rows], atol=1e-6)


def test_states_are_forgotten_when_there_is_no_more_room(
    small: Any, model: HazardModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rooms for fewer segments than the log has, and for fewer than one question brings."""
    data = _candidates(small, "u03")
    expected = _view_by_view(model, data)
    model.scorer = Scorer(model.members, model.batches, model.statistics)
    monkeypatch.setattr("segmodel.models.hazard.inference.segment_cache.CAPACITY", 40)
    monkeypatch.setattr("segmodel.models.hazard.inference.video_cache.CAPACITY", 12)
    states, largest = model.scorer.states(small.store), int(data.views.segments.sum())
    assert states is not None
    assert largest > 60
    kept = []
    for part in [
        *np.array_split(np.arange(len(data)), 9),
        np.arange(len(data)),
        *np.array_split(np.arange(len(data)), 7),
    ]:
        np.testing.assert_allclose(model.predict(data.take(part)).slots, expected[part], atol=1e-6)
        assert len(states.unit) <= max(40, largest + 100) + 1
        kept.append(len(model.scorer._videos[model.after]))
    assert max(kept[:9]) <= 12
    assert max(kept) <= len(data)
    assert np.diff(kept[:9]).min() <= 0


def _past_of(small: Any, rows: np.ndarray, extra: tuple[int, int] | None = None) -> Dataset:
    """All videos for user 4, of whom only some views are known, and perhaps one more at the end: its video and time."""
    log = small.log.take(small.log.first_of_duplicates())
    own = log.take(np.flatnonzero(log.user == 4)[rows])
    if extra is not None:
        one = replace(own.take(np.array([0])), video=np.array([extra[0]], np.int32), time_ms=np.array([extra[1]]))
        own = own.joined(replace(one, duration_ms=log.duration_ms[log.video == extra[0]][:1]))
    asked = _candidates(small, "u04")
    pairs = replace(log.take(np.zeros(5, np.int64)), video=np.arange(5, dtype=np.int32), user=np.full(5, 4, np.int32))
    pairs = replace(pairs, time_ms=np.full(5, int(asked.views.time_ms[0])), watch_ms=np.zeros(5, np.int64))
    return make_dataset(own, small.store, pairs=pairs)


@pytest.mark.parametrize("place", ["last", "tied", "first", "middle"])
def test_a_past_that_grows_answers_as_one_read_at_once(
    small: Any, model: HazardModel, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    before = _past_of(small, np.arange(15))
    times = before.past.time_ms
    time_ms = {"last": times[-1] + 5000, "tied": times[-1], "first": times[0] - 1, "middle": times[7] + 1}[place]
    after = _past_of(small, np.arange(15), (7, int(time_ms)))
    assert len(after.past) == 16
    expected = _view_by_view(model, after)
    model.scorer = Scorer(model.members, model.batches, model.statistics)
    assert np.abs(model.predict(before).slots - expected).max() > 1e-4

    scored = []
    original = Members.mean_hazard
    monkeypatch.setattr(
        Members,
        "mean_hazard",
        lambda members, batches, data, *rest: scored.append(len(data)) or original(members, batches, data, *rest),
    )
    model.past_has_grown(before.past, after.past)
    assert before.past not in model.scorer._remembered
    np.testing.assert_allclose(model.predict(after).slots, expected, atol=1e-6)
    assert scored == [{"last": 1, "tied": 1, "first": 16, "middle": scored[0]}[place]]
    assert scored[0] in (1, 16) or 5 < scored[0] < 12
