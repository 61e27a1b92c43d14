"""SqliteJournal: the journal of one host, an SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from segfeat.interactions import Interactions
from segfeat.tables import SQLITE, sql_name
from segmodel.serve.journal import COLUMNS, WatchedView, check_context, interactions_of

_BUSY_S = 10.0
"""How long a writer waits for another process's writer."""

_TABLE = """
CREATE TABLE IF NOT EXISTS views (
    number INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL,
    video_id TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    watch_ms INTEGER NOT NULL,
    UNIQUE (user_id, video_id, time_ms)
)"""


class SqliteJournal:
    """One connection to a journal file; threads and processes each open their own.

    ``--history JOURNAL`` of every command that reads a run takes the same file.

    Parameters
    ----------
    path : path
        Made where it does not exist.
    context : sequence of str
        Context columns that are written and read; a journal without one gets it.

    Raises
    ------
    ValueError
        If it cannot be opened, is no journal, or by its name no log that other commands can read.
    """

    def __init__(self, path: str | Path, context: Sequence[str] = ()) -> None:
        self.path, self._context = Path(path), tuple(context)
        check_context(self._context)
        self._columns = ", ".join([*COLUMNS, *map(sql_name, self._context)])
        if self.path.suffix not in SQLITE:
            raise ValueError(f"{self.path}: a journal's name must end in {' or '.join(SQLITE)}")
        try:
            # Autocommit; whoever owns the journal sees to it that one thread at a time uses it.
            self._file = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            self._file.execute("PRAGMA journal_mode = WAL")
            # A committed view is on the disk before append() returns, whatever happens to process or machine then.
            self._file.execute("PRAGMA synchronous = FULL")
            self._file.execute(_TABLE)
            self._add_columns()
            self.read(after=2**62)
        except sqlite3.Error as error:
            raise ValueError(f"{self.path}: cannot be used as a journal of views: {error}") from error

    def _add_columns(self) -> None:
        if not self._context:
            return
        # Nobody else adds one in between.
        self._file.execute("BEGIN IMMEDIATE")
        there = {name for _, name, *_ in self._file.execute("PRAGMA table_info(views)")}
        for name in self._context:
            if name not in there:
                self._file.execute(f"ALTER TABLE views ADD COLUMN {sql_name(name)} TEXT")
        self._file.execute("COMMIT")

    def close(self) -> None:
        """Close the connection."""
        self._file.close()

    def append(self, view: WatchedView) -> bool:
        """Write a view durably; False where its user, video and time are there already, and the first is kept.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        try:
            row = view.row(self._context)
            command = f"INSERT INTO views ({self._columns}) VALUES ({', '.join('?' * len(row))}) ON CONFLICT DO NOTHING"
            cursor = self._file.execute(command, row)
        except sqlite3.Error as error:
            raise OSError(f"{self.path}: the view could not be written: {error}") from error
        return cursor.rowcount == 1

    def read(self, after: int = 0) -> tuple[Interactions, int]:
        """Views numbered above ``after``, in the order they came, and the last number seen."""
        command = f"SELECT number, {self._columns} FROM views WHERE number > ? ORDER BY number"
        rows = self._file.execute(command, (after,)).fetchall()
        if not rows:
            return Interactions.empty(), after
        views = [WatchedView.of_row(row[1:], self._context) for row in rows]
        return interactions_of(views, self._context), rows[-1][0]
