from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from examples.world import World, WorldConfig, content_features, exits, simulate
from examples.world.reference import oracle_nll
from examples.world.simulation import with_other_users

LOGS = ("train", "heldout_history", "heldout_test")


def test_the_same_seed_makes_the_same_world_and_another_seed_another(world: World) -> None:
    again, other = simulate(), simulate(WorldConfig(seed=1))
    for name in LOGS:
        pd.testing.assert_frame_equal(getattr(world, name), getattr(again, name))
    np.testing.assert_array_equal(world.segment_topic, again.segment_topic)
    np.testing.assert_array_equal(world.taste, again.taste)
    assert not np.array_equal(world.duration_ms, other.duration_ms)
    assert world.train["playing_time"].sum() != other.train["playing_time"].sum()


def test_more_users_leave_the_videos_as_they_are(world: World) -> None:
    larger = simulate(WorldConfig(users=300))
    np.testing.assert_array_equal(world.segment_topic, larger.segment_topic)
    np.testing.assert_array_equal(world.duration_ms, larger.duration_ms)
    np.testing.assert_array_equal(world.cold, larger.cold)


def test_other_held_out_users_are_drawn_from_the_same_people(world: World) -> None:
    other = with_other_users(world, 400, seed=1)
    assert set(other.heldout_test["user_id"]) == set(other.user_id) - set(world.user_id)
    assert not set(other.heldout_history["video_id"]) & set(other.heldout_test["video_id"])
    np.testing.assert_array_equal(other.taste[: len(world.taste)], world.taste)
    ours, theirs = world.taste, other.taste[len(world.taste) :]
    np.testing.assert_allclose(theirs.mean(axis=0), world.appeal, atol=4 * theirs.std() / 20)
    np.testing.assert_allclose(np.sort(ours).mean(axis=0), np.sort(theirs).mean(axis=0), atol=0.15)
    assert oracle_nll(other, other.heldout_test).mean() == pytest.approx(
        oracle_nll(world, world.heldout_test).mean(), abs=0.06
    )
    again = with_other_users(world, 400, seed=1)
    pd.testing.assert_frame_equal(other.heldout_test, again.heldout_test)
    assert not np.array_equal(theirs, with_other_users(world, 400, seed=2).taste[len(world.taste) :])


def test_segments_follow_from_durations(world: World) -> None:
    assert ((world.duration_ms >= 20_000) & (world.duration_ms <= 35_000)).all()
    np.testing.assert_array_equal(world.n_segments, np.ceil(world.duration_ms / 5000))
    short_last = world.duration_ms % 5000 > 0
    assert 0.3 < short_last.mean() < 0.7
    live = np.arange(world.segment_topic.shape[1]) < world.n_segments[:, None]
    assert ((world.segment_topic >= 0) == live).all()
    assert set(np.unique(world.segment_topic[live])) == set(range(world.config.topics))


def test_missing_sound_and_words_are_normal(world: World) -> None:
    for flag in (world.has_sound, world.has_title, world.has_subtitles):
        assert 0.6 < flag.mean() < 0.97
    assert (~world.has_title & ~world.has_subtitles).any()


def test_the_held_out_are_held_out(world: World) -> None:
    cold = set(np.array(world.video_id)[world.cold])
    assert len(cold) == world.config.cold_videos
    assert not cold & set(world.train["video_id"])
    assert not cold & set(world.heldout_history["video_id"])
    assert set(world.heldout_test["video_id"]) <= cold
    heldout = set(np.array(world.user_id)[world.heldout])
    assert set(world.heldout_test["user_id"]) == set(world.heldout_history["user_id"]) == heldout
    assert not heldout & set(world.train["user_id"])
    last_known = world.heldout_history.groupby("user_id")["time_ms"].max()
    first_tested = world.heldout_test.groupby("user_id")["time_ms"].min()
    assert (last_known < first_tested).all()


@pytest.mark.parametrize("name", LOGS)
def test_logs_are_what_a_player_writes(world: World, name: str) -> None:
    log = getattr(world, name)
    assert list(log.columns) == ["user_id", "video_id", "time_ms", "duration_ms", "playing_time"]
    assert (log["playing_time"] > 0).all()
    assert (log["duration_ms"].to_numpy() == world.duration_ms[world.codes(log)[1]]).all()
    assert not log.duplicated(["user_id", "video_id"]).any()
    assert (log.groupby("user_id")["time_ms"].diff().dropna() >= 0).all()
    page = log.groupby(["user_id", "time_ms"]).size()
    assert page.between(1, 4).all()
    assert page.nunique() == 4
    n, exit_slot = exits(log)
    assert ((exit_slot >= 0) & (exit_slot <= n)).all()
    assert (log["playing_time"] > log["duration_ms"]).any(), "nobody watches twice"
    assert 0.2 < (exit_slot == n).mean() < 0.6


def test_hazard_is_a_probability_on_real_segments_only(world: World) -> None:
    video = np.arange(len(world.video_id))
    hazard, interest = world.hazard(video % 7, video), world.interest(video % 7, video)
    live = world.segment_topic >= 0
    assert ((hazard[live] > 0) & (hazard[live] < 1)).all()
    assert np.isnan(hazard[~live]).all()
    np.testing.assert_allclose(1 / (1 + np.exp(interest[live])), hazard[live], rtol=1e-12)


def test_hazard_of_one_hand_made_view(world: World) -> None:
    """Taste and patience lower the logit; half a segment carries the risk of half the time."""
    topic = np.full_like(world.segment_topic, -1)
    topic[0, :2] = (1, 0)
    taste = np.zeros_like(world.taste)
    taste[0, :2] = (1.0, 0.5)
    made = dataclasses.replace(
        world,
        segment_topic=topic,
        duration_ms=np.full_like(world.duration_ms, 7500),
        taste=taste,
        patience=np.full_like(world.patience, 0.25),
    )
    first, later = (np.log(h / (1 - h)) for h in (world.config.first_hazard, world.config.later_hazard))
    full_first = 1 / (1 + np.exp(-(first - 0.5 - 0.25)))
    full_second = 1 / (1 + np.exp(-(later + (first - later) / np.e - 1.0 - 0.25)))
    hazard = made.hazard(np.array([0]), np.array([0]))[0]
    np.testing.assert_allclose(hazard[:2], [full_first, 1 - np.sqrt(1 - full_second)], rtol=1e-12)
    assert np.isnan(hazard[2:]).all()


def test_people_leave_as_often_as_the_true_hazard_says() -> None:
    world = simulate(WorldConfig(users=1500, videos=80, seed=3))
    hazard = world.hazard(*world.codes(world.train))
    n, exit_slot = exits(world.train)
    s = np.arange(hazard.shape[1])
    reached = (s <= exit_slot[:, None]) & (s < n[:, None])
    left = (s == exit_slot[:, None])[reached]
    h = hazard[reached]
    segment, topic = np.nonzero(reached)[1], world.segment_topic[world.codes(world.train)[1]][reached]
    decile = np.searchsorted(np.quantile(h, np.linspace(0.05, 0.95, 19)), h)
    scores = []
    for group in (decile, segment, topic):
        for value in np.unique(group):
            inside = group == value
            scores.append((left[inside] - h[inside]).sum() / np.sqrt((h * (1 - h))[inside].sum()))
    assert len(scores) > 30
    assert np.abs(scores).max() < 4
    assert 0.5 < np.mean(np.square(scores)) < 1.7


def test_leaving_within_a_segment_is_uniform(world: World) -> None:
    log = world.train
    n, exit_slot = exits(log)
    skipped = exit_slot < n
    start = exit_slot[skipped] * 5000
    end = np.minimum(start + 5000, log["duration_ms"].to_numpy()[skipped])
    share = (log["playing_time"].to_numpy()[skipped] - start) / (end - start)
    assert ((share > 0) & (share <= 1)).all()
    counts = np.histogram(share, 10, (0, 1))[0]
    assert ((counts - len(share) / 10) ** 2 / (len(share) / 10)).sum() < 30  # chi-square, 9 degrees of freedom


def test_content_features_carry_the_topic_where_they_are_valid(world: World) -> None:
    videos = content_features(world, dim=16, noise=0.3)
    assert [video.video_id for video in videos] == list(world.video_id)
    for modality, present in (("visual", None), ("audio", world.has_sound), ("text", world.has_subtitles)):
        rows = [video.features[modality] for video in videos]
        assert all(row.shape == (n, 16) for row, n in zip(rows, world.n_segments, strict=True))
        valid = np.concatenate([video.valid[modality] for video in videos])
        if present is not None:
            np.testing.assert_array_equal(valid, np.repeat(present, world.n_segments))
        features = np.concatenate(rows)
        assert not features[~valid].any()
        topic = world.segment_topic[world.segment_topic >= 0]
        centre = np.stack([features[valid & (topic == k)].mean(axis=0) for k in range(world.config.topics)])
        guess = ((features[valid][:, None] - centre) ** 2).sum(axis=-1).argmin(axis=1)
        assert (guess == topic[valid]).mean() > 0.99


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"topics": 1}, "topics"),
        ({"topics": 99}, "topics"),
        ({"min_s": 30.0, "max_s": 20.0}, "min_s"),
        ({"users": 0}, "users"),
        ({"videos": 2, "cold_share": 0.0}, "cold"),
    ],
)
def test_impossible_worlds_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WorldConfig(**change)  # type: ignore[arg-type]
