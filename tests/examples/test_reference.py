"""The defaults leave something to learn, it can be learned, and it is content and taste that teach it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from examples.world import (
    DurationHazard,
    DurationPosition,
    World,
    WorldConfig,
    exits,
    oracle_nll,
    permute_ratios,
    simulate,
)


def _log(rows: list[tuple[int, int]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["duration_ms", "playing_time"])


def test_duration_position_by_hand() -> None:
    train = _log([(10_000, 1_000), (10_000, 10_000), (15_000, 6_000), (15_000, 12_000)])
    model = DurationPosition.fit(train, max_segments=4)
    share = np.array([1.5, 1.5, 1.5, 0.5]) / 5
    np.testing.assert_allclose(model.position, share)
    complete = {2: (1 + 10 * 0.25) / 12, 3: (0 + 10 * 0.25) / 12}
    nll = model.nll(_log([(10_000, 5_001), (10_000, 10_000), (15_000, 1)]))
    expected = [(1 - complete[2]) / 2, complete[2], (1 - complete[3]) / 3]
    np.testing.assert_allclose(np.exp(-nll), expected)


@pytest.mark.parametrize("rule", [DurationPosition, DurationHazard])
def test_references_are_distributions_over_exits(world: World, rule: type[DurationPosition | DurationHazard]) -> None:
    model = rule.fit(world.train)
    slots = _log([(27_000, watch) for watch in (1, 5_001, 10_001, 15_001, 20_001, 25_001, 27_000)])
    assert np.exp(-model.nll(slots)).sum() == pytest.approx(1)


def test_oracle_is_a_distribution_over_exits(world: World) -> None:
    row = world.heldout_test.iloc[[0]]
    n, duration_ms = int(exits(row)[0][0]), int(row["duration_ms"].iloc[0])
    slots = pd.concat(
        [row.assign(playing_time=s * 5000 + 1) for s in range(n)] + [row.assign(playing_time=duration_ms)]
    )
    assert np.exp(-oracle_nll(world, slots)).sum() == pytest.approx(1)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_duration_position_lies_between_trivial_and_hopeless(seed: int) -> None:
    world = simulate(WorldConfig(seed=seed))
    oracle = oracle_nll(world, world.heldout_test).mean()
    position = DurationPosition.fit(world.train).nll(world.heldout_test).mean()
    hazard = DurationHazard.fit(world.train).nll(world.heldout_test).mean()
    assert 0.15 < position - oracle < 0.3
    assert abs(position - hazard) < 0.02, "length alone must not be what there is to learn"


def _taste_reader(world: World, history: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """NLL (rows,) of a reader who sees topics and knows the rules, but has only a user's history to tell their taste.

    Each topic is liked or disliked, half of them each; the history's exits give the odds.
    """
    config = world.config
    first, later = (np.log(h / (1 - h)) for h in (config.first_hazard, config.later_hazard))
    base = later + (first - later) * np.exp(-np.arange(world.segment_topic.shape[1]))
    length = np.clip(world.duration_ms[:, None] - 5000 * np.arange(len(base)), 0, 5000) / 5000
    # Hazard (2, V, S) of those who like and of those who dislike what a segment shows.
    full = 1 / (1 + np.exp(-(base - np.array([config.liking, -config.liking])[:, None])))
    hazard = 1 - (1 - full[:, None, :]) ** length[None]

    log_odds = np.zeros((len(world.user_id), config.topics))
    user, video = world.codes(history)
    n, exit_slot = exits(history)
    for s in range(len(base)):
        live = (s <= exit_slot) & (s < n)
        like, dislike = hazard[:, video[live], s]
        left = exit_slot[live] == s
        evidence = np.where(left, np.log(like / dislike), np.log((1 - like) / (1 - dislike)))
        np.add.at(log_odds, (user[live], world.segment_topic[video[live], s]), evidence)
    liked = 1 / (1 + np.exp(-log_odds))

    user, video = world.codes(test)
    n, exit_slot = exits(test)
    p = np.take_along_axis(liked[user], np.maximum(world.segment_topic[video], 0), axis=1)
    h = p * hazard[0, video] + (1 - p) * hazard[1, video]
    s = np.arange(len(base))
    stays = np.where(s < np.minimum(exit_slot, n)[:, None], -np.log1p(-h), 0).sum(axis=1)
    leaves = -np.log(h[np.arange(len(h)), np.minimum(exit_slot, n - 1)])
    return stays + np.where(exit_slot < n, leaves, 0)


def test_tastes_can_be_read_from_what_was_watched(world: World) -> None:
    """Most of the distance to the oracle is closed from history and content; with another user's history nothing is."""
    oracle = oracle_nll(world, world.heldout_test).mean()
    position = DurationPosition.fit(world.train).nll(world.heldout_test).mean()
    reader = _taste_reader(world, world.heldout_history, world.heldout_test).mean()
    assert (position - reader) / (position - oracle) > 0.55
    names = world.heldout_history["user_id"].unique()
    swapped = dict(zip(names, np.roll(names, 1), strict=True))
    history = world.heldout_history.assign(user_id=world.heldout_history["user_id"].map(swapped))
    assert _taste_reader(world, history, world.heldout_test).mean() > position


def test_nothing_can_be_read_from_permuted_logs(world: World) -> None:
    train, history, test = (permute_ratios(log) for log in (world.train, world.heldout_history, world.heldout_test))
    reference = DurationHazard.fit(train).nll(test)
    assert _taste_reader(world, history, test).mean() > reference.mean()
    assert oracle_nll(world, test).mean() > reference.mean()
    gain = DurationPosition.fit(train).nll(test) - reference
    by_user = pd.Series(gain).groupby(test["user_id"]).mean()
    assert abs(by_user.mean()) < 2 * by_user.std() / np.sqrt(len(by_user))
