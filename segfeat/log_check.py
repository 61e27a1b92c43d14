"""One look at a watch log before any work: what is in it, and whether its units and ids can be what they claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import PurePath

import numpy as np

from segfeat.interactions import Interactions, Millis

UNITS_MS: Mapping[str, float] = {"ms": 1.0, "s": 1000.0, "us": 0.001}
"""Milliseconds in one unit."""

NUMBERS = {"time": "time_ms", "duration": "duration_ms", "watch": "watch_ms"}
"""Short name of a number in ``--unit NAME=UNIT`` -> field of the log."""

_EPOCH_MS = 1_104_537_600_000, 4_102_444_800_000
"""2005 to 2100: dates of views in milliseconds since 1970 lie between."""

_SHORT_MS, _LONG_MS = 500.0, 3_600_000.0
"""Half of all videos are neither shorter nor longer than this."""

_FACTOR = 5.0
"""A ratio counts as a thousand if it is within this factor of it."""

_RATIO = 0.002, 20.0
"""Between these lies the median share that people watch of a video, whoever they are."""

_LEAST_VIEWS = 10
"""A share that people watch is judged by so many views: any one may be left at once."""

_LEAST_SHARE = 0.5


@dataclass(frozen=True)
class LogCheck:
    """What a log holds.

    Attributes
    ----------
    rows, users, videos : int
    stored : int or None
        Videos of the log that the store has; None where there is no store to compare with.
    stored_rows : int or None
        Rows of those.
    first_ms, last_ms : int
        Time range.
    duration_s : float or None
        Median length by the log, in seconds; None where it knows none.
    store_duration_s : float or None
        Median length of the store's videos; None where it is not known.
    """

    rows: int
    users: int
    videos: int
    stored: int | None
    stored_rows: int | None
    first_ms: int
    last_ms: int
    duration_s: float | None
    store_duration_s: float | None

    @property
    def warning(self) -> str:
        """What is odd about it; empty where nothing is."""
        if self.stored_rows is None or self.stored_rows >= _LEAST_SHARE * self.rows:
            return ""
        share = self.stored_rows / self.rows
        return (
            f"only {share:.0%} of the log's rows are of videos in the store ({self.stored:,} of {self.videos:,} videos)"
        )

    def __str__(self) -> str:
        there = "" if self.stored is None else f" ({self.stored:,} of them in the store)"
        length = "" if self.duration_s is None else f", median length {self.duration_s:.1f} s"
        if self.store_duration_s is not None:
            length += f" (store {self.store_duration_s:.1f} s)"
        span = f"{_moment(self.first_ms)} to {_moment(self.last_ms)}"
        return f"{self.rows:,} rows, {self.users:,} users, {self.videos:,} videos{there}, {span}{length}"


def parse_units(texts: tuple[str, ...]) -> dict[str, float]:
    """Milliseconds in one unit of each of the log's numbers, from ``s`` or ``time=s`` and the like.

    Raises
    ------
    ValueError
        For an unknown unit or number; the message lists the valid ones.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, equals, unit = text.rpartition("=")
        if unit not in UNITS_MS or (equals and name not in NUMBERS):
            raise ValueError(
                f"unknown unit {text!r}; valid are {', '.join(UNITS_MS)}, and for one of the numbers "
                f"{', '.join(f'{n}=UNIT' for n in NUMBERS)}"
            )
        for field in [NUMBERS[name]] if equals else NUMBERS.values():
            found[field] = UNITS_MS[unit]
    return found


def check_log(
    log: Interactions, store_duration_ms: Mapping[str, int] | None = None, store: str = "the store"
) -> LogCheck:
    """Look at a log, and refuse it where its numbers or ids cannot be what they claim to be.

    Parameters
    ----------
    log : Interactions
        As read, before unusable rows are left out.
    store_duration_ms : mapping, optional
        Video id -> length of the videos that the log is for; 0 where it is not known yet.
    store : str
        What to call them in messages.

    Raises
    ------
    ValueError
        If times, durations or watch times are in another unit than milliseconds, or no video of the log is in the
        store; the message says what to do about it.
    """
    if not len(log):
        return LogCheck(0, 0, 0, None if store_duration_ms is None else 0, None, 0, 0, None, None)
    _check_times(log)
    _check_durations(log, store_duration_ms)
    _check_watch(log)
    stored = stored_rows = store_s = None
    if store_duration_ms is not None:
        here = np.array([v in store_duration_ms for v in log.video_ids.tolist()], dtype=bool)
        stored, stored_rows = int(here[np.unique(log.video)].sum()), int(here[log.video].sum())
        if not stored_rows and store_duration_ms:
            raise ValueError(_no_match(log, store_duration_ms, store))
        lengths = [ms for ms in store_duration_ms.values() if ms > 0]
        store_s = float(np.median(lengths)) / 1000 if lengths else None
    known = log.duration_ms[log.duration_ms > 0]
    return LogCheck(
        len(log),
        len(np.unique(log.user)),
        len(np.unique(log.video)),
        stored,
        stored_rows,
        int(log.time_ms.min()),
        int(log.time_ms.max()),
        float(np.median(known)) / 1000 if len(known) else None,
        store_s,
    )


def check_later(log: Interactions, dates: bool) -> None:
    """Refuse views or pairs that belong to an earlier log, and are in another unit than milliseconds.

    Parameters
    ----------
    log : Interactions
        As read; watch times, and durations that a store may know, may be 0.
    dates : bool
        Whether times of the earlier log are dates, see :func:`unit_of_dates`; else those that follow may be any. Views
        have been then, and pairs may be asked about for any moment.

    Raises
    ------
    ValueError
        The message says what to do about it.
    """
    if not len(log):
        return
    if dates:
        check = _check_times if log.watch_ms.any() else _check_dates
        check(log)
    _check_durations(log, None)
    _check_watch(log)


def unit_of_dates(time_ms: Millis) -> str:
    """The unit in which times are dates since 1970, nearly all from 2005 to 2100: ``ms``, ``s``, ``us`` or ``ns``.

    An empty word where there is none, as in a log that counts from its own beginning.
    """
    if not len(time_ms):
        return ""
    low, high = _most(time_ms)
    first, last = _EPOCH_MS
    units = {"ms": 1.0, "s": 1e-3, "us": 1e3, "ns": 1e6}
    return next((unit for unit, factor in units.items() if first * factor <= low and high <= last * factor), "")


def _most(time_ms: Millis) -> tuple[float, float]:
    """Between which times nearly all lie."""
    low, high = np.percentile(time_ms, [1, 99])
    return float(low), float(high)


def _check_dates(log: Interactions) -> None:
    unit = unit_of_dates(log.time_ms)
    if unit not in ("", "ms"):
        cure = "--unit time=" + unit if unit in UNITS_MS else "divide the column by 1,000,000"
        raise ValueError(f"time_ms is in {UNIT_WORDS[unit]} since 1970, not in milliseconds: {cure}")


def _check_times(log: Interactions) -> None:
    _check_dates(log)
    low, high = _most(log.time_ms)
    # Three years in milliseconds: no log counts that far from its own beginning.
    if low > 1e11 and not unit_of_dates(log.time_ms):
        raise ValueError(
            f"time_ms reads as {_moment(round(low))} to {_moment(round(high))}, not as dates between 2005 and 2100; "
            "milliseconds since 1970 are needed (--unit time=s or time=us where it is another unit)"
        )


def _check_durations(log: Interactions, store_duration_ms: Mapping[str, int] | None) -> None:
    known = log.duration_ms > 0
    if not known.any():
        return
    own = np.array([(store_duration_ms or {}).get(v, 0) for v in log.video_ids.tolist()], dtype=np.float64)[log.video]
    both = known & (own > 0)
    if both.any():
        ratio = float(np.median(log.duration_ms[both] / own[both]))
        unit = "s" if _near(ratio, 1e-3) else "us" if _near(ratio, 1e3) else ""
        if unit:
            example = int(np.flatnonzero(both)[0])
            video = log.video_ids[log.video[example]]
            raise ValueError(
                f"duration_ms is in {UNIT_WORDS[unit]}: video {str(video)!r} has {log.duration_ms[example]:,} there, "
                f"and lasts {own[example]:,.0f} ms; use --unit {unit} (or --unit duration={unit} where times and watch "
                "times are in milliseconds)"
            )
        return
    middle = float(np.median(log.duration_ms[known]))
    if unit := unit_of_lengths(middle):
        raise ValueError(
            f"duration_ms is probably in {UNIT_WORDS[unit]}: half of the videos would be "
            f"{'shorter' if unit == 's' else 'longer'} than {middle / 1000:,.3g} s; use --unit {unit} (or --unit "
            f"duration={unit} where times and watch times are in milliseconds)"
        )


def unit_of_lengths(median_ms: float) -> str:
    """The unit that lengths with this median are probably in, if not in milliseconds: ``s``, ``us`` or none."""
    return "s" if median_ms < _SHORT_MS else "us" if median_ms > _LONG_MS else ""


def _check_watch(log: Interactions) -> None:
    both = (log.watch_ms > 0) & (log.duration_ms > 0)
    if both.sum() < _LEAST_VIEWS:
        return
    ratio = float(np.median(log.watch_ms[both] / log.duration_ms[both]))
    unit = "s" if ratio < _RATIO[0] else "us" if ratio > _RATIO[1] else ""
    if unit:
        raise ValueError(
            f"the watch time is in {UNIT_WORDS[unit]}, the duration is not: people would watch {ratio:.2g} of a video; "
            f"use --unit watch={unit}"
        )


UNIT_WORDS = {"s": "seconds", "us": "microseconds", "ns": "nanoseconds"}


def _near(ratio: float, wanted: float) -> bool:
    return wanted / _FACTOR < ratio < wanted * _FACTOR


def _no_match(log: Interactions, store_duration_ms: Mapping[str, int], store: str) -> str:
    theirs, ours = log.video_ids.tolist(), list(store_duration_ms)
    has = set(ours)
    # What might have been done to the ids of either side, and the cure.
    changes = {
        "with the file's suffix": (lambda v: v.removesuffix(PurePath(v).suffix), "write the log's ids without it"),
        "with a folder before them": (lambda v: PurePath(v).name, "write the log's ids without it"),
        "as whole paths": (lambda v: PurePath(v).stem if "/" in v else v, "extract with --id path, or shorten them"),
        "in other capitals": (str.lower, "write them alike"),
        "with leading zeros": (lambda v: v.lstrip("0") or "0", "write them alike"),
    }
    told = f"no video of the log is in {store}: the log has {theirs[0]!r}, {store} has {ours[0]!r}"
    for how, (change, cure) in changes.items():
        if any(change(v) in has for v in theirs):
            return f"{told}; the log names videos {how}: {cure}"
        if {change(v) for v in has} & {change(v) for v in theirs}:
            return f"{told}; log and store name videos differently ({how}): {cure}"
    return f"{told}; is it the log of these videos?"


def _moment(time_ms: int) -> str:
    """A date where the number is one, else the number."""
    try:
        if time_ms > 1e11:
            return datetime.fromtimestamp(time_ms / 1000, tz=timezone.utc).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        pass
    return f"{time_ms:,} ms"
