from __future__ import annotations

import numpy as np
import pandas as pd

from examples.world import World, exits, permute_ratios


def test_exits_by_hand() -> None:
    rows = [  # duration, watch, N, exit slot
        (10_000, 1, 2, 0),
        (10_000, 5_000, 2, 0),
        (10_000, 5_001, 2, 1),
        (10_000, 9_999, 2, 1),
        (10_000, 10_000, 2, 2),
        (10_000, 25_000, 2, 2),
        (10_001, 10_000, 3, 1),
        (4_000, 3_999, 1, 0),
        (4_000, 4_000, 1, 1),
    ]
    log = pd.DataFrame(rows, columns=["duration_ms", "playing_time", "n", "exit"])
    n, exit_slot = exits(log)
    np.testing.assert_array_equal(n, log["n"])
    np.testing.assert_array_equal(exit_slot, log["exit"])


def test_permuting_keeps_the_ratios_and_everything_else(world: World) -> None:
    log = world.train
    new = permute_ratios(log)
    pd.testing.assert_frame_equal(new.drop(columns="playing_time"), log.drop(columns="playing_time"))
    pd.testing.assert_frame_equal(new, permute_ratios(log))
    old_ratio = np.sort(log["playing_time"] / log["duration_ms"])
    new_ratio = np.sort(new["playing_time"] / new["duration_ms"])
    np.testing.assert_allclose(old_ratio, new_ratio, atol=1e-3)
    assert (old_ratio >= 1).sum() == (new_ratio >= 1).sum()
    assert (new["playing_time"] > 0).all()
    assert (new["playing_time"] != log["playing_time"]).mean() > 0.7


def test_permuting_within_lengths_keeps_the_exits_of_every_length(world: World) -> None:
    n, old = exits(world.train)
    new = exits(permute_ratios(world.train, within_length=True))[1]
    moved = 0
    for length in np.unique(n):
        old_count, new_count = (np.bincount(e[n == length], minlength=length + 1) for e in (old, new))
        assert old_count[length] == new_count[length]
        # Equally many segments is not equally many milliseconds: a few exits move across a border.
        moved += np.abs(old_count - new_count).sum() / 2
    assert moved < 0.05 * len(n)
    assert (old != new).mean() > 0.5


def test_after_permuting_the_hazard_says_nothing_about_exits(world: World) -> None:
    first_hazard = world.hazard(*world.codes(world.train))[:, 0]
    low, high = np.quantile(first_hazard, [0.25, 0.75])

    def difference(log: pd.DataFrame) -> tuple[float, float]:
        """How much oftener the risky quarter leaves at once than the safe one, and the standard error of that."""
        left = exits(log)[1] == 0
        risky, safe = left[first_hazard >= high], left[first_hazard <= low]
        error = np.sqrt(risky.var() / len(risky) + safe.var() / len(safe))
        return risky.mean() - safe.mean(), error

    real, real_error = difference(world.train)
    null, null_error = difference(permute_ratios(world.train))
    assert real > 20 * real_error
    assert abs(null) < 3 * null_error
