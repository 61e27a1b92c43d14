"""Splits: shares, order in time, tied groups whole, short users, and the leak of the random one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segfeat.interactions import Interactions
from segmodel.data.splits import MIN_VIEWS, SPLITS, leave_out_split, parse_leave_out, random_split, temporal_split
from segmodel.data.views import Views, make_views

MakeLog = Callable[..., Interactions]


def views_at(make_log: MakeLog, *times: list[int]) -> Views:
    """Views of one user per list, at these times."""
    return make_views(
        make_log(*((f"u{u}", f"v{i}", t, 1, 9_000) for u, ts in enumerate(times) for i, t in enumerate(ts)))
    )


def parts(split: object) -> tuple[list[int], list[int], list[int]]:
    return tuple(getattr(split, part).tolist() for part in ("train", "valid", "test"))  # type: ignore[return-value]


def test_ten_views_by_hand(make_log: MakeLog) -> None:
    views = views_at(make_log, list(range(10)))
    assert parts(temporal_split(views)) == (list(range(8)), [8], [9])
    assert parts(temporal_split(views, 0.6)) == (list(range(6)), [6], [7, 8, 9])
    assert parts(temporal_split(views, 0.5, 0.25)) == (list(range(5)), [5, 6, 7], [8, 9])
    # 0.1 + 0.2 is a little more than 0.3 in binary.
    assert parts(temporal_split(views, 0.1, 0.2)) == ([0], [1, 2], list(range(3, 10)))


@pytest.mark.parametrize("start", [0.7, 0.8, 0.9])
def test_test_windows_start_at_whole_shares(make_log: MakeLog, start: float) -> None:
    """No view moves because a share has no exact binary fraction."""
    for n in (10, 20, 50, 100, 200):
        split = temporal_split(views_at(make_log, list(range(n))), round(start - 0.1, 9))
        assert split.test[0] == round(start * n)
        assert split.valid[0] == round((start - 0.1) * n)


def test_a_tied_group_goes_whole_to_the_earlier_part(make_log: MakeLog) -> None:
    views = views_at(make_log, [0, 1, 2, 3, 4, 5, 6, 7, 7, 9], [0, 1, 2, 3, 4, 5, 6, 7, 8, 8], [0] * 10)
    split = temporal_split(views)
    assert split.valid.tolist() == [18, 19]
    assert split.test.tolist() == [9]
    assert set(range(20, 30)) <= set(split.train.tolist())


def test_users_with_few_views_only_train(make_log: MakeLog) -> None:
    views = views_at(make_log, list(range(MIN_VIEWS - 1)), list(range(MIN_VIEWS)))
    for split in (temporal_split(views), temporal_split(views, 0.5, 0.3), random_split(views)):
        assert set(range(MIN_VIEWS - 1)) <= set(split.train.tolist())
        assert len(split.valid) == 1


def test_shares_must_leave_something_to_test(make_log: MakeLog) -> None:
    views = views_at(make_log, list(range(10)))
    for share in (0.0, 0.9, 1.0):
        with pytest.raises(ValueError, match="must leave some views to test"):
            temporal_split(views, share)


def test_no_views_no_split(make_log: MakeLog) -> None:
    for make in SPLITS.values():
        assert parts(make(make_views(make_log()))) == ([], [], [])


@given(st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=30), min_size=1, max_size=4))
def test_parts_are_disjoint_complete_and_in_order(times: list[list[int]]) -> None:
    n = sum(map(len, times))
    log = Interactions(
        np.array([f"u{i}" for i in range(len(times))], object),
        np.array([f"v{i}" for i in range(n)], object),
        np.repeat(np.arange(len(times)), [len(t) for t in times]).astype(np.int32),
        np.arange(n, dtype=np.int32),
        np.concatenate(times).astype(np.int64),
        np.ones(n, np.int64),
        np.full(n, 9_000, np.int64),
    )
    views = make_views(log)
    for make in (temporal_split, random_split):
        split = make(views)
        assert sorted([*split.train, *split.valid, *split.test]) == list(range(n))
    split = temporal_split(views)
    for user in range(len(times)):
        train, valid, test = (
            views.time_ms[part][views.user[part] == user] for part in (split.train, split.valid, split.test)
        )
        assert train.size
        # Strictly later, so that no tied group is torn apart.
        assert train.max() < min(valid.min(initial=99), test.min(initial=99))
        assert valid.max(initial=-1) < test.min(initial=99)


def test_the_random_split_is_seeded_and_within_users(make_log: MakeLog) -> None:
    views = views_at(make_log, list(range(50)), list(range(100)))
    split = random_split(views, seed=1)
    assert [int((views.user[p] == 0).sum()) for p in (split.train, split.valid, split.test)] == [40, 5, 5]
    assert [int((views.user[p] == 1).sum()) for p in (split.train, split.valid, split.test)] == [80, 10, 10]
    assert parts(random_split(views, seed=1)) == parts(split)
    assert parts(random_split(views, seed=2)) != parts(split)
    # It leaks: test views come before training views.
    assert split.test.min() < split.train.max()
    assert repr(split) == "<Split: 120 train, 15 validation, 15 test>"


def test_leaving_out_by_hand(make_log: MakeLog) -> None:
    """Left-out views test where they come after all that trains or validates of their user."""
    # 10 views each; 8 train, 1 validates, 1 tests. The last user has left-out views alone.
    views = views_at(make_log, list(range(10)), list(range(10)), [*range(8), 8, 8], list(range(10)))
    left_out = np.zeros(40, dtype=bool)
    left_out[[3, 9]] = True  # the first too early
    left_out[[17, 18]] = True  # the last view trains no more, and what tests comes after view 16
    left_out[[28]] = True  # at the same time as 29, which goes to validation with it
    left_out[30:] = True
    split = leave_out_split(views, left_out)
    train = [*range(3), *range(4, 8), *range(10, 17), *range(20, 28)]
    assert parts(split) == (train, [8, 29], [9, 17, 18, *range(30, 40)])
    assert split.dropped == {
        "left-out views not after their user's last training view": 2, "other views of the test window": 1
    }  # fmt: skip
    rows = np.concatenate([split.train, split.valid, split.test])
    assert len(np.unique(rows)) == len(rows) == 40 - sum(split.dropped.values())


@pytest.mark.parametrize("seed", range(5))
def test_leaving_out_never_trains_on_what_comes_later(make_log: MakeLog, seed: int) -> None:
    rng = np.random.default_rng(seed)
    views = views_at(make_log, *(sorted(rng.integers(0, 30, n).tolist()) for n in rng.integers(1, 40, 12)))
    left_out = rng.random(len(views)) < 0.3
    split, whole = leave_out_split(views, left_out), temporal_split(views)
    assert not left_out[np.r_[split.train, split.valid]].any()
    assert left_out[split.test].all()
    assert set(whole.test[left_out[whole.test]]) <= set(split.test)
    for row in split.test:
        mine = [i for i in (*split.train, *split.valid) if views.user[i] == views.user[row]]
        assert all(views.time_ms[i] < views.time_ms[row] for i in mine)


def test_what_to_leave_out_is_read() -> None:
    assert parse_leave_out("temporal") is None
    assert parse_leave_out("leave-out tab=1") == ("tab", "1")
    assert parse_leave_out("leave-out a/users.csv:age=18=24") == ("a/users.csv:age", "18=24")
    for wrong in ("leave-out", "leave-out tab", "leave-out =1", "leave-out tab="):
        with pytest.raises(ValueError, match="NAME=VALUE"):
            parse_leave_out(wrong)
