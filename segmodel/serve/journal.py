"""Journal: views reported while servers run, in a table that is only ever appended to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import numpy as np

from segfeat.interactions import Categories, Interactions

NAME = "journal.sqlite"

POSTGRES = ("postgresql://", "postgres://")
"""How the address of a journal in PostgreSQL begins."""


@dataclass(frozen=True)
class WatchedView:
    """A view as it is reported: times in ms, a duration of 0 is left to the store, and what is known of its context."""

    user_id: str
    video_id: str
    time_ms: int
    duration_ms: int
    watch_ms: int
    context: Mapping[str, str] = field(default_factory=dict)

    def row(self, names: Sequence[str]) -> tuple[str | int | None, ...]:
        """As a row of a table with columns for some of the context."""
        numbers = (self.time_ms, self.duration_ms, self.watch_ms)
        return (self.user_id, self.video_id, *numbers, *map(self.context.get, names))

    @classmethod
    def of_row(cls, row: Sequence[str | int | None], names: Sequence[str]) -> WatchedView:
        """The inverse of :meth:`row`."""
        user_id, video_id, time_ms, duration_ms, watch_ms, *values = row
        context = {name: str(v) for name, v in zip(names, values, strict=True) if v is not None}
        return cls(str(user_id), str(video_id), int(time_ms or 0), int(duration_ms or 0), int(watch_ms or 0), context)


COLUMNS = ("user_id", "video_id", "time_ms", "duration_ms", "watch_ms")
"""Of a journal's table, besides ``number`` and one for each context column of the run's log."""


def check_context(names: Sequence[str]) -> None:
    """Raise ValueError for context columns that a journal cannot have beside its own, whatever their case."""
    taken = {"number", *COLUMNS}
    for name in names:
        if name.lower() in taken or not name.isprintable():
            raise ValueError(f"a journal cannot hold the context column {name!r} beside {', '.join(sorted(taken))}")
        taken.add(name.lower())


class Journal(Protocol):
    """One connection to a journal, for one thread at a time; threads and processes each open their own."""

    def append(self, view: WatchedView) -> bool:
        """Write a view durably; False where its user, video and time are there already, and the first is kept.

        Raises
        ------
        OSError
            If it cannot be written.
        """

    def read(self, after: int = 0) -> tuple[Interactions, int]:
        """Views numbered above ``after``, in the order they came, and the last number seen.

        Numbers appear in ascending order: nothing comes up later below a number that was seen.
        """

    def close(self) -> None:
        """Close the connection."""


def is_postgres(place: str | Path) -> bool:
    """Whether a journal's place is an address of PostgreSQL rather than a file."""
    return str(place).startswith(POSTGRES)


def shown(place: str | Path) -> str:
    """A journal's place for messages: without user, password and settings."""
    if not is_postgres(place):
        return str(place)
    parts = urlsplit(str(place))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def open_journal(place: str | Path, context: Sequence[str] = ()) -> Journal:
    """The journal of a file, or of an address in PostgreSQL; made where it does not exist.

    Parameters
    ----------
    place : str or path
    context : sequence of str
        Context columns that are written and read; a journal without one gets it.

    Raises
    ------
    ValueError
        If it cannot be used.
    """
    if is_postgres(place):
        from segmodel.serve.postgres_journal import PostgresJournal

        return PostgresJournal(str(place), context)
    from segmodel.serve.sqlite_journal import SqliteJournal

    return SqliteJournal(place, context)


def interactions_of(views: list[WatchedView], context: Sequence[str] = ()) -> Interactions:
    """The views as a log with some context columns, in the same order."""
    users = {v: i for i, v in enumerate(dict.fromkeys(view.user_id for view in views))}
    videos = {v: i for i, v in enumerate(dict.fromkeys(view.video_id for view in views))}
    return Interactions(
        user_ids=np.array(list(users), dtype=object),
        video_ids=np.array(list(videos), dtype=object),
        user=np.array([users[v.user_id] for v in views], dtype=np.int32),
        video=np.array([videos[v.video_id] for v in views], dtype=np.int32),
        time_ms=np.array([v.time_ms for v in views], dtype=np.int64),
        watch_ms=np.array([v.watch_ms for v in views], dtype=np.int64),
        duration_ms=np.array([v.duration_ms for v in views], dtype=np.int64),
        context={name: _categories([v.context.get(name) for v in views]) for name in context},
    )


def _categories(values: list[str | None]) -> Categories:
    names = {v: i for i, v in enumerate(dict.fromkeys(v for v in values if v is not None))}
    codes = np.array([-1 if v is None else names[v] for v in values], dtype=np.int32)
    return Categories(codes, np.array(list(names), dtype=object))
