"""``csv``: any log with the column names that the public ones use, and tables of any columns; milliseconds."""

from __future__ import annotations

from segfeat.importers.descriptions import WORDS, Columns
from segfeat.importers.imported import Files, Imported, read_tables
from segfeat.log_file import COLUMNS

VIDEOS = Columns(key=COLUMNS["video"], words=WORDS, duration=COLUMNS["duration_ms"])
USERS = Columns(key=COLUMNS["user"])


def read(files: Files) -> Imported:
    """Titles are words, the other columns attributes by the rule of `segfeat.importers.descriptions`."""
    return read_tables(files, COLUMNS, VIDEOS, USERS)
