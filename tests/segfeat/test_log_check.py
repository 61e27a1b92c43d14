"""A log in another unit, or of other videos, is refused with the cure before any work; a right one is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from segfeat.interactions import Interactions
from segfeat.log_check import check_later, check_log, parse_units, unit_of_dates
from segfeat.log_file import read_interactions

NOW_MS = 1_700_000_000_000


@pytest.fixture
def log(rng: np.random.Generator) -> Interactions:
    n = 400
    duration = rng.integers(5_000, 60_000, 30)
    video = rng.integers(0, 30, n).astype(np.int32)
    return Interactions(
        np.array([f"u{i}" for i in range(20)], dtype=object),
        np.array([f"v{i}" for i in range(30)], dtype=object),
        rng.integers(0, 20, n).astype(np.int32),
        video,
        NOW_MS + rng.integers(0, 10**9, n),
        (duration[video] * rng.uniform(0.05, 1.2, n)).astype(np.int64),
        duration[video],
    )


def lengths(log: Interactions) -> dict[str, int]:
    return {str(log.video_ids[v]): int(ms) for v, ms in zip(log.video, log.duration_ms, strict=True)}


def in_unit(log: Interactions, factor: float, *names: str) -> Interactions:
    return replace(log, **{name: np.rint(getattr(log, name) * factor).astype(np.int64) for name in names})


def test_a_right_log_gets_a_short_verdict(log: Interactions) -> None:
    found = check_log(log, lengths(log))
    assert (found.rows, found.users, found.videos, found.stored, found.warning) == (400, 20, 30, 30, "")
    assert str(found).startswith("400 rows, 20 users, 30 videos (30 of them in the store), 2023-11-14 to 2023-11-2")
    assert found.duration_s == pytest.approx(np.median(log.duration_ms) / 1000)


@pytest.mark.parametrize("with_store", [True, False])
@pytest.mark.parametrize(
    ("factor", "names", "message"),
    [
        (1e-3, ("duration_ms",), r"duration_ms is .*in seconds.*--unit s \(or --unit duration=s"),
        (1e3, ("duration_ms",), r"duration_ms is .*in microseconds.*--unit us"),
        (1e-3, ("duration_ms", "watch_ms"), r"duration_ms is .*in seconds.*--unit s"),
        (1e-3, ("watch_ms",), r"the watch time is in seconds.*--unit watch=s"),
        (1e3, ("watch_ms",), r"the watch time is in microseconds.*--unit watch=us"),
        (1e-3, ("time_ms",), r"time_ms is in seconds since 1970.*--unit time=s"),
        (1e3, ("time_ms",), r"time_ms is in microseconds since 1970.*--unit time=us"),
        (1e6, ("time_ms",), r"time_ms is in nanoseconds since 1970.*divide"),
        (0.5, ("time_ms",), r"time_ms reads as 1996-12-\d\d to .*, not as dates between 2005 and 2100"),
        (4.0, ("time_ms",), r"time_ms reads as 2185-"),
    ],
)
def test_another_unit_is_refused_with_the_likely_one(
    log: Interactions, with_store: bool, factor: float, names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_log(in_unit(log, factor, *names), lengths(log) if with_store else None)


def test_times_that_count_from_a_beginning_of_their_own_are_fine(log: Interactions) -> None:
    for start in (0, 10**6, 10**8):
        check_log(replace(log, time_ms=log.time_ms - NOW_MS + start), lengths(log))


@pytest.mark.parametrize(
    ("rename", "cure"),
    [
        (lambda v: f"{v}.mp4", "with the file's suffix"),
        (lambda v: f"films/{v}", "with a folder before them"),
        (str.upper, "in other capitals"),
        (lambda v: f"x{v}", "is it the log of these videos"),
    ],
)
def test_ids_that_match_nothing_are_refused_with_the_likely_cure(log: Interactions, rename: object, cure: str) -> None:
    other = replace(log, video_ids=np.array([rename(v) for v in log.video_ids], dtype=object))  # type: ignore[operator]
    with pytest.raises(ValueError, match=f"no video of the log is in here.*{cure}"):
        check_log(other, lengths(log), "here")


def test_under_half_matched_is_a_warning_with_the_share(log: Interactions) -> None:
    few = {v: ms for v, ms in lengths(log).items() if v in ("v0", "v1", "v2")}
    found = check_log(log, few)
    assert found.warning.startswith(f"only {found.stored_rows / 400:.0%} of the log's rows")  # type: ignore[operator]
    assert "3 of 30 videos" in found.warning


def test_units_are_read_for_all_numbers_or_for_one(tmp_path, log: Interactions) -> None:  # type: ignore[no-untyped-def]
    assert parse_units(("s",)) == {"time_ms": 1000.0, "duration_ms": 1000.0, "watch_ms": 1000.0}
    assert parse_units(("duration=s", "watch=us")) == {"duration_ms": 1000.0, "watch_ms": 0.001}
    for wrong in ("h", "length=s", "s=time", ""):
        with pytest.raises(ValueError, match=r"unknown unit .*valid are ms, s, us"):
            parse_units((wrong,))
    path = tmp_path / "log.csv"
    path.write_text("user_id,video_id,time_ms,duration_ms,watch_ms\n7,a,1700000000.5,12.25,3\n")
    found = read_interactions(path, unit_ms=parse_units(("s",)))
    assert (found.time_ms[0], found.duration_ms[0], found.watch_ms[0]) == (1_700_000_000_500, 12_250, 3_000)


def test_an_empty_log_says_so_and_real_logs_pass(segmm_csv, kuairand_csv) -> None:  # type: ignore[no-untyped-def]
    assert check_log(Interactions.empty()).rows == 0
    for path in (segmm_csv, kuairand_csv, kuairand_csv.with_name("kuairandpure_dev.csv")):
        assert check_log(read_interactions(path)).rows > 1000


@pytest.mark.parametrize(("factor", "unit"), [(1e-3, "seconds"), (1e3, "microseconds"), (1e6, "nanoseconds")])
def test_what_follows_a_log_has_its_clock(log: Interactions, factor: float, unit: str) -> None:
    one = log.take(np.array([0]))
    assert unit_of_dates(log.time_ms) == "ms"
    check_later(one, dates=True)
    with pytest.raises(ValueError, match=f"in {unit} since 1970"):
        check_later(in_unit(one, factor, "time_ms"), dates=True)
    # After a log that counts from its own beginning the same numbers are moments, and a far one is no mistake.
    own_clock = replace(log, time_ms=log.time_ms - NOW_MS)
    assert unit_of_dates(own_clock.time_ms) == ""
    check_later(in_unit(one, factor, "time_ms"), dates=False)
    # Pairs may be of any moment; views have been.
    far = replace(one, time_ms=np.array([9 * 10**12]))
    check_later(replace(far, watch_ms=np.array([0])), dates=True)
    with pytest.raises(ValueError, match="not as dates between 2005 and 2100"):
        check_later(far, dates=True)
    with pytest.raises(ValueError, match=r"duration_ms is probably in seconds.*--unit s"):
        check_later(in_unit(one, 1e-3, "duration_ms", "watch_ms"), dates=False)


def test_a_single_view_that_was_left_at_once_is_no_other_unit(log: Interactions) -> None:
    one = replace(log.take(np.array([0])), watch_ms=np.array([5]))
    check_later(one, dates=True)
    check_log(one)
