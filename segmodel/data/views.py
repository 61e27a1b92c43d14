"""Views: usable interactions bound to segments, with the segment each ended in.

Definitions: a video of duration T has N = ceil(T / segment length) segments. A view is completed iff watch >= duration;
otherwise it was left in segment y = (watch_ms - 1) // segment_ms (exactly 5,000 ms is still segment 0). The exit of a
completed view is slot N.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from segfeat.interactions import MAX_DURATION_S, Categories, Codes, Ids, Interactions, Millis
from segfeat.segment import SEGMENT_S
from segfeat.store.reader import FeatureStore

MAX_SEGMENTS = 40
"""Longer videos are left out (200 s of 5 s segments; He et al. 2025)."""

UNKNOWN = -1
"""Exit of a view whose watch time is unknown; store row of a video that is not in the store."""

PART_VIEWS = 16_384
"""Views worked on at a time where arrays of (views, segments) would otherwise grow with the log."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Spans:
    """The T segments of some views, one after another.

    Attributes
    ----------
    view : int64 (T,)
        Which view.
    segment : int64 (T,)
        Which segment of its video.
    start_s, end_s : float64 (T,)
    """

    view: Rows
    segment: Rows
    start_s: npt.NDArray[np.float64]
    end_s: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Views:
    """V views, sorted by user, then time, then row of the log.

    Attributes
    ----------
    user_ids, video_ids : object
        The log's id tables, which ``user`` and ``video`` point into.
    user, video : int32 (V,)
    time_ms, watch_ms, duration_ms : int64 (V,)
        ``watch_ms`` 0 where unknown; ``duration_ms`` is the log's own, else the store's.
    picture_s : float64 (V,)
        The length that the segments tile: the store's where there is raw video, else the log's.
    segments : int32 (V,)
        N, in 1 .. ``max_segments``.
    exit : int32 (V,)
        0 .. N - 1, N where completed, ``UNKNOWN`` where the watch time is.
    store_row : int32 (V,)
        Row of the video in the store, ``UNKNOWN`` where it is not there.
    log_row : int64 (V,)
        Row in the log that the views were made from.
    segment_s : float
    dropped : mapping of reason to int
        Rows of the log that are not here.
    capped : int
        Views whose exit was capped because log and file disagree on N.
    context : mapping of name to Categories
        The log's categorical columns (V,) about the views.
    """

    user_ids: Ids
    video_ids: Ids
    user: Codes
    video: Codes
    time_ms: Millis
    watch_ms: Millis
    duration_ms: Millis
    picture_s: npt.NDArray[np.float64]
    segments: Codes
    exit: Codes
    store_row: Codes
    log_row: Rows
    segment_s: float = SEGMENT_S
    dropped: Mapping[str, int] = field(default_factory=dict)
    capped: int = 0
    context: Mapping[str, Categories] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.user)

    def __repr__(self) -> str:
        users, videos = len(np.unique(self.user)), len(np.unique(self.video))
        known = self.exit[self.watched]
        share = float((known == self.segments[self.watched]).mean()) if len(known) else float("nan")
        return f"<Views: {len(self):,} of {users:,} users and {videos:,} videos, {share:.0%} completed>"

    def _repr_html_(self) -> str:
        known = self.watched
        rows = {
            "views": f"{len(self):,}",
            "users": f"{len(np.unique(self.user)):,}",
            "videos": f"{len(np.unique(self.video)):,}",
            "completed": f"{self.completed[known].mean():.1%}" if known.any() else "–",
            "median length": f"{np.median(self.picture_s):.1f} s" if len(self) else "–",
            **{f"left out: {escape(reason)}": f"{n:,}" for reason, n in self.dropped.items()},
        }
        cells = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows.items())
        return f"<table>{cells}</table>"

    @property
    def keys(self) -> list[tuple[str, str, int]]:
        """User, video and time of each view, which tell it from every other."""
        users, videos = self.user_ids[self.user].tolist(), self.video_ids[self.video].tolist()
        return list(zip(users, videos, self.time_ms.tolist(), strict=True))

    @property
    def watched(self) -> npt.NDArray[np.bool_]:
        """(V,) whether the watch time is known."""
        return self.exit != UNKNOWN

    @property
    def completed(self) -> npt.NDArray[np.bool_]:
        """(V,) whether the view reached the end of the video."""
        return self.exit == self.segments

    @property
    def watch_s(self) -> npt.NDArray[np.float64]:
        """(V,) min(watch, duration) in seconds, what watch-time errors are measured against."""
        return np.minimum(self.watch_ms, self.duration_ms) / 1000.0

    @property
    def picture_watch_s(self) -> npt.NDArray[np.float64]:
        """(V,) the same on the scale of ``picture_s``, which a completed view reaches exactly."""
        return np.where(self.completed, self.picture_s, np.minimum(self.watch_s, self.picture_s))

    @property
    def replayed(self) -> npt.NDArray[np.bool_]:
        """(V,) whether it was watched longer than the video lasts."""
        return self.watch_ms > self.duration_ms

    @cached_property
    def viewed_before(self) -> Rows:
        """(V + 1,) segments viewed in all earlier rows: those of a view are 0 .. exit, or all N where it completed."""
        return np.concatenate([[0], np.cumsum(np.minimum(self.exit + 1, self.segments), dtype=np.int64)])

    def spans(self) -> Spans:
        """The segments of all views."""
        view, segment = ragged(self.segments)
        start_s: npt.NDArray[np.float64] = (segment * self.segment_s).astype(np.float64)
        return Spans(view, segment, start_s, self.end_s(view, segment))

    def end_s(self, view: Any, segment: Any) -> npt.NDArray[np.float64]:
        """Where a segment of a view ends, in seconds: the last one ends with the picture."""
        end: npt.NDArray[np.float64] = np.minimum((segment + 1) * self.segment_s, self.picture_s[view])
        return end

    def unchanged(self, later: Views) -> int:
        """How many of the first views ``later`` has as well, over the same id tables or ones that have grown."""
        n = min(len(self), len(later))
        same = np.ones(n, dtype=bool)
        for name in VIEW_COLUMNS[:-1]:
            same &= getattr(self, name)[:n] == getattr(later, name)[:n]
        return n if same.all() else int(same.argmin())

    def take(self, rows: npt.NDArray[Any] | slice) -> Views:
        """The given views (mask, ascending indices or slice), with the same id tables."""
        return self._taken(rows)

    def parts(self) -> Iterator[tuple[slice, Views]]:
        """All views in order, at most ``PART_VIEWS`` at a time, each part with the rows it holds."""
        for start in range(0, len(self), PART_VIEWS):
            rows = slice(start, start + PART_VIEWS)
            yield rows, self._taken(rows)

    def _taken(self, rows: Any) -> Views:
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in VIEW_COLUMNS}
        context = {name: column._replace(codes=column.codes[rows]) for name, column in self.context.items()}
        return replace(self, **columns, context=context)

    def joined_context(self, other: Views) -> Mapping[str, Categories]:
        """Context of these views, then of the others; unknown where only one of them has a column."""
        return {
            name: self.context.get(name, Categories.unknown(len(self))).joined(
                other.context.get(name, Categories.unknown(len(other)))
            )
            for name in dict.fromkeys([*self.context, *other.context])
        }


VIEW_COLUMNS = (
    "user", "video", "time_ms", "watch_ms", "duration_ms", "picture_s", "segments", "exit", "store_row", "log_row"
)  # fmt: skip
"""What a :class:`Views` has one of per view, context aside; the row of the log last."""


def joined_views(parts: Sequence[Views]) -> Views:
    """The rows of all parts, one after another, over id tables that name each id once; those of one part as they are.

    Parts must hold different users, in the order of which their rows stand; ``log_row`` stays that of each part.
    """
    if len(parts) == 1:
        return parts[0]
    ids: dict[str, Any] = {}
    codes: dict[str, Any] = {}
    for table, code in (("user_ids", "user"), ("video_ids", "video")):
        place: dict[str, int] = {}
        of_part = [
            np.array([place.setdefault(v, len(place)) for v in getattr(part, table).tolist()], dtype=np.int32)
            for part in parts
        ]
        ids[table] = np.array(list(place), dtype=object)
        codes[code] = np.concatenate([c[getattr(p, code)] for c, p in zip(of_part, parts, strict=True)])
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in VIEW_COLUMNS if name not in codes
    }
    dropped = Counter[str]()
    for part in parts:
        dropped.update(part.dropped)
    context: Mapping[str, Categories] = parts[0].context
    for k in range(1, len(parts)):
        context = {
            name: context.get(name, Categories.unknown(sum(map(len, parts[:k])))).joined(
                parts[k].context.get(name, Categories.unknown(len(parts[k])))
            )
            for name in dict.fromkeys([*context, *parts[k].context])
        }
    return replace(
        parts[0], **ids, **codes, **columns, dropped=dict(dropped), capped=sum(p.capped for p in parts), context=context
    )


def ragged(counts: npt.NDArray[Any]) -> tuple[Rows, Rows]:
    """Owner and place in its owner of ``counts[i]`` things of each owner i, one after another."""
    owner = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    return owner, np.arange(len(owner), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)


def exits(
    watch_ms: Millis, duration_ms: Millis, segments: npt.NDArray[Any], segment_s: float = SEGMENT_S
) -> tuple[Codes, npt.NDArray[np.bool_]]:
    """Exit slot of each view, and whether it had to be capped at the last segment.

    Parameters
    ----------
    watch_ms, duration_ms : int64 (V,)
        A ``watch_ms`` of 0 is unknown.
    segments : int (V,)
        N of each video.
    segment_s : float

    Returns
    -------
    exit : int32 (V,)
        0 .. N - 1, N where completed, ``UNKNOWN`` where ``watch_ms`` is 0.
    capped : bool (V,)
        Where the video's file has fewer segments than the log's watch time says.
    """
    segment_ms = round(segment_s * 1000)
    left_in = (watch_ms - 1) // segment_ms
    completed = watch_ms >= duration_ms
    capped = ~completed & (left_in >= segments)
    exit_ = np.where(completed, segments, np.minimum(left_in, segments - 1))
    return np.where(watch_ms > 0, exit_, UNKNOWN).astype(np.int32), capped & (watch_ms > 0)


def make_views(
    log: Interactions,
    store: FeatureStore | None = None,
    *,
    segment_s: float = SEGMENT_S,
    max_segments: int = MAX_SEGMENTS,
    max_duration_s: float = MAX_DURATION_S,
    watch_needed: bool = True,
) -> Views:
    """Bind a log to the segments of its videos; rows that cannot be used are counted, never an error.

    Parameters
    ----------
    log : Interactions
    store : FeatureStore, optional
        Gives segment length, and durations and spans of videos that have raw video there.
    segment_s : float
        Used only where there is no store.
    max_segments : int
        Views of videos with more segments are dropped.
    max_duration_s : float
        Views of videos of this length or more are dropped.
    watch_needed : bool
        False keeps rows without a watch time (pairs to predict); their exit is ``UNKNOWN``.
    """
    store_row = np.full(len(log.video_ids), UNKNOWN, dtype=np.int32)
    file_s = np.zeros(len(log.video_ids))
    if store is not None:
        segment_s = store.segment_s
        store_row = np.array([store.rows.get(v, UNKNOWN) for v in log.video_ids], dtype=np.int32)
        here = store_row >= 0
        raw = np.zeros(len(store_row), dtype=bool)
        raw[here] = store.paths[store_row[here]] != ""
        file_s[raw] = store.duration_s[store_row[raw]]
        log = log.with_durations(
            {v: round(s * 1000) for v, s in zip(log.video_ids.tolist(), file_s.tolist(), strict=True) if s > 0}
        )

    dropped = dict(log.dropped)
    keep = np.ones(len(log), dtype=bool)
    picture_s = np.where(file_s[log.video] > 0, file_s[log.video], log.duration_ms / 1000.0)
    # Whole milliseconds, so that 10.000 s are two segments whatever binary fractions say.
    segments = np.maximum(1, -(-np.round(picture_s * 1000).astype(np.int64) // round(segment_s * 1000))).astype(
        np.int32
    )
    reasons = log.unusable(max_duration_s, watch_needed)
    reasons[f"more than {max_segments} segments"] = segments > max_segments
    for reason, mask in reasons.items():
        if count := int((mask & keep).sum()):
            dropped[reason] = dropped.get(reason, 0) + count
        keep &= ~mask

    rows = np.flatnonzero(keep)
    rows = rows[np.lexsort((rows, log.time_ms[rows], log.user[rows]))]
    exit_, capped = exits(log.watch_ms[rows], log.duration_ms[rows], segments[rows], segment_s)
    return Views(
        user_ids=log.user_ids,
        video_ids=log.video_ids,
        user=log.user[rows],
        video=log.video[rows],
        time_ms=log.time_ms[rows],
        watch_ms=log.watch_ms[rows],
        duration_ms=log.duration_ms[rows],
        picture_s=picture_s[rows],
        segments=segments[rows],
        exit=exit_,
        store_row=store_row[log.video[rows]],
        log_row=rows,
        segment_s=segment_s,
        dropped=dropped,
        capped=int(capped.sum()),
        context={name: column._replace(codes=column.codes[rows]) for name, column in log.context.items()},
    )
