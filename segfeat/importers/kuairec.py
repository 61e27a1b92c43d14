"""``kuairec``: KuaiRec (Gao et al. 2022, "KuaiRec: A Fully-Observed Dataset ..."); milliseconds, times in seconds.

The logs are ``big_matrix.csv`` and ``small_matrix.csv``, the metadata ``kuairec_caption_category.csv``, the users
``user_features.csv``. Rows without a time (the release has some) are dropped as unreadable and counted.
"""

from __future__ import annotations

from segfeat.importers import kuairand
from segfeat.importers.descriptions import Columns
from segfeat.importers.imported import Files, Imported, read_tables

LOG = {
    "user": ("user_id",),
    "video": ("video_id",),
    "time_ms": ("timestamp",),
    "duration_ms": ("video_duration",),
    "watch_ms": ("play_duration",),
}

VIDEOS = Columns(
    key=("video_id",),
    words=("caption", "manual_cover_text", "topic_tag"),
    attributes=tuple(
        f"{level}_level_category_{what}" for level in ("first", "second", "third") for what in ("id", "name")
    ),
)


def read(files: Files) -> Imported:
    """Captions, cover texts and topics are words; the three levels of categories are attributes."""
    return read_tables(files, LOG, VIDEOS, kuairand.USERS, unit_ms={"time_ms": 1000})
