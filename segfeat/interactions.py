"""The watch log: who was shown which video when, and for how long they watched.

A log file is CSV, CSV.gz or Parquet with the columns ``user_id``, ``video_id`` (or ``photo_id``), ``time_ms``,
``duration_ms`` and ``playing_time`` (or ``play_time_ms``, ``watch_ms``), all in integer milliseconds; other columns are
ignored and ids are compared as strings. A duration or watch time of 0 means "unknown". An SQLite file (``.sqlite``,
``.db``) with a table ``views`` of these columns is read as well: that is how a server keeps the views it is told of.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from segfeat.tables import SQLITE as SQLITE
from segfeat.tables import as_ids, read_table

if TYPE_CHECKING:
    import pandas as pd

MAX_DURATION_S = 200.0
"""Longer videos are left out by default (He et al. 2025 keep 5 to 200 s)."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "user": ("user_id",),
    "video": ("video_id", "photo_id"),
    "time_ms": ("time_ms",),
    "duration_ms": ("duration_ms",),
    "watch_ms": ("playing_time", "play_time_ms", "watch_ms"),
}
"""Accepted column names, the first one found wins."""

_CONTEXT = "context "
"""Before the names of context columns in a table, so that one may be called ``user``."""

Codes = npt.NDArray[np.int32]
Millis = npt.NDArray[np.int64]
Ids = npt.NDArray[np.object_]


class Categories(NamedTuple):
    """A categorical column of N rows: codes (N,) into names (K,); -1 where the category is unknown."""

    codes: Codes
    names: Ids

    @classmethod
    def of(cls, values: pd.Series) -> Categories:
        """From strings or missing values; names stand in the order in which they first occur."""
        codes, names = values.factorize()
        return cls(codes.astype(np.int32), np.asarray(names, dtype=object))

    def joined(self, other: Categories) -> Categories:
        """The rows of both, this one's first."""
        names, code = _merged_codes(self.names, other.names)
        return Categories(np.concatenate([self.codes, np.append(code, np.int32(-1))[other.codes]]), names)

    @classmethod
    def unknown(cls, n: int) -> Categories:
        """A column of n rows of which nothing is known."""
        return cls(np.full(n, -1, np.int32), np.zeros(0, dtype=object))


@dataclass(frozen=True, eq=False)
class Interactions:
    """A validated watch log of N rows, in the order of its file.

    Attributes
    ----------
    user_ids : object (U,)
        Strings; ``user`` codes point into it.
    video_ids : object (V,)
        Strings; ``video`` codes point into it.
    user, video : int32 (N,)
    time_ms : int64 (N,)
        When the view began.
    watch_ms : int64 (N,)
        Time watched; 0 where unknown, as in the pairs of a prediction.
    duration_ms : int64 (N,)
        Length of the video as the log knows it; 0 where unknown.
    dropped : mapping of reason to int
        Rows of the file that are not here, counted by reason.
    context : mapping of name to Categories
        Categorical columns (N,) about the views, such as where in the app they happened.
    """

    user_ids: Ids
    video_ids: Ids
    user: Codes
    video: Codes
    time_ms: Millis
    watch_ms: Millis
    duration_ms: Millis
    dropped: Mapping[str, int] = field(default_factory=dict)
    context: Mapping[str, Categories] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.user)
        for name in ("video", "time_ms", "watch_ms", "duration_ms"):
            if len(getattr(self, name)) != n:
                raise ValueError(f"interactions: {name} has {len(getattr(self, name))} rows, user has {n}")
        for name, (codes, names) in self.context.items():
            if len(codes) != n or (n and (codes.min() < -1 or codes.max() >= len(names))):
                raise ValueError(f"interactions: context {name} needs {n} codes from -1 to {len(names) - 1}")
        for codes, ids, name in ((self.user, self.user_ids, "user"), (self.video, self.video_ids, "video")):
            if n and (codes.min() < 0 or codes.max() >= len(ids)):
                raise ValueError(f"interactions: {name} codes reach {codes.max()}, but there are {len(ids)} {name} ids")

    def __len__(self) -> int:
        return len(self.user)

    def __repr__(self) -> str:
        users, videos = len(np.unique(self.user)), len(np.unique(self.video))
        return f"<Interactions: {len(self):,} views, {users:,} users, {videos:,} videos>"

    @classmethod
    def empty(cls) -> Interactions:
        """A log of no views."""
        ids, codes, numbers = np.zeros(0, dtype=object), np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int64)
        return cls(ids, ids, codes, codes, numbers, numbers, numbers)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, watch_needed: bool = True, context: Sequence[str] = ()) -> Interactions:
        """A log from a DataFrame with the columns of a log file, and those context columns that it has.

        See :func:`read_interactions`.
        """
        there = [name for name in context if name in frame.columns]
        return _assembled(_fields(frame, "the table", watch_needed, COLUMNS, there), there, {})

    def take(self, rows: npt.NDArray[Any]) -> Interactions:
        """The given rows (a boolean mask or indices), with the same id tables."""
        columns = ("user", "video", "time_ms", "watch_ms", "duration_ms")
        context = {name: column._replace(codes=column.codes[rows]) for name, column in self.context.items()}
        return replace(self, **{name: getattr(self, name)[rows] for name in columns}, context=context)

    def with_durations(self, duration_ms: Mapping[str, int]) -> Interactions:
        """Unknown durations filled in from ``duration_ms``, a mapping from video id to milliseconds."""
        table = np.array([duration_ms.get(v, 0) for v in self.video_ids], dtype=np.int64)
        known = (
            self.duration_ms if not len(table) else np.where(self.duration_ms > 0, self.duration_ms, table[self.video])
        )
        return replace(self, duration_ms=known)

    def unusable(
        self, max_duration_s: float = MAX_DURATION_S, watch_needed: bool = True
    ) -> dict[str, npt.NDArray[np.bool_]]:
        """Why rows cannot be used: reason -> mask (N,); every row stands under its first reason only.

        A row is usable iff 0 < duration < ``max_duration_s`` and (where needed) watch > 0.
        """
        reasons = {
            "unknown duration": self.duration_ms <= 0,
            f"duration of {max_duration_s:g} s or more": self.duration_ms >= np.rint(max_duration_s * 1000),
        }
        if watch_needed:
            reasons["no watch time"] = self.watch_ms <= 0
        taken = np.zeros(len(self), dtype=bool)
        for reason, mask in reasons.items():
            reasons[reason] = mask & ~taken
            taken |= mask
        return reasons

    def usable(self, max_duration_s: float = MAX_DURATION_S) -> Interactions:
        """Only the usable rows; the others are added to ``dropped`` by reason."""
        reasons = self.unusable(max_duration_s)
        dropped = dict(self.dropped)
        keep = np.ones(len(self), dtype=bool)
        for reason, mask in reasons.items():
            keep &= ~mask
            if mask.any():
                dropped[reason] = dropped.get(reason, 0) + int(mask.sum())
        return replace(self.take(keep), dropped=dropped)

    def joined(self, other: Interactions) -> Interactions:
        """Rows of both logs over merged id tables, this one's first; rows known already are dropped as duplicates."""
        user_ids, users = _merged_codes(self.user_ids, other.user_ids)
        video_ids, videos = _merged_codes(self.video_ids, other.video_ids)
        both = Interactions(
            user_ids,
            video_ids,
            np.concatenate([self.user, users[other.user]]).astype(np.int32),
            np.concatenate([self.video, videos[other.video]]).astype(np.int32),
            np.concatenate([self.time_ms, other.time_ms]),
            np.concatenate([self.watch_ms, other.watch_ms]),
            np.concatenate([self.duration_ms, other.duration_ms]),
            context={
                name: self.context.get(name, Categories.unknown(len(self))).joined(
                    other.context.get(name, Categories.unknown(len(other)))
                )
                for name in dict.fromkeys([*self.context, *other.context])
            },
        )
        return both.take(both.first_of_duplicates())

    def compact(self) -> Interactions:
        """The same rows over id tables without the ids that no row uses."""
        users, user = np.unique(self.user, return_inverse=True)
        videos, video = np.unique(self.video, return_inverse=True)
        return replace(
            self,
            user_ids=self.user_ids[users],
            video_ids=self.video_ids[videos],
            user=user.astype(np.int32),
            video=video.astype(np.int32),
        )

    def first_of_duplicates(self) -> npt.NDArray[np.bool_]:
        """Mask (N,) of rows that are the first with their user, video and time."""
        key = np.stack([self.user.astype(np.int64), self.video.astype(np.int64), self.time_ms], axis=1)
        keep = np.zeros(len(self), dtype=bool)
        if len(self):
            keep[np.unique(key, axis=0, return_index=True)[1]] = True
        return keep

    def fingerprint(self) -> str:
        """SHA-256 over ids and rows: equal logs have equal fingerprints."""
        digest = hashlib.sha256()
        for ids in (self.user_ids, self.video_ids):
            digest.update("\0".join(ids.tolist()).encode())
        for column in (self.user, self.video, self.time_ms, self.watch_ms, self.duration_ms):
            digest.update(np.ascontiguousarray(column).tobytes())
        for name, (codes, names) in sorted(self.context.items()):
            digest.update("\0".join([name, *names.tolist()]).encode() + codes.tobytes())
        return digest.hexdigest()


def read_interactions(
    paths: str | Path | Sequence[str | Path],
    watch_needed: bool = True,
    columns: Mapping[str, tuple[str, ...]] = COLUMNS,
    context: Sequence[str] = (),
    unit_ms: Mapping[str, float] | None = None,
    context_needed: bool = True,
) -> Interactions:
    """Read one or more log files into one validated log.

    Rows without an id or with an unreadable number, and repeated rows (same user, video and time), are dropped and
    counted by reason. Usability (durations, watch times) is judged later, since durations may come from a store.

    Parameters
    ----------
    paths : path or sequence of paths
        CSV, CSV.gz, Parquet or SQLite files.
    watch_needed : bool
        False for the pairs of a prediction, which may lack the watch-time column.
    columns : mapping
        Accepted column names of each of the five fields; none where the log has no such column.
    context : sequence of str
        Further columns to be kept as categories.
    unit_ms : mapping of field to float, optional
        Milliseconds in one unit of a number's column, where it is not 1; fractions are rounded.
    context_needed : bool
        False: context is unknown in files without the column.

    Raises
    ------
    ValueError
        If a file cannot be read or lacks a column; the message names the file and the columns.
    """
    import pandas as pd

    files = [Path(p) for p in ([paths] if isinstance(paths, str | Path) else paths)]
    tables = []
    for file in files:
        raw = read_table(file, "log")
        if not context_needed:
            raw = raw.assign(**{name: None for name in context if name not in raw.columns})
        tables.append(_fields(raw, str(file), watch_needed, columns, context))
    return _assembled(pd.concat(tables, ignore_index=True), context, unit_ms or {})


def _assembled(table: pd.DataFrame, context: Sequence[str], unit_ms: Mapping[str, float]) -> Interactions:
    """The rows of a table of fields that can be used."""
    import pandas as pd

    dropped: dict[str, int] = {}
    missing_id = table["user"].isna() | table["video"].isna()
    for name, unit in unit_ms.items():
        table[name] = (table[name] * unit).round()
    numbers = table[["time_ms", "duration_ms", "watch_ms"]]
    # NaN compares false as well, so this one test finds words, infinities and numbers beyond 64 bits.
    unreadable = ~(numbers.abs() < 2**62).all(axis=1)
    for reason, mask in (("missing id", missing_id), ("unreadable number", unreadable & ~missing_id)):
        if mask.any():
            dropped[reason] = int(mask.sum())
    table = table[~(missing_id | unreadable)]
    repeated = table.duplicated(["user", "video", "time_ms"])
    if repeated.any():
        dropped["duplicate"] = int(repeated.sum())
        table = table[~repeated]

    user, user_ids = pd.factorize(table["user"])
    video, video_ids = pd.factorize(table["video"])
    return Interactions(
        np.asarray(user_ids, dtype=object),
        np.asarray(video_ids, dtype=object),
        user.astype(np.int32),
        video.astype(np.int32),
        table["time_ms"].to_numpy(np.int64),
        np.maximum(table["watch_ms"].to_numpy(np.int64), 0),
        np.maximum(table["duration_ms"].to_numpy(np.int64), 0),
        dropped,
        {name: Categories.of(table[_CONTEXT + name]) for name in context},
    )


def _fields(
    raw: pd.DataFrame,
    source: str,
    watch_needed: bool,
    columns: Mapping[str, tuple[str, ...]],
    context: Sequence[str],
) -> pd.DataFrame:
    """A log's columns under our own names: ids as strings, numbers as float or NaN, context behind a prefix."""
    import pandas as pd

    found = {name: next((c for c in names if c in raw.columns), None) for name, names in columns.items()}
    optional = set() if watch_needed else {"watch_ms", "duration_ms"}
    needed = [n for n, column in found.items() if column is None and columns[n] and n not in optional]
    missing = [" or ".join(columns[name]) for name in needed]
    missing += [name for name in context if name not in raw.columns]
    if missing:
        raise ValueError(f"{source}: missing column(s) {', '.join(missing)}; found {', '.join(map(str, raw.columns))}")

    table = pd.DataFrame(index=raw.index)
    for name, column in found.items():
        if name in ("user", "video"):
            try:
                table[name] = as_ids(raw[column])
            except TypeError as error:
                raise ValueError(f"{source}: column {column} has ids with a fraction") from error
        elif column is None:
            table[name] = 0.0
        else:
            values = pd.to_numeric(raw[column], errors="coerce")
            _refuse_dates(raw[column], values, source)
            # An empty duration or watch time is unknown; an empty time, or words instead of a number, is unreadable.
            blank_is_unknown = name in ("watch_ms", "duration_ms")
            table[name] = values.mask(raw[column].isna(), 0.0) if blank_is_unknown else values
    for name in context:
        table[_CONTEXT + name] = as_ids(raw[name], whole=False)
    return table


def _refuse_dates(column: pd.Series, numbers: pd.Series, source: str) -> None:
    """Dates in words would be dropped row by row as unreadable numbers: say at once what they are."""
    import pandas as pd

    words = column[numbers.isna() & column.notna()]
    if len(words) * 2 <= len(column):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no one format was found
        dates = pd.to_datetime(words.head(100), errors="coerce", utc=True)
    what = "dates and times" if dates.notna().all() else "words"
    raise ValueError(
        f"{source}: column {column.name} holds {what}, such as {str(words.iloc[0])!r}; needed are milliseconds"
        + (" since 1970 (pandas: to_datetime(column, utc=True).astype('int64') // 10**6)" if what != "words" else "")
    )


def _merged_codes(first: Ids, second: Ids) -> tuple[Ids, Codes]:
    """One id table for both, and where each id of ``second`` stands in it."""
    position = {v: i for i, v in enumerate(first.tolist())}
    extra = [v for v in second.tolist() if v not in position]
    for v in extra:
        position[v] = len(position)
    table = np.concatenate([first, np.array(extra, dtype=object)]) if extra else first
    return table, np.array([position[v] for v in second.tolist()], dtype=np.int32)
