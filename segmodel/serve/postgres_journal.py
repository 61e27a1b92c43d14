"""PostgresJournal: the journal of several hosts, a table in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from segfeat.interactions import Interactions
from segmodel.serve.journal import COLUMNS, WatchedView, check_context, interactions_of, shown

_CONNECT_S = 5

_LOCK = 0x5E6F
"""Advisory lock of whoever writes."""

_TABLE = """
CREATE TABLE IF NOT EXISTS segmodel_views (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id TEXT NOT NULL,
    video_id TEXT NOT NULL,
    time_ms BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    watch_ms BIGINT NOT NULL,
    UNIQUE (user_id, video_id, time_ms)
)"""

T = TypeVar("T")


class PostgresJournal:
    """One connection to a journal in PostgreSQL, made again after it was lost.

    Parameters
    ----------
    address : str
        ``postgresql://USER:PASSWORD@HOST/DATABASE``. The table ``segmodel_views`` is made where it does not exist.
    context : sequence of str
        Context columns that are written and read; a table without one gets it.

    Raises
    ------
    ValueError
        If it cannot be opened or is no journal.
    """

    def __init__(self, address: str, context: Sequence[str] = ()) -> None:
        check_context(context)
        try:
            import psycopg
            import psycopg.sql
        except ImportError as error:
            raise ValueError(f"{shown(address)}: {error}: pip install 'segfeat[postgres]'") from error
        self._psycopg, self._address, self._context = psycopg, address, tuple(context)
        identifier = psycopg.sql.Identifier
        self._columns = psycopg.sql.SQL(", ").join(map(identifier, [*COLUMNS, *self._context]))
        add = psycopg.sql.SQL("ALTER TABLE segmodel_views ADD COLUMN IF NOT EXISTS {} TEXT")
        self._connection: Any = None
        try:
            for command in (_TABLE, *(add.format(identifier(name)) for name in self._context)):
                self._writing(partial(_execute, command))
            self.read(after=2**62)
        except OSError as error:
            raise ValueError(f"cannot be used as a journal of views: {error}") from error

    def append(self, view: WatchedView) -> bool:
        """Write a view durably; False where its user, video and time are there already, and the first is kept.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        sql, row = self._psycopg.sql, view.row(self._context)
        values = sql.SQL(", ").join([sql.Placeholder()] * len(row))
        command = sql.SQL("INSERT INTO segmodel_views ({}) VALUES ({}) ON CONFLICT DO NOTHING").format(
            self._columns, values
        )
        rows: int = self._writing(lambda connection: connection.execute(command, row).rowcount)
        return rows == 1

    def read(self, after: int = 0) -> tuple[Interactions, int]:
        """Views numbered above ``after``, in the order they came, and the last number seen.

        Raises
        ------
        OSError
            If it cannot be read.
        """
        query = "SELECT number, {} FROM segmodel_views WHERE number > %s ORDER BY number"
        command = self._psycopg.sql.SQL(query).format(self._columns)
        rows = self._connected(lambda connection: connection.execute(command, (after,)).fetchall())
        if not rows:
            return Interactions.empty(), after
        views = [WatchedView.of_row(row[1:], self._context) for row in rows]
        return interactions_of(views, self._context), rows[-1][0]

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _writing(self, job: Callable[[Any], T]) -> T:
        """What a job gives that nobody else writes beside.

        A sequence hands out numbers before their rows can be seen: without the lock a reader could see 8 before 7, and
        would never ask for 7 again.
        """

        def alone(connection: Any) -> T:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                return job(connection)

        return self._connected(alone)

    def _connected(self, job: Callable[[Any], T]) -> T:
        """What a job gives, tried a second time where the connection turns out to be lost."""
        for last in (False, True):
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = self._connect()
                return job(self._connection)
            except (self._psycopg.Error, UnicodeError) as error:
                lost = self._connection is not None and self._connection.closed
                if last or not lost:
                    raise OSError(f"{shown(self._address)}: {error}") from error
        raise AssertionError("a second try returns or raises")

    def _connect(self) -> Any:
        connection = self._psycopg.connect(self._address, autocommit=True, connect_timeout=_CONNECT_S)
        # A committed view is on the disk before append() returns, however the server is set up.
        connection.execute("SET synchronous_commit = on")
        return connection


def _execute(command: Any, connection: Any) -> None:
    connection.execute(command)
