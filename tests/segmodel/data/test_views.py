"""Views: the exit rule by hand, which rows are left out and why, and what file and log each decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segfeat.interactions import Interactions
from segfeat.log_file import read_interactions
from segfeat.store.reader import FeatureStore
from segmodel.data.views import UNKNOWN, exits, make_views

MakeLog = Callable[..., Interactions]

# watch, duration, N, exit
EXITS = [
    (1, 12_500, 3, 0),
    (5_000, 12_500, 3, 0),  # exactly five seconds are still the first segment
    (5_001, 12_500, 3, 1),
    (10_000, 12_500, 3, 1),
    (10_001, 12_500, 3, 2),
    (12_499, 12_500, 3, 2),
    (12_500, 12_500, 3, 3),  # completed
    (90_000, 12_500, 3, 3),  # watched again and again
    (3_999, 4_000, 1, 0),
    (4_000, 4_000, 1, 1),
    (10_000, 10_000, 2, 2),
    (9_999, 10_000, 2, 1),
    (0, 10_000, 2, UNKNOWN),
    (199_998, 199_999, 40, 39),
    (199_999, 199_999, 40, 40),
]


def columns(rows: list[tuple[int, ...]]) -> list[np.ndarray]:
    return [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)]


def test_exits_by_hand(make_log: MakeLog) -> None:
    watch, duration, segments, wanted = columns(EXITS)
    found, capped = exits(watch, duration, segments)
    np.testing.assert_array_equal(found, wanted)
    assert not capped.any()
    log = make_log(*(("u", f"v{i}", i, w, d) for i, (w, d, _, _) in enumerate(EXITS)))
    views = make_views(log, watch_needed=False)
    np.testing.assert_array_equal(views.segments, segments)
    np.testing.assert_array_equal(views.exit, wanted)
    np.testing.assert_array_equal(views.watched, watch > 0)
    np.testing.assert_array_equal(views.completed, wanted == segments)
    np.testing.assert_allclose(views.watch_s, np.minimum(watch, duration) / 1000)


@given(st.integers(1, 250_000), st.integers(1, 199_999))
def test_the_exit_segment_holds_the_last_watched_millisecond(watch: int, duration: int) -> None:
    n = -(-duration // 5000)
    (exit_,), (capped,) = exits(np.array([watch]), np.array([duration]), np.array([n]))
    assert not capped
    if watch >= duration:
        assert exit_ == n
    else:
        assert exit_ * 5000 < watch <= (exit_ + 1) * 5000
        assert exit_ < n


def test_a_file_shorter_than_the_log_says_caps_the_exit() -> None:
    """The log knows 20 s, the file has 12 s, three segments: leaving after 18 s is leaving in the last one."""
    found, capped = exits(*columns([(18_000, 20_000, 3), (20_000, 20_000, 3), (12_000, 20_000, 3), (0, 20_000, 3)]))
    np.testing.assert_array_equal(found, [2, 3, 2, UNKNOWN])
    np.testing.assert_array_equal(capped, [True, False, False, False])


def test_rows_that_cannot_be_used_are_counted_by_their_first_reason(make_log: MakeLog) -> None:
    log = make_log(
        ("a", "good", 1, 100, 10_000),
        ("a", "endless", 2, 100, 200_000),
        ("a", "nameless", 3, 100, 0),
        ("a", "unwatched", 4, 0, 10_000),
        ("a", "nothing", 5, 0, 0),
        ("a", "long", 6, 100, 60_000),
    )
    log = replace(log, dropped={"duplicate": 2})
    views = make_views(log, max_segments=11)
    assert len(views) == 1
    assert views.dropped == {
        "duplicate": 2,
        "duration of 200 s or more": 1,
        "unknown duration": 2,
        "no watch time": 1,
        "more than 11 segments": 1,
    }
    assert make_views(log, max_duration_s=300.0, max_segments=60).segments.tolist() == [2, 40, 12]
    assert make_views(log, segment_s=2.5).segments.tolist() == [4, 24]


def test_views_stand_by_user_then_time_then_row(make_log: MakeLog) -> None:
    log = make_log(("b", "v", 9, 1, 9_000), ("a", "v", 5, 2, 9_000), ("b", "w", 3, 3, 9_000), ("a", "w", 5, 4, 9_000))
    views = make_views(log)
    assert views.log_row.tolist() == [2, 0, 1, 3]
    assert views.user_ids[views.user].tolist() == ["b", "b", "a", "a"]
    assert views.watch_ms.tolist() == [3, 1, 2, 4]
    assert repr(views) == "<Views: 4 of 2 users and 2 videos, 0% completed>"
    part = views.take(np.array([False, True, True, False]))
    assert part.log_row.tolist() == [0, 1]
    assert part.user_ids is views.user_ids


def test_segments_come_from_the_file_and_completion_from_the_log(store_path: Path, make_log: MakeLog) -> None:
    store = FeatureStore(store_path)
    ids = list(store)
    file_ms = {v: round(store.duration_s[store.rows[v]] * 1000) for v in ids}
    long = next(v for v in ids if file_ms[v] > 10_000)
    log = make_log(
        ("a", long, 1, 4_000, 4_000),  # completed, says the log
        ("a", long, 2, file_ms[long], 0),  # the log knows no duration: the file's
        ("a", "elsewhere", 3, 1_000, 7_000),  # not in the store
    )
    views = make_views(log, store)
    n = -(-file_ms[long] // 5000)
    assert views.segments.tolist() == [n, n, 2]
    assert views.exit.tolist() == [n, n, 0]
    assert views.duration_ms.tolist() == [4_000, file_ms[long], 7_000]
    assert views.picture_s.tolist() == [file_ms[long] / 1000, file_ms[long] / 1000, 7.0]
    assert views.store_row.tolist() == [store.rows[long], store.rows[long], UNKNOWN]


def test_an_empty_log_gives_no_views(make_log: MakeLog) -> None:
    views = make_views(make_log())
    assert len(views) == 0
    assert "0 of 0 users" in repr(views)


def test_the_public_labels_of_real_views_are_ours(segmm_csv: Path) -> None:
    """SegMM's own ``label_1D``: ones for watched segments, 0 where the user left."""
    import pandas as pd

    labels = pd.read_csv(segmm_csv).label_1D.str.strip("[]").str.split()
    views = make_views(read_interactions(segmm_csv))
    assert len(views) == len(labels)
    for row, n, exit_ in zip(views.log_row[::7], views.segments[::7], views.exit[::7], strict=True):
        label = [int(x) for x in labels[row]]
        assert len(label) == n
        assert label[:exit_] == [1] * exit_
        assert exit_ == n or label[exit_] == 0


@pytest.mark.parametrize("segment_s", [2.0, 5.0])
def test_whole_multiples_have_no_sliver_segment(make_log: MakeLog, segment_s: float) -> None:
    log = make_log(*(("u", f"v{k}", k, 1, round(k * segment_s * 1000)) for k in range(1, 30)))
    assert make_views(log, segment_s=segment_s).segments.tolist() == list(range(1, 30))
