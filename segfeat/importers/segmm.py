"""``segmm``: the SegMM release (He et al. 2025), whose watch time is called ``playing_time``; milliseconds."""

from __future__ import annotations

from segfeat.importers.any_csv import USERS, VIDEOS
from segfeat.importers.imported import Files, Imported, read_tables
from segfeat.log_file import COLUMNS

LOG = {**COLUMNS, "watch_ms": ("playing_time",)}


def read(files: Files) -> Imported:
    """The release has no tables of videos or users; those given are read as ``csv`` reads them."""
    return read_tables(files, LOG, VIDEOS, USERS)
