"""Edit suggestions: observed against expected exits, and the files that editors read."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from segfeat.interactions import Interactions
from segmodel.data.dataset import Dataset, make_dataset
from segmodel.media.edit_list import SegmentExits, exits_table, segment_exits, time_code, write_edl


def world(planted: float, viewers: int = 400, others: int = 12) -> Dataset:
    """Users who leave 20 s videos with hazard 0.2, but the third segment of "bad" with ``planted``."""
    rng = np.random.default_rng(1)
    videos = ["bad", *(f"v{i}" for i in range(others))]
    video = np.repeat(np.arange(len(videos), dtype=np.int32), viewers)
    hazard = np.full((len(video), 4), 0.2)
    hazard[video == 0, 2] = planted
    leaves = rng.random(hazard.shape) < hazard
    watch = np.where(leaves.any(axis=1), leaves.argmax(axis=1) * 5_000 + 2_500, 20_000)
    n = len(video)
    return make_dataset(
        Interactions(
            np.array([f"u{i}" for i in range(n)], object),
            np.array(videos, object),
            np.arange(n, dtype=np.int32),
            video,
            np.zeros(n, np.int64),
            watch.astype(np.int64),
            np.full(n, 20_000, np.int64),
        )
    )


def test_a_planted_bad_segment_is_found_and_no_other() -> None:
    found = segment_exits(world(0.5), "bad")
    assert [s.loses_viewers for s in found] == [False, False, True, False]
    assert found[2].low < 0.5 / 0.2 < found[2].high
    assert found[0].reached == 400
    assert all(a.reached - a.left == b.reached for a, b in pairwise(found))


def test_ordinary_videos_have_no_suggestions() -> None:
    """Thirteen videos of four segments: 1.3 segments with an interval above 1 are to be expected."""
    data = world(0.2)
    found = [s for v in data.views.video_ids for s in segment_exits(data, v)]
    assert sum(s.loses_viewers for s in found) <= 1
    assert sum(s.low > 1 for s in found) <= 4


def test_the_video_does_not_vote_on_its_own_expectation() -> None:
    """Even where it has most of the views."""
    few = segment_exits(world(0.6, others=1), "bad")
    assert few[2].lift == pytest.approx(3.0, rel=0.3)


def test_the_interval_is_clopper_and_pearsons() -> None:
    for s in segment_exits(world(0.5, viewers=40), "bad"):
        exact = binomtest(s.left, s.reached).proportion_ci(0.95, "exact")
        scale = s.reached / s.expected
        assert (s.low, s.high) == pytest.approx((exact.low * scale, exact.high * scale))
        assert s.lift == pytest.approx(s.left / s.expected)


def test_segments_that_nobody_reached_say_nothing() -> None:
    log = Interactions(
        np.array(["a", "b"], object), np.array(["x", "y"], object), np.array([0, 1], np.int32),
        np.array([0, 1], np.int32), np.zeros(2, np.int64), np.array([1_000, 9_000], np.int64),
        np.array([10_000, 10_000], np.int64),
    )  # fmt: skip
    last = segment_exits(make_dataset(log), "x")[1]
    assert (last.reached, last.left, last.loses_viewers) == (0, 0, False)
    assert math.isnan(last.lift)


def test_unknown_and_lonely_videos_are_named() -> None:
    data = world(0.5, viewers=5, others=1)
    with pytest.raises(ValueError, match="no usable view of video 'nothing'"):
        segment_exits(data, "nothing")
    lonely = data.take(np.flatnonzero(data.views.video == 0))
    with pytest.raises(ValueError, match="only one in the log"):
        segment_exits(lonely, "bad")


def test_the_table_has_every_segment() -> None:
    found = segment_exits(world(0.5, viewers=50), "bad")
    table = exits_table("bad", found)
    assert list(table.segment) == [0, 1, 2, 3]
    assert list(table.end_s) == [5.0, 10.0, 15.0, 20.0]
    assert table.left.tolist() == [s.left for s in found]


BAD = SegmentExits(2, 10.0, 13.2, 200, 90, 40.0, 2.25, 1.93, 2.58, True)
FINE = SegmentExits(0, 0.0, 5.0, 400, 80, 80.0, 1.0, 0.81, 1.2, False)


def test_the_edl_by_hand(tmp_path: Path) -> None:
    assert write_edl(tmp_path / "e.edl", "bäd\nTITLE: x", [FINE, BAD], "clip.mp4", 25.0) == 1
    assert (tmp_path / "e.edl").read_bytes().decode("ascii").split("\r\n") == [
        "TITLE: b_d_TITLE: x",
        "FCM: NON-DROP FRAME",
        "",
        "001  AX       V     C        00:00:10:00 00:00:13:05 00:00:10:00 00:00:13:05",
        "* FROM CLIP NAME: clip.mp4",
        "* LOC: 00:00:10:00 RED     LIFT 2.25 (1.93 TO 2.58): 90 OF 200 LEFT",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("time_s", "fps", "code"),
    [
        (0.0, 25.0, "00:00:00:00"),
        (3661.96, 25.0, "01:01:01:24"),
        (10.0, 30000 / 1001, "00:00:10:00"),
        (61.0, 30000 / 1001, "00:01:00:28"),  # picture 1828 of a count that runs at 30
        (1.0, 59.94, "00:00:01:00"),
        (5.0, 19.62, "00:00:05:00"),  # a mean over unequal pictures: the clock counts
    ],
)
def test_time_codes(time_s: float, fps: float, code: str) -> None:
    assert time_code(time_s, fps) == code
    assert re.fullmatch(r"\d\d:\d\d:\d\d:\d\d", code)


def test_no_frame_rate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no frame rate"):
        write_edl(tmp_path / "e.edl", "v", [BAD], fps=0.0)
