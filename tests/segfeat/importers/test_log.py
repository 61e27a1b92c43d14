"""From watch logs to stores: golden rows, SegMM's own labels, and logs that give no store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from segfeat.importers import log as log_module
from segfeat.importers.log import durations, import_log
from segfeat.interactions import Interactions
from segfeat.log_file import read_interactions
from segfeat.segment import segment_count, segment_spans
from segfeat.store.reader import open_store

SEGMM = """user_id,photo_id,time_ms,duration_ms,playing_time,wtd_effective_view
1,65009,158944427,6183,14012,1
1,397499,205426556,6933,7048,1
2,65009,205660527,6183,2877,0
2,540426,205660527,10000,0,0
3,540426,205660528,0,900,0
3,8,205660528,200000,900,0
3,8,soon,9000,900,0
"""

KUAIRAND = """user_id,video_id,date,hourmin,time_ms,is_click,long_view,play_time_ms,duration_ms
111,3199380,20220408,0,1649349856990,1,1,43454,14233
112,3199380,20220408,0,1649349856990,1,1,2000,14233
"""

Log = Callable[..., Interactions]


@pytest.fixture
def segmm(tmp_path: Path) -> Path:
    path = tmp_path / "segmm.csv"
    path.write_text(SEGMM)
    return path


@pytest.fixture
def kuairand(tmp_path: Path) -> Path:
    path = tmp_path / "kuairand.csv"
    path.write_text(KUAIRAND)
    return path


# -- golden imports ----------------------------------------------------------------------------------------------------


def test_segmm_by_hand(segmm: Path, tmp_path: Path) -> None:
    summary = import_log("segmm", segmm, tmp_path / "store.h5")
    assert summary.rows_read == 7
    assert summary.dropped == {
        "unreadable number": 1,
        "unknown duration": 1,
        "duration of 200 s or more": 1,
        "no watch time": 1,
    }
    assert (summary.views, summary.users, summary.videos, summary.segments, summary.completed) == (3, 2, 2, 4, 2)

    with open_store(tmp_path / "store.h5") as store:
        assert list(store) == ["65009", "397499"]
        assert store.duration_s.tolist() == [6.183, 6.933]
        video = store["65009"]
        np.testing.assert_array_equal(video.spans_s, segment_spans(6.183))
        assert (video.path, video.status, video.decoder, video.segment_text) == ("", "ok", "", ("", ""))
        assert video.features == {}
        assert video.frame_time_s.shape == (2, 0)
        assert store.failures == ()
        assert store.header.parameters == {"imported": "segmm", "max_duration_s": 200.0}

        log = store.interactions
        assert log is not None
        assert log.user_ids.tolist() == ["1", "2"]
        assert log.video_ids[log.video].tolist() == ["65009", "397499", "65009"]
        assert log.watch_ms.tolist() == [14012, 7048, 2877]
        assert log.duration_ms.tolist() == [6183, 6933, 6183]
        assert log.time_ms.tolist() == [158944427, 205426556, 205660527]


def test_kuairand_and_csv_read_the_same_rows(kuairand: Path, tmp_path: Path) -> None:
    for name in ("kuairand", "csv"):
        summary = import_log(name, [kuairand], tmp_path / f"{name}.h5")
        assert (summary.views, summary.users, summary.videos, summary.segments, summary.completed) == (2, 2, 1, 3, 1)


def test_many_shards_give_the_same_store_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{i % 7},v{i % 60},{i},{5000 + 997 * (i % 60)},{100 * i + 1}" for i in range(200)]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["user_id,video_id,time_ms,duration_ms,watch_ms", *rows]))
    whole = import_log("csv", path, tmp_path / "whole.h5")
    monkeypatch.setattr(log_module, "SHARD_SEGMENTS", 50)
    parts = import_log("csv", path, tmp_path / "parts.h5")
    assert parts == whole
    assert whole.videos == 60
    with open_store(tmp_path / "whole.h5") as one, open_store(tmp_path / "parts.h5") as other:
        assert one.content_hash == other.content_hash
        assert list(one) == [f"v{i}" for i in range(60)]
        assert whole.segments == one.segment_total > 5 * log_module.SHARD_SEGMENTS


def test_real_segmm_import(segmm_csv: Path, tmp_path: Path) -> None:
    summary = import_log("segmm", segmm_csv, tmp_path / "store.h5")
    assert (summary.rows_read, summary.views, summary.users) == (6990, 6990, 29)
    assert (summary.videos, summary.segments, summary.completed) == (6568, 56_191, 2285)
    with open_store(tmp_path / "store.h5") as store:
        assert store.offset.tolist() == np.cumsum([0, *(segment_count(s) for s in store.duration_s)]).tolist()


def test_real_kuairand_import(kuairand_csv: Path, tmp_path: Path) -> None:
    summary = import_log("kuairand", kuairand_csv, tmp_path / "store.h5")
    assert (summary.rows_read, summary.views, summary.users) == (27_086, 20_618, 508)
    assert (summary.videos, summary.segments) == (5137, 48_140)


def test_segment_length_and_longest_duration_can_be_chosen(segmm: Path, tmp_path: Path) -> None:
    summary = import_log("segmm", segmm, tmp_path / "store.h5", segment_s=2.0, max_duration_s=6.9)
    assert (summary.views, summary.videos, summary.segments) == (2, 1, 4)
    with open_store(tmp_path / "store.h5") as store:
        assert store.segment_s == 2.0


# -- durations ---------------------------------------------------------------------------------------------------------


def test_the_most_frequent_duration_wins_and_the_first_of_equals(make_log: Log) -> None:
    log = make_log(
        *(("u", "often", t, 1, ms) for t, ms in enumerate([9000, 6000, 6000])),
        *(("u", "even", t, 1, ms) for t, ms in enumerate([8000, 7000, 7000, 8000])),
        ("u", "once", 1, 1, 5001),
    )
    chosen, several = durations(log)
    assert chosen.tolist() == [6000, 8000, 5001]
    assert several == 2


def test_disagreeing_durations_are_counted_and_each_row_keeps_its_own(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        "user_id,video_id,time_ms,duration_ms,watch_ms\n1,a,1,12000,9000\n1,a,2,8000,9000\n1,a,3,8000,9000\n"
    )
    summary = import_log("csv", path, tmp_path / "store.h5")
    assert (summary.several_durations, summary.segments, summary.completed) == (1, 2, 2)
    with open_store(tmp_path / "store.h5") as store:
        assert store["a"].duration_s == 8.0
        assert store.interactions is not None
        assert store.interactions.duration_ms.tolist() == [12000, 8000, 8000]


# -- SegMM's own labels ------------------------------------------------------------------------------------------------

LABELLED = [
    # duration_ms, playing_time, label_1D of the public SegMM sample
    (6183, 14012, "[1 1]"),
    (7366, 2877, "[ 0 -1]"),
    (11800, 10018, "[1 1 0]"),
    (23900, 5052, "[ 1  0 -1 -1 -1]"),
    (27800, 5000, "[ 0 -1 -1 -1 -1 -1]"),
    (10000, 14010, "[1 1]"),
    (25000, 1458, "[ 0 -1 -1 -1 -1]"),
    (83600, 7405, "[ 1  0 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1]"),
]


def label_of(duration_ms: int, watch_ms: int) -> list[int]:
    """Our exit rule in SegMM's words: 1 = seen to its end, 0 = the view ended here, -1 = never reached."""
    n = segment_count(duration_ms / 1000)
    if watch_ms >= duration_ms:
        return [1] * n
    exit_segment = (watch_ms - 1) // 5000
    return [1] * exit_segment + [0] + [-1] * (n - exit_segment - 1)


@pytest.mark.parametrize(("duration_ms", "watch_ms", "label"), LABELLED)
def test_segmm_labels_agree_with_the_exit_rule(duration_ms: int, watch_ms: int, label: str) -> None:
    assert label_of(duration_ms, watch_ms) == [int(x) for x in label.strip("[]").split()]


def test_segmm_labels_agree_on_every_real_row(segmm_csv: Path) -> None:
    log = read_interactions(segmm_csv)
    labels = pd.read_csv(segmm_csv)["label_1D"]
    assert len(labels) == len(log) == 6990
    for label, duration_ms, watch_ms in zip(labels, log.duration_ms.tolist(), log.watch_ms.tolist(), strict=True):
        assert label_of(duration_ms, watch_ms) == [int(x) for x in label.strip("[]").split()]


# -- logs that give no store -------------------------------------------------------------------------------------------


def test_the_wrong_format_names_the_missing_column(kuairand: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"kuairand\.csv: missing column\(s\) playing_time; found user_id, video_id"):
        import_log("segmm", kuairand, tmp_path / "store.h5")
    with pytest.raises(ValueError, match="valid are segmm, kuairand, kuairec, kuaisar, wechat, tenrec, microlens, csv"):
        import_log("netflix", kuairand, tmp_path / "store.h5")


def test_a_log_without_usable_rows_says_why(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user_id,video_id,time_ms,duration_ms,watch_ms\n1,a,1,0,9000\n1,b,2,8000,0\n,b,2,8000,0\n")
    with pytest.raises(ValueError, match=r"among 3: 1 missing id, 1 unknown duration, 1 no watch time"):
        import_log("csv", path, tmp_path / "store.h5")
    path.write_text("user_id,video_id,time_ms,duration_ms,watch_ms\n")
    with pytest.raises(ValueError, match="no usable row among 0"):
        import_log("csv", path, tmp_path / "store.h5")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.csv"]


def test_an_existing_store_is_only_replaced_when_asked(segmm: Path, kuairand: Path, tmp_path: Path) -> None:
    out = tmp_path / "store.h5"
    import_log("segmm", segmm, out)
    before = out.read_bytes()
    with pytest.raises(ValueError, match="exists already"):
        import_log("kuairand", kuairand, out)
    with pytest.raises(ValueError, match="missing column"):
        import_log("segmm", kuairand, out, overwrite=True)
    assert out.read_bytes() == before
    import_log("kuairand", kuairand, out, overwrite=True)
    with open_store(out) as store:
        assert list(store) == ["3199380"]


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
def test_impossible_limits_are_refused(segmm: Path, tmp_path: Path, bad: float) -> None:
    with pytest.raises(ValueError, match="longest duration must be a positive"):
        import_log("segmm", segmm, tmp_path / "store.h5", max_duration_s=bad)
    with pytest.raises(ValueError, match="segment length must be a positive"):
        import_log("segmm", segmm, tmp_path / "store.h5", segment_s=bad)


def test_an_absent_folder_is_named(segmm: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere: no such folder"):
        import_log("segmm", segmm, tmp_path / "nowhere" / "store.h5")


def test_the_summary_counts_every_row_once(segmm: Path, tmp_path: Path) -> None:
    summary = import_log("segmm", segmm, tmp_path / "store.h5")
    assert summary.rows_read == summary.views + sum(summary.dropped.values())
