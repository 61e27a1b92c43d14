"""The user filter against one Newton step written out view by view and segment by segment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from segmodel.data.dataset import Dataset, make_dataset
from segmodel.models.hazard.user_filter import DIRECTIONS, FILTER_VIEWS, filter_users, surprise_sums

WIDTH = 7


def _hazards(data: Dataset, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).uniform(0.05, 0.6, (len(data), WIDTH))
    return np.where(np.arange(WIDTH)[None, :] < data.views.segments[:, None], drawn, 0.0)


def _direction(s: int, n: int, h: float, cold: bool) -> np.ndarray:
    to_end = n - 1 - s
    x = np.zeros(DIRECTIONS)
    x[0] = 0.15
    if to_end == 0:
        place = 6
    elif s == 0:
        place = 1 if n <= 4 else 2
    elif s <= 3:
        place = 3
    else:
        place = 4 if to_end > 2 else 5
    x[place] = 0.2
    if cold:
        x[7 if s == 0 else 8] = 0.2
    x[9] = 0.1 * min(max(np.log(h / (1 - h)) + 2, -3), 3)
    return x


def _newton(data: Dataset, row: int, hazard: np.ndarray, cold: np.ndarray) -> np.ndarray:
    """Corrected hazards of one view; all views are their own past."""
    views = data.views
    precision, pull = np.eye(DIRECTIONS), np.zeros(DIRECTIONS)
    for i in range(len(views)):
        if views.user[i] != views.user[row] or views.time_ms[i] >= views.time_ms[row]:
            continue
        n, exit_ = int(views.segments[i]), int(views.exit[i])
        for s in range(min(exit_ + 1, n)):
            h = hazard[i, s]
            x = _direction(s, n, h, bool(cold[i]))
            pull += x * ((s == exit_) - h)
            precision += h * (1 - h) * np.outer(x, x)
    b = np.linalg.solve(precision, pull)
    n = int(views.segments[row])
    shifted = [
        np.log(h / (1 - h)) + _direction(s, n, h, bool(cold[row])) @ b for s, h in enumerate(hazard[row, :n].tolist())
    ]
    return np.pad(1 / (1 + np.exp(-np.array(shifted))), (0, WIDTH - n))


def test_equals_a_newton_step_written_out(small: Any) -> None:
    data = small.data
    hazard, cold = _hazards(data), np.arange(len(data)) % 3 == 0
    found = filter_users(data, hazard, cold, surprise_sums(data.past, hazard, cold))
    for row in range(60, 80):
        np.testing.assert_allclose(found[row], _newton(data, row, hazard, cold), atol=1e-9)


def test_without_history_nothing_changes(small: Any) -> None:
    data = small.data
    hazard, cold = _hazards(data), np.zeros(len(data), bool)
    found = filter_users(data, hazard, cold, surprise_sums(data.past, hazard, cold))
    first = data.history[:, 0] == data.history[:, 1]
    assert first.sum() >= 12
    np.testing.assert_allclose(found[first], hazard[first], atol=1e-6)
    assert np.abs(found[~first] - hazard[~first]).max() > 0.01
    blank = replace(data, past=data.past.take(np.zeros(0, np.int64)), history=np.zeros_like(data.history))
    sums = surprise_sums(blank.past, np.zeros((0, WIDTH)), np.zeros(0, bool))
    np.testing.assert_allclose(filter_users(blank, hazard, cold, sums), hazard, atol=1e-6)


@pytest.mark.parametrize(("watch_ms", "direction"), [(1_000, 1), (20_000, -1)])
def test_who_always_leaves_is_expected_to_leave(
    interactions: Callable[[Any], Any], watch_ms: int, direction: int
) -> None:
    data = make_dataset(interactions([("a", f"v{i:02d}", i * 60_000, watch_ms, 20_000) for i in range(30)]))
    hazard, cold = np.where(np.arange(WIDTH)[None, :] < 4, 0.2, 0.0).repeat(30, axis=0), np.zeros(30, bool)
    found = filter_users(data, hazard, cold, surprise_sums(data.past, hazard, cold))
    # More of the same moves further, and never to certainty.
    assert (direction * np.diff(found[:, 0]) > 0).all()
    assert direction * (found[-1, 0] - 0.2) > 0.05
    assert ((found[:, :4] > 0) & (found[:, :4] < 1)).all()
    assert not found[:, 4:].any()


def test_only_the_newest_views_count(interactions: Callable[[Any], Any]) -> None:
    n = FILTER_VIEWS + 20

    def last(watched: list[int]) -> np.ndarray:
        data = make_dataset(interactions([("a", f"v{i:03d}", i * 60_000, w, 5_000) for i, w in enumerate(watched)]))
        hazard, cold = np.zeros((n, 1)) + 0.3, np.zeros(n, bool)
        found: np.ndarray = filter_users(data, hazard, cold, surprise_sums(data.past, hazard, cold))[-1]
        return found

    mixed = [1_000 if i % 2 else 5_000 for i in range(n)]
    np.testing.assert_allclose(last([1_000] * 10 + mixed[10:]), last(mixed), atol=1e-9)
    assert abs(last(mixed[:-10] + [1_000] * 10) - last(mixed)) > 1e-4
