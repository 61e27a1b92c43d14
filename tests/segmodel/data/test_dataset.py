"""Histories: strictly earlier views of the same user, whatever the order of the file, and their newest segments."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segfeat.interactions import Interactions
from segmodel.data.dataset import HISTORY_SEGMENTS, HISTORY_VIEWS, Dataset, make_dataset

MakeLog = Callable[..., Interactions]
Row = tuple[str, str, int, int, int]


def history_videos(data: Dataset) -> dict[tuple[str, str, int], list[str]]:
    """Videos of each view's history, oldest first."""
    v, past = data.views, data.past
    return {
        (str(v.user_ids[v.user[i]]), str(v.video_ids[v.video[i]]), int(v.time_ms[i])): [
            str(past.video_ids[past.video[row]]) for row in range(*data.history[i])
        ]
        for i in range(len(data))
    }


def test_views_of_one_time_never_see_each_other(make_log: MakeLog) -> None:
    rows: list[Row] = [
        ("a", "v1", 10, 1, 9_000),
        ("a", "v2", 20, 1, 9_000),
        ("b", "w", 5, 1, 9_000),
        ("a", "v3", 20, 1, 9_000),
        ("a", "v4", 30, 1, 9_000),
    ]
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 3, 0, 1]):
        found = history_videos(make_dataset(make_log(*(rows[i] for i in order))))
        assert found["a", "v1", 10] == found["b", "w", 5] == []
        assert found["a", "v2", 20] == found["a", "v3", 20] == ["v1"]
        assert sorted(found["a", "v4", 30]) == ["v1", "v2", "v3"]


def test_unusable_views_are_no_history(make_log: MakeLog) -> None:
    data = make_dataset(
        make_log(("a", "long", 1, 5, 900_000), ("a", "unwatched", 2, 0, 9_000), ("a", "v", 3, 5, 9_000))
    )
    assert history_videos(data) == {("a", "v", 3): []}


def test_pairs_see_the_log_and_earlier_watched_pairs(make_log: MakeLog) -> None:
    log = make_log(("a", "v1", 10, 1, 9_000), ("c", "x", 1, 1, 9_000), ("a", "v2", 40, 1, 9_000))
    pairs = make_log(
        ("new", "p1", 10, 3, 9_000),
        ("new", "p2", 20, 0, 9_000),  # to predict, no watch time: nobody's history
        ("new", "p3", 30, 0, 9_000),
        ("new", "p4", 30, 3, 9_000),
        ("a", "p3", 30, 0, 9_000),
        ("a", "v2", 40, 1, 9_000),  # known already
        ("a", "p1", 50, 0, 9_000),
    )
    found = history_videos(make_dataset(log, pairs=pairs))
    assert found == {
        ("new", "p1", 10): [],
        ("new", "p2", 20): ["p1"],
        ("new", "p3", 30): ["p1"],
        ("new", "p4", 30): ["p1"],
        ("a", "p3", 30): ["v1"],
        ("a", "v2", 40): ["v1"],
        ("a", "p1", 50): ["v1", "v2"],
    }


def test_an_empty_log_and_views_taken_from_a_dataset(make_log: MakeLog) -> None:
    assert len(make_dataset(make_log())) == 0
    pairs = make_dataset(make_log(), pairs=make_log(("a", "v", 1, 0, 9_000)))
    assert history_videos(pairs) == {("a", "v", 1): []}
    data = make_dataset(make_log(*(("a", f"v{i}", i, 1, 9_000) for i in range(6))))
    part = data.take(np.array([1, 4]))
    assert history_videos(part) == {("a", "v1", 1): ["v0"], ("a", "v4", 4): ["v0", "v1", "v2", "v3"]}
    assert part.past is data.past


def test_the_last_views_stand_on_the_right(make_log: MakeLog) -> None:
    data = make_dataset(make_log(*(("a", f"v{i}", i, 1, 9_000) for i in range(HISTORY_VIEWS + 5))))
    last = data.last_views
    assert last.shape == (HISTORY_VIEWS + 5, HISTORY_VIEWS)
    assert last[0].tolist() == [-1] * HISTORY_VIEWS
    assert last[2].tolist() == [-1] * (HISTORY_VIEWS - 2) + [0, 1]
    assert last[-1].tolist() == list(range(4, HISTORY_VIEWS + 4))


def test_history_segments_by_hand(make_log: MakeLog) -> None:
    """Left in segment 1: segments 0 and 1 were seen; completed, all of two; then the view itself."""
    data = make_dataset(
        make_log(("a", "left", 1, 7_000, 30_000), ("a", "whole", 2, 9_000, 9_000), ("a", "now", 3, 1, 9_000))
    )
    past_row, segment = data.history_segments(np.array([2, 0]))
    assert past_row[0, -5:].tolist() == [-1, 0, 0, 1, 1]
    assert segment[0, -5:].tolist() == [0, 0, 1, 0, 1]
    assert (past_row[0, :-4] == -1).all()
    assert (past_row[1] == -1).all()
    assert not segment[1].any()


def test_only_the_newest_segments_are_kept(make_log: MakeLog) -> None:
    """Four views of forty segments, all seen: of the oldest nothing, of the next the last twenty."""
    data = make_dataset(make_log(*(("a", f"v{i}", i, 199_000, 199_000) for i in range(5))))
    (past_row,), (segment,) = data.history_segments(np.array([4]))
    assert past_row.tolist() == [1] * 20 + [2] * 40 + [3] * 40
    assert segment.tolist() == [*range(20, 40), *range(40), *range(40)]


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 40), st.integers(1, 200_000), st.integers(1, 199_999)),
        min_size=1,
        max_size=60,
    )
)
@pytest.mark.filterwarnings("error")
def test_histories_agree_with_the_plain_definition(rows: list[tuple[int, int, int, int]]) -> None:
    columns = [np.array(c, dtype=np.int64) for c in zip(*rows, strict=True)]
    user, time_ms, watch_ms, duration_ms = columns
    n = len(rows)
    ids = np.array([f"x{i}" for i in range(n + 3)], object)
    data = make_dataset(
        Interactions(ids, ids, user.astype(np.int32), np.arange(n, dtype=np.int32), time_ms, watch_ms, duration_ms)
    )
    v = data.views
    past_row, segment = data.history_segments(np.arange(n))
    assert past_row.shape == segment.shape == (n, HISTORY_SEGMENTS)
    for i in range(n):
        earlier = [j for j in range(n) if v.user[j] == v.user[i] and v.time_ms[j] < v.time_ms[i]]
        assert list(range(*data.history[i])) == earlier
        seen = [(j, s) for j in earlier[-HISTORY_VIEWS:] for s in range(min(v.exit[j] + 1, v.segments[j]))]
        seen = seen[-HISTORY_SEGMENTS:]
        there = past_row[i] >= 0
        assert list(zip(past_row[i][there], segment[i][there], strict=True)) == seen
        assert not there[: HISTORY_SEGMENTS - len(seen)].any()
    # As many as asked for, of the whole history.
    all_rows, all_segments = data.history_segments(np.arange(n), 30, views=None)
    for i in range(n):
        seen = [(j, s) for j in range(*data.history[i]) for s in range(min(v.exit[j] + 1, v.segments[j]))]
        there = all_rows[i] >= 0
        assert list(zip(all_rows[i][there], all_segments[i][there], strict=True)) == seen[-30:]
