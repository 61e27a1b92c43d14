"""Journal: views reported while servers run, in a table that is only ever appended to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import numpy as np

from segfeat.interactions import Interactions

NAME = "journal.sqlite"

POSTGRES = ("postgresql://", "postgres://")
"""How the address of a journal in PostgreSQL begins."""


@dataclass(frozen=True)
class WatchedView:
    """A view as it is reported: times in ms, a duration of 0 is left to the store."""

    user_id: str
    video_id: str
    time_ms: int
    duration_ms: int
    watch_ms: int


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


def open_journal(place: str | Path) -> Journal:
    """The journal of a file, or of an address in PostgreSQL; made where it does not exist.

    Raises
    ------
    ValueError
        If it cannot be used.
    """
    if is_postgres(place):
        from segmodel.serve.postgres_journal import PostgresJournal

        return PostgresJournal(str(place))
    from segmodel.serve.sqlite_journal import SqliteJournal

    return SqliteJournal(place)


def interactions_of(views: list[WatchedView]) -> Interactions:
    """The views as a log, in the same order."""
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
    )
