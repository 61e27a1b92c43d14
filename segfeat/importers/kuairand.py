"""``kuairand``: KuaiRand (Gao et al. 2022, "KuaiRand: An Unbiased Sequential Recommendation Dataset"); milliseconds.

The logs are ``log_*.csv``, the metadata ``video_features_basic_*.csv``, the users ``user_features_*.csv``.
"""

from __future__ import annotations

from segfeat.importers.descriptions import WORDS, Columns
from segfeat.importers.imported import Files, Imported, read_tables
from segfeat.log_file import COLUMNS

LOG = {**COLUMNS, "video": ("video_id",), "watch_ms": ("play_time_ms",)}

VIDEOS = Columns(
    key=("video_id",),
    words=WORDS,
    duration=("video_duration",),
    attributes=("author_id", "video_type", "upload_type", "music_id", "music_type", "tag"),
    separator=",",
)

USERS = Columns(
    key=("user_id",),
    attributes=(
        "user_active_degree",
        "is_lowactive_period",
        "is_live_streamer",
        "is_video_author",
        "follow_user_num_range",
        "fans_user_num_range",
        "friend_user_num_range",
        "register_days_range",
        *(f"onehot_feat{i}" for i in range(18)),
    ),
)


def read(files: Files) -> Imported:
    """Videos by author, music, type and tags; users by their ranges and encrypted features."""
    return read_tables(files, LOG, VIDEOS, USERS)
