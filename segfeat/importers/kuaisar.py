"""``kuaisar``: KuaiSAR (Sun et al. 2023, "KuaiSAR: A Unified Search And Recommendation Dataset"); milliseconds.

The log is ``rec_inter.csv``, the metadata ``item_features.csv``, the users ``user_features.csv``. Captions are lists of
anonymous word numbers. The times are those at which items were sent, so several items of a user may share one.
"""

from __future__ import annotations

from segfeat.importers.descriptions import Columns
from segfeat.importers.imported import Files, Imported, read_tables

LOG = {
    "user": ("user_id",),
    "video": ("item_id",),
    "time_ms": ("timestamp",),
    "duration_ms": ("duration_ms",),
    "watch_ms": ("playing_time",),
}

VIDEOS = Columns(key=("item_id",), words=("caption",))
USERS = Columns(key=("user_id",))


def read(files: Files) -> Imported:
    """Views of the recommendation service; those of the search service have no watch time."""
    return read_tables(files, LOG, VIDEOS, USERS)
