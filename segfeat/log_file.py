"""Reading a watch log from files or a table of somebody else's making.

A log file is CSV, CSV.gz or Parquet with the columns ``user_id``, ``video_id`` (or ``photo_id``), ``time_ms``,
``duration_ms`` and ``playing_time`` (or ``play_time_ms``, ``watch_ms``), all in integer milliseconds; other columns are
ignored and ids are compared as strings. A duration or watch time of 0 means "unknown". An SQLite file (``.sqlite``,
``.db``) with a table ``views`` of these columns is read as well: that is how a server keeps the views it is told of.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segfeat.interactions import Categories, Interactions
from segfeat.tables import SQLITE, as_ids, read_table

if TYPE_CHECKING:
    import pandas as pd

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
        Milliseconds in one unit of a number's column, where it is not 1; fractions are rounded. A server's SQLite file
        is in milliseconds whatever other files are in.
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
        own_unit = {} if file.suffix.lower() in SQLITE else unit_ms or {}
        tables.append(_fields(raw, str(file), watch_needed, columns, context, own_unit))
    return _assembled(pd.concat(tables, ignore_index=True), context)


def log_of_frame(
    frame: pd.DataFrame,
    watch_needed: bool = True,
    context: Sequence[str] = (),
    unit_ms: Mapping[str, float] | None = None,
) -> Interactions:
    """A log from a DataFrame with the columns of a log file, and those context columns that it has.

    See :func:`read_interactions`.
    """
    there = [name for name in context if name in frame.columns]
    return _assembled(_fields(frame, "the table", watch_needed, COLUMNS, there, unit_ms or {}), there)


def _assembled(table: pd.DataFrame, context: Sequence[str]) -> Interactions:
    """The rows of a table of fields that can be used."""
    import pandas as pd

    dropped: dict[str, int] = {}
    missing_id = table["user"].isna() | table["video"].isna()
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
    unit_ms: Mapping[str, float],
) -> pd.DataFrame:
    """A log's columns under our own names: ids as strings, numbers as float ms or NaN, context behind a prefix."""
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
            values = values.mask(raw[column].isna(), 0.0) if blank_is_unknown else values
            table[name] = (values * unit_ms[name]).round() if name in unit_ms else values
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
